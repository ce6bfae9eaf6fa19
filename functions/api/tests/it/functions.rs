//! How functions are, where the host can tell.

use crate::support::Service;
use async_trait::async_trait;
use axum::http::Method;
use framepost_api::{Access, FunctionHealth, FunctionState, PathSigner, Scope, StoredToken, Tokens, Workings};
use framepost_ports::Result;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

struct Host;

#[async_trait]
impl Workings for Host {
    async fn functions(&self) -> Result<Vec<FunctionState>> {
        let good = |name: &str, waiting_ms: Option<u64>| FunctionState {
            name: name.to_owned(),
            waiting: u64::from(waiting_ms.is_some()),
            parked: 0,
            oldest_waiting: waiting_ms.map(Duration::from_millis),
            last_error: None,
            health: FunctionHealth::Good,
        };
        let error = ("2026-11-20T15:00:00Z".parse().unwrap(), "busy: the disk is full".to_owned());
        let failing =
            FunctionState { last_error: Some(error), health: FunctionHealth::Failing, parked: 2, ..good("c", None) };
        Ok(vec![good("a", Some(60_000)), good("b", Some(60_001)), failing])
    }
}

#[tokio::test]
async fn functions_are_told_where_the_host_knows_them() {
    let service = Service::on(Access::on_loopback(([127, 0, 0, 1], 8642).into()), Some(Arc::new(Host))).await;
    let error = json!({"time": "2026-11-20T15:00:00Z", "message": "busy: the disk is full"});
    assert_eq!(
        service.get("/v1/functions").await.json()["functions"],
        json!([
            {"name": "a", "state": "running", "waiting": 1, "parked": 0, "oldestWaitingMs": 60_000},
            {"name": "b", "state": "behind", "waiting": 1, "parked": 0, "oldestWaitingMs": 60_001},
            {"name": "c", "state": "failing", "waiting": 0, "parked": 2, "lastError": error},
        ])
    );
    assert_eq!(Service::start().await.get("/v1/functions").await.status, 404);
}

#[tokio::test]
async fn they_are_told_to_whoever_may_see_everything() {
    let made =
        ["*", "site-0"].map(|scope| StoredToken::make(vec![Scope::try_from(scope.to_owned()).unwrap()], None).unwrap());
    let stored: Vec<&StoredToken> = made.iter().map(|(_, stored)| stored).collect();
    let tokens = Arc::new(Tokens::of(&serde_json::to_string(&stored).unwrap()).unwrap());
    let access = Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) };
    let service = Service::on(access, Some(Arc::new(Host))).await;
    for ((token, _), status) in made.iter().zip([200, 404]) {
        let authorization = format!("Bearer {token}");
        let answer = service.ask(Method::GET, "/v1/functions", &[("authorization", &authorization)]).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(service.get("/v1/functions").await.status, 401);
}

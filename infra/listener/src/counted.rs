//! A service that records which requests it is answering.

use super::held::Activity;
use hyper::service::Service;
use std::pin::Pin;

pub(super) struct Counted<S> {
    service: S,
    activity: Activity,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S, activity: Activity) -> Self {
        Self { service, activity }
    }
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: R) -> Self::Future {
        let asked = self.activity.ask();
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(asked);
            answer
        })
    }
}

//! Claims in a DynamoDB table: one item for each piece of work, with conditional writes and consistent reads.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `work` | S | the partition key: the work's name |
//! | `write` | S | the id of the last write; each write is conditional on the one before |
//! | `entry` | S | the entry as JSON |
//! | `state` | S | `working`, `done` or `failed`, for people and filters |
//! | `expires_at` | N | the table's TTL attribute: seconds since 1970 when the item may go |

use crate::connect::Session;
use crate::error;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use framepost_ports::ledger::{Entry, LedgerStore, State, Swap, Version};
use framepost_ports::{Error, ErrorKind, Result};

/// A DynamoDB table with claims.
#[derive(Debug, Clone)]
pub struct DynamoLedger {
    client: Client,
    table: String,
}

impl DynamoLedger {
    /// Uses the table with this name or ARN. Sends no request yet.
    pub fn new(session: &Session, table: impl Into<String>) -> Self {
        Self { client: Client::new(&session.with_retries()), table: table.into() }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[async_trait]
impl LedgerStore for DynamoLedger {
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>> {
        let request = self.client.get_item().table_name(&self.table).key("work", text(work)).consistent_read(true);
        let answer = request.send().await.map_err(|failure| error::of("dynamodb", "read a claim", work, failure))?;
        let Some(item) = answer.item else { return Ok(None) };
        let foreign = || Error::new(ErrorKind::Invalid, "read a claim", work);
        let attribute = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let (Some(entry), Some(write)) = (attribute("entry"), attribute("write")) else {
            return Err(foreign().because("the item is not one of ours: it has no entry"));
        };
        let entry = serde_json::from_str(entry).map_err(|error| foreign().because(error))?;
        Ok(Some((entry, Version(write.clone()))))
    }

    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap> {
        let invalid = || Error::new(ErrorKind::Invalid, "write a claim", work);
        let json = serde_json::to_string(entry).map_err(|error| invalid().because(error))?;
        let state = match entry.state {
            State::Working => "working",
            State::Done => "done",
            State::Failed => "failed",
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("work", text(work))
            .item("write", text(&entry.write))
            .item("entry", text(json))
            .item("state", text(state))
            .item("expires_at", AttributeValue::N(entry.keep_until.as_second().to_string()));
        // Both attribute names are reserved words of the expression language, so the request uses placeholders
        // for them.
        let request = match expected {
            None => {
                request.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "work")
            }
            Some(version) => request
                .condition_expression("#write = :expected")
                .expression_attribute_names("#write", "write")
                .expression_attribute_values(":expected", text(&version.0)),
        };
        match request.send().await {
            Ok(_) => Ok(Swap::Written(Version(entry.write.clone()))),
            Err(failure)
                if failure.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(Swap::Refused)
            }
            Err(failure) => Err(error::of("dynamodb", "write a claim", work, failure)),
        }
    }
}

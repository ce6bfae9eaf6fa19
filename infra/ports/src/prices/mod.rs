//! What the clouds charge: the one table of prices that every estimate, budget and README of this workspace follows.
//!
//! They are list prices in US dollars, without discounts and without what is free each month, in us-east-1 and in Google
//! Cloud's regions of tier 1 (us-central1). Each has the date at which it was looked up. A test compares them with the READMEs.

#[cfg(test)]
mod tests;

/// A price in a public list. Only this table makes one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Price {
    /// US dollars for one of what is priced.
    pub dollars: f64,
    /// The date at which the list was looked up, `2026-11-27`, or its month if the day is not known.
    pub of: &'static str,
}

/// A price of one unit, where `dollars` pay for `many` units.
const fn price(dollars: f64, many: f64, of: &'static str) -> Price {
    Price { dollars: dollars / many, of }
}

const MILLION: f64 = 1e6;
const GIB: f64 = (1_u64 << 30) as f64;
const TIB: f64 = (1_u64 << 40) as f64;

/// Prices of Amazon Web Services in us-east-1, in US dollars.
pub mod aws {
    use super::{MILLION, Price, price};

    const JUNE: &str = "2026-06";

    /// A PUT or LIST request to S3.
    pub const S3_PUT: Price = price(5.0, MILLION, JUNE);
    /// A GET request to S3.
    pub const S3_GET: Price = price(0.4, MILLION, JUNE);
    /// A GiB in S3 for a month.
    pub const S3_GIB_MONTH: Price = price(0.023, 1.0, JUNE);
    /// An event on a bus of EventBridge.
    pub const EVENTBRIDGE_EVENT: Price = price(1.0, MILLION, JUNE);
    /// A request to SQS: to send, to receive or to delete up to ten messages.
    pub const SQS_REQUEST: Price = price(0.4, MILLION, JUNE);
    /// A call of a Lambda.
    pub const LAMBDA_REQUEST: Price = price(0.2, MILLION, "2026-11-27");
    /// A GB of memory for a second of a Lambda on x86-64.
    pub const LAMBDA_GB_S_X86: Price = price(0.000_016_666_7, 1.0, "2026-11-27");
    /// A GB of memory for a second of a Lambda on arm64.
    pub const LAMBDA_GB_S_ARM: Price = price(0.000_013_333_4, 1.0, JUNE);
    /// A GB of log lines taken in by CloudWatch.
    pub const LOGS_GB: Price = price(0.5, 1.0, JUNE);
    /// A metric for a month.
    pub const METRIC_MONTH: Price = price(0.3, 1.0, JUNE);
    /// An alarm for a month.
    pub const ALARM_MONTH: Price = price(0.1, 1.0, JUNE);
    /// A GB that Firehose takes, 5 kB a record at least.
    pub const FIREHOSE_GB: Price = price(0.029, 1.0, JUNE);
    /// A GB that Firehose converts to Parquet.
    pub const FIREHOSE_CONVERTED_GB: Price = price(0.018, 1.0, JUNE);
    /// A TB that Athena reads.
    pub const ATHENA_TB: Price = price(5.0, 1.0, JUNE);
    /// An Aurora capacity unit for an hour.
    pub const AURORA_ACU_H: Price = price(0.12, 1.0, JUNE);
    /// A GB of Aurora's storage for a month.
    pub const AURORA_GB_MONTH: Price = price(0.1, 1.0, JUNE);
    /// A read or write of Aurora's storage.
    pub const AURORA_IO: Price = price(0.2, MILLION, JUNE);
    /// A secret for a month.
    pub const SECRET_MONTH: Price = price(0.4, 1.0, JUNE);
    /// An interface endpoint in one zone for an hour.
    pub const ENDPOINT_H: Price = price(0.01, 1.0, JUNE);
    /// A picture of Rekognition's `DetectLabels`, an API of Group 2: each of the first million of a month.
    pub const REKOGNITION_PICTURE: Price = price(0.001, 1.0, "2026-11-27");
}

/// Prices of Google Cloud in us-central1, in US dollars.
pub mod gcp {
    use super::{GIB, MILLION, Price, TIB, price};

    const MAY: &str = "2026-05";
    const NOVEMBER_21: &str = "2026-11-21";
    const NOVEMBER_27: &str = "2026-11-27";

    /// A class A operation of Cloud Storage: to put or to list.
    pub const STORAGE_CLASS_A: Price = price(0.005, 1e3, NOVEMBER_21);
    /// A class B operation of Cloud Storage: to get.
    pub const STORAGE_CLASS_B: Price = price(0.0004, 1e3, NOVEMBER_21);
    /// A GiB in Cloud Storage for a month.
    pub const STORAGE_GIB_MONTH: Price = price(0.02, 1.0, NOVEMBER_21);
    /// A byte through Pub/Sub, in or out.
    pub const PUBSUB_BYTE: Price = price(40.0, TIB, NOVEMBER_21);
    /// A byte that a subscription writes to BigQuery.
    pub const PUBSUB_TO_BIGQUERY_BYTE: Price = price(50.0, TIB, NOVEMBER_21);
    /// A request to Cloud Run.
    pub const RUN_REQUEST: Price = price(0.4, MILLION, NOVEMBER_27);
    /// A processor of Cloud Run for a second, billed by requests.
    pub const RUN_CPU_S: Price = price(0.000_024, 1.0, NOVEMBER_27);
    /// A GiB of memory of Cloud Run for a second, billed by requests.
    pub const RUN_GIB_S: Price = price(0.000_002_5, 1.0, NOVEMBER_27);
    /// A byte of log lines, with 30 days in which they are kept.
    pub const LOGS_BYTE: Price = price(0.5, GIB, NOVEMBER_21);
    /// A GiB in BigQuery for a month.
    pub const BIGQUERY_GIB_MONTH: Price = price(0.02, 1.0, NOVEMBER_21);
    /// A TiB that queries of BigQuery read.
    pub const BIGQUERY_READ_TIB: Price = price(6.25, 1.0, NOVEMBER_21);
    /// A `db-g1-small` of Cloud SQL for an hour.
    pub const SQL_SMALL_H: Price = price(0.035, 1.0, MAY);
    /// A processor of Cloud SQL for an hour.
    pub const SQL_CPU_H: Price = price(0.0413, 1.0, MAY);
    /// A GB of memory of Cloud SQL for an hour.
    pub const SQL_GB_H: Price = price(0.007, 1.0, MAY);
    /// A GB of Cloud SQL's storage for a month.
    pub const SQL_GB_MONTH: Price = price(0.17, 1.0, MAY);
    /// A GB of Cloud SQL's backups for a month.
    pub const SQL_BACKUP_GB_MONTH: Price = price(0.08, 1.0, MAY);
    /// A version of a secret for a month.
    pub const SECRET_MONTH: Price = price(0.06, 1.0, MAY);
    /// A picture of Vision's `OBJECT_LOCALIZATION`: each beyond the first thousand of a month.
    pub const VISION_PICTURE: Price = price(0.002_25, 1.0, NOVEMBER_27);
}

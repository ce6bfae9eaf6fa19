//! The READMEs against the table: each amount of dollars in them is one of the table's, or follows from it, and its date is told.

use super::{Price, aws, gcp};
use std::collections::BTreeSet;

/// Chunks of 3, 6, 10 and 30 s that a camera records in 30 days.
const CHUNKS: [f64; 4] = [864_000.0, 432_000.0, 259_200.0, 86_400.0];
/// A gateway's reports in 30 days, one every five minutes.
const REPORTS: f64 = 8640.0;
/// What a camera of 2 Mb/s records in 30 days.
const FOOTAGE_GIB: f64 = 603.5;
const HOURS: f64 = 720.0;

/// A number in a text, and the date of the price that it is.
struct Amount {
    dollars: f64,
    of: Option<&'static str>,
}

/// The price of so many.
fn of(price: Price, many: f64) -> Amount {
    Amount { dollars: price.dollars * many, of: Some(price.of) }
}

/// An amount that is computed from several prices, and so has no date of its own.
fn computed(dollars: f64) -> Amount {
    Amount { dollars, of: None }
}

/// A phrase with `{}` where its amounts are.
type Phrase = (String, Vec<Amount>);

fn phrase(text: &str, amounts: Vec<Amount>) -> Phrase {
    (text.to_owned(), amounts)
}

/// A part of a README, in one line.
struct Section {
    name: &'static str,
    text: String,
}

impl Section {
    fn of(name: &'static str, from: &str, to: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let whole = std::fs::read_to_string(path).unwrap();
        let begin = whole.find(from).unwrap_or_else(|| panic!("{name} has no {from:?}"));
        let rest = &whole[begin..];
        let end = rest[from.len()..].find(to).map_or(rest.len(), |end| end + from.len());
        Self { name, text: rest[..end].split_whitespace().collect::<Vec<_>>().join(" ") }
    }

    /// The places and the texts of the numbers of the phrase, where it is found first.
    fn find(&self, phrase: &str) -> Option<Vec<(usize, &str)>> {
        let literals: Vec<&str> = phrase.split("{}").collect();
        self.text.match_indices(literals[0]).find_map(|(at, first)| {
            let mut at = at + first.len();
            let mut numbers = Vec::new();
            for literal in &literals[1..] {
                let rest = &self.text[at..];
                let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
                // A full stop may follow.
                let number = rest[..length].trim_end_matches('.');
                numbers.push((at, number));
                at += number.len();
                at += self.text[at..].starts_with(literal).then_some(literal.len())?;
            }
            Some(numbers)
        })
    }

    /// Fails unless it has these phrases with these amounts, no other dollars, and the date of each price.
    fn assert_says(&self, phrases: &[Phrase]) {
        let name = self.name;
        let mut places = BTreeSet::new();
        for (phrase, amounts) in phrases {
            let numbers = self.find(phrase).unwrap_or_else(|| panic!("{name} does not say {phrase:?}"));
            assert_eq!(numbers.len(), amounts.len(), "{phrase:?}");
            for ((at, number), Amount { dollars, of }) in numbers.into_iter().zip(amounts) {
                places.insert(at);
                let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                assert_eq!(number, format!("{dollars:.decimals$}"), "{name}: {phrase:?}");
                // A price is told in full.
                let is_told = |said: f64| (said - dollars).abs() <= dollars * 1e-9;
                assert!(of.is_none() || number.parse().is_ok_and(is_told), "{name}: {phrase:?}: {dollars}");
                if let Some(date) = of {
                    assert!(self.text.contains(date), "{name} does not say that a price is of {date}");
                }
            }
        }
        for (at, _) in self.text.match_indices('$') {
            let around: String = self.text[at..].chars().take(30).collect();
            assert!(places.contains(&(at + 1)), "{name}: nothing says where this is from: {around:?}");
        }
    }
}

/// A row of a table: the length of a chunk, their number, and what they cost by kind, together, with storage.
fn row(n: usize, kinds: &[f64], storage: f64) -> Phrase {
    let head = ["3 s | 864 000", "6 s | 432 000", "10 s | 259 200", "30 s | 86 400"][n];
    let kinds: Vec<f64> = kinds.iter().map(|each| each * CHUNKS[n]).collect();
    let together: f64 = kinds.iter().sum();
    let cells = "{} | ".repeat(kinds.len());
    let amounts = kinds.into_iter().chain([together, storage, together + storage]).map(computed);
    (format!("| {head} | {cells}**{{}}** | {{}} | {{}} |"), amounts.collect())
}

#[test]
fn the_functions_readme_has_the_prices_of_the_table() {
    Section::of("functions/infer/README.md", "**What it costs.**", "\n**").assert_says(&[
        phrase(
            "Lambda on x86-64 with 1536 MB, ${} for a GB-second and ${} for a million requests",
            vec![of(aws::LAMBDA_GB_S_X86, 1.0), of(aws::LAMBDA_REQUEST, 1e6)],
        ),
        phrase(
            "${} for a processor's second, ${} for a GiB-second, ${} for a million requests",
            vec![of(gcp::RUN_CPU_S, 1.0), of(gcp::RUN_GIB_S, 1.0), of(gcp::RUN_REQUEST, 1e6)],
        ),
        phrase(
            "Rekognition ${} and Cloud Vision ${} for a picture",
            vec![of(aws::REKOGNITION_PICTURE, 1.0), of(gcp::VISION_PICTURE, 1.0)],
        ),
    ]);
}

/// US dollars for a chunk, or for a report, on AWS: requests, events, SQS, Lambda, logs.
fn on_aws() -> [f64; 5] {
    [
        aws::S3_PUT.dollars + aws::S3_GET.dollars,
        2.0 * aws::EVENTBRIDGE_EVENT.dollars,
        3.0 * aws::SQS_REQUEST.dollars,
        aws::LAMBDA_REQUEST.dollars + 0.05 * 0.125 * aws::LAMBDA_GB_S_ARM.dollars,
        1.5e-6 * aws::LOGS_GB.dollars,
    ]
}

#[test]
fn the_readme_of_aws_follows_from_the_table() {
    let each = on_aws();
    let [requests, events, sqs, lambda, logs] = each.map(|dollars| computed(dollars * 1e6));
    let without_logs: f64 = each[..4].iter().sum();
    let month = FOOTAGE_GIB * aws::S3_GIB_MONTH.dollars / 30.0;
    let receives = 650_000.0 * aws::SQS_REQUEST.dollars;
    let fixed = 11.0 * (aws::METRIC_MONTH.dollars + aws::ALARM_MONTH.dollars) + receives;
    let acu = HOURS * aws::AURORA_ACU_H.dollars;
    let endpoint = HOURS * aws::ENDPOINT_H.dollars;
    let storage = 10.0 * aws::AURORA_GB_MONTH.dollars;
    let alarms = 11.0 * aws::ALARM_MONTH.dollars;
    let least = 0.5 * acu + storage + aws::SECRET_MONTH.dollars + endpoint + alarms;
    let firehose = aws::FIREHOSE_GB.dollars + aws::FIREHOSE_CONVERTED_GB.dollars;
    let mut phrases: Vec<Phrase> = (0..4).map(|n| row(n, &each, month * 37.0)).collect();
    phrases.extend([
        phrase(
            "one put (${}) and one read by the probe (${}) = ${};",
            vec![of(aws::S3_PUT, 1e6), of(aws::S3_GET, 1e6), requests],
        ),
        phrase(
            "which is opt-in (${}), and the record (${}) = ${};",
            vec![of(aws::EVENTBRIDGE_EVENT, 1e6), of(aws::EVENTBRIDGE_EVENT, 1e6), events],
        ),
        phrase("for a single camera (${} each) = ${}", vec![of(aws::SQS_REQUEST, 1e6), sqs]),
        phrase(
            "one request (${}), and an assumed 50 ms of 128 MiB on arm64 (${} per GB-second) = ${};",
            vec![of(aws::LAMBDA_REQUEST, 1e6), of(aws::LAMBDA_GB_S_ARM, 1.0), lambda],
        ),
        phrase("the metrics' line (${} per GB) = ${}", vec![of(aws::LOGS_GB, 1.0), logs]),
        phrase("603.5 GiB; × ${} × 37/30", vec![of(aws::S3_GIB_MONTH, 1.0)]),
        phrase("`noncurrent_days = 1` saves ${} of that", vec![computed(6.0 * month)]),
        phrase("8640 × ${} = ${}", vec![computed(without_logs), computed(REPORTS * without_logs)]),
        phrase("cost ${} with five cameras", vec![computed(REPORTS * (1.2 + 5.0 * 0.5) / 1e6 * aws::LOGS_GB.dollars)]),
        phrase("Metrics cost ${} each", vec![of(aws::METRIC_MONTH, 1.0)]),
        phrase("Alarms cost ${} each", vec![of(aws::ALARM_MONTH, 1.0)]),
        phrase("empty receives of the queue cost ${}", vec![computed(receives)]),
        phrase(
            "11 × {} + 11 × {} + {} = **${}**",
            vec![of(aws::METRIC_MONTH, 1.0), of(aws::ALARM_MONTH, 1.0), computed(receives), computed(fixed)],
        ),
        phrase(
            "2.16 GB × (${} for taking + ${} for converting) = ${}",
            vec![of(aws::FIREHOSE_GB, 1.0), of(aws::FIREHOSE_CONVERTED_GB, 1.0), computed(2.16 * firehose)],
        ),
        phrase("8640 puts, for any number of cameras: ${}", vec![computed(REPORTS * aws::S3_PUT.dollars)]),
        phrase("0.6 GB before compression, ${} a month", vec![computed(0.6 * aws::S3_GIB_MONTH.dollars)]),
        phrase("Three alarms cost ${}", vec![of(aws::ALARM_MONTH, 3.0)]),
        phrase("Athena charges ${} for each TB", vec![of(aws::ATHENA_TB, 1.0)]),
        phrase("0.5 ACU × 720 h × ${} | {} |", vec![of(aws::AURORA_ACU_H, 1.0), computed(0.5 * acu)]),
        phrase("2 ACU × 720 h × ${} | {} |", vec![of(aws::AURORA_ACU_H, 1.0), computed(2.0 * acu)]),
        phrase("10 GB × ${}; backups", vec![of(aws::AURORA_GB_MONTH, 1.0)]),
        phrase("as much are free | {} |", vec![computed(storage)]),
        phrase("secret | | {} |", vec![of(aws::SECRET_MONTH, 1.0)]),
        phrase("in one zone | 720 h × ${} | {} |", vec![of(aws::ENDPOINT_H, 1.0), computed(endpoint)]),
        phrase("2 of the database: 11 × ${} | {} |", vec![of(aws::ALARM_MONTH, 1.0), computed(alarms)]),
        phrase("the least is **${}**", vec![computed(least)]),
        phrase("endpoint for SQS would cost ${} more", vec![computed(endpoint)]),
        phrase("what they take for the probe (${})", vec![computed(CHUNKS[1] * (each[2] + each[3]))]),
        phrase("Aurora charges ${} for a million reads", vec![of(aws::AURORA_IO, 1e6)]),
        phrase("A request to the API costs ${} and the time", vec![of(aws::LAMBDA_REQUEST, 1.0)]),
        phrase("256 MiB for 100 ms are ${}", vec![computed(0.25 * 0.1 * aws::LAMBDA_GB_S_ARM.dollars)]),
    ]);
    Section::of("terraform/aws/README.md", "## What it costs", "\n## ").assert_says(&phrases);
}

/// US dollars for a chunk on Google Cloud: requests, Pub/Sub, Cloud Run, logs, BigQuery.
fn on_gcp() -> [f64; 5] {
    [
        gcp::STORAGE_CLASS_A.dollars + gcp::STORAGE_CLASS_B.dollars,
        (2.0 * 2000.0 + 1700.0) * gcp::PUBSUB_BYTE.dollars + 1700.0 * gcp::PUBSUB_TO_BIGQUERY_BYTE.dollars,
        gcp::RUN_REQUEST.dollars + 0.1 * (gcp::RUN_CPU_S.dollars + 0.125 * gcp::RUN_GIB_S.dollars),
        2300.0 * gcp::LOGS_BYTE.dollars,
        1300.0 / super::GIB * gcp::BIGQUERY_GIB_MONTH.dollars,
    ]
}

#[test]
fn the_readme_of_google_cloud_follows_from_the_table() {
    let each = on_gcp();
    let [requests, pubsub, run, logs, _] = each.map(computed);
    let month = FOOTAGE_GIB * gcp::STORAGE_GIB_MONTH.dollars / 30.0;
    let small = HOURS * gcp::SQL_SMALL_H.dollars;
    let custom = HOURS * (gcp::SQL_CPU_H.dollars + 3.75 * gcp::SQL_GB_H.dollars);
    let storage = 10.0 * (gcp::SQL_GB_MONTH.dollars + gcp::SQL_BACKUP_GB_MONTH.dollars);
    let secret = gcp::SECRET_MONTH.dollars;
    let mut phrases: Vec<Phrase> = (0..4).map(|n| row(n, &each, month * 38.0)).collect();
    phrases.extend([
        phrase(
            "one put (${} per 1000) and one read by the probe (${} per 1000) = ${};",
            vec![of(gcp::STORAGE_CLASS_A, 1e3), of(gcp::STORAGE_CLASS_B, 1e3), requests],
        ),
        phrase(
            "published (${} per TiB) and written to BigQuery (${} per TiB) = ${};",
            vec![of(gcp::PUBSUB_BYTE, super::TIB), of(gcp::PUBSUB_TO_BIGQUERY_BYTE, super::TIB), pubsub],
        ),
        phrase("one request (${} per 1 000 000)", vec![of(gcp::RUN_REQUEST, 1e6)]),
        phrase(
            "of one vCPU (${} per second) and 128 MiB (${} per GiB-second) = ${}",
            vec![of(gcp::RUN_CPU_S, 1.0), of(gcp::RUN_GIB_S, 1.0), run],
        ),
        phrase("2.3 kB (${} per GiB, 30 days included) = ${};", vec![of(gcp::LOGS_BYTE, super::GIB), logs]),
        phrase("a row of 1.3 kB (${} per GiB and month)", vec![of(gcp::BIGQUERY_GIB_MONTH, 1.0)]),
        phrase("Queries cost ${} per TiB read", vec![of(gcp::BIGQUERY_READ_TIB, 1.0)]),
        phrase("about what a chunk does: ${}", vec![computed(REPORTS * each.iter().sum::<f64>())]),
        phrase("603.5 GiB; × ${} × 38/30", vec![of(gcp::STORAGE_GIB_MONTH, 1.0)]),
        phrase("`soft_delete_days = 0` saves ${} of that", vec![computed(7.0 * month)]),
        phrase("| `db-g1-small` | 720 h × ${} | {} |", vec![of(gcp::SQL_SMALL_H, 1.0), computed(small)]),
        phrase(
            "720 h × (${} + 3.75 GB × ${}) | {} |",
            vec![of(gcp::SQL_CPU_H, 1.0), of(gcp::SQL_GB_H, 1.0), computed(custom)],
        ),
        phrase(
            "10 GB × ${}, backups of up to 10 GB × ${} | {} |",
            vec![of(gcp::SQL_GB_MONTH, 1.0), of(gcp::SQL_BACKUP_GB_MONTH, 1.0), computed(storage)],
        ),
        phrase("one version × ${} | {} |", vec![of(gcp::SECRET_MONTH, 1.0), computed(secret)]),
        phrase("the least is **${}**", vec![computed(small + storage + secret)]),
        phrase("what they take for the probe (${})", vec![computed(CHUNKS[1] * (each[1] + each[2]))]),
    ]);
    Section::of("terraform/gcp/README.md", "## What it costs", "\n## ").assert_says(&phrases);
}

#[test]
fn the_gateways_readme_follows_from_the_table() {
    let section = Section::of("edge-uploader/README.md", "8640 puts in 30 days", "\n\n");
    let puts = phrase(
        "8640 puts in 30 days cost ${} at ${} a million (2026-06)",
        vec![computed(REPORTS * aws::S3_PUT.dollars), of(aws::S3_PUT, 1e6)],
    );
    // With their log lines, they cost a little less.
    section.assert_says(&[puts, phrase("about ${} including", vec![computed(0.1)])]);
    let on_aws: f64 = on_aws().iter().sum();
    let on_gcp: f64 = on_gcp().iter().sum();
    for each in [on_aws, on_gcp] {
        assert!((0.07..0.1).contains(&(REPORTS * each)), "{each}");
    }
}

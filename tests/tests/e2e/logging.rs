//! Google's log-based metrics over the lines of a program: which of them Cloud Logging would count, by the filters in
//! `terraform/modules/gcp/observability`.
//!
//! Terraform's expressions are evaluated as far as filters need it. Of the Logging query language
//! (<https://cloud.google.com/logging/docs/view/logging-query-language>), this knows what these filters use, and panics at
//! anything else.

use crate::parity::{attribute, blocks, configuration};
use hcl::Value as Hcl;
use hcl::eval::{Context, Evaluate as _, FuncArgs, FuncDef, ParamType};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::vec::IntoIter;

/// A metric that Cloud Logging counts from entries.
#[derive(Debug)]
pub(crate) struct Metric {
    filter: String,
    /// The fields of its labels.
    labels: BTreeMap<String, String>,
    /// The field whose values are summed; without one, entries are counted.
    field: Option<String>,
}

/// The metrics by their names, with functions that are services of the names `framepost-probe` and `framepost-infer`.
pub(crate) fn metrics() -> BTreeMap<String, Metric> {
    let services: Map<String, Value> = ["probe", "infer"]
        .map(|name| (name.to_owned(), json!({ "service_name": format!("framepost-{name}"), "subscription_names": {} })))
        .into_iter()
        .collect();
    let var = json!({ "name": "framepost", "functions": services, "chunks_function": "probe", "infer_function": "infer",
        "signed": false, "alarms": { "backlog_minutes": 30 } });
    let mut context = Context::new();
    for (name, function) in [
        ("join", functions::join as fn(_) -> _),
        ("sort", functions::sort),
        ("values", functions::values),
        ("concat", functions::concat),
        ("merge", functions::merge),
    ] {
        context.declare_func(name, FuncDef::builder().variadic_param(ParamType::Any).build(function));
    }
    context.declare_func(
        "replace",
        FuncDef::new(functions::replace, [ParamType::String, ParamType::String, ParamType::String]),
    );
    context.declare_var("var", hcl::to_value(&var).expect("a value"));
    let body = configuration("modules/gcp/observability");
    let mut left: Vec<_> = blocks(&body, "locals").flat_map(|locals| locals.body().attributes()).collect();
    let mut local = hcl::Map::new();
    // One that names others has a value once those have one.
    loop {
        let before = left.len();
        left.retain(|attribute| match attribute.expr().evaluate(&context) {
            Ok(value) => {
                local.insert(attribute.key().to_owned(), value);
                context.declare_var("local", local.clone());
                false
            }
            Err(_) => true,
        });
        if left.len() == before {
            break;
        }
    }
    let mut metrics = BTreeMap::new();
    for name in ["metrics", "infer_metrics", "infer_distributions"] {
        let found = local.get(name).and_then(Hcl::as_object);
        for (name, metric) in found.unwrap_or_else(|| panic!("local.{name} has no value: {:?}", local.keys())) {
            let metric = metric.as_object().expect("a metric");
            let text = |name: &str| metric.get(name).and_then(Hcl::as_str).map(str::to_owned);
            let labels = metric.get("labels").and_then(Hcl::as_object).expect("labels");
            let labels = labels.iter().map(|(name, field)| (name.clone(), field.as_str().expect("a field").to_owned()));
            let metric = Metric {
                filter: text("filter").expect("a filter"),
                labels: labels.collect(),
                field: text("field").map(|field| format!("jsonPayload.{field}")),
            };
            metrics.insert(name.clone(), metric);
        }
    }
    // They are what the resources have.
    for name in ["count", "distribution"] {
        let metrics = blocks(&body, "resource")
            .find(|block| block.labels()[0].as_str() == "google_logging_metric" && block.labels()[1].as_str() == name);
        let filter = attribute(metrics.expect("a resource"), "filter").expect("a filter");
        assert_eq!(hcl::format::to_string(filter).expect("an expression"), "each.value.filter");
    }
    metrics
}

/// The functions of Terraform that the locals of `gcp/observability` call, for the arguments that they are given there.
#[expect(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "the evaluator wants all of one type")]
mod functions {
    use super::{BTreeSet, FuncArgs, Hcl};

    fn arrays(arguments: FuncArgs) -> Vec<Hcl> {
        arguments.into_values().into_iter().flat_map(|value| value.as_array().cloned().unwrap_or_default()).collect()
    }

    pub(super) fn join(arguments: FuncArgs) -> Result<Hcl, String> {
        let separator = arguments.first().and_then(Hcl::as_str).ok_or("a separator")?.to_owned();
        let texts: Option<Vec<String>> =
            arrays(arguments).iter().map(|text| text.as_str().map(str::to_owned)).collect();
        Ok(texts.ok_or("texts")?.join(&separator).into())
    }

    pub(super) fn sort(arguments: FuncArgs) -> Result<Hcl, String> {
        let texts: BTreeSet<String> =
            arrays(arguments).iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
        Ok(texts.into_iter().collect::<Vec<_>>().into())
    }

    pub(super) fn values(arguments: FuncArgs) -> Result<Hcl, String> {
        let object = arguments.first().and_then(Hcl::as_object).ok_or("an object")?;
        Ok(object.values().cloned().collect::<Vec<_>>().into())
    }

    pub(super) fn concat(arguments: FuncArgs) -> Result<Hcl, String> {
        Ok(arrays(arguments).into())
    }

    pub(super) fn merge(arguments: FuncArgs) -> Result<Hcl, String> {
        let mut merged = hcl::Map::new();
        for object in arguments.into_values() {
            merged.extend(object.as_object().ok_or("an object")?.clone());
        }
        Ok(merged.into())
    }

    pub(super) fn replace(arguments: FuncArgs) -> Result<Hcl, String> {
        let [text, from, to] = [0, 1, 2].map(|at| arguments[at].as_str().unwrap_or_default());
        Ok(text.replace(from, to).into())
    }
}

/// What Cloud Logging makes of the lines that the service `framepost-NAME` writes to its standard output
/// (<https://cloud.google.com/logging/docs/structured-logging#special-payload-fields>): one entry of all with one `insertId` and
/// time.
pub(crate) fn entries(lines: &[String], name: &str) -> Vec<Value> {
    let mut known = BTreeSet::new();
    let objects = lines.iter().filter_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    let entry = |mut payload: Map<String, Value>| {
        let time = payload.remove("time");
        let id = payload.remove("logging.googleapis.com/insertId");
        let is_new = id.is_none_or(|id| known.insert((id.to_string(), time.map(|time| time.to_string()))));
        let severity = payload.remove("severity").unwrap_or_else(|| json!("DEFAULT"));
        payload.retain(|name, _| !name.starts_with("logging.googleapis.com/"));
        let labels = json!({ "service_name": format!("framepost-{name}") });
        let resource = json!({ "type": "cloud_run_revision", "labels": labels });
        let log_id = "run.googleapis.com/stdout";
        is_new.then(|| json!({ "log_id": log_id, "severity": severity, "resource": resource, "jsonPayload": payload }))
    };
    objects.filter_map(entry).collect()
}

impl Metric {
    /// How many of the entries are counted, by the values of its labels, and the sum of its field.
    pub(crate) fn of(&self, entries: &[Value]) -> (BTreeMap<String, usize>, f64) {
        let mut counts = BTreeMap::new();
        let mut sum = 0.0;
        for entry in entries.iter().filter(|entry| matches(&self.filter, entry)) {
            // A label whose field is not there is empty.
            let labels =
                self.labels.values().map(|field| found(entry, field).and_then(Value::as_str).unwrap_or_default());
            *counts.entry(labels.collect::<Vec<_>>().join(" ")).or_default() += 1;
            sum += self
                .field
                .as_deref()
                .map_or(0.0, |field| found(entry, field).and_then(Value::as_f64).expect("a number"));
        }
        (counts, sum)
    }
}

/// The value of a field, by its path.
fn found<'a>(entry: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(entry, |value, name| value.get(name)).filter(|value| !value.is_null())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

fn tokens(filter: &str) -> Peekable<IntoIter<Token>> {
    const SIGNS: [&str; 10] = ["=~", "!=", ">=", "<=", "(", ")", "=", ">", "<", ":"];
    let mut tokens = Vec::new();
    let mut left = filter.trim_start();
    while !left.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| left.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            left = &left[sign.len()..];
        } else if let Some(quoted) = left.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or_else(|| panic!("a quote that does not end: {filter}"));
            assert!(!quoted[..end].contains('\\'), "escapes are not known here: {filter}");
            tokens.push(Token::Text(quoted[..end].to_owned()));
            left = &quoted[end + 1..];
        } else {
            let end = left.find(|c: char| c.is_whitespace() || "()=<>:\"!".contains(c)).unwrap_or(left.len());
            assert!(end > 0, "what is that: {left}");
            tokens.push(Token::Word(left[..end].to_owned()));
            left = &left[end..];
        }
        left = left.trim_start();
    }
    tokens.into_iter().peekable()
}

/// Whether the entry is one that the filter is for.
fn matches(filter: &str, entry: &Value) -> bool {
    let mut tokens = tokens(filter);
    let is_one = all_of(&mut tokens, entry);
    assert_eq!(tokens.next(), None, "more than an expression: {filter}");
    is_one
}

fn takes(tokens: &mut Peekable<IntoIter<Token>>, word: &str) -> bool {
    tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
}

/// "The NOT operator has the highest precedence, followed by OR and AND in that order."
fn all_of(tokens: &mut Peekable<IntoIter<Token>>, entry: &Value) -> bool {
    let mut all = any_of(tokens, entry);
    while takes(tokens, "AND") {
        all &= any_of(tokens, entry);
    }
    all
}

fn any_of(tokens: &mut Peekable<IntoIter<Token>>, entry: &Value) -> bool {
    let mut any = one(tokens, entry);
    while takes(tokens, "OR") {
        any |= one(tokens, entry);
    }
    any
}

fn one(tokens: &mut Peekable<IntoIter<Token>>, entry: &Value) -> bool {
    if takes(tokens, "NOT") {
        return !one(tokens, entry);
    }
    match tokens.next() {
        Some(Token::Sign("(")) => {
            let is_one = all_of(tokens, entry);
            assert_eq!(tokens.next(), Some(Token::Sign(")")));
            is_one
        }
        Some(Token::Word(function)) if function == "log_id" => {
            let called = [tokens.next(), tokens.next(), tokens.next()];
            let [Some(Token::Sign("(")), Some(Token::Text(id)), Some(Token::Sign(")"))] = called else {
                panic!("{called:?}")
            };
            entry["log_id"] == id.as_str()
        }
        Some(Token::Word(path)) => {
            let Some(Token::Sign(operator)) = tokens.next() else { panic!("{path} is compared with nothing") };
            let any = operands(tokens);
            // "If the field is not there, the comparison is false."
            found(entry, &path).is_some_and(|value| any.iter().any(|operand| compare(&path, value, operator, operand)))
        }
        other => panic!("{other:?} begins no comparison"),
    }
}

/// A value, or several of which one has to fit: `("a" OR "b")`.
fn operands(tokens: &mut Peekable<IntoIter<Token>>) -> Vec<Token> {
    if tokens.next_if_eq(&Token::Sign("(")).is_none() {
        return vec![tokens.next().expect("a value")];
    }
    let mut any = vec![tokens.next().expect("a value")];
    while takes(tokens, "OR") {
        any.push(tokens.next().expect("a value"));
    }
    assert_eq!(tokens.next(), Some(Token::Sign(")")));
    any
}

fn compare(path: &str, value: &Value, operator: &str, operand: &Token) -> bool {
    const SEVERITIES: [&str; 9] =
        ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"];
    let severity = |name: &str| SEVERITIES.iter().position(|known| *known == name).expect("a severity");
    match (operator, value, operand) {
        (":", _, Token::Word(any)) if any == "*" => true,
        (">=", Value::String(found), Token::Word(least)) if path == "severity" => severity(found) >= severity(least),
        // A pattern is sensitive to case, and anything else is not.
        ("=~", Value::String(found), Token::Text(pattern)) => {
            let end = pattern.strip_prefix("[.]").and_then(|end| end.strip_suffix('$'));
            let end = end.filter(|end| end.chars().all(char::is_alphanumeric));
            let end = end.unwrap_or_else(|| panic!("the pattern {pattern} is not known here"));
            found.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'))
        }
        ("=", Value::String(found), Token::Text(text)) => found.eq_ignore_ascii_case(text),
        ("=", Value::Bool(found), Token::Word(word)) => *word == found.to_string(),
        ("=" | ">" | ">=" | "<", Value::Number(found), Token::Word(word)) => {
            let bound: f64 = word.parse().unwrap_or_else(|_| panic!("{path}: {word} is no number"));
            let found = found.as_f64().expect("a number");
            match operator {
                "=" => (found - bound).abs() < f64::EPSILON,
                ">" => found > bound,
                ">=" => found >= bound,
                _ => found < bound,
            }
        }
        other => panic!("{path}: the comparison {other:?} is not known here"),
    }
}

#[test]
fn filters_are_read_as_cloud_logging_reads_them() {
    let entry = json!({ "severity": "WARNING", "log_id": "run.googleapis.com/stdout",
        "jsonPayload": { "a": 1, "b": "Text", "c": { "d": true }, "key": "x.mp4" } });
    for (filter, expected) in [
        ("jsonPayload.a=1", true),
        ("jsonPayload.a>1 OR jsonPayload.b=\"text\"", true),
        // As (… OR …) AND (…).
        ("jsonPayload.a=1 OR jsonPayload.a=1 AND jsonPayload.a=2", false),
        ("NOT jsonPayload.a=2 AND NOT (jsonPayload.a=2 OR jsonPayload.c.d=false)", true),
        ("jsonPayload.nothing=1", false),
        ("NOT jsonPayload.nothing=1", true),
        ("jsonPayload.c.d:*", true),
        ("jsonPayload.c.e:*", false),
        ("jsonPayload.b=(\"other\" OR \"Text\")", true),
        ("jsonPayload.key=~\"[.]mp4$\"", true),
        ("jsonPayload.b=~\"[.]mp4$\"", false),
        ("severity>=ERROR", false),
        ("severity>=INFO AND log_id(\"run.googleapis.com/stdout\")", true),
        ("log_id(\"run.googleapis.com/requests\")", false),
    ] {
        assert_eq!(matches(filter, &entry), expected, "{filter}");
    }
}

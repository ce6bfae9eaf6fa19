//! Compares the two Terraform roots: variables, outputs and alarms must be the same.
//!
//! The lists below name the allowed differences and the reasons. An entry that no
//! longer applies fails the test.

use hcl::{Block, Body, Expression, ObjectKey};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Variables and members of object variables that exist in one root only or differ in type or default.
const VARIABLES: &[(&str, &str)] = &[
    ("project", "Google has projects; an AWS account is the credential's"),
    ("enable_apis", "AWS has nothing to enable"),
    ("region", "AWS finds one in the environment; footage on Google goes where somebody said it should"),
    ("bucket.location", "a Google bucket can span regions"),
    ("bucket.versioning", "on Google soft delete undoes a deletion too, so versions are a choice"),
    ("bucket.soft_delete_days", "S3 has no soft delete"),
    ("bucket.noncurrent_days", "on Google a week of soft delete comes on top"),
    ("bucket.overwriters", "S3's bucket policy refuses overwriting; on Google no identity here is granted it"),
    ("functions.packages", "Lambda takes zips"),
    ("functions.architecture", "Cloud Run has one"),
    ("functions.tracing", "X-Ray's"),
    ("functions.platform_log_level", "Lambda's own log lines"),
    ("functions.overrides[].batch_size", "Pub/Sub pushes one message at a time"),
    ("functions.overrides[].batching_window_s", "Pub/Sub pushes one message at a time"),
    ("functions.overrides[].cpu", "Lambda gives processor time by memory"),
    ("functions.overrides[].instance_concurrency", "a Lambda instance handles one batch at a time"),
    ("records.log", "on Google every record is in BigQuery"),
    ("records.table", "on Google every record is in BigQuery"),
    ("catalogue.capacity_min", "Aurora shrinks and grows"),
    ("catalogue.capacity_max", "Aurora shrinks and grows"),
    ("catalogue.tier", "Cloud SQL has sizes"),
    ("catalogue.existing.subnets", "a Lambda function reaches a private database from its network"),
    ("catalogue.existing.security_groups", "a Lambda function reaches a private database from its network"),
    ("gateways.credential", "each cloud names its simplest kind of credential"),
    ("gateways.key_rotation", "an access key is replaced by tainting it"),
    ("gateways.oidc", "Google federates with OIDC"),
    ("gateways.roles_anywhere", "AWS federates with X.509"),
    ("gateways.iot_certificates", "Google has no IoT service"),
    ("gateways.session_s", "Google's tokens last an hour"),
];

const OUTPUTS: &[(&str, &str)] =
    &[("gateway_access_keys", "AWS's word for a key that does not expire"), ("gateway_keys", "Google's word for it")];

const ALARMS: &[(&str, &str)] = &[("undelivered", "EventBridge can fail before the queue; Pub/Sub is both in one")];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Parses every `.tf` file of a directory as one body.
pub(crate) fn configuration(directory: &str) -> Body {
    let directory = repository().join("terraform").join(directory);
    let files = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a directory entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tf"));
    let structures = paths.iter().flat_map(|path| {
        let text = std::fs::read_to_string(path).expect("a file that was just listed");
        let body: Body = hcl::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        body.into_inner()
    });
    structures.collect()
}

pub(crate) fn blocks<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = &'a Block> {
    body.blocks().filter(move |block| block.identifier() == kind)
}

fn label(block: &Block, at: usize) -> &str {
    block.labels()[at].as_str()
}

pub(crate) fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|attribute| attribute.key() == name).map(hcl::Attribute::expr)
}

fn text(expression: &Expression) -> String {
    hcl::format::to_string(expression).expect("an expression that was read").split_whitespace().collect()
}

/// Maps each path to its type and default: `bucket.expire_days` to `number`, `alarms.errors` to `number = 1`.
fn variables(root: &str) -> BTreeMap<String, String> {
    let body = configuration(root);
    let mut found = BTreeMap::new();
    for variable in blocks(&body, "variable") {
        let default = attribute(variable, "default").map(text);
        add_type(
            &mut found,
            label(variable, 0),
            attribute(variable, "type").expect("every variable has a type"),
            default,
        );
    }
    found
}

fn add_type(found: &mut BTreeMap<String, String>, path: &str, declared: &Expression, default: Option<String>) {
    if let Expression::FuncCall(call) = declared {
        match (call.name.name.as_str(), &call.args[..]) {
            ("optional", [inner]) => return add_type(found, path, inner, None),
            ("optional", [inner, default]) => return add_type(found, path, inner, Some(text(default))),
            ("map" | "list" | "set", [inner @ Expression::FuncCall(_)]) => {
                return add_type(found, &format!("{path}[]"), inner, default);
            }
            ("object", [Expression::Object(members)]) => {
                for (name, member) in members {
                    add_type(found, &format!("{path}.{}", key(name)), member, None);
                }
                return;
            }
            _ => {}
        }
    }
    let default = default.map(|default| format!(" = {default}")).unwrap_or_default();
    found.insert(path.to_owned(), format!("{}{default}", text(declared)));
}

fn key(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Identifier(name) => name.as_str().to_owned(),
        ObjectKey::Expression(Expression::String(name)) => name.clone(),
        ObjectKey::Expression(other) => text(other),
        _ => String::new(),
    }
}

/// Fails on differences without an entry, and on entries without a difference.
fn judge(aws: &BTreeMap<String, String>, gcp: &BTreeMap<String, String>, excused: &[(&str, &str)]) {
    let is_excused = |path: &str| {
        excused
            .iter()
            .any(|(known, _)| path == *known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
    };
    let paths: BTreeSet<&String> = aws.keys().chain(gcp.keys()).collect();
    let differing: Vec<&String> = paths.into_iter().filter(|path| aws.get(*path) != gcp.get(*path)).collect();
    let unexcused: Vec<String> = differing
        .iter()
        .filter(|path| !is_excused(path))
        .map(|path| format!("{path}: aws {:?}, gcp {:?}", aws.get(*path), gcp.get(*path)))
        .collect();
    assert!(unexcused.is_empty(), "different without a reason:\n{}", unexcused.join("\n"));
    for (known, reason) in excused {
        let is_needed = differing.iter().any(|path| *path == known || path.starts_with(&format!("{known}.")));
        assert!(is_needed, "{known} is excused ({reason}) and does not differ");
    }
}

#[test]
fn the_roots_take_the_same_variables() {
    let aws = variables("aws");
    let gcp = variables("gcp");
    assert_eq!(aws.get("alarms.errors").map(String::as_str), Some("number = 1"), "types are not read: {aws:?}");
    judge(&aws, &gcp, VARIABLES);
}

#[test]
fn the_roots_give_the_same_outputs() {
    let outputs = |root| {
        let body = configuration(root);
        blocks(&body, "output").map(|output| (label(output, 0).to_owned(), String::new())).collect::<BTreeMap<_, _>>()
    };
    let aws = outputs("aws");
    let gcp = outputs("gcp");
    assert!(aws.contains_key("bucket_url"), "outputs are not read: {aws:?}");
    judge(&aws, &gcp, OUTPUTS);
}

/// Returns the last part of a name such as `${var.name}-${each.key}-dead-letters`.
fn kind_of_alarm(name: &str) -> String {
    name.rsplit('}').next().unwrap_or(name).trim_matches(|c| c == '-' || c == '"').to_owned()
}

/// Collects the keys of the objects that an expression may become; each stands for an alarm.
fn alarm_keys(expression: &Expression, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Object(members) => found.extend(members.keys().map(|name| kind_of_alarm(&key(name)))),
        Expression::FuncCall(call) => call.args.iter().for_each(|argument| alarm_keys(argument, found)),
        Expression::Conditional(choice) => {
            alarm_keys(&choice.true_expr, found);
            alarm_keys(&choice.false_expr, found);
        }
        Expression::ForExpr(each) => match &each.key_expr {
            Some(name) => found.extend([kind_of_alarm(&text(name))]),
            // A list of objects, to be merged.
            None => alarm_keys(&each.value_expr, found),
        },
        _ => {}
    }
}

#[test]
fn the_alarms_are_the_same() {
    let kinds = |module: &str, maps: &[&str]| {
        let body = configuration(module);
        let mut found = BTreeSet::new();
        for alarms in maps {
            let map = blocks(&body, "locals").find_map(|locals| attribute(locals, alarms));
            alarm_keys(map.expect("the alarms are locals"), &mut found);
        }
        found
    };
    let aws = kinds(
        "modules/aws/observability",
        &["queue_alarms", "function_alarms", "log_alarms", "gateway_alarms", "catalogue_alarms", "infer_alarms"],
    );
    let gcp =
        kinds("modules/gcp/observability", &["subscription_alarms", "log_alarms", "catalogue_alarms", "infer_alarms"]);
    assert!(gcp.contains("silence") && aws.contains("silence"), "alarms are not read: {aws:?} {gcp:?}");
    let named = |names: BTreeSet<String>| names.into_iter().map(|name| (name, String::new())).collect();
    judge(&named(aws), &named(gcp), ALARMS);
}

//! The description as a page: plain HTML without scripts, which loads nothing from elsewhere.

use serde_json::Value;
use std::fmt::Write as _;

pub(super) const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h2{margin-top:2.5rem}code{font:13px/1.5 ui-monospace,monospace}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;\
border-bottom:1px solid #ddd}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181a}a{color:#8ab4f8}\
td,th{border-color:#333}}";

/// Escapes a text for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Describes the values of a schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#{name}\">{name}</a>", name = escaped(name));
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "null").collect();
        return kinds.join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().filter_map(Value::as_str).map(escaped).collect();
        return words.join(", ");
    }
    let name = match &schema["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            names.join(" or ")
        }
        _ => String::new(),
    };
    if name == "array" { format!("list of {}", kind(&schema["items"])) } else { escaped(&name) }
}

/// Returns the page of the documentation as HTML, made of the OpenAPI document.
pub(super) fn html(document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Framepost API</title><link rel=stylesheet href=docs/style.css><h1>Framepost API</h1>\
         <p>{}<p><a href=openapi.json>openapi.json</a>",
        escaped(text(&document["info"], "description"))
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let what = format!("{} {}", method.to_uppercase(), path);
            let said = [text(operation, "summary"), text(operation, "description")].join(" ");
            let _ = write!(page, "<h2><code>{}</code></h2><p>{}", escaped(&what), escaped(said.trim()));
            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !parameters.is_empty() {
                page.push_str("<table><tr><th>parameter<th>in<th>is<th>");
            }
            for parameter in parameters {
                let needed = if parameter["required"] == true { ", required" } else { "" };
                let _ = write!(
                    page,
                    "<tr><td><code>{}</code><td>{}{needed}<td>{}<td>{}",
                    escaped(text(parameter, "name")),
                    escaped(text(parameter, "in")),
                    kind(&parameter["schema"]),
                    escaped(text(parameter, "description")),
                );
            }
            if !parameters.is_empty() {
                page.push_str("</table>");
            }
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let content = response["content"].as_object().and_then(|content| content.iter().next());
                let body = content.map(|(of, content)| format!("{} {}", escaped(of), kind(&content["schema"])));
                let body = body.unwrap_or_default();
                let _ = write!(
                    page,
                    "<p><code>{}</code> {} {body}",
                    escaped(status),
                    escaped(text(response, "description"))
                );
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ =
            write!(page, "<h2 id=\"{0}\">{0}</h2><p>{1}<table>", escaped(name), escaped(text(schema, "description")));
        let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for (field, value) in parts.iter().filter_map(|part| part["properties"].as_object()).flatten() {
            let said = escaped(text(value, "description"));
            let _ = write!(page, "<tr><td><code>{}</code><td>{}<td>{said}", escaped(field), kind(value));
        }
        page.push_str("</table>");
    }
    page
}

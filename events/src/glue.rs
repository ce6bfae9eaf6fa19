//! The columns of a Glue table for Athena over records as JSON, one CloudEvent per line: those
//! of [BigQuery](crate::bigquery) in Hive's types.
//!
//! Names are in lower case, as the catalogue stores them; the OpenX JSON `SerDe` ignores the letter case of
//! members. Times are `string`, because the `SerDe` does not read RFC 3339; `from_iso8601_timestamp` does.
//!
//! They are in `events/schemas/glue/records.json`, which Terraform can read like BigQuery's.

use crate::bigquery;

/// A column of the Glue table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Its name in lower case.
    pub name: String,
    /// The type in Hive, with all nested types in `struct<…>` and `array<…>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Text for people who read the table.
    pub comment: String,
}

/// The longest comment that Glue accepts, in characters.
const COMMENT_CHARACTERS: usize = 255;

/// Returns the columns of the table.
pub fn columns() -> Vec<Column> {
    let column = |column: bigquery::Column| Column {
        name: column.name.to_lowercase(),
        kind: kind(&column),
        comment: column.description.chars().take(COMMENT_CHARACTERS).collect(),
    };
    bigquery::columns().into_iter().map(column).collect()
}

fn kind(column: &bigquery::Column) -> String {
    let one = match column.kind {
        "INTEGER" => "bigint".to_owned(),
        "FLOAT" => "double".to_owned(),
        "BOOLEAN" => "boolean".to_owned(),
        "RECORD" => {
            let members = column.fields.iter().map(|field| format!("{}:{}", field.name.to_lowercase(), kind(field)));
            format!("struct<{}>", members.collect::<Vec<_>>().join(","))
        }
        _ => "string".to_owned(),
    };
    if column.mode == "REPEATED" { format!("array<{one}>") } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_column_has_a_type_that_hive_knows() {
        let columns = columns();
        let of = |name: &str| columns.iter().find(|column| column.name == name).map(|column| column.kind.as_str());
        assert_eq!((of("time"), of("type")), (Some("string"), Some("string")));
        let data = of("data").unwrap();
        for member in ["sizebytes:bigint", "duration:struct<from:string,", "frameRate:double".to_lowercase().as_str()] {
            assert!(data.contains(member), "{member}: {data}");
        }
    }

    #[test]
    fn no_two_names_are_the_same_in_lower_case() {
        fn check(path: &str, columns: &[bigquery::Column]) {
            let names: BTreeSet<String> = columns.iter().map(|column| column.name.to_lowercase()).collect();
            assert_eq!(names.len(), columns.len(), "{path}");
            for column in columns {
                check(&format!("{path}.{}", column.name), &column.fields);
            }
        }
        check("", &bigquery::columns());
    }
}

//! The gateway's README quotes the messages that the program prints.

use std::path::Path;

/// Appends the sources below a directory, without line breaks within string literals.
fn sources(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            text.push_str(&source.split("\\\n").map(str::trim_start).collect::<String>());
        }
    }
}

#[test]
fn every_message_of_what_goes_wrong_is_one_that_the_program_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let table = readme.split("## What goes wrong").nth(1).unwrap();
    let mut program = String::new();
    sources(&root.join("src"), &mut program);
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let seen = rows.filter_map(|row| row.split('|').nth(1)).collect::<String>();
    // The text between each pair of quotation marks.
    let messages: Vec<&str> = seen.split('"').skip(1).step_by(2).collect();
    assert!(messages.len() >= 10, "{messages:?}");
    for message in messages {
        let words = message.trim_start_matches("… ");
        assert!(program.contains(words), "nothing in the program says {words:?}");
    }
}

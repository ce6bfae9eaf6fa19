//! What shows that the READMEs' commands work: `tests/commands.md` says it of each one.
//!
//! A command is a block of indented lines in a README. Each has to stand in `commands.md`, as it stands there, under the
//! name of its README and in the same order; after it comes which test runs it, or when it was typed, or why it was not.

use std::fs;
use std::path::{Path, PathBuf};

const READMES: [&str; 11] = [
    "README.md",
    "edge-uploader/README.md",
    "events/README.md",
    "functions/README.md",
    "functions/api/README.md",
    "functions/catalog/README.md",
    "functions/infer/README.md",
    "infra/README.md",
    "terraform/aws/README.md",
    "terraform/gcp/README.md",
    "tests/README.md",
];

/// The first words of blocks that are no commands: keys, the rule of dependencies, a line of Rust, a trigger.
const NO_COMMANDS: [&str; 4] = ["plant-7/2026-", "events ◀ ", "framepost_host::run(", "triggers:"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A block of indented lines, with the paragraph that follows it.
struct Block {
    lines: Vec<String>,
    after: String,
}

impl Block {
    /// Its commands. One begins at a line that is indented by four spaces, and goes on in lines that are indented further.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        for line in &self.lines {
            match commands.last_mut() {
                Some(command) if line.starts_with(' ') || line == "done" => {
                    command.push('\n');
                    command.push_str(line);
                }
                _ => commands.push(line.clone()),
            }
        }
        commands
    }
}

/// The indented blocks of a Markdown text. In a list, indented lines belong to the text unless an empty line is before
/// them; what is within a fence is no block.
fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fenced = false;
    let mut before = "";
    let mut inside = false;
    for line in markdown.lines() {
        fenced ^= line.starts_with("```");
        let code = line.strip_prefix("    ").filter(|code| !fenced && !code.trim().is_empty());
        match code {
            Some(code) if inside || before.is_empty() => {
                if !inside {
                    blocks.push(Block { lines: Vec::new(), after: String::new() });
                }
                inside = true;
                blocks.last_mut().expect("one was begun").lines.push(code.to_owned());
            }
            _ => {
                inside = false;
                if let Some(block) = blocks.last_mut()
                    && !line.starts_with('#')
                {
                    block.after.push_str(line);
                    block.after.push('\n');
                }
            }
        }
        before = line;
    }
    for block in &mut blocks {
        block.after = block.after.trim().split("\n\n").next().unwrap_or_default().replace('\n', " ");
    }
    blocks
}

fn is_command(block: &Block) -> bool {
    !NO_COMMANDS.iter().any(|start| block.lines[0].starts_with(start))
}

/// The list, by README.
fn list() -> Vec<(String, Vec<Block>)> {
    let text = read("tests/commands.md");
    let sections = text.split("\n## ").skip(1);
    sections
        .map(|section| {
            let (name, rest) = section.split_once('\n').expect("a section has lines");
            (name.to_owned(), blocks(rest))
        })
        .collect()
}

#[test]
fn every_command_is_run_by_a_test_or_was_typed() {
    let list = list();
    let named: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    for readme in READMES {
        let blocks: Vec<Block> = blocks(&read(readme)).into_iter().filter(is_command).collect();
        let commands: Vec<String> = blocks.iter().flat_map(Block::commands).collect();
        let listed = list.iter().find(|(name, _)| name == readme).map_or(&[][..], |(_, blocks)| blocks);
        let listed: Vec<String> = listed.iter().flat_map(Block::commands).collect();
        for command in &commands {
            assert!(
                listed.contains(command),
                "{readme}: tests/commands.md does not say what shows that this works: {command}"
            );
        }
        assert_eq!(
            listed, commands,
            "{readme}: tests/commands.md has commands that are not there, or in another order"
        );
        assert_eq!(named.contains(&readme), !commands.is_empty(), "{readme}: a section without commands, or none");
    }
    assert!(named.iter().all(|name| READMES.contains(name)), "{named:?}");
}

/// The files in a text, which are paths in backticks, each with the function in backticks that follows it at once.
fn named(text: &str) -> Vec<(&str, Option<&str>)> {
    let parts: Vec<&str> = text.split('`').collect();
    let quoted = (1..parts.len()).step_by(2).filter(|&at| parts[at].contains('/'));
    let next = |at: usize| parts.get(at + 2).copied().filter(|_| parts[at + 1] == " ");
    quoted.map(|at| (parts[at], next(at))).collect()
}

#[test]
fn what_shows_it_is_there() {
    for (readme, blocks) in list() {
        for block in blocks {
            let what = &block.lines[0];
            let said = &block.after;
            if let Some(tests) = said.strip_prefix("Run by ") {
                let named = named(tests);
                assert!(!named.is_empty(), "{readme}: {what}: no test is named: {said}");
                for (file, test) in named {
                    let text = read(file);
                    let is_there =
                        |test: &str| text.contains(&format!("fn {test}(")) || text.contains(&format!("def {test}("));
                    assert!(test.is_none_or(is_there), "{readme}: {what}: {file} has no {test:?}");
                }
            } else {
                let typed = said.strip_prefix("Typed on ").is_some_and(|rest| rest.contains(" 2026"));
                let not = said.strip_prefix("Not run: ").is_some_and(|reason| reason.len() > 20);
                assert!(typed || not, "{readme}: {what}: neither run nor typed, nor why not: {said:?}");
            }
        }
    }
}

/// The commands in fences are the guide's, which a test follows to the letter.
#[test]
fn a_fence_of_commands_is_the_guides() {
    for readme in READMES {
        let text = read(readme);
        let (before, guide) = text.split_once("\n## Add a function in ten steps\n").unwrap_or((&text, ""));
        let after = guide.split_once("\n## ").map_or("", |(_, after)| after);
        for part in [before, after] {
            assert!(!part.contains("```sh") && !part.contains("```bash"), "{readme}: commands that no test follows");
        }
    }
}

//! `framepost model compare`: two models by what their records say of the same chunks.

use anyhow::Context as _;
use edge_uploader::terminal;
use framepost_events::detection::Detection;
use framepost_events::record::{ChunkInferred, Data, InferredFrame, Model, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

/// Two boxes with this much intersection over union are about the same thing.
const SAME_IOU: f64 = 0.5;
/// Two pictures with at most so many seconds between them are the same.
const SAME_PICTURE_S: f64 = 0.001;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A model as records name it: `yolox-nano`, `rekognition`, `onnx/yolox-nano`, or the beginning of its digest.
    a: String,
    /// The model that it is compared with, named in the same way.
    b: String,
    /// Files with records, one JSON object a line; standard input where there is none.
    #[arg(value_name = "RECORDS")]
    files: Vec<PathBuf>,
    /// How many pictures to name in which the models differ most.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    pictures: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut sides = Sides::default();
    if arguments.files.is_empty() {
        sides.read(std::io::stdin().lock(), arguments)?;
    }
    for path in &arguments.files {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        sides.read(BufReader::new(file), arguments).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let comparison = sides.compare();
    for row in comparison.rows(arguments) {
        let columns: Vec<&dyn Display> = row.iter().map(|column| column as &dyn Display).collect();
        terminal::row(&columns);
    }
    // Arms never look at the same chunk. What each saw in its own can be compared if both looked at something.
    let is_told = comparison.a.pictures > 0 && comparison.b.pictures > 0;
    Ok(if is_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The records of each side by the object that they are about.
#[derive(Default)]
struct Sides {
    a: BTreeMap<String, ChunkInferred>,
    b: BTreeMap<String, ChunkInferred>,
}

fn is_called(model: &Model, name: &str) -> bool {
    model.name == name
        || model.detector == name
        || format!("{}/{}", model.detector, model.name) == name
        || model.arm.as_deref() == Some(name)
        || name.len() >= 6 && model.digest.is_some_and(|digest| digest.to_string().starts_with(name))
}

impl Sides {
    fn read(&mut self, lines: impl BufRead, arguments: &Arguments) -> anyhow::Result<()> {
        for line in lines.lines() {
            let line = line?;
            // Lines of other programs, and other records.
            let Ok(Record { data: Data::ChunkInferred(data), .. }) = serde_json::from_str(&line) else { continue };
            let key = format!("{}/{} {}", data.object.bucket, data.object.key, data.object.version);
            if is_called(&data.model, &arguments.a) {
                self.a.insert(key, *data);
            } else if is_called(&data.model, &arguments.b) {
                self.b.insert(key, *data);
            }
        }
        Ok(())
    }

    fn compare(&self) -> Comparison {
        let mut comparison = Comparison::default();
        comparison.a.add(self.a.values());
        comparison.b.add(self.b.values());
        for (key, a) in &self.a {
            let Some(b) = self.b.get(key) else { continue };
            comparison.chunks += 1;
            for frame in &a.frames {
                let same = b.frames.iter().find(|other| (other.offset - frame.offset).abs() <= SAME_PICTURE_S);
                if let Some(other) = same {
                    comparison.picture(key, frame, other);
                }
            }
        }
        comparison.differing.sort_by(|(a, _), (b, _)| b.cmp(a));
        comparison
    }
}

#[derive(Debug, Default)]
struct Comparison {
    /// Chunks that both looked at.
    chunks: usize,
    /// Pictures that both looked at.
    pictures: usize,
    /// What they saw in these, by label.
    labels: BTreeMap<String, Agreement>,
    /// How many detections only one has, and the picture.
    differing: Vec<(usize, String)>,
    a: Total,
    b: Total,
}

/// What both saw of one label in the pictures that both looked at.
#[derive(Debug, Default)]
struct Agreement {
    both: usize,
    only_a: usize,
    only_b: usize,
    /// The sum of the intersections over union of what both saw.
    iou: f64,
}

/// What one of them did, whatever the other one did.
#[derive(Debug, Default)]
struct Total {
    records: usize,
    skipped: usize,
    pictures: usize,
    /// Number of detections of each label, over all pictures that the arm looked at.
    seen: BTreeMap<String, usize>,
    /// Of each record that looked at pictures, by picture.
    ms: Vec<f64>,
    dollars: f64,
}

impl Total {
    fn add<'a>(&mut self, records: impl Iterator<Item = &'a ChunkInferred>) {
        for record in records {
            self.records += 1;
            self.skipped += usize::from(record.skipped.is_some());
            self.pictures += record.frames.len();
            for detection in record.frames.iter().flat_map(|frame| &frame.detections) {
                *self.seen.entry(detection.label.clone()).or_default() += 1;
            }
            self.dollars += record.dollars.unwrap_or_default();
            if let (Some(ms), false) = (record.detector_ms, record.frames.is_empty()) {
                self.ms.push(ms as f64 / record.frames.len() as f64);
            }
        }
        self.ms.sort_by(f64::total_cmp);
    }

    /// How many detections of a label there are, and how many in a hundred pictures.
    fn seen(&self, label: &str) -> [String; 2] {
        let seen = self.seen.get(label).copied().unwrap_or_default();
        [seen.to_string(), format!("{:.1}", 100.0 * seen as f64 / self.pictures.max(1) as f64)]
    }

    fn ms(&self, part: f64) -> String {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
        let place = (self.ms.len().saturating_sub(1) as f64 * part).round() as usize;
        self.ms.get(place).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"))
    }
}

impl Comparison {
    fn picture(&mut self, key: &str, a: &InferredFrame, b: &InferredFrame) {
        self.pictures += 1;
        let mut left: Vec<&Detection> = b.detections.iter().collect();
        let mut differences = 0;
        for detection in &a.detections {
            let agreement = self.labels.entry(detection.label.clone()).or_default();
            let overlap = |other: &Detection| other.bounds.iou(&detection.bounds);
            let best = (0..left.len())
                .filter(|index| left[*index].label == detection.label && overlap(left[*index]) >= SAME_IOU)
                .max_by(|x, y| overlap(left[*x]).total_cmp(&overlap(left[*y])));
            if let Some(index) = best {
                agreement.both += 1;
                agreement.iou += overlap(left.swap_remove(index));
            } else {
                agreement.only_a += 1;
                differences += 1;
            }
        }
        for detection in left {
            self.labels.entry(detection.label.clone()).or_default().only_b += 1;
            differences += 1;
        }
        if differences > 0 {
            self.differing.push((differences, format!("{key} at {:.3} s", a.offset)));
        }
    }

    /// The lines to print, in columns.
    fn rows(&self, arguments: &Arguments) -> Vec<Vec<String>> {
        let a = &arguments.a;
        let b = &arguments.b;
        let mut rows = vec![
            vec![format!("{} chunks and {} pictures that both looked at", self.chunks, self.pictures)],
            ["label", "both", &format!("only {a}"), &format!("only {b}"), "agreement", "mean IoU"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for (label, found) in &self.labels {
            let Agreement { both, only_a, only_b, iou } = found;
            let agreement = *both as f64 / (both + only_a + only_b).max(1) as f64;
            let mean = if *both > 0 { format!("{:.2}", iou / *both as f64) } else { "-".to_owned() };
            let counts = [both, only_a, only_b].map(ToString::to_string);
            let mut row = vec![label.clone()];
            row.extend(counts);
            row.extend([format!("{:.0} %", agreement * 100.0), mean]);
            rows.push(row);
        }
        let head = ["label", &format!("all of {a}"), "in 100 pictures", &format!("all of {b}"), "in 100 pictures"];
        rows.push(head.map(str::to_owned).to_vec());
        let labels: BTreeSet<&String> = self.a.seen.keys().chain(self.b.seen.keys()).collect();
        for label in labels {
            rows.push([&[label.clone()][..], &self.a.seen(label), &self.b.seen(label)].concat());
        }
        let head = ["model", "records", "skipped", "pictures", "ms a picture, median", "95th percentile", "dollars"];
        rows.push(head.map(str::to_owned).to_vec());
        for (name, total) in [(a, &self.a), (b, &self.b)] {
            let mut row = vec![name.clone()];
            row.extend([total.records, total.skipped, total.pictures].map(|count| count.to_string()));
            row.extend([total.ms(0.5), total.ms(0.95), format!("{:.4}", total.dollars)]);
            rows.push(row);
        }
        if !self.differing.is_empty() {
            rows.push(vec!["pictures to look at, by how many detections only one has".to_owned()]);
        }
        let differing = self.differing.iter().take(arguments.pictures);
        rows.extend(differing.map(|(differences, picture)| vec![differences.to_string(), picture.clone()]));
        rows
    }
}

//! Connected areas of marked pixels.

/// Marked pixels that are at most twice as far apart belong to one area.
const REACH: usize = 3;
/// The least part of all pixels that an area's rectangle has.
const RECTANGLE_LEAST: f64 = 0.001;
/// The fewest marked pixels of an area.
const MARKED_LEAST: usize = 12;
/// Rectangles at most this part of the picture's width apart are joined.
const GAP: f64 = 0.02;

/// A rectangle of pixels; the right and the lower edge are the first that are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
    marked: usize,
}

impl Area {
    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
            marked: self.marked + other.marked,
        }
    }

    fn is_near(&self, other: &Self, gap: usize) -> bool {
        self.left <= other.right + gap
            && other.left <= self.right + gap
            && self.top <= other.bottom + gap
            && other.top <= self.bottom + gap
    }

    /// The mean of the values at marked pixels within the rectangle.
    pub(super) fn mean(&self, marks: &[bool], values: &[f32], width: usize) -> f32 {
        let within = (self.top..self.bottom).flat_map(|y| y * width + self.left..y * width + self.right);
        let (sum, count) =
            within.filter(|n| marks[*n]).fold((0.0, 0.0), |(sum, count), n| (sum + values[n], count + 1.0));
        sum / f32::max(count, 1.0)
    }
}

/// Returns the areas that are large enough, from the top.
pub(super) fn find(marks: &[bool], width: usize, height: usize) -> Vec<Area> {
    let near = spread(marks, width, height);
    let mut is_seen = vec![false; marks.len()];
    let mut areas = Vec::new();
    let mut waiting = Vec::new();
    for start in 0..marks.len() {
        if !near[start] || is_seen[start] {
            continue;
        }
        is_seen[start] = true;
        waiting.push(start);
        let mut area: Option<Area> = None;
        while let Some(n) = waiting.pop() {
            let x = n % width;
            let y = n / width;
            if marks[n] {
                let pixel = Area { left: x, top: y, right: x + 1, bottom: y + 1, marked: 1 };
                area = Some(area.map_or(pixel, |area| area.with(pixel)));
            }
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for column in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = row * width + column;
                    if near[next] && !is_seen[next] {
                        is_seen[next] = true;
                        waiting.push(next);
                    }
                }
            }
        }
        areas.extend(area.filter(|area| area.marked >= MARKED_LEAST));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the width")]
    let gap = (width as f64 * GAP) as usize;
    let mut areas = joined(areas, gap);
    let least = RECTANGLE_LEAST * marks.len() as f64;
    areas.retain(|area| ((area.right - area.left) * (area.bottom - area.top)) as f64 >= least);
    areas
}

/// Joins rectangles until none is near another.
fn joined(mut areas: Vec<Area>, gap: usize) -> Vec<Area> {
    let mut done: Vec<Area> = Vec::new();
    while let Some(mut area) = areas.pop() {
        match done.iter().position(|other| other.is_near(&area, gap)) {
            Some(at) => {
                area = area.with(done.swap_remove(at));
                areas.push(area);
            }
            None => done.push(area),
        }
    }
    done.sort_by_key(|area| (area.top, area.left));
    done
}

/// Marks every pixel that has a marked one within [`REACH`], first along the rows, then along the columns.
fn spread(marks: &[bool], width: usize, height: usize) -> Vec<bool> {
    let mut along = vec![false; marks.len()];
    let mut near = along.clone();
    for n in (0..marks.len()).filter(|n| marks[*n]) {
        let x = n % width;
        let row = n - n % width;
        along[row + x.saturating_sub(REACH)..row + (x + REACH + 1).min(width)].fill(true);
    }
    for n in (0..along.len()).filter(|n| along[*n]) {
        let x = n % width;
        let y = n / width;
        for row in y.saturating_sub(REACH)..(y + REACH + 1).min(height) {
            near[row * width + x] = true;
        }
    }
    near
}

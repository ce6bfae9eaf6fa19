// Draws the timeline: lanes of one camera, or a lane for each of several, over a span of time. It knows no events and asks nobody.

import { within } from "./footage.js";
import { marks } from "./marks.js";
import { overview } from "./overview.js";
import { colour, font, hatch } from "./palette.js";
import { bar, block, cross, point, write } from "./strokes.js";
import { ticks } from "./ticks.js";
import { DAY, length } from "./time.js";
import { cause, isBad, kind, labelText, range } from "./words.js";

/** `width` is that of the canvas, in CSS pixels.
 * @typedef {{ width: number, span: Span, names: Name[], of: Name, spans: (Timeline | undefined)[], failed: boolean, faults: Span[], data: Timeline | undefined, day: Timeline | undefined, daySpan: Span,
 *   labels: string[], hidden: Set<string>, playhead: number, hover: number | undefined, chosen: string | undefined,
 *   marked: { from: number | undefined, to: number | undefined }, now: number, narrow: boolean }} Picture */

/** Words of the axis that are nearer to the playhead give way to its own, and so do labels that have it among their first pixels. */
const WORDS_PX = 74;
const LABEL_PX = 60;
/** From above, where several have one lane. */
const KINDS = /** @type {import("./words.js").Kind[]} */ (["person", "vehicle", "animal", "motion"]);

export const HEIGHTS = { axis: 24, rec: 44, camera: 30, seen: 22, sign: 18, overview: 35 };

/** The height of all lanes. @param {Picture} picture */
export function height(picture) {
  const { axis, rec, camera, seen, sign, overview } = HEIGHTS;
  if (picture.names.length > 1) return axis + picture.names.length * camera + 4;
  return axis + rec + picture.labels.length * seen + sign + (picture.narrow ? 0 : overview);
}

/** @typedef {{ c: CanvasRenderingContext2D, w: number, x: (ms: number) => number, p: Picture }} Pen */

/** What draws into one of the canvases, which is emptied. @param {HTMLCanvasElement} canvas @param {Picture} picture @returns {Pen | undefined} */
function penOf(canvas, picture) {
  const w = picture.width;
  const tall = height(picture);
  const ratio = devicePixelRatio || 1;
  const c = canvas.getContext("2d");
  if (!w || !c) return undefined;
  const [wide, high] = [Math.round(w * ratio), Math.round(tall * ratio)];
  // A new size is new memory, and lays the page out.
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.style.height = `${tall}px`;
    canvas.width = wide;
    canvas.height = high;
  }
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, w, tall);
  const { span } = picture;
  return { c, w, x: (ms) => ((ms - span.from) / (span.to - span.from)) * w, p: picture };
}

/** Where the lanes end, below which there is nothing or the overview. @param {Picture} picture */
function lanesEnd(picture) {
  const hasOverview = !picture.narrow && picture.names.length === 1;
  return height(picture) - (hasOverview ? HEIGHTS.overview : 0);
}

/** Draws what moves over the lanes: the playhead, the pointer, the range, "now". @param {HTMLCanvasElement} canvas @param {Picture} picture */
export function drawCursor(canvas, picture) {
  const pen = penOf(canvas, picture);
  if (pen) marks(pen, HEIGHTS.axis, lanesEnd(picture));
}

/** Which words of the lanes give way to the playhead: with others, the lanes are drawn anew. @param {Picture} p */
export function covered(p) {
  const perPx = (p.span.to - p.span.from) / (p.width || 1);
  const axis = ticks(p.span, p.width).filter(({ at }) => givesWay(p, at, perPx)).map(({ at }) => at);
  const labels = within(p.data?.sightings, p.playhead).filter(({ from }) => p.playhead < from + LABEL_PX * perPx).map(({ label }) => label);
  return [...axis, ...labels].join();
}

/** Whether the words of a mark would touch the playhead's. @param {Picture} p @param {number} at @param {number} perPx */
function givesWay(p, at, perPx) {
  return Math.abs(at - p.playhead) <= WORDS_PX * perPx;
}

/** Draws the lanes. @param {HTMLCanvasElement} canvas @param {Picture} picture */
export function drawLanes(canvas, picture) {
  const pen = penOf(canvas, picture);
  if (!pen) return;
  const end = lanesEnd(picture);
  axis(pen, end);
  if (picture.names.length > 1) {
    picture.names.forEach((_, index) => camera(pen, picture.spans[index], HEIGHTS.axis + index * HEIGHTS.camera + 3, HEIGHTS.camera - 6));
  } else {
    recorded(pen, picture.data, HEIGHTS.axis + 4, HEIGHTS.rec - 8);
    let y = HEIGHTS.axis + HEIGHTS.rec;
    for (const label of picture.labels) {
      seen(pen, label, y, HEIGHTS.seen);
      y += HEIGHTS.seen;
    }
    signed(pen, y, HEIGHTS.sign);
  }
  if (end < height(picture)) overview(pen, end + 9, HEIGHTS.overview - 9);
}

/** One of several cameras: recorded, and sightings as bars, each kind at a height of its own. @param {Pen} pen @param {Timeline | undefined} data @param {number} y @param {number} tall */
function camera(pen, data, y, tall) {
  const { c, w, x } = pen;
  recorded(pen, data, y, tall);
  for (const { label, from, to } of within(data?.sightings, pen.p.span.from, pen.p.span.to)) {
    const left = x(from);
    const wide = Math.max(3, x(to) - left);
    const shape = kind(label);
    block(c, shape, left, y - 1 + KINDS.indexOf(shape) * 4, wide, 3);
  }
}

/** @param {Pen} pen @param {number} end */
function axis(pen, end) {
  const { c, w, x, p } = pen;
  c.font = font(400);
  for (const mark of ticks(p.span, w)) {
    const at = x(mark.at);
    block(c, "line", Math.round(at), HEIGHTS.axis - 4, 1, end - HEIGHTS.axis + 4);
    // Words that would be cut off at an end are left out.
    const half = c.measureText(mark.text).width / 2;
    if (at > half && at < w - half && !givesWay(p, mark.at, (p.span.to - p.span.from) / w)) write(pen, mark.text, at, HEIGHTS.axis / 2 - 2, "ink-3", "center");
  }
}

/** @param {Pen} pen @param {Timeline | undefined} data @param {number} y @param {number} tall */
function recorded(pen, data, y, tall) {
  const { c, w, x, p } = pen;
  if (!data) {
    write(pen, p.failed ? "Not loaded. It is asked for again." : "Loading", 8, y + tall / 2, "ink-3");
    return;
  }
  const { from: first, to: last } = p.span;
  for (const run of within(data.recorded, first, last)) {
    const from = Math.max(-1, x(run.from));
    const to = Math.min(w + 1, x(run.to));
    block(c, "rec", from, y, Math.max(1, to - from), tall);
    block(c, "rec-act", from, y + tall - 1.5, Math.max(1, to - from), 1.5);
  }
  c.fillStyle = colour("rec-act");
  let drawn = { left: -Infinity, high: 0 };
  for (const { from, to, level } of within(data.activity, first, last)) {
    const left = Math.round(x(from));
    const right = Math.round(x(to));
    // About 1 is quiet; a camera that sends four times as much fills the lane.
    const high = Math.round(tall * 0.85 * Math.min(1, Math.max(0.04, (level - 0.6) / 3.4)));
    // Of those that share a pixel the highest is seen: before a longer span has its own, there are those of a shorter one.
    if (left === drawn.left && high <= drawn.high) continue;
    drawn = { left, high };
    c.fillRect(left, y + tall - high, Math.max(1, right - left - (right - left > 4 ? 1 : 0)), high);
  }
  if (p.span.to - p.span.from <= 120_000) {
    c.fillStyle = colour("ink-3");
    for (const file of within(data.segments, first, last)) c.fillRect(Math.round(x(file.from)), y, 1, 5);
  }
  for (const gap of within(data.gaps, first, last)) gapIn(pen, gap, y, tall);
  for (const { from, to } of [...within(data.removed, first, last), ...(p.names.length > 1 ? [] : p.faults)]) {
    const wide = Math.max(18, x(to) - x(from));
    const left = (x(from) + x(to) - wide) / 2;
    block(c, "bg", left, y, wide, tall);
    c.strokeStyle = colour("bad");
    c.lineWidth = 1.5;
    c.strokeRect(left + 0.75, y + 0.75, wide - 1.5, tall - 1.5);
    cross(c, left + wide / 2, y + tall / 2, 4);
    c.lineWidth = 1;
  }
}

/** @param {Pen} pen @param {Gap} gap @param {number} y @param {number} tall */
function gapIn(pen, gap, y, tall) {
  const { c, w, x } = pen;
  const [start, end] = [gap.from, gap.to];
  const from = Math.max(-4, x(start));
  const wide = Math.max(3, Math.min(w + 4, x(end)) - from);
  block(c, "bg", from, y, wide, tall);
  c.fillStyle = hatch(c);
  c.fillRect(from, y, wide, tall);
  if (wide > 5) {
    c.strokeStyle = colour("gap");
    c.setLineDash([3, 3]);
    c.strokeRect(from + 0.5, y + 0.5, wide - 1, tall - 1);
    c.setLineDash([]);
  }
  c.font = font(400);
  const left = Math.max(0, from);
  const room = Math.min(w, from + wide) - left;
  const first = `No video ${range(start, end)}`;
  const lines = [[`${first}: ${cause(gap)}`], [first, cause(gap)], [length(end - start)]]
    .find((lines) => lines.every((line) => c.measureText(line).width + 14 < room));
  lines?.forEach((line, index) => {
    const at = y + tall / 2 + (index - (lines.length - 1) / 2) * 14;
    const half = c.measureText(line).width / 2 + 4;
    block(c, "bg", left + room / 2 - half, at - 7, half * 2, 14);
    write(pen, line, left + room / 2, at, "ink", "center");
  });
}

/** @param {Pen} pen @param {string} label @param {number} y @param {number} tall */
function seen(pen, label, y, tall) {
  const { c, w, x, p } = pen;
  const middle = y + tall / 2;
  block(c, "line", 0, Math.round(middle), w, 1);
  if (p.hidden.has(label) || !p.data) return;
  const shape = kind(label);
  c.fillStyle = colour(shape);
  if (p.span.to - p.span.from > 2 * DAY) {
    for (const { from, count, label: of } of p.data.counts) {
      if (of !== label) continue;
      const high = Math.min(tall - 4, 2 + count * 2);
      c.fillRect(Math.round(x(from)), y + tall - 2 - high, 8, high);
    }
    return;
  }
  // Half a point lies beyond its time.
  const side = (p.span.to - p.span.from) * (8 / w);
  let last = -Infinity;
  for (const sighting of within(p.data.sightings, p.span.from - side, p.span.to + side)) {
    if (sighting.label !== label) continue;
    const from = x(sighting.from);
    const wide = x(sighting.to) - from;
    const isChosen = p.chosen === sighting.from + label;
    // One that lies where the last one does is not seen.
    if (from + wide / 2 - last < 2 && wide < 11 && !isChosen) continue;
    last = from + wide / 2;
    c.fillStyle = colour(shape);
    c.beginPath();
    if (wide < 11) point(c, shape, from + wide / 2, middle);
    else bar(c, shape, from, middle, wide, 14);
    c.fill();
    if (wide > 64 && !(x(p.playhead) > from && x(p.playhead) < from + LABEL_PX)) {
      write(pen, labelText(label), from + 10, middle + 0.5, "on-ink", "left", 500);
    }
    if (isChosen) {
      c.strokeStyle = colour("ink");
      c.lineWidth = 1.5;
      c.strokeRect(from - 2.5, middle - 9.5, Math.max(wide, 8) + 5, 19);
      c.lineWidth = 1;
    }
  }
}

/** @param {Pen} pen @param {number} y @param {number} tall */
function signed(pen, y, tall) {
  const { c, w, x, p } = pen;
  const middle = Math.round(y + tall / 2);
  const stretches = within(p.data?.integrity, p.span.from, p.span.to).sort((a, b) => Number(isBad(a)) - Number(isBad(b)));
  for (const stretch of stretches) {
    const from = Math.max(-10, x(stretch.from));
    const to = Math.min(w + 10, x(stretch.to));
    if (isBad(stretch)) {
      const wide = Math.max(14, to - from);
      const left = (from + to - wide) / 2;
      c.fillStyle = colour("bad");
      c.beginPath();
      c.roundRect(left, y + 2, wide, tall - 4, 2);
      c.fill();
      c.strokeStyle = colour("on-ink");
      c.lineWidth = 1.6;
      cross(c, (from + to) / 2, middle, 3);
    } else {
      c.strokeStyle = colour(stretch.signature === "valid" ? "ink-3" : "warn");
      c.lineWidth = 2;
      if (stretch.signature === "unknown") c.setLineDash([7, 4]);
      if (stretch.signature === "absent") {
        c.setLineDash([0.1, 5]);
        c.lineCap = "round";
      }
      c.beginPath();
      c.moveTo(from, middle);
      c.lineTo(Math.max(from + 1, to), middle);
      c.stroke();
      c.setLineDash([]);
      c.lineCap = "butt";
    }
    c.lineWidth = 1;
  }
}

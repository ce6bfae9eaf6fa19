// Draws the overview below the lanes.

import { colour, hatch } from "./palette.js";
import { block } from "./strokes.js";
import { kind } from "./words.js";

/** The day as it was drawn last: while somebody zooms and pans, it stays what it is. */
const last = { canvas: document.createElement("canvas"), day: /** @type {Timeline | undefined} */ (undefined), key: "" };

/** The whole day, with what is seen of it framed. @param {import("./lanes.js").Pen} pen @param {number} y @param {number} tall */
export function overview({ c, w, p }, y, tall) {
  c.drawImage(day(p, w, tall), 0, y, w, tall);
  const at = (/** @type {number} */ ms) => ((ms - p.daySpan.from) / (p.daySpan.to - p.daySpan.from)) * w;
  const left = Math.max(0, at(p.span.from));
  const right = Math.min(w, at(p.span.to));
  if (right < 0 || left > w) return;
  c.strokeStyle = colour("ink");
  c.lineWidth = 1.5;
  c.beginPath();
  c.roundRect(Math.min(left, w - 6) + 0.75, y - 2, Math.max(5, right - left - 1.5), tall + 2, 3);
  c.stroke();
  c.lineWidth = 1;
}

/** The day without the frame. @param {import("./lanes.js").Picture} p @param {number} w @param {number} tall */
function day(p, w, tall) {
  const { from, to } = p.daySpan;
  const ratio = devicePixelRatio || 1;
  const key = [w, tall, ratio, from, p.labels, colour("bg")].join();
  const { canvas } = last;
  if (last.day === p.day && last.key === key) return canvas;
  last.day = p.day;
  last.key = key;
  canvas.width = Math.round(w * ratio);
  canvas.height = Math.round(tall * ratio);
  const c = canvas.getContext("2d");
  if (!c) return canvas;
  c.scale(ratio, ratio);
  const x = (/** @type {number} */ ms) => ((ms - from) / (to - from)) * w;
  block(c, "line", 0, tall / 2, w, 1);
  for (const run of p.day?.recorded ?? []) block(c, "rec", x(run.from), 0, Math.max(1, x(run.to) - x(run.from)), tall);
  c.fillStyle = hatch(c);
  for (const gap of p.day?.gaps ?? []) c.fillRect(x(gap.from), 0, Math.max(3, x(gap.to) - x(gap.from)), tall);
  const ends = [-Infinity, -Infinity, -Infinity];
  for (const sighting of p.day?.sightings ?? []) {
    const row = Math.max(0, p.labels.indexOf(sighting.label)) % 3;
    const at = x(sighting.from);
    if (at - (ends[row] ?? 0) < 1) continue;
    ends[row] = at;
    block(c, kind(sighting.label), at, 3 + row * 7, 2, 5);
  }
  return canvas;
}

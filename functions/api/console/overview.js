// Draws the overview below the lanes.

import { colour, hatch } from "./palette.js";
import { kind } from "./words.js";

/** The whole day, with what is seen of it framed. @param {import("./lanes.js").Pen} pen @param {number} y @param {number} tall */
export function overview({ c, w, p }, y, tall) {
  const { from, to } = p.daySpan;
  const x = (/** @type {number} */ ms) => ((ms - from) / (to - from)) * w;
  c.fillStyle = colour("line");
  c.fillRect(0, y + tall / 2, w, 1);
  for (const run of p.day?.recorded ?? []) {
    c.fillStyle = colour("rec");
    c.fillRect(x(run.from), y, Math.max(1, x(run.to) - x(run.from)), tall);
  }
  for (const gap of p.day?.gaps ?? []) {
    c.fillStyle = hatch(c);
    c.fillRect(x(gap.from), y, Math.max(3, x(gap.to) - x(gap.from)), tall);
  }
  const last = [-Infinity, -Infinity, -Infinity];
  for (const sighting of p.day?.sightings ?? []) {
    const row = Math.max(0, p.labels.indexOf(sighting.label)) % 3;
    const at = x(sighting.from);
    if (at - (last[row] ?? 0) < 1) continue;
    last[row] = at;
    c.fillStyle = colour(kind(sighting.label));
    c.fillRect(at, y + 3 + row * 7, 2, 5);
  }
  const left = Math.max(0, x(p.span.from));
  const right = Math.min(w, x(p.span.to));
  if (right < 0 || left > w) return;
  c.strokeStyle = colour("ink");
  c.lineWidth = 1.5;
  c.beginPath();
  c.roundRect(Math.min(left, w - 6) + 0.75, y - 2, Math.max(5, right - left - 1.5), tall + 2, 3);
  c.stroke();
  c.lineWidth = 1;
}

// What lies over the lanes of a timeline.

import { colour, font } from "./palette.js";
import { block, write } from "./strokes.js";
import { text } from "./time.js";

/** "Now", the marked range, the playhead and where the pointer is. @param {import("./lanes.js").Pen} pen @param {number} top @param {number} end */
export function marks(pen, top, end) {
  const { c, w, x, p } = pen;
  if (p.now > p.span.from && p.now < p.span.to) {
    const at = x(p.now);
    block(c, "bg", at, top, w - at, end - top);
    c.strokeStyle = colour("ink-3");
    c.setLineDash([2, 3]);
    c.beginPath();
    c.moveTo(at, top - 2);
    c.lineTo(at, end);
    c.stroke();
    c.setLineDash([]);
    if (w - at > 30) write(pen, "now", at + 5, end - 9, "ink-3");
  }
  const { from, to } = p.marked;
  if (from !== undefined || to !== undefined) {
    const [left, right] = [x(from ?? p.span.from), x(to ?? p.span.to)];
    block(c, "accent-wash", left, top, right - left, end - top);
    c.fillStyle = colour("accent");
    for (const [at, inward, set] of /** @type {[number, number, boolean][]} */ ([[left, 0, from !== undefined], [right, -5, to !== undefined]])) {
      if (!set) continue;
      c.fillRect(at - 1, top - 4, 2, end - top + 4);
      for (const y of [top - 4, end - 2]) c.fillRect(at - 1 + inward, y, 7, 2);
    }
  }
  if (p.hover !== undefined) {
    block(c, "ink-2", x(p.hover) - 0.5, top - 4, 1, end - top + 4);
  }
  const at = x(p.playhead);
  if (at < -40 || at > w + 40) return;
  block(c, "bg", at - 2.5, top - 2, 5, end - top + 2);
  block(c, "ink", at - 0.9, top - 6, 1.8, end - top + 6);
  c.font = font(600);
  const words = text(p.playhead, "hms");
  const wide = c.measureText(words).width + 12;
  const middle = Math.min(w - wide / 2, Math.max(wide / 2, at));
  c.beginPath();
  c.roundRect(middle - wide / 2, 0, wide, 18, 4);
  c.fill();
  write(pen, words, middle, 9.5, "on-ink", "center", 600);
}

// Strokes that several drawings share.

import { colour, font } from "./palette.js";

/** @param {import("./lanes.js").Pen} pen @param {string} words @param {number} x @param {number} y @param {string} ink @param {CanvasTextAlign} align @param {number} weight */
export function write({ c }, words, x, y, ink, align = "left", weight = 400) {
  c.font = font(weight);
  c.textAlign = align;
  c.textBaseline = "middle";
  c.fillStyle = colour(ink);
  c.fillText(words, x, y);
}

/** A rectangle in the colour of a role. @param {CanvasRenderingContext2D} c @param {string} role @param {number} x @param {number} y @param {number} w @param {number} h */
export function block(c, role, x, y, w, h) {
  c.fillStyle = colour(role);
  c.fillRect(x, y, w, h);
}

/** @param {CanvasRenderingContext2D} c @param {number} x @param {number} y @param {number} reach */
export function cross(c, x, y, reach) {
  c.beginPath();
  for (const side of [-reach, reach]) {
    c.moveTo(x - side, y - reach);
    c.lineTo(x + side, y + reach);
  }
  c.stroke();
}

/** @param {CanvasRenderingContext2D} c @param {import("./words.js").Kind} shape @param {number} x @param {number} y */
export function point(c, shape, x, y) {
  if (shape === "person") c.arc(x, y, 4, 0, 7);
  else if (shape === "animal") polygon(c, [[x, y - 5], [x + 5, y], [x, y + 5], [x - 5, y]]);
  else if (shape === "vehicle") c.rect(x - 3.5, y - 3.5, 7, 7);
  else for (const bar of [-4, -1, 2]) c.rect(x + bar, y - (bar === -1 ? 5 : 3), 2, bar === -1 ? 10 : 6);
}

/** @param {CanvasRenderingContext2D} c @param {import("./words.js").Kind} shape @param {number} x @param {number} y @param {number} w @param {number} h */
export function bar(c, shape, x, y, w, h) {
  const half = h / 2;
  if (shape === "animal") {
    polygon(c, [[x, y], [x + half, y - half], [x + w - half, y - half], [x + w, y], [x + w - half, y + half], [x + half, y + half]]);
  } else if (shape === "motion") {
    polygon(c, [[x + half, y - half], [x + w, y - half], [x + w - half, y + half], [x, y + half]]);
  } else c.roundRect(x, y - half, w, h, shape === "person" ? half : 1);
}

/** @param {CanvasRenderingContext2D} c @param {number[][]} corners */
function polygon(c, corners) {
  for (const [x = 0, y = 0] of corners) c.lineTo(x, y);
  c.closePath();
}

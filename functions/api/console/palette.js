// The colours of the style sheet, for canvases: read once for each theme.

import { Emitter } from "./emitter.js";
import { keep } from "./kept.js";

/** @type {Map<string, string>} */
const known = new Map();
/** @type {CanvasPattern | undefined} */
let hatched;

const probe = document.createElement("i");

/** The colour of a role, such as `ink-2`. @param {string} role */
export function colour(role) {
  let found = known.get(role);
  if (found === undefined) {
    // A custom property is given as it is written, which may depend on the theme: a real property is resolved.
    probe.style.color = `var(--${role})`;
    document.head.append(probe);
    found = getComputedStyle(probe).color;
    known.set(role, found);
  }
  return found;
}

/** @type {string | undefined} */
let typeface;

/** The typeface of canvases. @param {number} weight @param {number} [px] */
export function font(weight, px = 11) {
  typeface ??= getComputedStyle(document.body).fontFamily;
  return `${weight} ${px}px ${typeface}`;
}

/** The hatch of gaps. @param {CanvasRenderingContext2D} context */
export function hatch(context) {
  if (hatched) return hatched;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 14;
  const drawing = tile.getContext("2d");
  if (!drawing) return colour("line");
  drawing.strokeStyle = colour("gap");
  drawing.globalAlpha = 0.55;
  drawing.lineWidth = 1.8;
  for (const from of [-14, 0, 14]) {
    drawing.moveTo(from - 2, 16);
    drawing.lineTo(from + 16, -2);
  }
  drawing.stroke();
  const made = context.createPattern(tile, "repeat");
  made?.setTransform(new DOMMatrix([0.5, 0, 0, 0.5, 0, 0]));
  hatched = made ?? undefined;
  return hatched ?? colour("line");
}

/** Themes: an event `theme` after each change. */
export const themes = new Emitter();

function changed() {
  known.clear();
  hatched = undefined;
  themes.emit("theme");
}

matchMedia("(prefers-color-scheme: light)").addEventListener("change", changed);
matchMedia("(max-width: 719px)").addEventListener("change", changed);

/** Changes between dark and light, and remembers it. */
export function switchTheme() {
  const root = document.documentElement;
  const light = root.dataset.theme ? root.dataset.theme === "light" : matchMedia("(prefers-color-scheme: light)").matches;
  root.dataset.theme = light ? "dark" : "light";
  keep("theme", root.dataset.theme);
  changed();
}

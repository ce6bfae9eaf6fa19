// What detectors saw, as boxes over the picture at the time of the picture.

import { json, ranged } from "./api.js";
import { fill, h } from "./dom.js";
import { MINUTE } from "./time.js";
import { kind, labelText, scoreText, sign } from "./words.js";

/** Boxes go this long after the last picture in which they were seen. */
const LASTS_MS = 500;
/** Detectors look at few pictures a second: a box holds until the next one, at most this long. */
const HOLDS_MS = 1500;

/** @typedef {{ at: number, until: number, detections: Detection[] }} Seen */

export class Boxes {
  /** @param {Name} of @param {HTMLElement} element laid over the picture */
  constructor(of, element) {
    this.of = of;
    this.element = element;
    this.shown = true;
    /** @type {Seen[]} */
    this.seen = [];
    this.from = 0;
    this.to = 0;
    this.asking = false;
    this.ms = NaN;
    /** @type {Seen | undefined} */
    this.drawn = undefined;
  }

  /** Shows what was seen at a time; asks for it where it is not known. @param {number} ms */
  at(ms) {
    this.ms = ms;
    if (ms < this.from || ms > this.to) this.load(ms);
    const found = this.shown ? this.seen.find((one) => ms >= one.at - 20 && ms < one.until) : undefined;
    if (found === this.drawn) return;
    this.drawn = found;
    fill(this.element, ...(found?.detections ?? []).map(box));
  }

  /** @param {number} ms */
  async load(ms) {
    if (this.asking) return;
    this.asking = true;
    const [from, to] = [ms - MINUTE / 4, ms + MINUTE];
    try {
      /** @type {{ chunks: LookedAt[] }} */
      const answer = await json("/v1/detections", ranged(this.of, from, to));
      const frames = answer.chunks.flatMap((chunk) => chunk.frames.map((frame) => ({
        at: frame.time ? frame.time : chunk.from + frame.offset * 1000, detections: frame.detections,
      }))).sort((a, b) => a.at - b.at);
      this.seen = frames.filter((frame) => frame.detections.length > 0).map((frame) => {
        const next = frames[frames.indexOf(frame) + 1]?.at ?? Infinity;
        return { ...frame, until: next - frame.at <= HOLDS_MS ? next : frame.at + LASTS_MS };
      });
      this.from = from;
      // What is new is looked at a little later.
      const last = answer.chunks.at(-1);
      this.to = last && last.to < to ? Math.max(ms + 2000, last.to) : last ? to : ms + 4000;
    } catch {
      this.from = ms - 1;
      this.to = ms + 3000;
    } finally {
      this.asking = false;
    }
    // Nothing else may change while the picture stands still.
    this.at(this.ms);
  }
}

/** @param {Detection} detection */
function box({ label, score, box: { left, top, width, height } }) {
  const element = h("div", { class: `box ${kind(label)} ${top < 0.06 ? "below" : ""} ${left > 0.8 ? "leftwards" : ""}` }, h("span", sign(label), `${labelText(label)} ${scoreText(score)}`));
  element.style.left = `${left * 100}%`;
  element.style.top = `${top * 100}%`;
  element.style.width = `${width * 100}%`;
  element.style.height = `${height * 100}%`;
  return element;
}

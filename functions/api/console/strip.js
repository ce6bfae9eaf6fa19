// The last 24 hours of a camera in a line: recorded, gaps, and how much was seen.

import { now, timeline } from "./api.js";
import { h } from "./dom.js";
import { colour, themes } from "./palette.js";
import { block } from "./strokes.js";
import { DAY, length } from "./time.js";
import { counted } from "./words.js";

/** How often it is asked for again. */
const REFRESH_MS = 60_000;
const STALE_MS = 5000;
const BIN_S = 300;

export class Strip {
  /** @param {Name} of */
  constructor(of) {
    this.of = of;
    this.canvas = h("canvas.strip", { role: "img", "aria-label": "The last 24 hours" });
    /** @type {Timeline | undefined} */
    this.data = undefined;
    /** @type {string | undefined} */
    this.label = undefined;
    this.loadedAt = -Infinity;
    this.loading = false;
    this.deaf = themes.on("theme", () => this.draw());
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
  }

  close() {
    this.deaf();
    this.resized.disconnect();
  }

  /** Has it asked for again a little later. */
  stale() {
    this.loadedAt = Math.min(this.loadedAt, performance.now() - REFRESH_MS + STALE_MS);
  }

  async load() {
    if (this.loading || performance.now() - this.loadedAt < REFRESH_MS) return;
    this.loading = true;
    const to = now();
    try {
      this.data = await timeline(this.of, to - DAY, to, { resolution: 120, countSeconds: BIN_S });
      this.loadedAt = performance.now();
      const { gaps } = this.data;
      const sum = gaps.reduce((all, gap) => all + gap.to - gap.from, 0);
      this.canvas.setAttribute("aria-label", `The last 24 hours: ${gaps.length === 0 ? "no gaps" : `${counted(gaps.length, "gap")}, ${length(sum)}`}, ${counted(this.data.sightings.length, "sighting")}`);
      this.draw();
    } catch {
      // What was there stays, and the next round asks again.
    } finally {
      this.loading = false;
    }
  }

  draw() {
    const { canvas, data } = this;
    const w = canvas.clientWidth;
    const c = canvas.getContext("2d");
    if (!w || !c) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = w * ratio;
    canvas.height = 16 * ratio;
    c.scale(ratio, ratio);
    block(c, "line", 0, 13, w, 1);
    if (!data) return;
    const start = data.now - DAY;
    const x = (/** @type {number} */ ms) => ((ms - start) / DAY) * w;
    c.fillStyle = colour("rec-act");
    for (const run of data.recorded) c.fillRect(x(run.from), 11, Math.max(1, x(run.to) - x(run.from)), 5);
    for (const gap of data.gaps) {
      const wide = Math.max(5, x(gap.to) - x(gap.from));
      const from = Math.min(w - wide, x(gap.from));
      block(c, "bg", from - 1, 10, wide + 2, 6);
      c.strokeStyle = colour("ink-2");
      c.strokeRect(from + 0.5, 11.5, wide - 1, 4);
    }
    /** @type {Map<number, number>} */
    const bins = new Map();
    for (const { from, label, count } of data.counts) {
      if (this.label !== undefined && this.label !== label) continue;
      const bin = Math.floor(x(from) / 5);
      bins.set(bin, (bins.get(bin) ?? 0) + count);
    }
    c.fillStyle = colour("ink-3");
    for (const [bin, count] of bins) {
      const high = Math.min(9, 1.5 + count * 1.6);
      c.fillRect(bin * 5, 10 - high, 4, high);
    }
  }
}

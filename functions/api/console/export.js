// A clip of a range: its size and length before the click, then the download.

import { Failure, json, signed } from "./api.js";
import { button, fill, h, icon, iconButton, say } from "./dom.js";
import { DAY, fromWall, length, parse, text, utc, wall } from "./time.js";
import { gapText, range, size } from "./words.js";

/** Asks what a clip would be. @param {{ site: string, camera: string }} of @param {number} from @param {number} to */
export async function plan(of, from, to) {
  const path = `/v1/clips/${encodeURIComponent(of.site)}/${encodeURIComponent(of.camera)}.json`;
  /** @type {import("./types.js").ClipPlan} */
  const answer = await json(path, { from: utc(from), to: utc(to), gaps: "skip" });
  return answer;
}

/** Events: `close`, `range` (detail: a span). */
export class ExportPanel extends EventTarget {
  /** @param {{ site: string, camera: string }} of */
  constructor(of) {
    super();
    this.of = of;
    this.span = { from: 0, to: 0 };
    /** @type {import("./types.js").Gap[]} */
    this.gaps = [];
    this.from = h("input", { type: "time", step: "0.001", id: "export-from", onchange: () => this.typed() });
    this.to = h("input", { type: "time", step: "0.001", id: "export-to", onchange: () => this.typed() });
    this.heading = h("h2", { tabindex: "-1" }, "Export");
    this.sum = h("div", { class: "sum", role: "status" });
    this.foot = h("div", { class: "foot-bar" });
    this.element = h("section", { class: "export", "aria-label": "Export", hidden: true },
      h("div", { class: "sub" }, this.heading, iconButton("close", "Close", () => this.dispatchEvent(new Event("close")))),
      h("div", { class: "pair" }, h("label", { for: "export-from" }, "From", this.from), h("label", { for: "export-to" }, "To", this.to)),
      this.sum, this.foot);
    this.asked = 0;
  }

  /** @param {import("./types.js").Span} span @param {import("./types.js").Gap[]} gaps that are in it */
  async show(span, gaps) {
    this.span = span;
    this.gaps = gaps;
    const clock = (/** @type {number} */ ms) => utc(wall(Math.round(ms))).slice(11, 23);
    this.from.value = clock(span.from);
    this.to.value = clock(span.to);
    const asked = (this.asked += 1);
    fill(this.foot);
    fill(this.sum, h("p", {}, "Looking how large it is."));
    try {
      const found = await plan(this.of, span.from, span.to);
      if (asked === this.asked) this.planned(found);
    } catch (error) {
      if (asked === this.asked) this.refused(error);
    }
  }

  /** @param {import("./types.js").ClipPlan} found */
  async planned(found) {
    const skipped = this.gaps.filter((gap) => parse(gap.to) > this.span.from && parse(gap.from) < this.span.to);
    fill(this.sum,
      h("p", {}, h("strong", { class: "big" }, size(found.sizeBytes)), " ", h("span", { class: "quiet" }, length(found.seconds * 1000))),
      h("p", {}, `${this.of.camera}, ${text(this.span.from, "date")}. MP4 as recorded. The size is exact.`),
      ...skipped.slice(0, 5).map((gap) => h("p", { class: "row" }, icon("warning", "warn"), `${gapText(gap)}. The clip goes on behind it.`)),
      skipped.length > 5 && h("p", {}, `${skipped.length - 5} more gaps are left out.`));
    let href;
    try {
      href = await signed(found.media);
    } catch (error) {
      this.refused(error);
      return;
    }
    fill(this.foot,
      h("a", { class: "button primary", href, download: "", onclick: () => say("The download has begun") }, icon("download"), `Download ${size(found.sizeBytes)}`));
  }

  /** @param {unknown} error */
  refused(error) {
    const problem = error instanceof Failure ? error.problem : undefined;
    const words = error instanceof Failure && error.kind === "gone" ? "Nothing was recorded in this range." : error instanceof Error ? error.message : "";
    const ranges = (problem?.ranges ?? []).slice(0, 6).map(({ from, to }) => {
      const span = { from: parse(from), to: parse(to) };
      return button(range(span.from, span.to), () => this.dispatchEvent(new CustomEvent("range", { detail: span })), "outlined small");
    });
    fill(this.sum, h("p", { class: "row" }, icon("warning", "warn"), words), ranges.length > 0 && h("p", {}, "These parts can be had:"), h("div", { class: "chips" }, ...ranges));
  }

  typed() {
    const at = (/** @type {string} */ value, /** @type {number} */ near) => {
      const day = Math.floor(wall(near) / DAY) * DAY;
      const ms = Date.parse(`1970-01-01T${value}Z`);
      return Number.isNaN(ms) ? near : fromWall(day + ms);
    };
    const span = { from: at(this.from.value, this.span.from), to: at(this.to.value, this.span.to) };
    if (span.to > span.from) this.dispatchEvent(new CustomEvent("range", { detail: span }));
    else fill(this.sum, h("p", { class: "row" }, icon("warning", "warn"), "The range ends before it begins."));
  }
}

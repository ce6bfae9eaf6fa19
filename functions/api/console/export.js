// Clips of a range: their size and length before the click, then the download. Several cameras are made into one archive.

import { Failure, json, pathOf, ranged, signed } from "./api.js";
import { button, fill, h, icon, iconButton, say, sayToo } from "./dom.js";
import { Emitter } from "./emitter.js";
import { Exports } from "./exports.js";
import { Keep } from "./keep.js";
import { known, sameCamera } from "./state.js";
import { DAY, fromWall, length, text, utc, wall } from "./time.js";
import { counted, gapText, range, size } from "./words.js";

/** Asks what a clip would be. @param {Name} of @param {number} from @param {number} to @returns {Promise<ClipPlan>} */
export function plan(of, from, to) {
  return json(`/v1/clips/${pathOf(of)}.json`, { from: utc(from), to: utc(to), gaps: "skip" });
}

/** What a camera would give: a plan, or why there is none. @typedef {{ of: Name, plan?: ClipPlan, failure?: unknown }} Part */

/** Events: `close`, `range` (detail: a span). */
export class ExportPanel extends Emitter {
  /** @param {Name[]} chosen */
  constructor(chosen) {
    super();
    this.chosen = chosen;
    /** @type {Span} */
    this.span = { from: 0, to: 0 };
    /** @type {Gap[]} */
    this.gaps = [];
    this.from = h("input", { type: "time", step: "0.001", id: "export-from", onchange: () => this.typed() });
    this.to = h("input", { type: "time", step: "0.001", id: "export-to", onchange: () => this.typed() });
    this.heading = h("h2", { tabindex: "-1" }, "Export");
    this.cameras = h("fieldset.choices");
    this.sum = h("div.sum");
    this.foot = h("div.foot-bar");
    this.keep = new Keep();
    this.exports = new Exports();
    this.element = h("section.export", { "aria-label": "Export", hidden: true },
      h("div.sub", this.heading, iconButton("close", "Close", () => this.emit("close"))),
      h("div.pair", h("label", { for: "export-from" }, "From", this.from), h("label", { for: "export-to" }, "To", this.to)),
      this.cameras, this.sum, this.keep.element, this.exports.element, this.foot);
    this.asked = 0;
  }

  end() {
    this.exports.end();
  }

  /** @param {Span} span @param {Gap[]} gaps that are in it */
  async show(span, gaps) {
    this.span = span;
    this.gaps = gaps.filter((gap) => gap.to > span.from && gap.from < span.to);
    const clock = (/** @type {number} */ ms) => utc(wall(Math.round(ms))).slice(11, 23);
    this.from.value = clock(span.from);
    this.to.value = clock(span.to);
    const asked = (this.asked += 1);
    fill(this.foot);
    fill(this.sum, h("p", "Looking how large it is."));
    if (!known.cameras) await new Promise((go) => known.addEventListener("fresh", go, { once: true }));
    this.keep.show(this.chosen, span);
    const exports = this.exports.load();
    /** @type {Part[]} */
    const parts = await Promise.all((known.cameras ?? []).filter((of) => this.chosen.some((one) => sameCamera(one, of)) || ((of.first ?? Infinity) < span.to && (of.last ?? 0) > span.from)).slice(0, 50).map((of) => plan(of, span.from, span.to).then((found) => ({ of, plan: found }), (failure) => ({ of, failure }))));
    // Whether the server makes exports decides what is offered for several cameras.
    await exports;
    if (asked === this.asked) this.planned(parts);
  }

  /** @param {Part[]} parts of every camera */
  planned(parts) {
    const isChosen = (/** @type {Part} */ { of }) => this.chosen.some((one) => sameCamera(one, of));
    fill(this.cameras, h("legend.quiet", "Cameras"), ...parts.filter((part) => part.plan || isChosen(part)).map((part) => {
      const tick = h("input", { type: "checkbox", checked: isChosen(part), onchange: () => {
        this.chosen = isChosen(part) ? this.chosen.filter((one) => !sameCamera(one, part.of)) : [...this.chosen, part.of];
        this.keep.show(this.chosen, this.span);
        this.summed(parts.filter(isChosen));
      } });
      return h("label.row", tick, h("span.cut", part.of.camera), h("span.space"), h("span.quiet", part.plan ? size(part.plan.sizeBytes) : "nothing"));
    }));
    this.summed(parts.filter(isChosen));
  }

  /** @param {Part[]} parts of the chosen cameras */
  async summed(parts) {
    const asked = (this.asked += 1);
    const plans = parts.flatMap((part) => part.plan ?? []);
    const [only] = plans;
    if (!only) {
      const first = parts[0];
      if (first) this.refused(first.failure);
      else this.refuse("No camera is chosen.");
      fill(this.foot);
      return;
    }
    const bytes = plans.reduce((sum, one) => sum + one.sizeBytes, 0);
    const longest = Math.max(...plans.map((one) => one.seconds)) * 1000;
    const names = parts.filter((part) => part.plan).map((part) => part.of.camera).join(", ");
    sayToo([size(bytes), length(longest), this.gaps.length > 0 && counted(this.gaps.length, "gap")].filter(Boolean).join(", "), size(bytes));
    fill(this.sum,
      h("p", h("strong.big", size(bytes)), " ", h("span.quiet", length(longest))),
      h("p", `${names}, ${text(this.span.from, "date")}. MP4 as recorded. The size is exact.`),
      ...parts.filter((part) => !part.plan).map((part) => h("p.row", icon("warning", "warn"), `${part.of.camera} has no video here and is left out.`)),
      ...this.gaps.slice(0, 5).map((gap) => h("p.row", icon("warning", "warn"), `${gapText(gap)}. The clip goes on behind it.`)),
      this.gaps.length > 5 && h("p", `${this.gaps.length - 5} more gaps are left out.`));
    try {
      const links = plans.length === 1 || !this.exports.isThere ? await Promise.all(plans.map((one) => signed(one.media))) : [];
      if (asked !== this.asked) return;
      const one = (/** @type {string} */ href, /** @type {string} */ words) => h("a.button.primary", { href, download: "", onclick: () => say("The download has begun") }, icon("download"), h("span.cut", words));
      if (links.length === 1) fill(this.foot, one(links[0] ?? "", `Download ${size(bytes)}`));
      else if (links.length > 1) fill(this.foot, ...links.map((href, index) => one(href, `${parts.filter((part) => part.plan)[index]?.of.camera}, ${size(plans[index]?.sizeBytes ?? 0)}`)));
      else fill(this.foot, button(`Make ${plans.length} files, ${size(bytes)}`, () => this.exports.make(this.name(), parts.filter((part) => part.plan).map(({ of }) => ranged(of, this.span.from, this.span.to))), "primary"));
    } catch (error) {
      if (asked === this.asked) this.refused(error);
    }
  }

  name() {
    return `${this.chosen.map((one) => one.camera).join(", ")}, ${text(this.span.from, "date")} ${range(this.span.from, this.span.to)}`.slice(0, 60);
  }

  /** @param {unknown} error */
  refused(error) {
    const problem = error instanceof Failure ? error.problem : undefined;
    const words = error instanceof Failure && error.kind === "gone" ? "Nothing was recorded in this range." : error instanceof Error ? error.message : "";
    const ranges = (problem?.ranges ?? []).slice(0, 6).map(({ from, to }) =>
      button(range(from, to), () => this.emit("range", { from, to }), "outlined small"));
    this.refuse(words, ranges.length > 0 && h("p", "These parts can be had:"), h("div.chips", ...ranges));
  }

  /** Says why there is nothing to be had. @param {string} words @param {...import("./dom.js").Child} more */
  refuse(words, ...more) {
    say(words);
    fill(this.sum, h("p.row", icon("warning", "warn"), words), ...more);
  }

  typed() {
    const at = (/** @type {string} */ value, /** @type {number} */ near) => {
      const day = Math.floor(wall(near) / DAY) * DAY;
      const ms = Date.parse(`1970-01-01T${value}Z`);
      return Number.isNaN(ms) ? near : fromWall(day + ms);
    };
    const span = { from: at(this.from.value, this.span.from), to: at(this.to.value, this.span.to) };
    if (span.to > span.from) this.emit("range", span);
    else this.refuse("The range ends before it begins.");
  }
}

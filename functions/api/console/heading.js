// The line above a timeline: how much time is shown, the range that is marked, and buttons for what the keys do.

import { fill, h, iconButton, say, setText } from "./dom.js";
import { DAY, HOUR, MINUTE, text } from "./time.js";
import { DASH } from "./words.js";

const SPANS = /** @type {const} */ ([["Month", 31 * DAY], ["Week", 7 * DAY], ["Day", DAY], ["Hour", HOUR], ["Minute", MINUTE]]);

/** Where a span begins and ends, in words: one, where it is a day. @param {Span} span */
export function ends({ from, to }) {
  const length = to - from;
  // A day is one from midnight to midnight, and may have 23 hours.
  const form = length > DAY - 2 * HOUR ? "day" : length < 10 * MINUTE ? "hms" : "hm";
  return [...new Set([text(from, form), text(form === "day" ? to - 1 : to, form)])];
}

export class Heading {
  /** @param {import("./timeline.js").TimelineView} view */
  constructor(view) {
    this.view = view;
    this.scales = h("div.segments", { role: "group", "aria-label": "Span" },
      ...SPANS.map(([name, ms]) => h("button.button", { "aria-pressed": "false", onclick: () => view.scale(ms) }, name)));
    this.pressed = "";
    this.words = h("span.quiet");
    this.range = h("div.fact", { hidden: true });
    this.isRanged = false;
    this.element = h("div.timeline-head", this.scales, this.words, h("span.space"), this.range,
      h("button.button.wide", { title: "The range starts here", onclick: () => view.mark("from") }, "In", h("kbd", { "aria-hidden": "true" }, "I")),
      h("button.button.wide", { title: "The range ends here", onclick: () => view.mark("to") }, "Out", h("kbd", { "aria-hidden": "true" }, "O")),
      iconButton("minus", "Show more time", () => view.zoom(2)), iconButton("plus", "Show less time", () => view.zoom(0.5)));
  }

  /** Says which span is shown. @param {Span} span */
  show({ from, to }) {
    const length = to - from;
    setText(this.words, ends({ from, to }).join(` ${DASH} `));
    const name = SPANS.find(([, ms]) => length > ms / 2.5)?.[0] ?? "Minute";
    if (this.pressed === name) return;
    this.pressed = name;
    for (const scale of this.scales.children) scale.setAttribute("aria-pressed", String(scale.textContent === name));
  }

  /** Says the range that is marked, and what is known of its size. @param {string} bytes */
  tellRange(bytes) {
    const { from, to } = this.view.marked;
    const set = from !== undefined || to !== undefined;
    this.range.hidden = !set;
    if (!set) {
      if (this.isRanged) say("No range");
      this.isRanged = false;
      return;
    }
    this.isRanged = true;
    const words = `${from === undefined ? "…" : text(from, "hms")} ${DASH} ${to === undefined ? "…" : text(to, "hms")}`;
    say(`Range ${from === undefined ? "" : `from ${text(from, "hms")} `}${to === undefined ? "" : `to ${text(to, "hms")}`}${bytes && `, ${bytes}`}`.trim());
    fill(this.range, h("span", words), bytes && h("span.quiet", bytes), iconButton("close", "Clear the range", () => this.view.clearRange()));
  }
}

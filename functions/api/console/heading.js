// What stands around a timeline: above it how much time is shown, the range that is marked, and buttons for what the keys do; beside it the
// names of its lanes, which switch what is shown: labels of one camera, or cameras.

import { fill, h, iconButton, say, setText } from "./dom.js";
import { DAY, HOUR, MINUTE, text } from "./time.js";
import { DASH, kind, labelText, sign } from "./words.js";

const SPANS = /** @type {const} */ ([["Month", 31 * DAY], ["Week", 7 * DAY], ["Day", DAY], ["Hour", HOUR], ["Minute", MINUTE]]);

/** Labels that have a lane. */
const LABELS_MAX = 6;
const ORDER = ["person", "vehicle", "animal", "motion"];

/** What the gutters show. @type {WeakMap<Element, string>} */
const shown = new WeakMap();

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

/** Names the lanes, where they are others than before. @param {import("./timeline.js").TimelineView} view */
export function nameLanes(view) {
  const { gutter } = view;
  const name = (/** @type {string} */ words) => h("span.wide", words);
  if (view.names.length > 1) {
    const heard = JSON.stringify(view.of);
    if (shown.get(gutter) === heard) return;
    shown.set(gutter, heard);
    fill(gutter, h("div.lane-axis"), ...view.names.map((of) => h("button.lane-camera", {
      "aria-pressed": of === view.of, title: `Listen to ${of.camera}, and follow what it saw`, onclick: () => view.hear(of),
    }, h("span.cut", of.camera))));
    return;
  }
  const all = new Set([view.day, view.data].flatMap((data) => data?.sightings ?? []).map((sighting) => sighting.label));
  const labels = [...all].sort((a, b) => ORDER.indexOf(kind(a)) - ORDER.indexOf(kind(b)) || (a < b ? -1 : 1)).slice(0, LABELS_MAX);
  const key = `${labels.join()} ${view.daySpan.from}`;
  if (shown.get(gutter) === key) return;
  shown.set(gutter, key);
  view.labels = labels;
  fill(gutter, h("div.lane-axis"), h("div.lane-rec", name("Recorded")),
    ...labels.map((label) => h("button.lane-seen", {
      "aria-pressed": !view.hidden.has(label), title: `Show or hide ${label}`, "aria-label": labelText(label),
      onclick: (event) => toggle(view, label, event.currentTarget),
    }, sign(label), name(labelText(label)))),
    h("div.lane-sign", name("Signed")), h("div.lane-day.wide", text(view.daySpan.from, "day")));
}

/** @param {import("./timeline.js").TimelineView} view @param {string} label @param {HTMLElement} by */
function toggle(view, label, by) {
  if (!view.hidden.delete(label)) view.hidden.add(label);
  by.setAttribute("aria-pressed", String(!view.hidden.has(label)));
  view.redraw();
}

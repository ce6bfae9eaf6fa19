// The names of a timeline's lanes, which switch what is shown: labels of one camera, or cameras.

import { fill, h } from "./dom.js";
import { text } from "./time.js";
import { kind, labelText, sign } from "./words.js";

/** Labels that have a lane. */
const LABELS_MAX = 6;
const ORDER = ["person", "vehicle", "animal", "motion"];

/** What the gutters show. @type {WeakMap<Element, string>} */
const shown = new WeakMap();

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

// The timeline's twin for screen readers: what is in the visible span, as buttons that go there.

import { fill, h } from "./dom.js";
import { SECOND, text } from "./time.js";
import { within } from "./within.js";
import { gapText, labelText, removedText } from "./words.js";

const LISTED_MAX = 100;

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/** Tells where the playhead is in the span. @param {import("./timeline.js").TimelineView} view */
export function tellPlace({ slider, span, playhead }) {
  for (const [name, ms] of /** @type {const} */ ([["min", span.from], ["max", span.to], ["now", playhead]])) {
    // Seconds since 1970, to the millisecond: where a span is short, whole seconds put the playhead beside where it is drawn.
    const seconds = (ms / SECOND).toFixed(3);
    if (slider.getAttribute(`aria-value${name}`) !== seconds) slider.setAttribute(`aria-value${name}`, seconds);
  }
}

/** Fills the list of a timeline, if anything in it changed. @param {import("./timeline.js").TimelineView} view */
export function outline(view) {
  const { from, to } = view.span;
  const gaps = within(view.data?.gaps, from, to).map((gap) => ({ at: gap.from, words: gapText(gap) }));
  const removed = within(view.data?.removed, from, to).map((one) => ({ at: one.from, words: removedText(one) }));
  const seen = within(view.data?.sightings, from, to).filter((sighting) => !view.hidden.has(sighting.label))
    .map((sighting) => ({ at: sighting.from, words: `${labelText(sighting.label)}, ${text(sighting.from, "hms")}` }));
  const all = [...gaps, ...removed, ...seen].sort((a, b) => a.at - b.at);
  const key = all.map(({ at, words }) => at + words).join();
  if (shown.get(view.list) === key) return;
  shown.set(view.list, key);
  const items = all.length <= LISTED_MAX
    ? all.map(({ at, words }) => h("li", h("button", { tabindex: "-1", onclick: () => view.seek(at) }, words)))
    : [h("li", `${gaps.length} gaps, ${seen.length} sightings. Show less time to have them one by one.`)];
  fill(view.list, ...items);
}

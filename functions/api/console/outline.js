// The timeline's twin for screen readers: what is in the visible span, as buttons that go there.

import { fill, h, isSpoken, say } from "./dom.js";
import { within } from "./footage.js";
import { SECOND, text } from "./time.js";
import { counted, gapText, isBad, labelText, proofText, removedText } from "./words.js";

const LISTED_MAX = 100;

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/** Whether the playhead moves by itself under somebody to whom each change of the slider is read: the running time is not.
 * @param {import("./timeline.js").TimelineView} view */
function runs({ clock, slider }) {
  return (clock?.playing ?? false) && isSpoken(slider);
}

/** Tells what is at the playhead. @param {import("./timeline.js").TimelineView} view */
export function tell(view) {
  if (runs(view)) return;
  view.toldAt = performance.now();
  const words = view.what(view.playhead);
  if (view.slider.ariaValueText !== words) view.slider.ariaValueText = words;
}

/** Says what is at a time that somebody went to, once. @param {import("./timeline.js").TimelineView} view @param {number} ms */
export function arrived(view, ms) {
  const { slider } = view;
  const words = view.what(ms);
  view.toldAt = performance.now();
  slider.ariaValueText = words;
  if (!isSpoken(slider)) return say(words);
  slider.ariaValueNow = (ms / SECOND).toFixed(3);
}

/** Tells where the playhead is in the span. @param {import("./timeline.js").TimelineView} view */
export function tellPlace(view) {
  if (runs(view)) return;
  const { slider, span, playhead } = view;
  for (const [name, ms] of /** @type {const} */ ([["min", span.from], ["max", span.to], ["now", playhead]])) {
    // Seconds since 1970, to the millisecond: where a span is short, whole seconds put the playhead beside where it is drawn.
    const seconds = (ms / SECOND).toFixed(3);
    if (slider.getAttribute(`aria-value${name}`) !== seconds) slider.setAttribute(`aria-value${name}`, seconds);
  }
}

/** What there is at a time, in words. @param {import("./timeline.js").TimelineView} view @param {number} ms */
export function wordsAt(view, ms) {
  const gap = view.gapAt(ms);
  const removed = view.removedAt(ms);
  const labels = within(view.data?.sightings, ms).map((seen) => seen.label);
  const words = gap ? gapText(gap) : removed ? removedText(removed) : [...new Set(labels)].join(", ");
  const bad = within(view.data?.integrity, ms).find(isBad);
  return [text(ms, "hms"), words, bad && proofText(bad)].filter(Boolean).join(", ");
}

/** Fills the list of a timeline, if anything in it changed. @param {import("./timeline.js").TimelineView} view */
export function outline(view) {
  const { from, to } = view.span;
  const gaps = within(view.data?.gaps, from, to).map((gap) => ({ at: gap.from, words: gapText(gap) }));
  const removed = within(view.data?.removed, from, to).map((one) => ({ at: one.from, words: removedText(one) }));
  const seen = within(view.data?.sightings, from, to).filter((sighting) => !view.hidden.has(sighting.label))
    .map((sighting) => ({ at: sighting.from, words: `${labelText(sighting.label)}, ${text(sighting.from, "hms")}` }));
  const proofs = within(view.data?.integrity, from, to).map((stretch) => ({ at: stretch.from, words: proofText(stretch), isBad: isBad(stretch) }));
  const some = [...gaps, ...removed, ...seen, ...proofs];
  // What somebody should act on is never in a mere number.
  const isWhole = some.length <= LISTED_MAX;
  const all = (isWhole ? some : proofs.filter((one) => one.isBad).slice(0, LISTED_MAX)).sort((a, b) => a.at - b.at);
  const sum = isWhole ? "" : `${counted(gaps.length + removed.length, "gap")}, ${counted(seen.length, "sighting")}. Show less time to have them one by one.`;
  const key = sum + all.map(({ at, words }) => at + words).join();
  if (shown.get(view.list) === key) return;
  shown.set(view.list, key);
  fill(view.list, sum !== "" && h("li", sum), ...all.map(({ at, words }) => h("li", h("button", { tabindex: "-1", onclick: () => view.seek(at) }, words))));
}

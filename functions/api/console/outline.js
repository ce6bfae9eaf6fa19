// The timeline's twin for screen readers: what is in the visible span, as buttons that go there.

import { fill, h } from "./dom.js";
import { parse, text } from "./time.js";
import { gapText, labelText } from "./words.js";

const LISTED_MAX = 100;

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap();

/** Fills the list of a timeline, if anything in it changed. @param {import("./timeline.js").TimelineView} view */
export function outline(view) {
  const { from, to } = view.span;
  const inside = (/** @type {{ from: string, to: string }} */ of) => parse(of.to) > from && parse(of.from) < to;
  const gaps = (view.data?.gaps ?? []).filter(inside).map((gap) => ({ at: parse(gap.from), words: gapText(gap) }));
  const seen = (view.data?.sightings ?? []).filter((sighting) => inside(sighting) && !view.hidden.has(sighting.label))
    .map((sighting) => ({ at: parse(sighting.from), words: `${labelText(sighting.label)}, ${text(parse(sighting.from), "hms")}` }));
  const all = [...gaps, ...seen].sort((a, b) => a.at - b.at);
  const key = all.map(({ at, words }) => at + words).join();
  if (shown.get(view.list) === key) return;
  shown.set(view.list, key);
  const items = all.length <= LISTED_MAX
    ? all.map(({ at, words }) => h("li", {}, h("button", { type: "button", tabindex: "-1", onclick: () => view.seek(at) }, words)))
    : [h("li", {}, `${gaps.length} gaps, ${seen.length} sightings. Show less time to have them one by one.`)];
  fill(view.list, ...items);
}

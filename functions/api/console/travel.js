// How somebody moves about in time, by keys and buttons, where a timeline and a clock stand together.

import { button, closeButton, fill, h, showDialog } from "./dom.js";
import { cameraKeys } from "./keys.js";
import { arrived } from "./outline.js";
import { DAY, fromWall, midnight, text, twin, utc, wall } from "./time.js";
import { isBad } from "./words.js";

/** The first of some times that is after another one by a distance, or the last that is before it. @param {number[]} all @param {number} ms @param {number} step @param {number} apart */
function beyond(all, ms, step, apart) {
  return step > 0 ? all.find((one) => one > ms + apart) : all.findLast((one) => one < ms - apart);
}

/** Goes to a time, and says what is there. @param {import("./timeline.js").TimelineView} timeline @param {(ms: number) => void} seek @param {number} ms */
function jump(timeline, seek, ms) {
  seek(ms);
  arrived(timeline, ms);
}

/**
 * Goes to the sighting or the gap before or after.
 * @param {import("./timeline.js").TimelineView} timeline @param {{ wall: number }} clock @param {(ms: number) => void} seek
 * @param {(words: string) => void} tell what is said where there is none
 */
export function travel(timeline, clock, seek, tell) {
  /** Does it now, or when it is known what happened on the day. @param {(step: number) => void} act @returns {(step: number) => void} */
  const known = (act) => (step) => {
    if (timeline.day) return act(step);
    tell("Loading what happened on this day");
    timeline.waiting.push(() => act(step));
  };
  const none = (/** @type {string} */ what, /** @type {number} */ step) => tell(`No ${step > 0 ? "later" : "earlier"} ${what} on this day`);
  return {
    sighting: known((step) => {
      const all = (timeline.day?.sightings ?? []).filter((one) => !timeline.hidden.has(one.label)).map((one) => one.from).sort((a, b) => a - b);
      const found = beyond(all, clock.wall, step, 600);
      if (found === undefined) none("sighting", step);
      else jump(timeline, seek, found);
    }),
    fault: known((step) => {
      const spans = [timeline.day, ...timeline.footage.spans].flatMap((data) => [...(data?.gaps ?? []), ...(data?.integrity ?? []).filter(isBad)]);
      const all = [...spans, ...timeline.faults].map(({ from }) => from).sort((a, b) => a - b);
      const found = beyond(all, clock.wall, step, 1);
      if (found === undefined) none("gap", step);
      else jump(timeline, seek, found + 1);
    }),
  };
}

/** "Go to a time": asks for a date and a time of the shown zone's clocks, and which one is meant where they say it twice. @param {number} near what is in the field at first @param {(ms: number) => void} go */
function askTime(near, go) {
  const field = h("input", { type: "datetime-local", step: "1", value: utc(wall(near)).slice(0, 19), required: true, "aria-label": "Date and time" });
  const choices = h("p.row");
  const end = (/** @type {number} */ ms) => {
    dialog.close();
    go(ms);
  };
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const ms = fromWall(Date.parse(`${field.value}Z`));
    const other = twin(ms);
    if (Number.isNaN(ms)) return;
    if (other === undefined) end(ms);
    else fill(choices, "The clocks said this twice.", ...[ms, other].sort((a, b) => a - b).map((one) => button(text(one, "zoned"), () => end(one))));
  };
  const dialog = showDialog("Go to a time", h("form.goto", { onsubmit: submit }, field, h("button.button.primary", { type: "submit" }, "Go"), closeButton()), choices);
}

/**
 * Listens for keys until the answer is called.
 * @param {import("./timeline.js").TimelineView} timeline @param {{ wall: number, playing: boolean, step: (frames: number) => void }} clock
 * @param {ReturnType<typeof import("./controls.js").controls>} bar @param {import("./exporting.js").Exporting} exporting
 * @param {(ms: number) => void} seek @param {Partial<import("./keys.js").CameraActions>} more
 */
export function travelKeys(timeline, clock, bar, exporting, seek, more) {
  timeline.clock = clock;
  return cameraKeys({
    toggle: bar.toggle, sound: bar.sound, rate: bar.rate, step: (frames) => clock.step(frames), move: (ms) => jump(timeline, seek, clock.wall + ms),
    export: () => exporting.open(), mark: (end) => timeline.mark(end), clear: () => timeline.clearRange(), zoom: (factor) => timeline.zoom(factor),
    day: () => timeline.scale(DAY), start: () => jump(timeline, seek, midnight(clock.wall)),
    ask: () => askTime(clock.wall, seek), close: () => exporting.close(), ...more,
  });
}

// What is known of the cameras of a timeline: of the visible span and a screen to both sides, and of the playhead's whole day; and what of it is in a span.

import { lineState, now, timeline } from "./api.js";
import { Emitter } from "./emitter.js";
import { known, sameCamera } from "./state.js";
import { DAY, MINUTE, SECOND } from "./time.js";

/** How often what is new is asked for. */
const REFRESH_MS = 5000;
/** While somebody zooms, only the last wish counts. */
const REST_MS = 80;

/** Footage that is no longer is seen as a whole, once it is known how much there is. */
const SHORT_MS = 40 * MINUTE;

/** A stretch of time, how long the visible span was, and of which day and camera the overview is.
 * @typedef {{ from: number, to: number, length: number, day: number, heard: Name | undefined }} Wish */

/** Events: `data` after each change. */
export class Footage extends Emitter {
  /** @param {Name[]} names */
  constructor(names) {
    super();
    this.names = names;
    /** Of each camera, in the order of `names`. @type {(Timeline | undefined)[]} */
    this.spans = [];
    /** Of the camera that is heard. @type {Timeline | undefined} */
    this.day = undefined;
    this.dayAt = -Infinity;
    this.failed = false;
    /** What `spans` are of, and how long the visible span was then. */
    this.loaded = { from: 0, to: 0, length: 0, day: NaN, heard: names[0], at: -Infinity };
    this.work = new AbortController();
    /** What is being asked for. @type {Wish | undefined} */
    this.asked = undefined;
  }

  close() {
    this.work.abort();
  }

  /** Has everything asked for again, of another day or camera. */
  stale() {
    this.day = undefined;
    this.loaded.at = -Infinity;
  }

  /** Something happened: what is shown is asked for again, a second later at the latest. */
  soon() {
    this.loaded.at = Math.min(this.loaded.at, performance.now() - REFRESH_MS + 1000);
  }

  /** @param {Name} of */
  of(of) {
    return this.spans[this.names.findIndex((name) => sameCamera(name, of))];
  }

  /**
   * Asks for what is not there, or is old.
   * @param {Span} span @param {Span} day @param {number} width in pixels @param {Name} heard
   */
  async load({ from, to }, day, width, heard) {
    const length = to - from;
    const { loaded } = this;
    const fits = (/** @type {Wish} */ of) => of.from <= from && of.to >= to && of.length < length * 2.5 && of.length > length / 2.5;
    const old = loaded.at === -Infinity || (to > now() - MINUTE && performance.now() - loaded.at > REFRESH_MS);
    if ((fits(loaded) && !old) || document.hidden || lineState() !== "ok") return;
    // What is being asked for already is waited for, however long the server takes.
    if (this.asked && fits(this.asked) && this.asked.day === day.from && this.asked.heard === heard) return;
    const side = length > 4 * DAY ? length / 10 : length;
    const wish = { from: from - side, to: to + side, length, day: day.from, heard };
    this.asked = wish;
    this.work.abort();
    const work = (this.work = new AbortController());
    if (!fits(loaded) && this.spans.length > 0) await new Promise((go) => setTimeout(go, REST_MS));
    if (work.signal.aborted) return;
    // One stretch a pixel is as much as can be seen.
    const resolution = Math.min(86_400, length / width / SECOND);
    const countSeconds = Math.max(1, Math.min(86_400, Math.round(resolution * 10)));
    // A day that is over is the same whatever is seen of it: it is asked for again as seldom as something of it may come late.
    const isKnown = this.day !== undefined && loaded.at !== -Infinity && loaded.day === day.from && loaded.heard === heard && day.to < now() && performance.now() - this.dayAt < MINUTE;
    // One that does not arrive takes nothing from the others.
    const [whole, ...spans] = await Promise.all([
      isKnown ? this.day : timeline(heard, day.from, day.to, { resolution: 60 }, work.signal).catch(() => undefined),
      ...this.names.map((of) => timeline(of, wish.from, wish.to, { resolution, countSeconds }, work.signal).catch(() => undefined)),
    ]);
    if (work.signal.aborted) return;
    this.asked = undefined;
    this.failed = whole === undefined || spans.includes(undefined);
    if (spans.some((data) => data !== undefined)) {
      this.day = whole ?? this.day;
      if (whole && !isKnown) this.dayAt = performance.now();
      this.spans = spans;
      this.loaded = { ...wish, at: performance.now() };
    } else this.loaded.at = performance.now();
    this.emit("data");
  }
}

/** How long the longest stretch of a list is. What is in a span of a list in order is found by halving, without a look at the rest. @type {WeakMap<readonly Span[], number>} */
const longest = new WeakMap();

/** How many begin before a time. @param {readonly Span[]} list @param {number} ms */
function before(list, ms) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {Span} */ (list[middle]).from < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Those of a list that overlap a span, its two ends included. A list is looked through once, and put in order if it is in none.
 * @template {Span} T @param {T[] | undefined} list @param {number} from @param {number} [to] @returns {T[]}
 */
export function within(list, from, to = from) {
  if (!list || list.length === 0) return [];
  let length = longest.get(list);
  if (length === undefined) {
    list.sort((a, b) => a.from - b.from);
    length = list.reduce((most, one) => Math.max(most, one.to - one.from), 0);
    longest.set(list, length);
  }
  return list.slice(before(list, from - length), before(list, to + 0.001)).filter((one) => one.to >= from);
}

/** Fits the span of a timeline, now or when cameras are known, until the answer is called. @param {import("./timeline.js").TimelineView} view */
export function fit(view) {
  let isDone = false;
  const look = () => {
    if (isDone || !known.cameras) return;
    isDone = true;
    const all = view.names.map((name) => known.camera(name));
    const first = Math.min(...all.map((one) => one?.first ?? NaN));
    const last = Math.max(...all.map((one) => one?.last ?? NaN));
    // A live camera's first seconds would run through the picture.
    const side = Math.max((last - first) * 0.1, (MINUTE - (last - first)) / 2);
    if (last - first < SHORT_MS) view.show(first - side, last + side);
  };
  look();
  return known.on("cameras", look);
}

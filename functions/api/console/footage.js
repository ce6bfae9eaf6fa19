// What is known of the cameras of a timeline: of the visible span and a screen to both sides, and of the playhead's whole day.

import { now, timeline } from "./api.js";
import { sameCamera } from "./state.js";
import { DAY, MINUTE, SECOND } from "./time.js";

/** How often what is new is asked for. */
const REFRESH_MS = 5000;
/** While somebody zooms, only the last wish counts. */
const REST_MS = 80;

/** Events: `data` after each change. */
export class Footage extends EventTarget {
  /** @param {Name[]} names */
  constructor(names) {
    super();
    this.names = names;
    /** Of each camera, in the order of `names`. @type {(Timeline | undefined)[]} */
    this.spans = [];
    /** Of the camera that is heard. @type {Timeline | undefined} */
    this.day = undefined;
    this.failed = false;
    /** What `spans` are of, and how long the visible span was then. */
    this.loaded = { from: 0, to: 0, length: 0, at: -Infinity };
    this.work = new AbortController();
    this.asking = false;
  }

  close() {
    this.work.abort();
  }

  /** Has everything asked for again. */
  stale() {
    this.loaded.at = -Infinity;
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
    const covered = loaded.from <= from && loaded.to >= to && loaded.length < length * 2.5 && loaded.length > length / 2.5;
    const old = loaded.at === -Infinity || (to > now() - MINUTE && performance.now() - loaded.at > REFRESH_MS);
    if ((covered && !old) || (this.asking && covered) || document.hidden) return;
    this.work.abort();
    const work = (this.work = new AbortController());
    this.asking = true;
    if (!covered && this.spans.length > 0) await new Promise((go) => setTimeout(go, REST_MS));
    if (work.signal.aborted) return;
    const side = length > 4 * DAY ? length / 10 : length;
    const wish = { from: from - side, to: to + side };
    // One stretch a pixel is as much as can be seen.
    const resolution = Math.min(86_400, length / width / SECOND);
    const countSeconds = Math.max(1, Math.min(86_400, Math.round(resolution * 10)));
    try {
      const [whole, ...spans] = await Promise.all([
        timeline(heard, day.from, day.to, { resolution: 60 }, work.signal),
        ...this.names.map((of) => timeline(of, wish.from, wish.to, { resolution, countSeconds }, work.signal)),
      ]);
      this.day = whole;
      this.spans = spans;
      this.failed = false;
      this.loaded = { ...wish, length, at: performance.now() };
    } catch {
      if (work.signal.aborted) return;
      this.failed = true;
      this.loaded.at = performance.now();
    } finally {
      if (!work.signal.aborted) this.asking = false;
    }
    this.dispatchEvent(new Event("data"));
  }
}

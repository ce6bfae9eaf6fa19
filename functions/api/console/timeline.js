// The timeline of one camera, or of several on one clock: a span of time that zooms, pans and seeks, by pointer, keys and buttons.

import { now } from "./api.js";
import { h, say } from "./dom.js";
import { Emitter } from "./emitter.js";
import { Footage, fit, within } from "./footage.js";
import { Frames } from "./frames.js";
import { listen } from "./gestures.js";
import { Heading, ends, nameLanes } from "./heading.js";
import { happenings } from "./happenings.js";
import { covered, drawCursor, drawLanes } from "./lanes.js";
import { outline, tell, tellPlace, wordsAt } from "./outline.js";
import { themes } from "./palette.js";
import { DAY, HOUR, MINUTE, SECOND, midnight, text } from "./time.js";
import { hoverCard } from "./hover.js";

const SHORTEST = 10 * SECOND;
const LONGEST = 31 * DAY;
/** What nobody moves for so long is at rest. */
const REST_MS = 300;
/** While it is moved, its words are told anew as seldom as this. */
const TOLD_MS = 1000;
const narrowScreen = matchMedia("(max-width: 719px)");

/** Events: `seek` (detail: ms), `range` (in or out changed), `data` (what is known changed), `heard` (another camera was chosen). */
export class TimelineView extends Emitter {
  /** @param {Name[]} names @param {number} playhead @param {Promise<unknown>} [first] what else is asked for before it */
  constructor(names, playhead, first) {
    super();
    this.names = names;
    /** The camera whose sightings, gaps and day are meant. */
    this.of = names[0] ?? { site: "", camera: "" };
    this.footage = new Footage(names);
    /** Files that turned out to be gone or damaged. @type {Span[]} */
    this.faults = [];
    this.playhead = playhead;
    this.span = { from: playhead - 40 * MINUTE, to: playhead + 20 * MINUTE };
    this.daySpan = { from: midnight(playhead), to: midnight(playhead, 1) };
    /** @type {{ from: number | undefined, to: number | undefined }} */
    this.marked = { from: undefined, to: undefined };
    /** @type {string | undefined} */
    this.chosen = undefined;
    /** @type {string[]} */
    this.labels = [];
    this.hidden = new Set();
    /** What is done when the day is known, unless somebody goes elsewhere before. @type {(() => void)[]} */
    this.waiting = [];
    this.isHeld = this.isClosed = this.ran = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.resting = undefined;
    this.toldAt = -Infinity;
    /** What moves the playhead. @type {{ playing: boolean } | undefined} */
    this.clock = undefined;
    /** @type {number | undefined} */
    this.hover = undefined;
    this.frames = new Frames(() => this.draw());
    /** Where the lanes begin on the screen and how wide they are, in CSS pixels: looked up when that changes, not for each input. */
    this.left = 0;
    this.width = 0;
    /** The lanes, which stay as they are while the playhead and the pointer move over them on a canvas of their own. */
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.cursor = h("canvas", { "aria-hidden": "true" });
    this.isStale = this.isMoved = true;
    this.covered = "";
    this.slider = h("div.lanes", { role: "slider", tabindex: "0", "aria-label": "Time", "aria-orientation": "horizontal" }, this.canvas, this.cursor);
    this.gutter = h("div.gutter");
    this.heading = new Heading(this);
    this.list = h("ul.sr", { "aria-label": "In this span" });
    this.card = hoverCard(this);
    this.element = h("section.timeline", { "aria-label": "Timeline" },
      this.heading.element,
      h("div.timeline-body", this.gutter, h("div.lanes-box", this.slider, this.card.element)), this.list);
    listen(this);
    const news = () => { if (this.span.to > now() - MINUTE) this.footage.soon(); };
    this.deaf = [themes.on("theme", () => this.redraw()), happenings.on("happened", news), fit(this)];
    this.resized = new ResizeObserver(() => { this.measure(); this.redraw(); });
    this.resized.observe(this.slider);
    this.footage.on("data", () => {
      nameLanes(this);
      this.redraw();
      this.emit("data");
      if (this.day) for (const act of this.waiting.splice(0)) act();
    });
    this.timer = setInterval(() => this.load(), 1000);
    this.redraw();
    (first ?? Promise.resolve()).then(() => { if (!this.isClosed) this.load(); });
  }

  close() {
    this.isClosed = true;
    for (const end of this.deaf) end();
    this.resized.disconnect();
    clearInterval(this.timer);
    clearTimeout(this.resting);
    this.frames.end();
    this.footage.close();
  }

  /** Has it drawn in the next frame: all of it, or what moves over the lanes. What plays moves its playhead all the time. @param {"all" | "cursor" | "playhead"} [what] */
  redraw(what = "all") {
    if (what === "all") this.isStale = true;
    if (what !== "playhead") this.isMoved = true;
    this.frames.soon();
  }

  /** Of the visible span and a screen to both sides. */
  get data() { return this.footage.of(this.of); }

  /** Of the whole day of the playhead. */
  get day() { return this.footage.day; }

  narrow() { return narrowScreen.matches; }

  measure() {
    const { left, width } = this.slider.getBoundingClientRect();
    this.left = left;
    this.width = width;
  }

  msPerPx() {
    return (this.span.to - this.span.from) / (this.width || 1);
  }

  /** @param {{ clientX: number }} event */
  timeAt(event) {
    return this.span.from + (event.clientX - this.left) * this.msPerPx();
  }

  /** Moves the visible span to where the overview was touched. @param {PointerEvent} event */
  overviewTo(event) {
    const at = this.daySpan.from + ((event.clientX - this.left) / (this.width || 1)) * (this.daySpan.to - this.daySpan.from);
    const half = (this.span.to - this.span.from) / 2;
    this.show(at - half, at + half);
  }

  /** @param {number} ms */
  seek(ms) {
    this.emit("seek", Math.min(ms, now()));
  }

  /** Zooms by a factor around a time. @param {number} factor @param {number} [around] */
  zoom(factor, around) {
    const { from, to } = this.span;
    const inside = this.playhead > from && this.playhead < to;
    const fixed = (this.narrow() ? this.playhead : around) ?? (inside ? this.playhead : (from + to) / 2);
    const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
    const share = (fixed - from) / (to - from);
    this.show(fixed - share * length, fixed + (1 - share) * length);
    if (around === undefined) say(ends(this.span).join(" to "));
  }

  /** Shows a span of a length around the playhead; a day is the whole day. @param {number} ms */
  scale(ms) {
    if (ms === DAY) this.show(midnight(this.playhead), midnight(this.playhead, 1));
    else this.show(this.playhead - ms * 0.6, this.playhead + ms * 0.4);
    say(ends(this.span).join(" to "));
  }

  /** @param {number} ms */
  pan(ms) {
    this.show(this.span.from + ms, this.span.to + ms);
  }

  /** @param {number} from @param {number} to */
  show(from, to) {
    this.span = { from, to };
    this.redraw();
    this.load();
  }

  /**
   * Moves the playhead. The span follows where the playhead would leave it, but does not come back to one that somebody panned
   * away from, unless asked to.
   * @param {number} ms @param {"follow" | "reveal" | "drag"} [how]
   */
  moveTo(ms, how = "follow") {
    if (how !== "follow") this.waiting = [];
    if (this.isHeld && how !== "drag") return;
    // What runs is not told to whoever listens: where it stands, it is.
    if (this.ran && !this.clock?.playing) this.redraw("playhead");
    this.ran = this.clock?.playing ?? false;
    if (this.narrow()) {
      this.centre(ms);
      return;
    }
    const before = this.playhead;
    const { from, to } = this.span;
    const outside = ms < from || ms > to;
    const seen = how === "reveal" || (before >= from && before <= to);
    if (Math.abs(ms - before) < this.msPerPx() / 2 && Math.floor(ms / SECOND) === Math.floor(before / SECOND) && !(outside && how === "reveal")) return;
    this.playhead = ms;
    if (outside && seen) this.show(ms - (to - from) * 0.6, ms + (to - from) * 0.4);
    else if (how === "follow" && before <= to && before > from && ms > to - (to - from) * 0.04) this.pan((to - from) * 0.5);
    this.redraw("playhead");
    this.turnDay();
  }

  /** Keeps the playhead in the middle, where a narrow screen has it: time moves under it. @param {number} ms */
  centre(ms) {
    const half = (this.span.to - this.span.from) / 2;
    if (this.playhead === ms && this.span.from === ms - half) return;
    this.playhead = ms;
    this.turnDay();
    this.show(ms - half, ms + half);
  }

  /** Takes the day that the playhead is in. */
  turnDay() {
    if (this.playhead >= this.daySpan.from && this.playhead < this.daySpan.to) return;
    this.daySpan = { from: midnight(this.playhead), to: midnight(this.playhead, 1) };
    this.footage.stale();
    this.load();
  }

  /** A finger moves time under the playhead; the picture follows when it is lifted. @param {number} ms */
  drag(ms) {
    this.isHeld = true;
    this.moveTo(Math.min(ms, now()), "drag");
  }

  release() {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.seek(this.playhead);
  }

  /** Marks where the range begins or ends. @param {"from" | "to"} end @param {number} [at] */
  mark(end, at = this.playhead) {
    this.marked[end] = at;
    const { from, to } = this.marked;
    if (from !== undefined && to !== undefined && from >= to) this.marked[end === "from" ? "to" : "from"] = undefined;
    this.ranged();
  }

  clearRange() {
    this.marked = { from: undefined, to: undefined };
    this.ranged();
  }

  ranged() {
    this.redraw("cursor");
    this.heading.tellRange("");
    this.emit("range");
  }

  /** Asks for what is seen, where that is not there. */
  load() {
    return this.footage.load(this.span, this.daySpan, this.width || 1000, this.of);
  }

  /** Takes another camera for the one that is meant. @param {Name} of */
  hear(of) {
    this.of = of;
    this.footage.stale();
    this.load();
    nameLanes(this);
    this.redraw();
    this.emit("heard");
  }

  draw() {
    const began = performance.now();
    const picture = { ...this, data: this.data, day: this.day, failed: this.footage.failed, spans: this.footage.spans, now: now(), narrow: this.narrow() };
    const hides = covered(picture);
    if (this.isStale || this.covered !== hides) drawLanes(this.canvas, picture);
    this.isStale = false;
    this.covered = hides;
    drawCursor(this.cursor, picture);
    performance.measure("framepost-timeline", { start: began, end: performance.now() });
    // The browser would keep all of them, sixty a second.
    performance.clearMeasures("framepost-timeline");
    this.heading.show(this.span);
    tellPlace(this);
    // Words, and a list of hundreds, are not made anew while somebody moves something.
    if (this.isMoved) clearTimeout(this.resting);
    if (this.isMoved) this.resting = setTimeout(() => { tell(this); outline(this); }, REST_MS);
    this.isMoved = false;
    if (performance.now() - this.toldAt > TOLD_MS) tell(this);
  }

  /** What there is at a time, in words. @param {number} ms */
  what(ms) { return wordsAt(this, ms); }

  /** @param {number} ms @param {Name} [of] */
  gapAt(ms, of = this.of) {
    return within(this.footage.of(of)?.gaps, ms).find((gap) => ms < gap.to);
  }

  /** The stretch at a time whose files were removed. @param {number} ms */
  removedAt(ms) {
    return within(this.data?.removed, ms).find((one) => ms < one.to);
  }
}


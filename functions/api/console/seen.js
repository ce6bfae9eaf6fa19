// What was seen on a day at one camera, newest first, beside the picture.

import { chip, fill, h } from "./dom.js";
import { Emitter } from "./emitter.js";
import { draw, picture } from "./pictures.js";
import { DAY, length, midnight, text } from "./time.js";
import { labelText, scoreText, sign } from "./words.js";
import { now } from "./api.js";

const LISTED_MAX = 200;
/** As many are in the page at first, and come when somebody scrolls to the end: what is in the page costs something in every frame. */
const PART = 24;

/** What is done when an element comes into view for the first time. @type {WeakMap<Element, () => void>} */
const unseen = new WeakMap();
/** One for all of them: each costs something in every frame. */
const watch = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    watch.unobserve(target);
    unseen.get(target)?.();
  }
});

/** @param {Element} element @param {() => void} action */
function whenSeen(element, action) {
  unseen.set(element, action);
  watch.observe(element);
}

/** A canvas that fetches the best picture of a sighting when it comes into view. @param {Sighting} sighting */
export function thumbnail(sighting) {
  const canvas = h("canvas", { width: 192, height: 108, "aria-hidden": "true" });
  whenSeen(canvas, () => {
    picture(sighting.best, sighting.best.offset).then((bitmap) => draw(canvas, bitmap, sighting.best.box)).catch(() => canvas.classList.add("gone"));
  });
  return canvas;
}

/** Events: `go` (detail: the sighting). */
export class SeenList extends Emitter {
  constructor() {
    super();
    this.count = h("span.quiet");
    this.title = h("h2", "Seen today");
    this.chips = h("div.chips", { role: "group", "aria-label": "Show" });
    this.list = h("div.sightings", { tabindex: "-1" });
    this.element = h("section.seen", { "aria-label": "Seen" },
      h("div.sub", this.title, this.count), this.chips, this.list);
    /** @type {string | undefined} */
    this.label = undefined;
    /** What is to be listed. @type {Sighting[]} */
    this.wanted = [];
    this.listed = 0;
    /** @type {Timeline | undefined} */
    this.day = undefined;
    this.drawn = "";
    this.scrolledAt = 0;
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.list.addEventListener("wheel", () => { this.scrolledAt = performance.now(); }, { passive: true });
  }

  /** @param {Timeline | undefined} day @param {number} from the day's start */
  show(day, from) {
    this.day = day;
    this.title.textContent = from === midnight(now()) ? "Seen today" : `Seen on ${text(from + DAY / 2, "day")}`;
    const all = [...(day?.sightings ?? [])].reverse();
    const key = `${from} ${all.length} ${all[0]?.from} ${all[0]?.to} ${this.label} ${day === undefined} ${day?.notLookedAt.length}`;
    if (this.drawn === key) return;
    this.drawn = key;
    this.draw(all);
  }

  /** @param {Sighting[]} all */
  draw(all) {
    this.count.textContent = all.length.toLocaleString();
    const labels = [...new Set(all.map((one) => one.label))].sort();
    const count = (/** @type {string} */ label) => all.filter((one) => one.label === label).length;
    const choose = (/** @type {string | undefined} */ label) => () => {
      this.label = label;
      this.drawn = "";
      this.listed = 0;
      this.draw(all);
    };
    fill(this.chips, labels.length > 0 && chip(this.label === undefined, choose(undefined), "All"), ...labels.map((label) => {
      const made = chip(this.label === label, choose(label), sign(label), count(label));
      made.ariaLabel = `${labelText(label)}, ${count(label)}`;
      return made;
    }));
    this.wanted = all.filter((one) => this.label === undefined || one.label === this.label).slice(0, LISTED_MAX);
    const before = this.listed;
    const focused = [...this.rows].find(([, row]) => row === document.activeElement)?.[0];
    this.listed = 0;
    this.rows.clear();
    fill(this.list, this.wanted.length === 0 && h("p.empty", this.emptyWords()));
    this.more(Math.max(PART, before));
    if (focused !== undefined) this.rows.get(focused)?.focus({ preventScroll: true });
  }

  /** Adds rows to the list. @param {number} count */
  more(count) {
    const rows = this.wanted.slice(this.listed, this.listed + count).map((one) => {
      const row = h("button.sighting", { "aria-pressed": "false", onclick: () => this.emit("go", one) },
        thumbnail(one), h("span.name", sign(one.label), labelText(one.label)), h("span.number", scoreText(one.score)),
        h("span.when", text(one.from, "hms")), h("span.number", length(one.to - one.from)));
      this.rows.set(one.from + one.label, row);
      return row;
    });
    this.list.append(...rows);
    this.listed += rows.length;
    const last = rows.at(-1);
    if (last && this.listed < this.wanted.length) whenSeen(last, () => this.more(PART));
  }

  emptyWords() {
    if (this.day === undefined) return "Loading what was seen.";
    if (this.day.recorded.length === 0) return "Nothing was recorded on this day.";
    const reasons = this.day.notLookedAt.map((one) => one.reason);
    if (reasons.includes("not-asked")) return "No detector has looked at this day’s pictures.";
    if (reasons.includes("budget")) return "Nothing was seen where a detector looked. The day’s budget was used up before the rest.";
    return "Nothing was seen on this day.";
  }

  /** Marks the row of a sighting. @param {string | undefined} key */
  choose(key) {
    const place = this.wanted.findIndex((one) => one.from + one.label === key);
    if (place >= this.listed) this.more(place + 1 - this.listed);
    for (const [of, row] of this.rows) {
      const is = of === key;
      if (row.getAttribute("aria-pressed") === String(is)) continue;
      row.setAttribute("aria-pressed", String(is));
      if (is && performance.now() - this.scrolledAt > 4000) row.scrollIntoView({ block: "nearest" });
    }
  }
}


// A month of days, each with a bar as long as the part of it that has video.

import { json, now } from "./api.js";
import { fill, h, iconButton, say, setText } from "./dom.js";
import { Emitter } from "./emitter.js";
import { DAY, HOUR, midnight, monthStart, text, utc, wall, zone } from "./time.js";

/** The first day of a week where the viewer is: 1 is Monday, 7 Sunday. */
function firstDay() {
  // That of all dates here: what a browser says of itself may be no language, as "C" is.
  const locale = /** @type {any} */ (new Intl.Locale(Intl.DateTimeFormat().resolvedOptions().locale));
  return (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
}

/** Events: `day` (detail: the day's midnight). */
export class Calendar extends Emitter {
  /** @param {Name} of @param {number} at @param {Promise<unknown>} first what is asked for before it */
  constructor(of, at, first) {
    super();
    this.of = of;
    this.chosen = midnight(at);
    this.month = monthStart(at);
    /** @type {Map<number, number>} */
    this.shares = new Map();
    /** Months whose days are known. @type {Set<number>} */
    this.known = new Set();
    this.loadedMonth = NaN;
    this.heading = h("h2");
    this.days = h("div.days", { onkeydown: (event) => this.key(event) });
    this.element = h("section.calendar", { "aria-label": "Days" },
      h("header", this.heading, h("span.space"), iconButton("left", "Month before", () => this.turn(-1), "bare"), iconButton("right", "Month after", () => this.turn(1), "bare")), this.days);
    this.draw();
    first.then(() => this.load());
  }

  /** @param {number} ms */
  show(ms) {
    const day = midnight(ms);
    if (day === this.chosen) return;
    this.chosen = day;
    this.month = monthStart(ms);
    this.draw();
    this.load();
  }

  async load() {
    if (this.loadedMonth === this.month) return;
    const month = (this.loadedMonth = this.month);
    try {
      const date = (/** @type {number} */ ms) => utc(wall(ms)).slice(0, 10);
      const { days } = await json("/v1/days", { site: this.of.site, camera: this.of.camera, from: date(month), to: date(monthStart(month, 1) - HOUR), zone: zone() });
      for (const { from, to, seconds } of /** @type {Day[]} */ (days)) {
        this.shares.set(from, Math.min(1, (seconds * 1000) / (to - from)));
      }
      this.known.add(month);
      this.draw();
    } catch {
      this.loadedMonth = NaN;
    }
  }

  /** @param {number} months */
  turn(months) {
    this.month = monthStart(this.month, months);
    this.draw();
    this.load();
    say(text(this.month + DAY, "month"));
  }

  draw() {
    const focused = this.days.contains(document.activeElement) && document.activeElement?.getAttribute("data-day");
    const first = firstDay();
    const weekday = (new Date(wall(this.month)).getUTCDay() + 7 - (first % 7)) % 7;
    const days = [];
    for (let day = this.month; day < monthStart(this.month, 1); day = midnight(day, 1)) days.push(this.day(day, days.length === 0 ? weekday : -1));
    const narrow = new Intl.DateTimeFormat(undefined, { weekday: "narrow", timeZone: "UTC" });
    const names = Array.from({ length: 7 }, (_, index) => h("span", { "aria-hidden": "true" }, narrow.format(Date.UTC(2024, 0, (first % 7) + 7 + index))));
    setText(this.heading, text(this.month + DAY, "month"));
    fill(this.days, ...names, ...days);
    if (focused) this.focus(focused);
  }

  /** @param {number | string} day */
  focus(day) {
    /** @type {HTMLElement | null} */ (this.days.querySelector(`[data-day="${day}"]`))?.focus();
  }

  /** @param {number} day @param {number} column of a month's first day, else -1 */
  day(day, column) {
    const share = this.shares.get(day) ?? 0;
    const chosen = day === this.chosen;
    const bar = h("i");
    bar.style.width = `${Math.round(share * 100)}%`;
    const words = `${text(day, "full")}${share > 0 ? `, video for ${Math.max(1, Math.round(share * 100))} % of it` : this.known.has(this.month) ? ", no video" : ""}`;
    const element = h("button", {
      class: `day ${share > 0 ? "" : "none"} ${chosen ? "chosen" : ""}`, "aria-label": words, "aria-current": chosen ? "date" : null,
      tabindex: chosen || (column >= 0 && monthStart(this.chosen) !== this.month) ? 0 : -1, disabled: day > now(), "data-day": day,
      onclick: () => this.emit("day", day),
    }, h("span", text(day, "number").replace(/\P{Nd}/gu, "")), h("b", share > 0 && bar));
    if (column >= 0) element.style.gridColumnStart = String(column + 1);
    return element;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 });
    const step = steps[event.key];
    if (event.key === "PageUp" || event.key === "PageDown") {
      this.turn(event.key === "PageUp" ? -1 : 1);
      /** @type {HTMLElement | null} */ (this.days.querySelector("[tabindex='0']"))?.focus();
    } else if (step !== undefined) {
      const from = Number(/** @type {HTMLElement} */ (event.target).dataset.day);
      const next = midnight(from, step);
      if (next <= now()) {
        if (monthStart(next) !== this.month) this.turn(Math.sign(step));
        this.focus(next);
      }
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// Where the axis has its marks, and what they say: times of the shown zone's clocks.

import { DAY, HOUR, MINUTE, SECOND, fromWall, text, twin, wall } from "./time.js";

const STEPS = [
  SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 7 * DAY,
];
/** The least room between marks. */
const ROOM_PX = 74;
/** What a letter of a mark's words takes, and the space behind them. */
const LETTER_PX = 8.5;

/**
 * The marks of a span that is `width` pixels wide.
 * @param {Span} span @param {number} width @returns {{ at: number, text: string }[]}
 */
export function ticks(span, width) {
  const msPerPx = (span.to - span.from) / width;
  // Clocks of twelve hours have longer words, which would touch each other.
  const needed = text(span.from, "hms").length * LETTER_PX;
  const step = STEPS.find((step) => step / msPerPx >= (step < MINUTE ? Math.max(ROOM_PX, needed) : ROOM_PX)) ?? 7 * DAY;
  const marks = [];
  let last = -Infinity;
  // Where no clock changes, which costs little to see, nothing comes twice.
  const changes = wall(span.from - DAY) - wall(span.to + DAY) !== span.from - span.to - 2 * DAY;
  for (let at = Math.ceil(wall(span.from) / step) * step; marks.length < 100; at += step) {
    const ms = step < HOUR ? span.from + (at - wall(span.from)) : fromWall(at);
    if (ms >= span.to) break;
    // An hour that the clocks leave out has no mark of its own.
    if (ms <= last || ms < span.from || (step < DAY && wall(ms) !== at)) continue;
    last = ms;
    // An hour that comes twice has a mark each time.
    const other = !changes || step < HOUR || step >= DAY ? undefined : twin(ms);
    const wallMs = at;
    for (const at of other === undefined ? [ms] : [ms, other].sort((a, b) => a - b)) marks.push({ at, text: words(at, step, wallMs, changes) });
  }
  return marks;
}

/** @param {number} ms @param {number} step @param {number} wallMs @param {boolean} changes whether clocks change near it */
function words(ms, step, wallMs, changes) {
  if (step >= DAY) return text(ms, "day");
  if (((wallMs % DAY) + DAY) % DAY === 0) return text(ms, "date");
  if (changes && step >= MINUTE && twin(ms) !== undefined) return text(ms, "zoned");
  return text(ms, step < MINUTE ? "hms" : "hm");
}

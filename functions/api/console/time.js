// Times: numbers are milliseconds since 1970, texts are in the zone that is shown and in the browser's language.

import { keep, recall } from "./kept.js";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** @type {"local" | "utc"} */
let shown = recall("zone") === "utc" ? "utc" : "local";

/** The viewer's zone, when it is known. */
let own = "";

/** The zone in which times are shown. */
export function zone() {
  return shown === "utc" ? "UTC" : (own ||= Intl.DateTimeFormat().resolvedOptions().timeZone);
}

/** Shows times in UTC, or in the viewer's zone again. */
export function switchZone() {
  shown = shown === "utc" ? "local" : "utc";
  formats.clear();
  told.clear();
  keep("zone", shown);
}

/** @type {Record<string, Intl.DateTimeFormatOptions>} */
const FORMS = {
  hm: { hour: "numeric", minute: "2-digit" },
  hms: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  zoned: { hour: "numeric", minute: "2-digit", timeZoneName: "short" },
  day: { day: "numeric", month: "short" },
  date: { weekday: "short", day: "numeric", month: "short" },
  long: { weekday: "long", day: "numeric", month: "long" },
  month: { month: "long", year: "numeric" },
  zone: { timeZoneName: "shortOffset" },
  number: { day: "numeric" },
  full: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
};

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {keyof typeof FORMS} form */
function format(form) {
  let found = formats.get(form);
  if (!found) {
    found = new Intl.DateTimeFormat(undefined, { timeZone: zone(), ...FORMS[form] });
    formats.set(form, found);
  }
  return found;
}

/** Times that were put in words, by form and second: the browser is slow at it, and the same ones are asked for in each frame. @type {Map<string, string>} */
const told = new Map();
const TOLD_MAX = 2000;

/** A time in words. @param {number} ms @param {keyof typeof FORMS} form */
export function text(ms, form) {
  const key = form + Math.floor(ms / SECOND);
  let found = told.get(key);
  if (found === undefined) {
    if (told.size >= TOLD_MAX) told.clear();
    found = format(form).format(ms);
    told.set(key, found);
  }
  return found;
}

/** A date, with its year where that is not the current one. @param {number} ms */
export function dateText(ms) {
  return text(ms, Math.abs(ms - Date.now()) > 300 * DAY ? "full" : "long");
}

/** The zone's name and its distance from UTC at a time: "Berlin, GMT+1". @param {number} ms */
export function zoneText(ms) {
  const offset = format("zone").formatToParts(ms).find((part) => part.type === "timeZoneName")?.value ?? "";
  const place = (zone().split("/").pop() ?? "").replaceAll("_", " ");
  return place === "UTC" ? place : `${place}, ${offset}`;
}

/** A format of the viewer's zone. A browser takes ten milliseconds to make the first one: none is made before it is needed. @type {Intl.DateTimeFormat | undefined} */
let numbers;
/** Clocks change at a quarter of an hour of UTC, in every zone. */
const STEADY = 15 * MINUTE;
/** How far clocks of the viewer's zone are ahead of UTC in the quarters that were asked for. @type {Map<number, number>} */
const offsets = new Map();
const OFFSETS_MAX = 4000;

/** How far clocks of the shown zone are ahead of UTC, in milliseconds. @param {number} ms */
function offset(ms) {
  if (shown === "utc") return 0;
  const quarter = Math.floor(ms / STEADY);
  let found = offsets.get(quarter);
  if (found === undefined) {
    if (offsets.size >= OFFSETS_MAX) offsets.clear();
    found = lookUp(quarter * STEADY);
    offsets.set(quarter, found);
  }
  return found;
}

/** What the browser, which is slow at it, says. @param {number} ms */
function lookUp(ms) {
  /** @type {Record<string, number>} */
  const at = {};
  numbers ??= new Intl.DateTimeFormat("en-US", {
    timeZone: zone(), hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  });
  for (const { type, value } of numbers.formatToParts(ms)) at[type] = Number(value);
  return Date.UTC(at.year ?? 0, (at.month ?? 1) - 1, at.day, at.hour, at.minute, at.second) - Math.floor(ms / SECOND) * SECOND;
}

/** The time of what clocks of the shown zone say. @param {number} wall  As if it were UTC. */
export function fromWall(wall) {
  const guess = wall - offset(wall);
  return wall - offset(guess);
}

/** What clocks of the shown zone say, as if it were UTC. @param {number} ms */
export function wall(ms) {
  return ms + offset(ms);
}

/** The other time at which clocks say the same: in the hour that comes twice in autumn. @param {number} ms */
export function twin(ms) {
  const shift = offset(ms - 6 * HOUR) - offset(ms + 6 * HOUR);
  return shift > 0 ? [ms - shift, ms + shift].find((other) => wall(other) === wall(ms)) : undefined;
}

/** The midnight before a time; days of 23 and 25 hours count as days. @param {number} ms @param {number} [days] */
export function midnight(ms, days = 0) {
  return fromWall((Math.floor(wall(ms) / DAY) + days) * DAY);
}

/** The first midnight of a month. @param {number} ms @param {number} [months] */
export function monthStart(ms, months = 0) {
  const at = new Date(wall(ms));
  return fromWall(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1));
}

/** A length in words: "2 min 40 s". @param {number} ms */
export function length(ms) {
  const seconds = Math.round(ms / SECOND);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min${seconds % 60 ? ` ${seconds % 60} s` : ""}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  const days = Math.floor(hours / 24);
  return days < 730 ? `${days} days` : `${Math.floor(days / 365)} years`;
}

/** A time in UTC to the millisecond, as links have it. @param {number} ms */
export function utc(ms) {
  return new Date(ms).toISOString();
}

/** A time that the API sent. @param {string | undefined} iso */
export function parse(iso) {
  return iso === undefined ? NaN : Date.parse(iso);
}

// Single keys. They never act in fields or behind a dialog, which has keys of its own, and not with Ctrl, Alt or Meta.

import { h } from "./dom.js";
import { keep, recall } from "./kept.js";

/** Whoever speaks to a page may not want single letters to do anything (WCAG 2.1.4). */
let lettersAreOff = recall("keys") === "off";

/** The switch for them. */
export function keySwitch() {
  return h("label.row", h("input", { type: "checkbox", checked: !lettersAreOff, onchange: (event) => {
    lettersAreOff = !event.target.checked;
    keep("keys", lettersAreOff ? "off" : "on");
  } }), "Letters and signs are keys, too");
}

/** @param {EventTarget | null} target */
function isField(target) {
  return target instanceof HTMLElement && (target.matches("input, select, textarea") || target.isContentEditable);
}

/** Listens for keys until the answer is called. @param {(key: string, event: KeyboardEvent) => boolean} act whether it did something */
export function onKeys(act) {
  const listener = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isField(event.target) || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (lettersAreOff && event.key.length === 1 && event.key !== " ") return;
    // A focused button or link keeps its own keys.
    const own = event.target instanceof HTMLElement && event.target.matches("button, a") && (event.key === " " || event.key === "Enter");
    if (!own && act(event.key, event)) event.preventDefault();
  };
  addEventListener("keydown", listener);
  return () => removeEventListener("keydown", listener);
}

/**
 * @typedef {{ toggle: () => void, sound: () => void, boxes: () => void, rate: (step: number) => void, step: (frames: number) => void,
 *   move: (ms: number) => void, sighting: (step: number) => void, fault: (step: number) => void, live: () => void, share: () => void,
 *   verify: () => void, export: () => void, mark: (end: "from" | "to") => void, clear: () => void, zoom: (factor: number) => void,
 *   day: () => void, start: () => void, full: () => void, ask: () => void, close: () => void }} CameraActions
 */

/** The keys of a screen with a clock. @param {Partial<CameraActions>} act what it can do */
export function cameraKeys(act) {
  /** @type {Record<string, ((event: KeyboardEvent) => void) | undefined>} */
  const keys = {
    " ": act.toggle, k: act.toggle, m: act.sound, b: act.boxes, f: act.full, s: act.share, v: act.verify, e: act.export,
    "<": () => act.rate?.(-1), ">": () => act.rate?.(1), ",": () => act.step?.(-1), ".": () => act.step?.(1),
    ArrowLeft: (event) => act.move?.(event.shiftKey ? -60_000 : -1000), ArrowRight: (event) => act.move?.(event.shiftKey ? 60_000 : 1000),
    ArrowUp: () => act.sighting?.(-1), ArrowDown: () => act.sighting?.(1), j: () => act.move?.(-10_000), l: () => act.move?.(10_000),
    "[": () => act.fault?.(-1), "]": () => act.fault?.(1), i: () => act.mark?.("from"), o: () => act.mark?.("to"), x: act.clear,
    "+": () => act.zoom?.(0.5), "=": () => act.zoom?.(0.5), "-": () => act.zoom?.(2), 0: act.day, Home: act.start, End: act.live, g: act.ask, Escape: act.close,
  };
  return onKeys((key, event) => {
    const found = keys[key.length === 1 ? key.toLowerCase() : key];
    found?.(event);
    return found !== undefined;
  });
}

/** What keys do, for people. */
export const KEYS = /** @type {const} */ ([
  ["Space, K", "play, pause"], ["← →, with Shift", "1 s, 1 min"], ["J, L", "10 s back, on"], [", .", "frame back, on"], ["↑ ↓", "sighting back, on"],
  ["[ ]", "gap back, on"], ["< >", "slower, faster"], ["I, O, X", "range starts, ends, clear"], ["E", "export"], ["+ −, 0", "zoom, whole day"],
  ["G", "go to a time"], ["Home, End", "start of the day, live"], ["B, M, F", "boxes, sound, full screen"], ["S, V", "copy link, verify"], ["1–9, /", "camera, search"], ["?, Esc", "this list, close"],
]);

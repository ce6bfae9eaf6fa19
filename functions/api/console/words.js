// What things are called: causes of gaps, labels, proofs, sizes.

import { drawing } from "./dom.js";
import { dateText, text } from "./time.js";

/** @type {Record<string, string>} */
const CAUSES = {
  "camera-lost": "the camera did not answer",
  "not-running": "the recorder was off",
  "receiver-overrun": "the gateway’s disk was too slow",
  "spool-full": "the gateway’s disk was full",
  "spool-failed": "the gateway could not write to its disk",
  "clock-jump": "a clock was set",
  "source-damaged": "the source was damaged here",
  "not-in-source": "the source has no pictures here",
};

/** Why there is no video. @param {Gap} gap */
export function cause(gap) {
  return gap.cause === undefined ? "no reason was recorded" : CAUSES[gap.cause] ?? gap.cause;
}

/** @type {Partial<Record<import("./api.js").Kind | "ok", { title: string, more: string }>>} */
const TROUBLES = {
  offline: { title: "No connection to the server", more: "The video is asked for again when the server answers." },
  busy: { title: "The server is busy, or does not reach its catalogue", more: "It goes on here by itself when the server answers." },
  limited: { title: "The server was asked too much at once", more: "It goes on here by itself after the pause that the server wants." },
  unreachable: { title: "The server does not answer what is in front of it", more: "It goes on here by itself when it does." },
  unauthorized: { title: "The sign-in is over", more: "It goes on here after a new one." },
  forbidden: { title: "You may not see this", more: "The token that is used here is not for this camera." },
};

/** What is the matter when the server does not give what it is asked for. @param {import("./api.js").Kind | "ok"} kind */
export function trouble(kind) {
  return TROUBLES[kind] ?? { title: "The server has a fault", more: "The video is asked for again." };
}

/** Between two times. Digits that are written among letters from right to left, as Arabic ones are, would change places around a mere dash. */
export const DASH = /\d/.test(text(0, "hm")) ? "–" : "–\u200e";

/** A stretch of time, to the second where it is short. @param {number} from @param {number} to */
export function range(from, to) {
  const form = to - from < 120_000 ? "hms" : "hm";
  return `${text(from, form)}${DASH}${text(to, form)}`;
}

/** @type {Record<string, string>} */
const REMOVALS = { lifecycle: "its time was over", request: "somebody asked for it", replaced: "another file took its place" };

/** When a stretch's files were removed, and why. @param {Removed} removed */
export function removal({ removedAt, cause }) {
  const at = `${dateText(removedAt)}, ${text(removedAt, "hm")}`;
  return cause === undefined ? at : `${at}: ${REMOVALS[cause] ?? cause}`;
}

/** A removed stretch in one line. @param {Removed} removed */
export function removedText(removed) {
  return `Video removed ${range(removed.from, removed.to)}`;
}

/** A gap in one line. @param {Gap} gap */
export function gapText(gap) {
  return `No video ${range(gap.from, gap.to)}: ${cause(gap)}`;
}

/** @typedef {"person" | "vehicle" | "animal" | "motion"} Kind */

const VEHICLES = new Set(["vehicle", "car", "truck", "bus", "van", "motorcycle", "motorbike", "bicycle", "train", "boat"]);
const ANIMALS = new Set(["animal", "dog", "cat", "bird", "horse", "sheep", "cow", "bear", "fox", "deer"]);

/** How a label is drawn. @param {string} label @returns {Kind} */
export function kind(label) {
  const name = label.toLowerCase();
  if (name === "person" || name === "face") return "person";
  if (VEHICLES.has(name)) return "vehicle";
  return ANIMALS.has(name) ? "animal" : "motion";
}

/** @type {Record<Kind, string>} */
const SHAPES = {
  person: "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
  vehicle: "M1.2 1.2h9.6v9.6H1.2z",
  animal: "M6 0l6 6-6 6-6-6z",
  motion: "M1 2h2v8H1zM5 1h2v10H5zM9 3h2v6H9z",
};

/** The sign of a label. @param {string} label */
export function sign(label) {
  return drawing(SHAPES[kind(label)], 12, `sign ${kind(label)}`);
}

/** A label as a word. @param {string} label */
export function labelText(label) {
  return label.charAt(0).toUpperCase() + label.slice(1);
}

const units = /** @type {const} */ ([["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]);

/** @param {number} bytes */
export function size(bytes) {
  for (const [unit, of] of units) {
    if (bytes >= of) return `${(bytes / of).toLocaleString(undefined, { maximumFractionDigits: bytes / of < 100 ? 1 : 0 })} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** So many of something: "1 file", "2 files". @param {number} count @param {string} word */
export function counted(count, word) {
  return `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
}

/** A score as the browser's language writes it. @param {number} value  0 to 1 */
export function scoreText(value) {
  return value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** @typedef {{ sign: import("./dom.js").Icon, tone: "calm" | "warn" | "bad", title: string, more: string }} Proof */

/** What is known of whether a file is what its gateway wrote. @param {Integrity} integrity @returns {Proof} */
export function proof(integrity) {
  const { signature, content, chain } = integrity;
  if (signature === "invalid" || content === "mismatch") {
    return { sign: "fault", tone: "bad", title: "Does not match its signature", more: "The bytes are not those that were signed." };
  }
  if (chain.state === "broken") {
    return { sign: "fault", tone: "bad", title: "The chain is broken", more: "Something before this was changed, removed or put in." };
  }
  if (signature === "absent") {
    return { sign: "warning", tone: "warn", title: "Not signed", more: "Nobody can show that it was not changed." };
  }
  if (signature === "unknown") {
    const id = integrity.keyId === undefined ? "" : `: ${integrity.keyId}`;
    return { sign: "warning", tone: "warn", title: "Signed, key not known here", more: `Add the key to those you trust${id}` };
  }
  const more = chain.state === "first" ? "First of its run" : chain.state === "linked" ? "Chain unbroken" : "In no chain";
  return { sign: "tick", tone: "calm", title: "Signed by the gateway", more };
}

/** Whether a stretch is one that somebody should act on. @param {Stretch} stretch */
export function isBad(stretch) {
  return stretch.signature === "invalid" || stretch.content === "mismatch" || stretch.chain === "broken";
}

/** What is known of the files of a stretch, in one line. @param {Stretch} stretch */
export function proofText({ from, to, signature, content, chain }) {
  const state = /** @type {ChainState["state"]} */ (chain);
  return `${proof({ signature, ...(content === undefined ? {} : { content }), chain: { state } }).title}, ${range(from, to)}`;
}

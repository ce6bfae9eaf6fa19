// Questions to the API: the token, the server's clock, and what to do when it does not answer.

/** Why a question has no answer. */
export class Failure extends Error {
  /** @param {"offline" | "unauthorized" | "gone" | "conflict" | "refused"} kind @param {string} message @param {any} [problem] */
  constructor(kind, message, problem) {
    super(message);
    this.kind = kind;
    /** @type {Problem | undefined} */
    this.problem = problem;
  }
}

/** An answer that holds no media comes within this, or not at all. */
const PATIENCE_MS = 20_000;

/** @typedef {"ok" | "offline" | "unauthorized"} Line */

/** Tells of changes: an event `line` when the line breaks, is there again, or a token is needed. */
export const line = new EventTarget();

/** @type {Line} */
let state = "ok";
let skew = 0;

/** How the line to the server is. */
export function lineState() {
  return state;
}

/** @param {Line} next */
function become(next) {
  if (state === next) return;
  state = next;
  line.dispatchEvent(new Event("line"));
}

/** The server's time, in milliseconds. */
export function now() {
  return Date.now() + skew;
}

/** How far the viewer's clock is from the server's, in milliseconds. */
export function clockSkew() {
  return skew;
}

/** Sets the server's time. @param {number} ms */
export function serverTime(ms) {
  const next = ms - Date.now();
  // Small differences are the way of the answer.
  if (Math.abs(next - skew) > 300) skew = Math.abs(next) > 300 ? next : 0;
}

const TOKEN = "framepost-token";

/** @returns {string | null} */
export function token() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** Uses a token from now on, until the tab is closed. @param {string} text */
export function useToken(text) {
  sessionStorage.setItem(TOKEN, text);
  state = "ok";
  line.dispatchEvent(new Event("line"));
}

/**
 * Asks, and reads the answer's head.
 * @param {string} path @param {{ signal?: AbortSignal | undefined, headers?: Record<string, string>, method?: string, body?: string,
 *   patience?: "limited" }} [options] with patience, a server that takes too long counts as one that does not answer
 */
export async function ask(path, options = {}) {
  const given = token();
  const patience = options.patience && AbortSignal.timeout(PATIENCE_MS);
  const signal = options.signal && patience ? AbortSignal.any([options.signal, patience]) : options.signal ?? patience ?? null;
  const headers = { ...options.headers, ...(given === null ? {} : { authorization: `Bearer ${given}` }) };
  let response;
  try {
    // Relative to the page, which may be below a path of its own.
    response = await fetch(new URL(path.replace(/^\//, ""), base), { ...options, headers, signal });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    become("offline");
    throw new Failure("offline", "The server does not answer.");
  }
  if (response.ok) {
    become("ok");
    return response;
  }
  const problem = await response.json().then(timed).catch(() => undefined);
  const words = problem?.detail ?? problem?.title ?? `The server answered ${response.status}.`;
  if (response.status === 401) {
    become("unauthorized");
    throw new Failure("unauthorized", words, problem);
  }
  if (response.status === 502 || response.status === 503 || response.status === 504) {
    become("offline");
    throw new Failure("offline", words, problem);
  }
  const kinds = /** @type {const} */ ({ 404: "gone", 410: "gone", 409: "conflict" });
  throw new Failure(kinds[/** @type {404} */ (response.status)] ?? "refused", words, problem);
}

const TIMES = new Set(["from", "to", "now", "first", "last", "time", "at", "createdAt", "lastFrame"]);

/** Makes numbers of an answer's times, in place. @param {any} answer */
function timed(answer) {
  for (const [name, value] of Object.entries(answer)) {
    if (typeof value === "object" && value !== null) timed(value);
    else if (typeof value === "string" && TIMES.has(name)) answer[name] = Date.parse(value);
  }
  return answer;
}

const base = new URL(".", location.href.split("#")[0]);

/**
 * Asks for JSON.
 * @param {string} path @param {Record<string, string | number | undefined>} [query] @param {AbortSignal} [signal]
 */
export async function json(path, query = {}, signal) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  const response = await ask(text ? `${path}?${text}` : path, { signal, patience: "limited" });
  return timed(await response.json());
}

/** Changes something. @param {"POST" | "DELETE"} method @param {string} path @param {unknown} [body] */
export async function send(method, path, body) {
  await ask(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) });
}

/** Asks for bytes. @param {string} path @param {AbortSignal} [signal] */
export async function bytes(path, signal) {
  const response = await ask(path, { signal });
  return response.arrayBuffer();
}

/** A path that a download can use: signed where a token is needed. @param {string} path */
export async function signed(path) {
  const found = token() === null ? path : (await json("/v1/sign", { path })).path;
  return new URL(String(found).replace(/^\//, ""), base).href;
}

const at = (/** @type {number} */ ms) => new Date(ms).toISOString();

/** @returns {Promise<Cameras>} */
export async function cameras() {
  const answer = await json("/v1/cameras");
  serverTime(answer.now);
  return answer;
}

/** @returns {Promise<Gateways>} */
export const gateways = () => json("/v1/gateways");

/**
 * Chunks of a camera, the oldest first.
 * @param {Name} of @param {number} from @param {number} to @param {number} limit @param {AbortSignal} [signal]
 * @returns {Promise<Chunk[]>}
 */
export async function chunks(of, from, to, limit, signal) {
  const query = { site: of.site, camera: of.camera, from: at(from), to: at(to), order: "oldest-first", limit };
  return (await json("/v1/chunks", query, signal)).chunks;
}

const TIMELINE_MAX = 8 * 86_400_000;

/**
 * What happened at a camera; long stretches are asked for in parts.
 * @param {Name} of @param {number} from @param {number} to
 * @param {{ resolution?: number, countSeconds?: number }} options  In seconds. @param {AbortSignal} [signal]
 * @returns {Promise<Timeline>}
 */
export async function timeline(of, from, to, options, signal) {
  /** @type {Promise<Timeline>[]} */
  const parts = [];
  for (let start = from; start < to; start += TIMELINE_MAX) {
    const query = { site: of.site, camera: of.camera, from: at(start), to: at(Math.min(to, start + TIMELINE_MAX)), ...options };
    parts.push(json("/v1/timeline", query, signal));
  }
  const [first, ...rest] = await Promise.all(parts);
  if (!first) throw new Failure("refused", "An empty stretch of time.");
  for (const part of rest) {
    for (const name of /** @type {const} */ (["recorded", "gaps", "activity", "integrity", "sightings", "counts", "notLookedAt"])) {
      // The lists are alike in both parts.
      /** @type {unknown[]} */ (first[name]).push(...part[name]);
    }
    first.sizeBytes += part.sizeBytes;
    first.chunks += part.chunks;
    first.segments = [];
  }
  serverTime(first.now);
  return first;
}

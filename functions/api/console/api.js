// Questions to the API: the token, the server's clock, and what to do when it does not answer.

import { Emitter } from "./emitter.js";

/** Why a question has no answer. A file may be `gone` or `damaged`. What passes by itself is `offline` (no answer), `busy` (503), `limited` (429), `unreachable` (502 and 504:
 * something in front of the server answers) and `failing` (another fault of the server).
 * @typedef {"offline" | "busy" | "limited" | "unreachable" | "failing" | "unauthorized" | "forbidden" | "gone" | "damaged" | "conflict" | "refused"} Kind */

const KINDS = /** @type {Record<number, Kind>} */ ({
  401: "unauthorized", 403: "forbidden", 404: "gone", 409: "conflict", 410: "gone", 429: "limited", 502: "unreachable", 503: "busy", 504: "unreachable",
});

export class Failure extends Error {
  /** @param {Kind} kind @param {string} message @param {any} [problem] @param {number} [retryMs] how long the server wants to be left alone */
  constructor(kind, message, problem, retryMs = 0) {
    super(message);
    this.kind = kind;
    /** @type {Problem | undefined} */
    this.problem = problem;
    this.retryMs = retryMs;
  }
}

/** An answer that holds no media comes within this, or not at all. */
const PATIENCE_MS = 20_000;

/** The question that is always asked: what is the matter with it is the matter with the server. */
const PULSE = "/v1/cameras";
/** A server that wants to be left alone for longer is asked again nevertheless. */
const LEFT_ALONE_MAX_MS = 3_600_000;

/** Events: `line` when the line breaks, is there again, or a token is needed, and `doubt` when a question failed in a way that others may. */
export const line = new Emitter();

/** @type {"ok" | Kind} */
let state = "ok";
let skew = 0;

/** How the line to the server is. */
export function lineState() {
  return state;
}

/** @param {"ok" | Kind} next */
function become(next) {
  if (state === next) return;
  state = next;
  line.emit("line");
}

/** How long an answer asks for a pause: seconds, or a date. @param {Response} response */
function pause(response) {
  const text = response.headers.get("retry-after");
  const ms = text === null ? 0 : /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now();
  return Math.min(LEFT_ALONE_MAX_MS, Math.max(0, ms || 0));
}

/** The server's time, in milliseconds. */
export function now() {
  return Date.now() + skew;
}

/** How far the viewer's clock is from the server's, in milliseconds. */
export function clockSkew() {
  return skew;
}

/** The server's time is somewhere between when it was asked and now. What fits that is left as it is. @param {number} ms @param {number} asked */
function serverTime(ms, asked) {
  const [least, most] = [ms - Date.now() - 300, ms - asked + 300];
  if (skew < least || skew > most) skew = least < 0 && most > 0 ? 0 : (least + most) / 2;
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
  line.emit("line");
}

/** Whether a bucket that the server sent us to refuses to send a file. @param {string} path @param {Response} response */
function isRefused(path, { redirected, status }) {
  return redirected && path.startsWith("/v1/media/") && [400, 403].includes(status);
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
  // The page may be below a path of its own.
  const get = (/** @type {RequestCache} */ cache) => fetch(here(path), { ...options, headers, signal, cache });
  try {
    response = await get("default");
    // A bucket may refuse a link that was kept for longer than it is good.
    if (isRefused(path, response)) response = await get("reload");
  } catch (error) {
    if (options.signal?.aborted) throw error;
    become("offline");
    throw new Failure("offline", "The server does not answer.");
  }
  const isPulse = path === PULSE;
  if (response.ok) {
    // One question that is answered says nothing of a server that cannot answer others.
    if (isPulse || state === "offline" || state === "unauthorized") become("ok");
    return response;
  }
  // The server has let it pass: a bucket says so of what it has not.
  if (isRefused(path, response) && response.status === 403) throw new Failure("gone", "The bucket has no such file.");
  const problem = await response.json().then(timed).catch(() => undefined);
  const words = problem?.detail ?? problem?.title ?? `The server answered ${response.status}.`;
  const kind = problem?.type === "/problems/damaged" ? "damaged" : KINDS[response.status] ?? (response.status >= 500 ? "failing" : "refused");
  if (isPulse || kind === "unauthorized") become(kind);
  else if (["busy", "limited", "unreachable", "failing"].includes(kind)) line.emit("doubt");
  throw new Failure(kind, words, problem, pause(response));
}

/**
 * The rest of an answer. One that breaks off says nothing of what was asked for: it is as if none had come. One that is no JSON
 * comes from something in front of the server, which asks for a password, say.
 * @template T @param {Promise<T>} rest @param {AbortSignal | undefined} signal
 */
async function whole(rest, signal) {
  try {
    return await rest;
  } catch (error) {
    if (signal?.aborted) throw error;
    line.emit("doubt");
    if (error instanceof SyntaxError) throw new Failure("unreachable", "Something else than the server answered.");
    throw new Failure("offline", "The answer broke off.");
  }
}

const TIMES = new Set(["from", "to", "now", "first", "last", "time", "at", "createdAt", "lastFrame", "removedAt"]);

/** Makes numbers of an answer's times, in place. @param {any} answer */
function timed(answer) {
  // A day's answer has thousands of them: their names are gone through in place.
  for (const name in answer) {
    const value = answer[name];
    if (typeof value === "object" && value !== null) timed(value);
    else if (typeof value === "string" && TIMES.has(name)) answer[name] = Date.parse(value);
  }
  return answer;
}

const base = new URL(".", location.href.split("#")[0]);

/** A path of the API on this server, whatever it is made of: it names no other server and no other scheme. @param {string} path */
function here(path) {
  return new URL(`./${path.replace(/^\/+/, "")}`, base);
}

/**
 * Asks for JSON.
 * @param {string} path @param {Record<string, string | number | undefined>} [query] @param {AbortSignal} [signal]
 */
export async function json(path, query = {}, signal) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  const asked = Date.now();
  const response = await ask(text ? `${path}?${text}` : path, { signal, patience: "limited" });
  const answer = timed(await whole(response.json(), signal));
  if (answer.now) serverTime(answer.now, asked);
  return answer;
}

/** Changes something. @param {"POST" | "DELETE"} method @param {string} path @param {unknown} [body] */
export async function send(method, path, body) {
  await ask(path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) });
}

/** Asks for bytes: all, or those from an offset up to another. @param {string} path @param {AbortSignal} [signal] @param {Span} [part] */
export async function bytes(path, signal, part) {
  const response = await ask(path, { signal, ...(part && { headers: { range: `bytes=${part.from}-${part.to - 1}` } }) });
  return whole(response.arrayBuffer(), signal);
}

/** A path that a download can use: signed where a token is needed. @param {string} path */
export async function signed(path) {
  const found = token() === null ? path : (await json("/v1/sign", { path })).path;
  return here(String(found)).href;
}

/** A camera and a stretch of time, as questions name them. @param {Name} of @param {number} from @param {number} to */
export function ranged({ site, camera }, from, to) {
  return { site, camera, from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** A camera as a part of a path. @param {Name} of */
export function pathOf({ site, camera }) {
  return `${encodeURIComponent(site)}/${encodeURIComponent(camera)}`;
}

/** @returns {Promise<Cameras>} */
export async function cameras() {
  return json(PULSE);
}

/** @returns {Promise<Gateways>} */
export const gateways = () => json("/v1/gateways");

/**
 * Chunks of a camera, the oldest first.
 * @param {Name} of @param {number} from @param {number} to @param {number} limit @param {AbortSignal} [signal]
 * @returns {Promise<Chunk[]>}
 */
export async function chunks(of, from, to, limit, signal) {
  return (await json("/v1/chunks", { ...ranged(of, from, to), order: "oldest-first", limit }, signal)).chunks;
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
    parts.push(json("/v1/timeline", { ...ranged(of, start, Math.min(to, start + TIMELINE_MAX)), ...options }, signal));
  }
  const [first, ...rest] = await Promise.all(parts);
  if (!first) throw new Failure("refused", "An empty stretch of time.");
  for (const part of rest) {
    for (const name of /** @type {const} */ (["recorded", "gaps", "removed", "activity", "integrity", "sightings", "counts", "notLookedAt"])) {
      // The lists are alike in both parts.
      /** @type {unknown[]} */ (first[name]).push(...part[name]);
    }
    first.sizeBytes += part.sizeBytes;
    first.chunks += part.chunks;
    first.segments = [];
  }
  return first;
}

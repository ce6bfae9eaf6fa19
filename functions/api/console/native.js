// Where a browser has no Media Source Extensions, but plays HLS by itself: Safari on old phones.

import { ask, pathOf, signed } from "./api.js";
import { Buffer, evenly, hasSource } from "./buffer.js";
import { MINUTE, utc } from "./time.js";

/** As much is in one playlist. Behind it playing breaks off for a moment. */
const LENGTH_MS = 20 * MINUTE;

/** Chunks that the browser fetches by a playlist of the API, which has them one behind the other as they would be appended. */
class Native extends Buffer {
  /** @param {HTMLVideoElement} video @param {Name} of */
  constructor(video, of) {
    super(video);
    this.of = of;
    /** The last chunk of the playlist begins here. */
    this.last = -Infinity;
  }

  /** @param {Chunk} chunk @param {AbortSignal} signal */
  async append(chunk, signal) {
    if (chunk.from > this.last) await this.load(chunk, signal);
    const start = this.end();
    const end = start + (chunk.seconds ?? (chunk.to - chunk.from) / 1000);
    this.parts.push({ chunk, start, end, from: chunk.from, to: chunk.to, times: evenly(chunk, start, end) });
  }

  /** Takes a playlist that begins with a chunk, when what is in the one before it was played. @param {Chunk} chunk @param {AbortSignal} signal */
  async load(chunk, signal) {
    const { video } = this;
    const goesOn = this.parts.length > 0;
    if (goesOn && !video.ended) await event(video, "ended", signal);
    // Records have microseconds: the file before may end a part of a millisecond later than this one begins here.
    const path = `/v1/playlists/${pathOf(this.of)}.m3u8?from=${utc(chunk.from + 1)}&to=${utc(chunk.from + LENGTH_MS)}`;
    const text = await (await ask(path, { signal })).text();
    const starts = [...text.matchAll(/^#EXT-X-PROGRAM-DATE-TIME:(.+)$/gm)].map(([, time]) => Date.parse(time ?? ""));
    this.parts.length = 0;
    video.src = await signed(path);
    await event(video, "loadedmetadata", signal);
    this.last = Math.max(chunk.from, ...starts);
    if (goesOn) video.play().catch(() => {});
  }

  /** The browser fetches what it needs. */
  has() {
    return true;
  }

  /** Another playlist is loaded when the one before was played. @param {Chunk} chunk */
  takes(chunk) {
    return chunk.from <= this.last;
  }

  overHole() {
    return false;
  }

  isBroken() {
    return this.video.error !== null;
  }

  async clear() {
    this.parts.length = 0;
    this.last = -Infinity;
  }
}

/** Waits for an event. Rejects when the video fails. @param {HTMLVideoElement} video @param {string} name @param {AbortSignal} signal */
function event(video, name, signal) {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const end = (/** @type {() => void} */ how) => () => { over.abort(); how(); };
    const options = { signal: over.signal };
    video.addEventListener(name, end(() => resolve(undefined)), options);
    video.addEventListener("error", end(() => reject(new Error("the playlist cannot be played"))), options);
    signal.addEventListener("abort", end(() => reject(signal.reason)), options);
  });
}

/** What plays a camera's chunks in this browser. @param {HTMLVideoElement} video @param {Name} of */
export function bufferOf(video, of) {
  return hasSource() ? new Buffer(video) : new Native(video, of);
}

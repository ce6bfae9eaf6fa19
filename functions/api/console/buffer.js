// What a player has appended: chunks one behind the other on the media's own time line, each with its wall-clock time.
//
// The player's time has no gaps. What is between two chunks on the clock is told by `edges`.

import { bytes } from "./api.js";
import { PICTURES_MAX, timesOf } from "./times.js";

/** @typedef {{ chunk: Chunk, start: number, end: number, from: number, to: number, times: number[] }} Part
 * `start`, `end` and the `times` at which pictures begin in seconds of media, `from` and `to` in milliseconds since 1970. */

/** Chunks that are further apart than this have a gap between them. */
export const TOUCHING_MS = 500;
/** Seconds behind the playhead that are kept. */
const KEPT_BEHIND_S = 30;
/** Sound and picture may end less than this apart, in seconds. A longer hole is footage that the browser has thrown away. */
const HOLE_S = 0.6;
/** A seek that takes this long is begun again, and then after twice as long each time. */
const STUCK_MS = 3000;
/** How many chunks are appended ahead of a live picture. With more than LATE it is played faster, until there are fewer than IN_TIME. With
 * fewer than SCARCE it would wait for the next one, so it is played slower, until there are more than ENOUGH. */
const LATE = 2.5;
const IN_TIME = 1.5;
const SCARCE = 0.25;
const ENOUGH = 1.5;

/** The type of `mediaSource.readyState`'s owner: Safari on phones has its own. */
const Source = /** @type {typeof MediaSource | undefined} */ (
  /** @type {any} */ (globalThis).ManagedMediaSource ?? globalThis.MediaSource);

/** Whether the browser lets a page append media. Where it does not, it may play HLS by itself. */
export function hasSource() {
  return Source !== undefined;
}

const asker = document.createElement("video");

/** Whether the browser can play a type. @param {string} type */
export function plays(type) {
  if (Source) return Source.isTypeSupported(type);
  return asker.canPlayType("application/vnd.apple.mpegurl") !== "" && asker.canPlayType(type) !== "";
}

/** When pictures begin where all of them last equally long. @param {Chunk} chunk @param {number} start @param {number} end */
export function evenly(chunk, start, end) {
  const count = Math.max(1, Math.min(PICTURES_MAX, Math.round((end - start) * (chunk.frameRate || 25))));
  return Array.from({ length: count }, (_, index) => start + (index * (end - start)) / count);
}

/** A `MediaSource` that chunks are appended to. */
export class Buffer {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    /** @type {Part[]} */
    this.parts = [];
    this.video = video;
    // Without one the browser plays by itself, or nothing is appended, as `plays` says.
    this.source = Source && new Source();
    this.type = "";
    /** Whether a file was appended that is none. */
    this.isSpoilt = false;
    /** How long the last file was on its way. */
    this.arrivedMs = 0;
    /** @type {SourceBuffer | undefined} */
    this.buffer = undefined;
    /** The digest of the sample entries that the decoder has. @type {string | undefined} */
    this.digest = undefined;
    video.disableRemotePlayback = true;
    this.url = this.source ? URL.createObjectURL(this.source) : "";
    this.opened = new Promise((/** @type {(value?: unknown) => void} */ open) => {
      this.source?.addEventListener("sourceopen", () => open(), { once: true });
    });
    if (this.url) video.src = this.url;
  }

  /** Ends it. */
  close() {
    URL.revokeObjectURL(this.url);
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** Seconds of media up to where it is appended. */
  end() {
    return this.parts.at(-1)?.end ?? 0;
  }

  /** The part that is played at a time of the media. @param {number} seconds */
  at(seconds) {
    return this.parts.find((part) => seconds < part.end - 0.0005) ?? this.parts.at(-1);
  }

  /** Returns the last span without video between two parts. Other parts may lie between them, which were played while the page was busy or out
   * of sight. @param {Part} before @param {Part} part @returns {Span | undefined} */
  hole(before, part) {
    let last = before;
    let hole;
    for (const next of this.parts.slice(this.parts.indexOf(before) + 1, this.parts.indexOf(part) + 1)) {
      if (next.from - last.to > TOUCHING_MS) hole = { from: last.to, to: next.from };
      last = next;
    }
    return hole;
  }

  /** The wall-clock time of a time of the media. @param {number} seconds */
  wall(seconds) {
    const part = this.at(seconds);
    if (!part) return undefined;
    const share = Math.min(1, Math.max(0, (seconds - part.start) / (part.end - part.start || 1)));
    return part.from + share * (part.to - part.from);
  }

  /** The time of the media at a wall-clock time, if that is there. @param {number} ms */
  media(ms) {
    const part = this.parts.find((part) => ms >= part.from && ms < part.to);
    const seconds = part && part.start + ((ms - part.from) / (part.to - part.from || 1)) * (part.end - part.start);
    return seconds !== undefined && this.has(seconds) ? seconds : undefined;
  }

  /** Whether the browser still has what was appended at a time of the media: with little memory it throws that away. @param {number} seconds */
  has(seconds) {
    return isBuffered(this.video, seconds);
  }

  /** When each picture of what is appended begins. */
  starts() {
    return this.parts.flatMap(({ times }) => times);
  }

  /** The wall-clock time at which the picture of a time of the media begins. @param {number} seconds */
  began(seconds) {
    return this.wall(this.starts().findLast((time) => time <= seconds + 0.0005) ?? seconds);
  }

  /**
   * The wall-clock time of the middle of a picture, that at a time of the media or one before or after it: there it is found, whichever way
   * times are rounded. Where that picture is not appended, `wall` is the time of the nearest one to go to, and `owed` how many steps are left from it.
   * @param {number} seconds @param {number} step how many pictures further @param {Chunk} [next] what comes behind all that is appended
   */
  picture(seconds, step, next) {
    const [first] = this.parts;
    if (!first) return undefined;
    const middles = this.parts.flatMap(({ times, end }) => times.map((time, index) => (time + (times[index + 1] ?? end)) / 2));
    const index = Math.max(0, this.starts().findLastIndex((time) => time <= seconds + 0.0005)) + step;
    if (index < 0) return { wall: first.from - (first.to - first.from) / first.times.length / 2, owed: index + 1 };
    const owed = Math.max(0, index - middles.length + 1);
    if (owed > 0 && next && !this.takes(next)) return { wall: next.from + 1, owed: owed - 1 };
    return { wall: this.wall(middles[index - owed] ?? seconds) ?? first.from, owed };
  }

  /** Whether a chunk can be appended while the picture stands still. @param {Chunk} _ */
  takes(_) {
    return true;
  }

  /**
   * Appends a chunk behind the others.
   * @param {Chunk} chunk @param {AbortSignal} signal
   */
  async append(chunk, signal) {
    const began = performance.now();
    const data = new Uint8Array(await bytes(chunk.media, signal));
    this.arrivedMs = performance.now() - began;
    await this.opened;
    signal.throwIfAborted();
    const buffer = this.prepared(chunk.mimeType);
    // What does not start with a picture that can be decoded by itself goes on with the decoder as it is: an initialization
    // segment would make it wait for such a picture.
    const goesOn = chunk.startsWithRandomAccess === false && this.digest === chunk.sampleEntryDigest && this.parts.length > 0;
    const media = data.subarray(goesOn ? chunk.initBytes ?? 0 : 0, chunk.mediaEnd ?? data.length);
    const times = timesOf(data);
    const start = this.end();
    buffer.timestampOffset = start;
    await this.update(buffer, () => buffer.appendBuffer(media));
    this.digest = chunk.sampleEntryDigest;
    const end = this.appended();
    // Bytes that are no boxes are taken, nothing comes of them, and what is appended behind them is taken for a part of them.
    if (end <= start) {
      this.isSpoilt = true;
      throw new Error("there is nothing to play in the file");
    }
    this.parts.push({ chunk, start, end, from: chunk.from, to: chunk.to, times: times?.map((time) => time + start) ?? evenly(chunk, start, end) });
    await this.evict(buffer);
  }

  /** Goes over the few milliseconds by which sound and picture may end apart. Returns whether playing waits for footage that the browser has
   * thrown away instead, so that somebody has to seek again. */
  overHole() {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index += 1) {
      const start = buffered.start(index);
      if (start > currentTime && start - currentTime < HOLE_S) {
        this.video.currentTime = start + 0.001;
        return false;
      }
    }
    if (currentTime > this.end() - HOLE_S || isBuffered(this.video, currentTime + 0.1, 0)) return false;
    this.parts = [];
    return true;
  }

  /** Keeps a live picture neither far behind nor about to wait, by playing it a little faster or slower. @param {number} ahead seconds that
   * are appended ahead */
  keepDistance(ahead) {
    const last = this.parts.at(-1);
    const chunks = last ? ahead / (last.end - last.start) : 0;
    const before = this.video.playbackRate;
    const isBack = before > 1 ? chunks < IN_TIME : chunks > ENOUGH;
    const rate = chunks > LATE ? 1.08 : chunks < SCARCE ? 0.93 : isBack ? 1 : before;
    if (rate !== before) this.video.playbackRate = rate;
  }

  /** Whether it can take nothing any more. */
  isBroken() {
    return this.isSpoilt || this.video.error !== null || this.source?.readyState === "ended";
  }

  appended() {
    const ranges = this.buffer?.buffered;
    return ranges && ranges.length > 0 ? ranges.end(ranges.length - 1) : 0;
  }

  /** @param {string} type */
  prepared(type) {
    if (!this.source) throw new Error("this browser cannot play chunks");
    if (!this.buffer) {
      this.buffer = this.source.addSourceBuffer(type);
      this.type = type;
    } else if (this.type !== type) {
      this.buffer.changeType(type);
      this.type = type;
    }
    return this.buffer;
  }

  /** @param {SourceBuffer} buffer */
  async evict(buffer) {
    const behind = this.video.currentTime - KEPT_BEHIND_S;
    const gone = this.parts.filter((part) => part.end < behind);
    const last = gone.at(-1);
    if (!last || last.end < KEPT_BEHIND_S) return;
    await this.update(buffer, () => buffer.remove(0, last.end));
    this.parts.splice(0, gone.length);
  }

  /** Takes everything out, to begin anew somewhere else. */
  async clear() {
    this.parts = [];
    this.digest = undefined;
    const { buffer } = this;
    if (!buffer || this.source?.readyState === "closed") return;
    if (buffer.updating) await new Promise((go) => buffer.addEventListener("updateend", go, { once: true }));
    if (this.source?.readyState !== "open") return;
    buffer.abort();
    if (buffer.buffered.length > 0) await this.update(buffer, () => buffer.remove(0, Infinity));
  }

  /** @param {SourceBuffer} buffer @param {() => void} change */
  update(buffer, change) {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
      const failed = () => {
        this.isSpoilt = true;
        reject(new Error("the file cannot be played"));
      };
      buffer.addEventListener("error", failed, { once: true });
      buffer.addEventListener("updateend", () => { buffer.removeEventListener("error", failed); resolve(); }, { once: true });
      change();
    });
  }
}

/** @param {HTMLVideoElement} video @param {number} seconds @param {number} [apart] how far that may be from it */
function isBuffered({ buffered }, seconds, apart = HOLE_S) {
  for (let index = 0; index < buffered.length; index += 1) {
    if (seconds >= buffered.start(index) - apart && seconds < buffered.end(index) + apart) return true;
  }
  return false;
}

/** Begins seeks again that come to no end, as some do in WebKit on Linux. @param {HTMLVideoElement} video */
export function keepSeeking(video) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let wait = STUCK_MS;
  const again = () => {
    if (!video.seeking || !isBuffered(video, video.currentTime)) return;
    wait *= 2;
    video.currentTime += 0.001;
  };
  video.addEventListener("seeking", () => {
    clearTimeout(timer);
    timer = setTimeout(again, wait);
  });
  video.addEventListener("seeked", () => {
    clearTimeout(timer);
    wait = STUCK_MS;
  });
}

// Plays a camera by wall clock: finds the chunks of a time, appends them ahead of the playhead, goes over gaps.

import { Failure, chunks, line, lineState, now } from "./api.js";
import { Buffer, TOUCHING_MS, plays } from "./buffer.js";
import { run } from "./keyframes.js";
import { HOUR, MINUTE, SECOND } from "./time.js";

/** Seconds that are appended ahead of the playhead. */
const AHEAD_S = 12;
/** Above this speed only key frames are shown. */
export const FASTEST_PLAYED = 4;

/** What failed is asked for again after a second, then after twice as long each time, up to this. */
const LONGEST_PAUSE_MS = 30_000;
/** Playing that waits this long for a file that is on its way is slowed by the line. */
const SLOW_MS = 700;

/** @typedef {"loading" | "ready" | "gap" | "nothing" | "codec" | "gone" | "damaged" | "offline"} State */
/** Events: `time` (the picture's time or the state changed), `skipped` (a gap was gone over, `detail` is its span). */
export class Player extends EventTarget {
  /** @param {Name} of @param {HTMLVideoElement} video @param {HTMLCanvasElement} still */
  constructor(of, video, still) {
    super();
    this.of = of;
    this.video = video;
    this.still = still;
    this.wall = now();
    /** @type {State} */
    this.state = "loading";
    this.playing = false;
    this.live = false;
    this.rate = 1;
    /** The chunk that the picture is of. @type {Chunk | undefined} */
    this.chunk = undefined;
    /** Chunks behind those that are appended. @type {Chunk[]} */
    this.ahead = [];
    this.buffer = new Buffer(video);
    /** Files that turned out to be gone or damaged, by their keys. @type {Map<string, Span & { why: "gone" | "damaged" }>} */
    this.bad = new Map();
    /** Whether playing waits for a line that is too slow. */
    this.slow = false;
    this.starvedAt = NaN;
    this.pauseMs = 1000;
    this.quietUntil = 0;
    this.back = () => {
      if (lineState() !== "ok") return;
      this.quietUntil = 0;
      if (this.state === "offline") this.seek(this.wall);
    };
    line.addEventListener("line", this.back);
    this.work = new AbortController();
    this.filling = false;
    this.showing = false;
    this.askedAt = 0;
    this.lastPart = /** @type {import("./buffer.js").Part | undefined} */ (undefined);
    video.muted = true;
    video.addEventListener("waiting", () => this.buffer.overHole());
    // What cannot be appended is known by its own file; the picture that is shown then has no fault.
    video.addEventListener("error", () => { if (!this.buffer.isSpoilt) this.spoilt(this.chunk); });
    this.ticking = true;
    this.before = performance.now();
    requestAnimationFrame((at) => this.tick(at));
  }

  close() {
    this.ticking = false;
    line.removeEventListener("line", this.back);
    this.work.abort();
    this.buffer.close();
  }

  /** @param {State} state */
  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.tell();
  }

  tell() {
    this.dispatchEvent(new Event("time"));
  }

  /** Shows the picture of a time. @param {number} ms */
  async seek(ms) {
    this.wall = ms;
    const inside = this.buffer.isBroken() ? undefined : this.buffer.media(ms);
    if (inside !== undefined && (this.state === "ready" || this.state === "gap")) {
      this.still.hidden = true;
      this.video.currentTime = inside;
      this.state = "ready";
      this.lastPart = this.buffer.at(inside);
      this.chunk = this.lastPart?.chunk;
      this.resume();
      this.tell();
      this.fill();
      return;
    }
    this.work.abort();
    const work = (this.work = new AbortController());
    this.become("loading");
    this.tell();
    if (this.buffer.isBroken()) {
      this.buffer.close();
      this.buffer = new Buffer(this.video);
    }
    try {
      const found = await chunks(this.of, ms - 40 * SECOND, ms + 10 * MINUTE, 120, work.signal);
      const at = found.findIndex((chunk) => chunk.to > ms);
      const here = found[at];
      const bad = here && this.bad.get(here.key);
      if (here && bad) {
        this.chunk = here;
        this.become(bad.why);
        return;
      }
      if (!here || here.from > ms + TOUCHING_MS) {
        this.video.pause();
        this.chunk = undefined;
        await this.buffer.clear();
        if (!work.signal.aborted) this.become(here || (await this.next(ms, work.signal)) ? "gap" : "nothing");
        return;
      }
      await this.start(found, at, ms, work);
    } catch (error) {
      this.fail(error, work);
    }
  }

  /** The first chunk that begins after a time. @param {number} ms @param {AbortSignal} [signal] */
  async next(ms, signal) {
    const to = Math.min(now() + HOUR, ms + 400 * 24 * HOUR);
    if (to <= ms) return undefined;
    return (await chunks(this.of, ms, to, 1, signal))[0];
  }

  /** Where playing can go on after a file that is gone, damaged or of a kind that is not played. */
  async onward() {
    const after = this.chunk?.to ?? this.wall;
    const found = await chunks(this.of, after, after + 10 * MINUTE, 120);
    const next = found.find((chunk) => chunk.from > after - TOUCHING_MS && plays(chunk.mimeType) && !this.bad.has(chunk.key));
    return next && Math.max(after, next.from) + 1;
  }

  /** @param {Chunk[]} found @param {number} at @param {number} ms @param {AbortController} work */
  async start(found, at, ms, work) {
    let first = at;
    while (first > 0 && found[first]?.startsWithRandomAccess === false) first -= 1;
    const here = /** @type {Chunk} */ (found[at]);
    this.chunk = here;
    if (!plays(here.mimeType)) {
      this.video.pause();
      this.become("codec");
      return;
    }
    await this.buffer.clear();
    work.signal.throwIfAborted();
    for (const chunk of found.slice(first, at + 1)) await this.buffer.append(chunk, work.signal);
    this.ahead = found.slice(at + 1).filter((chunk) => !this.bad.has(chunk.key));
    const media = this.buffer.media(Math.max(ms, here.from));
    if (media !== undefined) this.video.currentTime = media;
    this.lastPart = this.buffer.parts.at(-1);
    this.still.hidden = true;
    this.state = "ready";
    this.pauseMs = SECOND;
    performance.mark("framepost-picture");
    this.resume();
    this.tell();
    await this.fill();
  }

  /** @param {unknown} error @param {AbortController} work */
  fail(error, work) {
    if (work.signal.aborted) return;
    const kind = error instanceof Failure ? error.kind : "damaged";
    if (kind === "gone" || kind === "damaged") {
      if (this.chunk) this.bad.set(this.chunk.key, { from: this.chunk.from, to: this.chunk.to, why: kind });
      this.become(kind);
    } else {
      this.wait();
      this.become("offline");
    }
  }

  /** Asks for nothing for a while. */
  wait() {
    this.quietUntil = performance.now() + this.pauseMs;
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * 2);
  }

  /** Appends what comes next, as far as is wanted. */
  async fill() {
    if (this.filling || this.state !== "ready" || lineState() !== "ok" || performance.now() < this.quietUntil) return;
    this.filling = true;
    const work = this.work;
    try {
      while (!work.signal.aborted && this.buffer.end() - this.video.currentTime < AHEAD_S) {
        const chunk = this.ahead.shift() ?? (await this.more(work.signal));
        if (!chunk) break;
        if (!plays(chunk.mimeType)) {
          this.ahead.unshift(chunk);
          break;
        }
        try {
          await this.buffer.append(chunk, work.signal);
          this.pauseMs = SECOND;
        } catch (error) {
          // A file that is gone is gone over as a gap is; the line's faults are tried again.
          if (work.signal.aborted) break;
          if (!(error instanceof Failure)) {
            this.spoilt(chunk);
            break;
          }
          if (error.kind === "gone") {
            this.bad.set(chunk.key, { from: chunk.from, to: chunk.to, why: "gone" });
            continue;
          }
          this.ahead.unshift(chunk);
          this.wait();
          break;
        }
      }
    } catch {
      if (!work.signal.aborted) this.wait();
    } finally {
      this.filling = false;
    }
  }

  /** A file cannot be decoded, and the browser's player with it cannot go on. @param {Chunk | undefined} chunk */
  spoilt(chunk) {
    if (!chunk || this.bad.has(chunk.key) || !this.ticking) return;
    this.bad.set(chunk.key, { from: chunk.from, to: chunk.to, why: "damaged" });
    setTimeout(() => this.seek(this.wall));
  }

  /** Tries again what was damaged. */
  retry() {
    this.bad.clear();
    this.seek(this.wall);
  }

  /** @param {AbortSignal} signal */
  async more(signal) {
    const end = this.buffer.parts.at(-1)?.to ?? this.wall;
    if (performance.now() - this.askedAt < 1000) return undefined;
    this.askedAt = performance.now();
    const found = await chunks(this.of, end - 200, now() + HOUR, 60, signal);
    this.ahead = found.filter((chunk) => chunk.to > end + 50 && !this.bad.has(chunk.key));
    return this.ahead.shift();
  }

  play() {
    this.playing = true;
    this.resume();
    this.tell();
  }

  pause() {
    this.playing = false;
    this.live = false;
    this.video.pause();
    this.tell();
  }

  resume() {
    if (this.state !== "ready") return;
    if (this.playing && this.rate <= FASTEST_PLAYED) {
      this.video.playbackRate = this.rate;
      this.video.play().catch((error) => {
        // Another one took its place, or the browser wants a click first.
        if (error.name !== "NotAllowedError") return;
        this.playing = false;
        this.tell();
      });
    } else {
      this.video.pause();
    }
  }

  /** @param {number} rate */
  setRate(rate) {
    const slower = this.rate > FASTEST_PLAYED && rate <= FASTEST_PLAYED;
    this.rate = rate;
    this.live = false;
    if (slower) this.seek(this.wall);
    this.resume();
    this.tell();
  }

  /** Goes on by a number of pictures; negative goes back. @param {number} frames */
  step(frames) {
    this.pause();
    const length = 1 / (this.chunk?.frameRate || 25);
    const part = this.lastPart;
    const next = this.video.currentTime + frames * length;
    if (part && next < part.start && this.buffer.parts[0] === part) this.seek(part.from - length * SECOND);
    else this.video.currentTime = Math.max(0, next + (frames > 0 ? 0.001 : -0.001));
  }

  /** Follows the camera, as close as its newest chunk. */
  async goLive() {
    this.live = this.playing = true;
    this.rate = 1;
    const newest = await chunks(this.of, now() - 30 * SECOND, now() + HOUR, 60).catch(() => []);
    const from = newest.at(-2) ?? newest.at(-1);
    if (from) await this.seek(from.from);
    else await this.seek(now());
  }

  /** @param {number} at */
  tick(at) {
    if (!this.ticking) return;
    const passed = Math.min(1000, at - this.before);
    this.before = at;
    if (this.state === "offline" && lineState() === "ok" && at > this.quietUntil) this.seek(this.wall);
    if (this.playing && this.rate > FASTEST_PLAYED && this.state === "ready") run(this, passed);
    else if (this.state === "ready" && !this.video.seeking) this.follow();
    requestAnimationFrame((next) => this.tick(next));
  }

  /** Takes the time from the picture. */
  follow() {
    const wall = this.buffer.wall(this.video.currentTime);
    if (wall === undefined) return;
    const part = this.buffer.at(this.video.currentTime);
    if (part && part !== this.lastPart) {
      const before = this.lastPart;
      this.lastPart = part;
      this.chunk = part.chunk;
      if (before && this.playing && part.from - before.to > TOUCHING_MS) {
        this.dispatchEvent(new CustomEvent("skipped", { detail: { from: before.to, to: part.from } }));
      }
    }
    if (Math.abs(wall - this.wall) > 0.5) {
      this.wall = wall;
      this.tell();
    }
    const ahead = this.buffer.end() - this.video.currentTime;
    const waits = this.playing && ahead < 0.1;
    if (!waits || !this.filling) this.starvedAt = NaN;
    else if (Number.isNaN(this.starvedAt)) this.starvedAt = performance.now();
    const slow = performance.now() - this.starvedAt > SLOW_MS || (this.slow && ahead < 1 && this.playing);
    if (slow !== this.slow) {
      this.slow = slow;
      this.tell();
    }
    if (waits && lineState() !== "ok") this.become("offline");
    if (this.live && this.playing) this.buffer.catchUp(ahead);
    const next = this.ahead[0];
    if (ahead < 0.1 && next && !plays(next.mimeType)) {
      this.chunk = next;
      this.wall = next.from;
      this.become("codec");
    } else if (ahead < AHEAD_S / 2) this.fill();
  }
}

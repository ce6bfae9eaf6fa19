// What comes next for a player: files behind those that are appended are asked for, appended ahead, and left alone for a while after a failure.

import { Failure, chunks, lineState, now } from "./api.js";
import { TOUCHING_MS, plays } from "./buffer.js";
import { HOUR, MINUTE, SECOND } from "./time.js";

/** Seconds that are appended ahead of the playhead. */
export const AHEAD_S = 12;
/** What failed is asked for again after a second, then after twice as long each time, up to this. */
const LONGEST_PAUSE_MS = 30_000;
/** A file at which the browser's player fails as often as this is damaged. Before, it may be the player alone. */
const FAILURES_MAX = 3;

export class Supply {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    /** Chunks behind those that are appended. @type {Chunk[]} */
    this.ahead = [];
    /** Files that turned out to be gone or damaged, by their keys. @type {Map<string, Span & { why: "gone" | "damaged" }>} */
    this.bad = new Map();
    /** The file at which the browser's player failed last, and how often. */
    this.doubted = { key: "", times: 0 };
    this.filling = false;
    /** Steps, in pictures, that were asked for and lead to what is not loaded yet. Negative ones go back. */
    this.owed = 0;
    /** How often somebody went elsewhere. */
    this.aims = 0;
    this.askedAt = 0;
    /** Whether nothing was behind what is appended when that was last asked. */
    this.isDry = false;
    /** Why the server did not give what it was last asked for. @type {import("./api.js").Kind} */
    this.why = "offline";
    this.pauseMs = SECOND;
    this.quietUntil = 0;
  }

  /** Forgets the steps that are owed. Returns a number that no other call returns, by which a late answer is known. */
  leave() {
    this.owed = 0;
    return (this.aims += 1);
  }

  /** Whether nothing is asked for at present. */
  isQuiet() {
    return performance.now() < this.quietUntil;
  }

  /** The first chunk that begins after a time. @param {number} ms @param {AbortSignal} [signal] */
  async next(ms, signal) {
    const to = Math.min(now() + HOUR, ms + 400 * 24 * HOUR);
    if (to <= ms) return undefined;
    return (await chunks(this.player.of, ms, to, 1, signal))[0];
  }

  /** Where playing can go on after a file that is gone, damaged or of a kind that is not played. */
  async onward() {
    const after = this.player.chunk?.to ?? this.player.wall;
    const found = await chunks(this.player.of, after, after + 10 * MINUTE, 120);
    const next = found.find((chunk) => chunk.from > after - TOUCHING_MS && plays(chunk.mimeType) && !this.bad.has(chunk.key));
    return next && Math.max(after, next.from) + 1;
  }

  /** Goes on behind these. @param {Chunk[]} found */
  from(found) {
    this.ahead = found.filter((chunk) => !this.bad.has(chunk.key));
    this.isDry = false;
    this.pauseMs = SECOND;
  }

  /** Remembers what is the matter with a file. @param {Chunk} chunk @param {"gone" | "damaged"} why */
  spoilt(chunk, why) {
    this.bad.set(chunk.key, { from: chunk.from, to: chunk.to, why });
  }

  /** The browser's player failed at a file: it is begun anew. @param {Chunk | undefined} chunk */
  doubt(chunk) {
    const { player } = this;
    if (!chunk || !player.ticking || this.again !== undefined) return;
    this.doubted = { key: chunk.key, times: this.doubted.key === chunk.key ? this.doubted.times + 1 : 1 };
    if (this.doubted.times >= FAILURES_MAX) player.spoilt(chunk);
    else {
      this.again = setTimeout(() => {
        this.again = undefined;
        if (player.ticking) player.again();
      });
    }
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  again = undefined;

  /** Takes no file for damaged any more, and asks again at once. */
  forgive() {
    this.bad.clear();
    this.doubted.times = 0;
    this.hurry();
  }

  /** Asks for nothing for a while; where it is not allowed to ask, until it is. @param {unknown} error */
  wait(error) {
    const { kind, retryMs } = error instanceof Failure ? error : { kind: /** @type {const} */ ("offline"), retryMs: 0 };
    this.why = kind;
    this.quietUntil = kind === "forbidden" ? Infinity : performance.now() + Math.max(this.pauseMs, retryMs);
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * 2);
  }

  /** Asks again at once. */
  hurry() {
    this.quietUntil = 0;
  }

  /** Does the steps that are owed: seeks the middle of the picture that they lead to, or of the last one on the way that is loaded. The rest
   * stays owed until more is loaded. Without any, it seeks the picture that is shown, which a browser's time may be ahead of. */
  pay() {
    const { state, buffer, video: { currentTime }, wall } = this.player;
    const isHere = state === "ready" || Math.abs((buffer.wall(currentTime) ?? NaN) - wall) < 1;
    if (state === "loading" || (state === "offline" && !isHere)) return;
    const next = isHere ? buffer.picture(currentTime, this.owed, this.ahead[0]) : undefined;
    this.owed = next?.owed ?? 0;
    // The clock goes with it at once: a link that is taken now names this picture.
    if (next) this.player.go(next.wall);
  }

  /** Appends what comes next, as far as is wanted. */
  async fill() {
    const { player } = this;
    if (this.filling || player.state !== "ready" || lineState() !== "ok" || this.isQuiet()) return;
    this.filling = true;
    const { signal } = player.work;
    try {
      for (;;) {
        if (this.owed !== 0) this.pay();
        if (signal.aborted || (this.owed <= 0 && (player.thin || player.buffer.end() - player.video.currentTime >= AHEAD_S))) break;
        const [chunk] = this.ahead;
        if (!chunk) {
          if (!(await this.more(signal))) break;
        } else {
          if (!plays(chunk.mimeType) || !(await this.append(chunk, signal))) break;
          this.ahead = this.ahead.filter((one) => one !== chunk);
        }
      }
    } catch (error) {
      if (!signal.aborted) this.wait(error);
    } finally {
      this.filling = false;
    }
  }

  /** Appends a chunk. Whether the next one may follow. @param {Chunk} chunk @param {AbortSignal} signal */
  async append(chunk, signal) {
    try {
      await this.player.buffer.append(chunk, signal);
      this.player.line.came(chunk, this.player.buffer.arrivedMs);
      this.pauseMs = SECOND;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!(error instanceof Failure)) {
        if (this.player.buffer.isSpoilt) this.player.spoilt(chunk);
        else if (error instanceof DOMException && error.name === "QuotaExceededError") {
          // There is room again when more has been played.
          this.quietUntil = performance.now() + SECOND;
        } else if (!this.player.video.error) this.doubt(chunk);
        return false;
      }
      // A file that is gone or damaged is gone over as a gap is; the line's faults are tried again.
      if (error.kind === "gone" || error.kind === "damaged") {
        this.spoilt(chunk, error.kind);
        return true;
      }
      this.wait(error);
      return false;
    }
  }

  /** Looks for what is behind all that is appended. Whether something is. @param {AbortSignal} signal */
  async more(signal) {
    const end = this.player.buffer.parts.at(-1)?.to ?? this.player.wall;
    if (performance.now() - this.askedAt >= SECOND) {
      this.askedAt = performance.now();
      const found = await chunks(this.player.of, end - 200, now() + HOUR, 60, signal);
      this.ahead = found.filter((chunk) => chunk.to > end + 50 && !this.bad.has(chunk.key));
      this.isDry = this.ahead.length === 0;
    }
    if (this.isDry) this.owed = 0;
    return this.ahead.length > 0;
  }
}

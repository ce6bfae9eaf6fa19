// A line that is slower than the video: whether it is, and whether it is not any more.

import { bytes } from "./api.js";

/** Playing that waits this long for a file that is on its way is slowed by the line. */
const SLOW_MS = 700;
/** After waiting this long there are key pictures only; and after so many files that each took longer than it lasts. */
const TOO_SLOW_MS = 4000;
const LATE_FILES = 3;
/** How soon a whole file is tried again, and how seldom at last. */
const TRIED_MS = 8000;
const TRIED_MAX_MS = 60_000;
/** A key picture has about a twentieth of a file's bytes. One that comes in less than this share of what the file lasts came over a quick line. */
const QUICK = 0.06;

export class Line {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.starvedAt = NaN;
    this.late = 0;
    this.triedAt = 0;
    this.everyMs = TRIED_MS;
    this.trying = false;
  }

  /** Looks whether playing waits for what is on its way. @param {number} ahead seconds that are appended ahead */
  watch(ahead) {
    const { player } = this;
    const at = performance.now();
    if (!player.playing || ahead >= 0.1 || !player.supply.filling) this.starvedAt = NaN;
    else if (Number.isNaN(this.starvedAt)) this.starvedAt = at;
    const waited = at - this.starvedAt;
    const slow = waited > SLOW_MS || (player.slow && ahead < 1 && player.playing);
    if (waited > TOO_SLOW_MS || (slow && this.late >= LATE_FILES)) this.thin("on");
    else if (slow !== player.slow) {
      player.slow = slow;
      player.tell();
    }
  }

  /** A whole file came. @param {Chunk} chunk @param {number} ms for which it was on its way */
  came(chunk, ms) {
    this.late = ms > chunk.to - chunk.from ? this.late + 1 : 0;
  }

  /** Shows key pictures only, or everything again. @param {"on" | "off"} how */
  thin(how) {
    const { player } = this;
    player.thin = how === "on";
    player.slow = false;
    this.starvedAt = NaN;
    this.late = 0;
    this.triedAt = performance.now();
    if (how === "on") {
      // What is on its way keeps the line from key pictures.
      player.work.abort();
      player.work = new AbortController();
      player.video.pause();
      player.tell();
    } else player.seek(player.wall);
  }

  /** Tries by and by whether a whole file comes in less time than it lasts. @param {Chunk} chunk @param {number} ms for which its key picture was on its way */
  async tryAgain(chunk, ms) {
    const lasts = chunk.to - chunk.from;
    if (this.trying || performance.now() - this.triedAt < (ms < lasts * QUICK ? TRIED_MS : this.everyMs)) return;
    this.trying = true;
    const { player } = this;
    const began = performance.now();
    // It is not waited for longer than shows that it is too slow.
    const signal = AbortSignal.any([player.work.signal, AbortSignal.timeout(lasts)]);
    const arrived = await bytes(chunk.media, signal).then(() => true, () => false);
    this.trying = false;
    this.triedAt = performance.now();
    if (!player.thin) return;
    if (arrived && performance.now() - began < lasts * 0.6) {
      this.everyMs = TRIED_MS;
      this.thin("off");
    } else this.everyMs = Math.min(TRIED_MAX_MS, this.everyMs * 2);
  }
}

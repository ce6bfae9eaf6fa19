// Key frames only: above the fastest speed that is played, and where the line is slower than the video; and whether it is that slow.

import { Failure, bytes, chunks, json, ranged } from "./api.js";
import { TOUCHING_MS, plays } from "./buffer.js";
import { draw, picture } from "./pictures.js";
import { DAY, MINUTE, SECOND } from "./time.js";

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

/**
 * Lets time run, with a key frame of each chunk that it comes to.
 * @param {import("./player.js").Player} player @param {number} passed in ms
 */
export function run(player, passed) {
  player.wall += passed * player.rate;
  player.tell();
  if (player.showing) return;
  player.showing = true;
  showKeyFrame(player).finally(() => { player.showing = false; });
}

/** Shows the first picture of the chunk that time has come to. @param {import("./player.js").Player} player */
async function showKeyFrame(player) {
  try {
    const found = (await chunks(player.of, player.wall, player.wall + 10 * MINUTE, 1))[0] ?? (await player.supply.next(player.wall));
    if (!found) {
      await end(player);
      return;
    }
    if (found.from > player.wall + TOUCHING_MS) {
      player.emit("skipped", { from: player.wall, to: found.from });
      player.wall = found.from;
    }
    player.chunk = found;
    const began = performance.now();
    show(player, await picture(found, 0));
    if (player.thin) player.line.tryAgain(found, performance.now() - began);
  } catch (error) {
    // A file that is gone or damaged has no picture, and the next one is shown.
    if (!(error instanceof Failure) || ["gone", "damaged"].includes(error.kind) || !player.isSkimming()) return;
    player.supply.wait(error);
    player.become("offline");
  }
}

/** Shows the last picture before a time that has none, under the words that say so. @param {import("./player.js").Player} player */
export async function showLast(player) {
  const { state, work: { signal } } = player;
  const ms = player.chunk?.from ?? player.wall;
  try {
    /** @type {Chunk[]} */
    const found = (await json("/v1/chunks", { ...ranged(player.of, ms - 400 * DAY, ms), limit: 2 }, signal)).chunks;
    const last = found.find((chunk) => chunk.from < ms && plays(chunk.mimeType) && !player.supply.bad.has(chunk.key));
    const bitmap = last && await picture(last, -0.05, signal);
    if (bitmap && !signal.aborted && player.state === state) put(player.still, bitmap);
  } catch {
    // The words say enough.
  }
}

/** There is nothing more: what is watched live may come yet. @param {import("./player.js").Player} player */
async function end(player) {
  // The line has become quick meanwhile.
  if (!player.isSkimming()) return;
  if (!player.thin) {
    player.wall = (player.chunk?.to ?? player.wall) - 100;
    player.pause();
    return;
  }
  player.wall = player.chunk?.to ?? player.wall;
  await new Promise((go) => setTimeout(go, SECOND));
}

/** @param {HTMLCanvasElement} still @param {ImageBitmap} bitmap */
function put(still, bitmap) {
  draw(still, bitmap);
  still.hidden = false;
}

/** @param {import("./player.js").Player} player @param {ImageBitmap} bitmap */
function show(player, bitmap) {
  if (player.playing && player.isSkimming()) put(player.still, bitmap);
}

/** A line that is slower than the video: whether it is, and whether it is not any more. */
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

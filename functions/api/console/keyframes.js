// Key frames only: above the fastest speed that is played, and where the line is slower than the video.

import { Failure, chunks, json, ranged } from "./api.js";
import { TOUCHING_MS, plays } from "./buffer.js";
import { draw, picture } from "./pictures.js";
import { DAY, MINUTE, SECOND } from "./time.js";

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

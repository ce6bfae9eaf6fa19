// Key frames only: above the fastest speed that is played, and where the line is slower than the video.

import { chunks } from "./api.js";
import { TOUCHING_MS } from "./buffer.js";
import { picture } from "./pictures.js";
import { MINUTE } from "./time.js";

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
  const found = (await chunks(player.of, player.wall, player.wall + 10 * MINUTE, 1).catch(() => []))[0];
  if (!found) {
    const next = await player.supply.next(player.wall).catch(() => undefined);
    if (next) player.wall = next.from;
    else player.pause();
    return;
  }
  if (found.from > player.wall + TOUCHING_MS) {
    player.dispatchEvent(new CustomEvent("skipped", { detail: { from: player.wall, to: found.from } }));
    player.wall = found.from;
  }
  player.chunk = found;
  const bitmap = await picture(found, 0).catch(() => undefined);
  if (!bitmap || !player.isSkimming()) return;
  player.still.width = bitmap.width;
  player.still.height = bitmap.height;
  player.still.getContext("2d")?.drawImage(bitmap, 0, 0);
  player.still.hidden = false;
  if (player.thin) player.line.tryAgain(found);
}

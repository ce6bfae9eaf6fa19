// Single pictures of chunks: the bytes are fetched, a hidden player decodes one picture, and a bitmap is kept.

import { bytes } from "./api.js";
import { startOf } from "./start.js";
import { timesOf } from "./times.js";

/** @typedef {{ media: string, mimeType?: string }} Source */

/** Pictures that are kept, the least recently used first. @type {Map<string, ImageBitmap>} */
const kept = new Map();
const KEPT_MAX = 160;
/** Pictures that are kept are no wider than this. */
const WIDTH_MAX = 960;
/** Pictures that are made at a time. */
const AT_ONCE = 3;

let running = 0;
/** @type {(() => void)[]} */
const waiting = [];

async function turn() {
  if (running >= AT_ONCE) await new Promise((/** @type {(value?: unknown) => void} */ go) => waiting.push(go));
  running += 1;
}

function done() {
  running -= 1;
  // The newest wish first: what was asked for before may be out of sight.
  waiting.pop()?.();
}

/**
 * The picture of a chunk that is shown at `offset` seconds; negative counts from its end.
 * @param {Source} source @param {number} offset @param {AbortSignal} [signal] @returns {Promise<ImageBitmap>}
 */
export async function picture(source, offset, signal) {
  const name = `${source.media}#${offset}`;
  const found = kept.get(name);
  if (found) {
    kept.delete(name);
    kept.set(name, found);
    return found;
  }
  await turn();
  try {
    signal?.throwIfAborted();
    const made = await (offset === 0 ? firstOf(source.media, signal) : bytes(source.media, signal).then((all) => decoded(all, offset)));
    kept.set(name, made);
    for (const [oldest] of kept) {
      if (kept.size <= KEPT_MAX) break;
      kept.delete(oldest);
    }
    return made;
  } finally {
    done();
  }
}

/** The first picture, of a part of the file where the browser can decode that. @param {string} media @param {AbortSignal | undefined} signal */
async function firstOf(media, signal) {
  const start = await startOf(media, signal);
  return decoded(start, 0).catch(async () => decoded(await bytes(media, signal), 0));
}

/** @param {ArrayBuffer} data @param {number} offset @returns {Promise<ImageBitmap>} */
async function decoded(data, offset) {
  // For what is sought in it, its pictures last as long as they are shown.
  timesOf(new Uint8Array(data));
  const blob = new Blob([data], { type: "video/mp4" });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  const url = URL.createObjectURL(blob);
  try {
    await event(video, "loadeddata", () => { video.src = url; });
    const end = Number.isFinite(video.duration) ? video.duration : 1e9;
    const at = Math.max(0, Math.min(offset < 0 ? end + offset : offset, end - 0.01));
    if (Math.abs(video.currentTime - at) > 0.001) await event(video, "seeked", () => { video.currentTime = at; });
    const scale = Math.min(1, WIDTH_MAX / video.videoWidth);
    return await createImageBitmap(video, {
      resizeWidth: Math.max(1, Math.round(video.videoWidth * scale)), resizeHeight: Math.max(1, Math.round(video.videoHeight * scale)),
    });
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}

const PATIENCE_MS = 10_000;

/** Waits for an event that `cause` brings about. @param {HTMLVideoElement} video @param {string} name @param {() => void} cause */
function event(video, name, cause) {
  return new Promise((resolve, reject) => {
    const over = setTimeout(() => reject(new Error("the picture takes too long")), PATIENCE_MS);
    video.addEventListener(name, () => { clearTimeout(over); resolve(undefined); }, { once: true });
    video.addEventListener("error", () => { clearTimeout(over); reject(new Error("the picture cannot be decoded")); }, { once: true });
    cause();
  });
}

/**
 * Draws a picture into a canvas of its own shape, or a part of it that has the canvas's.
 * @param {HTMLCanvasElement} canvas @param {ImageBitmap} bitmap @param {Box} [box] in fractions
 */
export function draw(canvas, bitmap, box) {
  const context = canvas.getContext("2d");
  if (!context) return;
  if (!box) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    context.drawImage(bitmap, 0, 0);
    return;
  }
  // As much around the box as makes the canvas's shape.
  const shape = 16 / 9;
  const middle = { x: (box.left + box.width / 2) * bitmap.width, y: (box.top + box.height / 2) * bitmap.height };
  let height = Math.max(box.height * bitmap.height, (box.width * bitmap.width) / shape) * 1.5;
  height = Math.min(height, bitmap.height, bitmap.width / shape);
  const width = height * shape;
  const x = Math.max(0, Math.min(middle.x - width / 2, bitmap.width - width));
  const y = Math.max(0, Math.min(middle.y - height / 2, bitmap.height - height));
  canvas.width = Math.min(416, Math.round(width));
  canvas.height = Math.round(canvas.width / shape);
  context.drawImage(bitmap, x, y, width, height, 0, 0, canvas.width, canvas.height);
}

// The card above the timeline under the pointer: time and words at once, a key frame when it is there.

import { chunks } from "./api.js";
import { h, setText } from "./dom.js";
import { within } from "./footage.js";
import { draw, picture } from "./pictures.js";
import { MINUTE } from "./time.js";

/** The pointer rests this long before a picture is fetched. */
const REST_MS = 90;

/** @param {import("./timeline.js").TimelineView} view */
export function hoverCard(view) {
  const canvas = h("canvas", { width: 196, height: 110, hidden: true });
  const words = h("p");
  const element = h("div.hover-card", { hidden: true }, canvas, words);
  let work = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;

  /** @param {number} ms @param {AbortSignal} signal */
  async function show(ms, signal) {
    const segment = within(view.data?.segments, ms).find((one) => ms < one.to)
      ?? (await chunks(view.of, ms, ms + MINUTE, 1, signal))[0];
    if (!segment || segment.from > ms + MINUTE) return;
    const bitmap = await picture(segment, 0, signal);
    if (signal.aborted) return;
    draw(canvas, bitmap);
    canvas.hidden = false;
  }

  return {
    element,
    hide() {
      element.hidden = true;
      work.abort();
      clearTimeout(resting);
    },
    /** @param {number} x @param {number} ms */
    show(x, ms) {
      element.hidden = false;
      const half = 104;
      // Moved, which lays nothing out.
      element.style.transform = `translateX(${Math.max(0, Math.min(view.width - half * 2, x - half))}px)`;
      setText(words, view.what(ms));
      if (!canvas.hidden) canvas.hidden = true;
      work.abort();
      clearTimeout(resting);
      if (view.gapAt(ms)) return;
      const mine = (work = new AbortController());
      resting = setTimeout(() => show(ms, mine.signal).catch(() => {}), REST_MS);
    },
  };
}

// Pointers on the timeline: wheel and pinch zoom, drag pans, click seeks, drag on the axis scrubs.

import { HEIGHTS } from "./lanes.js";

/** @param {import("./timeline.js").TimelineView} view */
export function listen(view) {
  const { slider } = view;
  slider.addEventListener("wheel", (event) => {
    event.preventDefault();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) view.pan((event.deltaX || event.deltaY) * view.msPerPx());
    else view.zoom(1.0016 ** event.deltaY, view.timeAt(event));
  }, { passive: false });
  /** @type {Map<number, { x: number, y: number }>} */
  const fingers = new Map();
  let moved = 0;
  let scrubbing = false;
  let framing = false;
  // The page may have been scrolled since.
  slider.addEventListener("pointerenter", () => view.measure());
  slider.addEventListener("pointerdown", (event) => {
    view.measure();
    slider.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.offsetY });
    moved = 0;
    scrubbing = event.offsetY < HEIGHTS.axis;
    framing = !view.narrow() && event.offsetY > slider.clientHeight - HEIGHTS.overview + 6;
    if (scrubbing) view.seek(view.timeAt(event));
  });
  slider.addEventListener("pointermove", (event) => {
    view.hover = view.timeAt(event);
    view.redraw("cursor");
    view.card.show(event.clientX - view.left, view.hover);
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const dx = event.clientX - before.x;
    moved += Math.abs(dx);
    if (other) {
      const was = Math.abs(before.x - other.x);
      const is = Math.abs(event.clientX - other.x);
      if (was > 10 && is > 10) view.zoom(was / is, view.timeAt({ clientX: (event.clientX + other.x) / 2 }));
    } else if (scrubbing) view.seek(view.timeAt(event));
    else if (framing) view.overviewTo(event);
    else if (moved > 4 && view.narrow()) view.drag(view.playhead - dx * view.msPerPx());
    else if (moved > 4) view.pan(-dx * view.msPerPx());
    fingers.set(event.pointerId, { x: event.clientX, y: before.y });
  });
  const up = (/** @type {PointerEvent} */ event) => {
    view.release();
    if (fingers.delete(event.pointerId) && moved <= 4 && !scrubbing && event.type === "pointerup") {
      if (framing) view.overviewTo(event);
      else view.seek(view.timeAt(event));
    }
  };
  slider.addEventListener("pointerup", up);
  slider.addEventListener("pointercancel", up);
  slider.addEventListener("pointerleave", () => {
    view.hover = undefined;
    view.redraw("cursor");
    view.card.hide();
  });
}

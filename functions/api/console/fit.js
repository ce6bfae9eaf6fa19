// Footage of a few minutes is seen as a whole, once it is known how much there is.

import { known } from "./state.js";
import { MINUTE } from "./time.js";

const SHORT_MS = 40 * MINUTE;

/** Fits the span of a timeline, now or when cameras are known, until the answer is called. @param {import("./timeline.js").TimelineView} view */
export function fit(view) {
  let isDone = false;
  const look = () => {
    if (isDone || !known.cameras) return;
    isDone = true;
    const all = view.names.map((name) => known.camera(name));
    const first = Math.min(...all.map((one) => one?.first ?? NaN));
    const last = Math.max(...all.map((one) => one?.last ?? NaN));
    // A live camera's first seconds would run through the picture.
    const side = Math.max((last - first) * 0.1, (MINUTE - (last - first)) / 2);
    if (last - first < SHORT_MS) view.show(first - side, last + side);
  };
  look();
  return known.on("cameras", look);
}

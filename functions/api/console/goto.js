// "Go to a time": a date and a time of the shown zone's clocks, which asks where they say it twice.

import { button, closeButton, fill, h, showDialog } from "./dom.js";
import { fromWall, text, twin, utc, wall } from "./time.js";

/** Asks for a time. @param {number} near what is in the field at first @param {(ms: number) => void} go */
export function askTime(near, go) {
  const field = h("input", { type: "datetime-local", step: "1", value: utc(wall(near)).slice(0, 19), required: true, "aria-label": "Date and time" });
  const choices = h("p.row");
  const end = (/** @type {number} */ ms) => {
    dialog.close();
    go(ms);
  };
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const ms = fromWall(Date.parse(`${field.value}Z`));
    const other = twin(ms);
    if (Number.isNaN(ms)) return;
    if (other === undefined) end(ms);
    else fill(choices, "The clocks said this twice.", ...[ms, other].sort((a, b) => a - b).map((one) => button(text(one, "zoned"), () => end(one))));
  };
  const dialog = showDialog("Go to a time", h("form.goto", { onsubmit: submit }, field, h("button.button.primary", { type: "submit" }, "Go"), closeButton()), choices);
}

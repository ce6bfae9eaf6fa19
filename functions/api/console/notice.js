// The line above the page: no connection, a token that is needed, a clock that is wrong.

import { Failure, clockSkew, line, lineState, token, useToken } from "./api.js";
import { button, byId, fill, h, icon, say, setText } from "./dom.js";
import { happenings } from "./happenings.js";
import { known } from "./state.js";
import { MINUTE, SECOND, length } from "./time.js";
import { trouble } from "./words.js";

const LONGEST_S = 30;
/** From here on the viewer's clock is said to be wrong. */
const SKEW_MS = 2000;
/** How often it is asked what is new: where the server does not tell, and where it does. */
const EVERY_MS = 2000;
const SELDOM_MS = 15_000;
/** What happens at once is asked for once. */
const TOGETHER_MS = 250;

/** Keeps asking for what is new, and says why it does not come. */
export function keepFresh() {
  let wait = 1;
  /** When it is asked again. */
  let again = 0;
  let drawn = "";
  const count = h("span");
  // Seconds that are counted are not said, so that it is no live region.
  const region = { role: "region", "aria-label": "Notice" };

  /** Whether the server is asked again by and by. */
  const waits = () => !["ok", "unauthorized", "forbidden"].includes(lineState());
  let askedAt = 0;
  let asking = false;
  async function ask() {
    // A server that is slow is not asked again before it has answered.
    if (asking) return;
    asking = true;
    askedAt = performance.now();
    try {
      await known.refresh();
      wait = 1;
    } catch (error) {
      if (waits()) {
        again = performance.now() + Math.max(wait * 1000, error instanceof Failure ? error.retryMs : 0);
        wait = Math.min(LONGEST_S, wait * 2);
      }
    }
    asking = false;
    draw();
  }

  function signIn(/** @type {SubmitEvent} */ event) {
    event.preventDefault();
    const field = /** @type {HTMLInputElement} */ (byId("token"));
    if (!field.value) return;
    useToken(field.value.trim());
    known.gatewaysAt = -Infinity;
    ask();
  }

  function draw() {
    const state = lineState();
    // Where it is minutes off, seconds are not known so well that they would be told.
    const unit = Math.abs(clockSkew()) > 2 * MINUTE ? MINUTE : SECOND;
    const skew = Math.abs(clockSkew()) > SKEW_MS ? Math.round(clockSkew() / unit) * unit : 0;
    const left = Math.ceil((again - performance.now()) / 1000);
    setText(count, left > 0 ? `Next try in ${left} s.` : "Trying.");
    const key = state === "ok" ? `ok ${skew}` : state;
    if (key === drawn) return;
    drawn = key;
    const place = byId("notice");
    if (waits()) {
      say(`${trouble(state).title}. What is loaded stays usable.`);
      fill(place, h("div.notice.warned", region, icon(state === "offline" ? "offline" : "warning", "warn"), h("strong", `${trouble(state).title}.`), "What is loaded stays usable. ", count,
        h("span.space"), button("Try now", () => { again = 0; ask(); })));
    } else if (state === "unauthorized" || state === "forbidden") {
      const words = state === "forbidden" ? "This is not allowed here. Enter a token that is for it."
        : token() === null ? "A token is needed to see what was recorded." : "The token does not count any more. Enter another one.";
      say(words);
      fill(place, h("form.notice.warned", { "aria-label": "Sign-in", onsubmit: signIn }, icon("lock", "warn"), h("label", { for: "token" }, words),
        h("input", { id: "token", type: "password", autocomplete: "off", required: true }), h("button.button.primary", { type: "submit" }, "Use token")));
    } else if (skew !== 0) {
      const words = `This device’s clock is ${length(Math.abs(skew))} ${skew > 0 ? "behind" : "ahead"}. Times here are the server’s.`;
      say(words);
      fill(place, h("div.notice", region, words));
    } else {
      if (place.querySelector(".warned")) say("Connected again");
      const isInside = place.contains(document.activeElement);
      fill(place);
      // Whoever signed in is not sent to the top of the page.
      if (isInside) byId("main").focus();
    }
  }

  line.on("line", draw);
  line.on("doubt", () => {
    if (lineState() === "ok" && performance.now() - askedAt > EVERY_MS / 2) ask();
  });
  setInterval(() => {
    if (!waits()) return;
    draw();
    if (performance.now() >= again) ask();
  }, 1000);
  setInterval(() => {
    if (lineState() === "ok" && !document.hidden && performance.now() - askedAt > (happenings.isOpen ? SELDOM_MS : EVERY_MS) - 100) ask();
  }, EVERY_MS);
  let soon = false;
  happenings.on("happened", () => {
    // A server that wants to be left alone is.
    if (soon || waits()) return;
    soon = true;
    setTimeout(() => {
      soon = false;
      ask();
    }, TOGETHER_MS);
  });
  for (const name of ["online", "offline"]) addEventListener(name, ask);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && lineState() === "ok") ask();
  });
  const first = ask();
  happenings.start();
  return first;
}

// The console: which screen is shown, by the address.
//
// `#/` the live wall · `#/camera/SITE/NAME?t=…Z` one camera at an instant, live without one ·
// `#/side?cameras=SITE/NAME,SITE/NAME&t=…Z` several at one instant · `#/search?…` · `#/health`

import { cameraScreen } from "./camera.js";
import { byId, say } from "./dom.js";
import { health } from "./health.js";
import { keepFresh } from "./notice.js";
import { search } from "./search.js";
import { mark, shell } from "./shell.js";
import { side } from "./side.js";
import { cameraLink, decoded, known } from "./state.js";
import { parse } from "./time.js";
import { wall } from "./wall.js";

/** @typedef {{ close: () => void, go?: (ms: number | undefined) => void }} Screen */

/** @type {Screen | undefined} */
let screen;
let shown = "";

/** Reads the address. */
function place() {
  const [path = "", query = ""] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: new URLSearchParams(query) };
}

/** @param {"again" | "if-new"} when */
function show(when) {
  const { parts, query } = place();
  const [name = "live", site, camera] = parts;
  const main = byId("main");
  if (name === "camera" && (site === undefined || camera === undefined)) {
    const first = known.cameras?.[0];
    if (first) {
      location.replace(cameraLink(first));
      return;
    }
  }
  const key = [...parts, query.get("cameras") ?? ""].join("\n");
  const t = parse(query.get("t") ?? undefined);
  const at = Number.isNaN(t) ? undefined : t;
  if (when === "if-new" && key === shown && screen) {
    screen.go?.(at);
    return;
  }
  screen?.close();
  // A page that was not shown yet is not laid out for it.
  if (screen) main.scrollTop = 0;
  shown = key;
  if (name === "camera" && site !== undefined && camera !== undefined) {
    main.className = "camera";
    screen = cameraScreen(main, { site, camera }, at);
    mark("camera", `${site}/${camera}`);
    document.title = `${camera} · Framepost`;
  } else {
    const screens = /** @type {Record<string, [string, () => Screen]>} */ ({
      side: ["Side by side", () => side(main, query)], search: ["Search", () => search(main, query)], health: ["Health", () => health(main)],
    });
    const found = Object.hasOwn(screens, name) ? screens[name] : undefined;
    const [title, make] = found ?? ["Live", () => wall(main)];
    main.className = "";
    screen = make();
    mark(found ? name : "live", "");
    document.title = `${title} · Framepost`;
  }
}

/** Gives the focus to the title of a screen that somebody went to: it is said, and Tab goes on from there. Where the place of a screen
 * reader went with the screen before, it may be at the title already, and say nothing. @param {boolean} wasInside */
function readFromTop(wasInside) {
  const title = byId("main").querySelector("h1");
  title?.setAttribute("tabindex", "-1");
  title?.focus({ preventScroll: true });
  if (wasInside) say(title?.textContent ?? "");
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
shell(() => show("again"));
addEventListener("hashchange", () => {
  const before = screen;
  const wasInside = byId("main").contains(document.activeElement);
  show("if-new");
  if (screen !== before) readFromTop(wasInside);
});
const fresh = keepFresh();
const { parts, query } = place();
// A camera's screen, and several cameras', want to know where the footage ends, but for a camera at an instant.
if (parts[0] === "side" || (parts[0] === "camera" && !(parts.length > 2 && query.has("t")))) await fresh;
show("again");

// What stands around every screen: the side bar, the tabs of phones, the list of keys.

import { now } from "./api.js";
import { byId, closeButton, fill, h, icon, iconButton, setText, showDialog } from "./dom.js";
import { KEYS, keySwitch, onKeys } from "./keys.js";
import { switchTheme } from "./palette.js";
import { cameraLink, freshness, isFresh, known } from "./state.js";
import { switchZone, zoneText } from "./time.js";

const SCREENS = /** @type {const} */ ([["live", "Live", "#/"], ["side", "Side by side", "#/side"], ["search", "Search", "#/search"], ["health", "Health", "#/health"]]);

/** @type {Map<string, { link: HTMLElement, age: HTMLElement, mark: HTMLElement, tone: string }>} */
const rows = new Map();

/** @param {() => void} redraw draws the screen again */
export function shell(redraw) {
  const zone = h("button.button.bare.zone", { title: "Change between your time and UTC", onclick: () => {
    switchZone();
    setText(zone, zoneText(now()));
    redraw();
  } }, zoneText(now()));
  const cameras = h("div.cameras", { tabindex: "-1" });
  fill(byId("side"),
    h("a.brand", { href: "#/" }, icon("logo", "large"), h("span", "Framepost")),
    h("div.screens", ...SCREENS.map(([name, words, href]) => h("a", { href, "data-screen": name, title: words }, icon(name), h("span", words)))),
    h("h2.section", "Cameras"), cameras, h("span.space"), h("div", { id: "calendar" }),
    h("div.side-foot", zone, h("span.space"), iconButton("keys", "Keys", () => showKeys(), "bare"), iconButton("theme", "Dark or light", switchTheme, "bare")));
  const tabs = SCREENS.map((one) => (one[0] === "side" ? /** @type {const} */ (["camera", "Camera", "#/camera"]) : one));
  fill(byId("tabs"), ...tabs.map(([name, words, href]) => h("a", { href, "data-screen": name }, icon(name, "large"), words)));

  known.on("cameras", () => {
    rows.clear();
    fill(cameras, ...(known.cameras ?? []).map((camera) => {
      const age = h("span.age");
      const mark = h("span.mark");
      const link = h("a", { href: cameraLink(camera), title: camera.site }, mark, h("span.cut", camera.camera), age);
      rows.set(`${camera.site}/${camera.camera}`, { link, age, mark, tone: "" });
      return link;
    }));
    tick();
    mark();
  });
  setInterval(tick, 1000);
  onKeys((key) => {
    if (key === "?") showKeys();
    else if (key === "/") location.hash = "#/search";
    else if (/^[1-9]$/.test(key)) {
      const camera = known.cameras?.[Number(key) - 1];
      if (camera) location.hash = cameraLink(camera);
    } else return false;
    return true;
  });
}

function tick() {
  for (const camera of known.cameras ?? []) {
    const row = rows.get(`${camera.site}/${camera.camera}`);
    if (!row) continue;
    const { tone, age } = freshness(camera);
    setText(row.age, age);
    const shown = isFresh(camera) ? "fresh" : tone;
    if (row.tone === shown) continue;
    row.tone = shown;
    fill(row.mark, shown === "warn" ? icon("warning", "warn") : shown === "bad" ? icon("fault", "bad") : h("i"));
  }
}

let current = { screen: "live", camera: "" };

/** Marks where the person is. @param {string} [screen] @param {string} [camera] as `site/name` */
export function mark(screen = current.screen, camera = current.camera) {
  current = { screen, camera };
  const set = (/** @type {Element} */ link, /** @type {boolean} */ is) => { link.ariaCurrent = is ? "page" : null; };
  for (const link of document.querySelectorAll("[data-screen]")) set(link, link.getAttribute("data-screen") === screen);
  for (const [name, { link }] of rows) set(link, name === camera);
}

function showKeys() {
  showDialog("Keys", h("dl", ...KEYS.flatMap(([keys, does]) => [h("dt", `${keys} `), h("dd", `${does} `)])), keySwitch(), closeButton());
}

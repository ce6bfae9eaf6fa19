// Side by side: two to nine pictures of the same moment, with one timeline that has a lane for each.

import { now, pathOf } from "./api.js";
import { controls } from "./controls.js";
import { chip, fill, h, button, iconButton, say, setText } from "./dom.js";
import { Exporting } from "./exporting.js";
import { Player } from "./player.js";
import { reason } from "./stage.js";
import { cameraLink, copyLink, decoded, known, sameCamera } from "./state.js";
import { dateText, parse, utc } from "./time.js";
import { Together } from "./together.js";
import { TimelineView } from "./timeline.js";
import { travel, travelKeys } from "./travel.js";
import { range } from "./words.js";

const MOST = 9;
/** What is told stands this long. */
const NOTE_MS = 4000;

/** @param {URLSearchParams} asked @returns {Name[]} */
function wanted(asked) {
  const names = (asked.get("cameras") ?? "").split(",").filter(Boolean).map((one) => {
    const [site = "", ...camera] = one.split("/").map(decoded);
    return { site, camera: camera.join("/") };
  });
  return (names.length > 0 ? names : (known.cameras ?? []).slice(0, 4)).slice(0, MOST);
}

/** @param {Name} of */
function cell(of) {
  const video = h("video", { playsinline: true, "aria-label": of.camera });
  const still = h("canvas", { hidden: true });
  const words = h("div.words", { hidden: true });
  const open = h("a.tag", { title: "Open this camera at this moment" }, of.camera);
  const element = h("figure.cell.on-picture", video, still, words, h("figcaption", open));
  return { of, element, words, open, player: new Player(of, video, still) };
}

/** The screen. @param {HTMLElement} main @param {URLSearchParams} asked */
export function side(main, asked) {
  const names = wanted(asked);
  const end = () => Math.min(now(), ...names.map((name) => known.camera(name)?.last ?? Infinity)) - 3000;
  const t = parse(asked.get("t") ?? undefined);
  const cells = names.map(cell);
  // Without a moment, one of which all of them have footage, as far as there is one.
  const clock = new Together(cells.map(({ player }) => player), Number.isNaN(t) ? end() : t);
  const timeline = new TimelineView(names, clock.wall);
  const apart = h("span.quiet", { role: "status", "aria-live": "off" });
  const date = h("span.quiet.wide");
  const exporting = new Exporting(names, timeline, clock, []);
  const full = () => { grid.requestFullscreen?.(); };
  const { sighting, fault } = travel(timeline, clock, seek, tell);
  const bar = controls(clock, { sighting, full });
  const chosen = h("details.menu", h("summary.button.outlined", `${names.length} cameras`), h("div.chips", ...(known.cameras ?? []).map((one) => {
    const on = names.some((name) => sameCamera(name, one));
    return chip(on, () => change(one, on), one.camera);
  })));
  const grid = h("div.together", { "data-columns": cells.length <= 1 ? 1 : cells.length <= 4 ? 2 : 3 }, ...cells.map(({ element }) => element));
  fill(main, h("header.head", h("h1", "Side by side"), date, h("span.space"), apart, chosen, iconButton("link", "Copy a link to this moment", share), button("Export", () => exporting.open())),
    h("div.work", h("div.stage-column", grid, bar.element), exporting.panel), timeline.element);
  exporting.panel.hidden = true;

  /** Until when the head says something else than how far the pictures are apart. */
  let telling = 0;
  /** @param {string} words */
  function tell(words) {
    say(words);
    setText(apart, words);
    telling = performance.now() + NOTE_MS;
  }

  /** @param {Name[]} of */
  function address(of) {
    return `#/side?${new URLSearchParams({ cameras: of.map(pathOf).join(","), t: utc(clock.wall) })}`;
  }

  /** @param {Name} one @param {boolean} on */
  function change(one, on) {
    const next = on ? names.filter((name) => !sameCamera(name, one)) : [...names, one];
    if (next.length > 0 && next.length <= MOST) location.hash = address(next);
  }

  async function share() {
    tell(await copyLink(address(names)));
  }

  /** @param {number} ms */
  function seek(ms) {
    clock.seek(ms);
    timeline.moveTo(clock.wall, "reveal");
  }

  function heard() {
    const index = names.findIndex((name) => name === timeline.of);
    clock.hear(index);
    cells.forEach(({ element }, at) => element.classList.toggle("heard", at === index && names.length > 1));
  }
  cells.forEach(({ of, element }) => element.addEventListener("click", () => timeline.hear(of)));

  let said = 0;
  clock.on("time", () => {
    bar.show(clock.wall);
    timeline.moveTo(clock.wall);
    setText(date, dateText(clock.wall));
    if (performance.now() - said < 500) return;
    said = performance.now();
    for (const { of, words, open, player } of cells) {
      open.href = cameraLink(of, clock.wall);
      const why = player.slow ? "The line is slow" : player.thin ? "The line is slow: key pictures only" : reason(player, timeline.gapAt(clock.wall, of));
      words.hidden = why === "";
      setText(words, why);
    }
    if (performance.now() < telling) return;
    const frame = clock.frameMs();
    setText(apart, Number.isNaN(clock.apart) ? "" : clock.apart <= frame ? `All within one frame, ± ${Math.round(frame)} ms` : `${Math.round(clock.apart)} ms apart`);
  });
  clock.on("skipped", ({ from, to }) => tell(`Skipped ${range(from, to)}: no camera has video`));
  timeline.on("seek", seek);
  timeline.on("heard", heard);
  heard();
  const keys = travelKeys(timeline, clock, bar, exporting, seek, { sighting, fault, share, full, live: () => seek(end()) });

  return {
    /** @param {number | undefined} ms */
    go(ms) {
      if (ms !== undefined) seek(ms);
    },
    close() {
      keys();
      timeline.close();
      clock.close();
      exporting.end();
    },
  };
}

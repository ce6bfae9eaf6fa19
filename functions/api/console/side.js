// Several cameras on one clock: two to nine pictures of the same moment.

import { now } from "./api.js";
import { fill, h, icon, iconButton, say, setText } from "./dom.js";
import { onKeys } from "./keys.js";
import { Player } from "./player.js";
import { known } from "./state.js";
import { MINUTE, parse, text, utc } from "./time.js";
import { TimelineView } from "./timeline.js";
import { cause, range } from "./words.js";

const MOST = 9;
/** From here on a picture is sought anew; below, it plays a little faster or slower until it is there. */
const FAR_MS = 400;
const NEAR_MS = 12;
const SYNC_MS = 200;
/** Where no camera has video, playing goes on after this long. */
const SKIP_MS = 1500;

/** @typedef {{ site: string, camera: string }} Name */

class Cell {
  /** @param {Name} of */
  constructor(of) {
    this.of = of;
    this.video = h("video", { playsinline: true, "aria-label": of.camera });
    this.still = h("canvas", { hidden: true });
    this.words = h("div", { class: "words", hidden: true });
    this.element = h("figure", { class: "cell on-picture" }, this.video, this.still, this.words, h("figcaption", { class: "tag" }, of.camera));
    this.player = new Player(of, this.video, this.still);
    /** When there is video again, while there is none. @type {number | undefined} */
    this.again = undefined;
    this.lookedAt = NaN;
  }

  /** @param {number} wall @param {boolean} playing @param {TimelineView} timeline */
  sync(wall, playing, timeline) {
    const { player } = this;
    this.tell(wall, timeline);
    if (player.state === "gap" || player.state === "nothing") {
      if (this.lookedAt !== player.wall) {
        this.lookedAt = player.wall;
        this.again = undefined;
        player.next(player.wall).then((next) => { this.again = next && parse(next.from); }).catch(() => {});
      }
      if (this.again !== undefined && wall >= this.again) player.seek(wall);
      return;
    }
    if (player.state !== "ready") return;
    if (playing !== player.playing) {
      if (playing) player.play();
      else player.pause();
    }
    const ahead = player.wall - wall;
    if (Math.abs(ahead) > FAR_MS) player.seek(wall);
    else if (playing) this.video.playbackRate = Math.abs(ahead) < NEAR_MS ? 1 : Math.max(0.85, Math.min(1.15, 1 - ahead / 800));
    else if (Math.abs(ahead) > NEAR_MS && !this.video.seeking) player.seek(wall);
  }

  /** @param {number} wall @param {TimelineView} timeline */
  tell(wall, timeline) {
    const { state } = this.player;
    this.words.hidden = state === "ready" || state === "loading";
    if (this.words.hidden) return;
    const own = timeline.of.camera === this.of.camera && timeline.of.site === this.of.site;
    const gap = own ? timeline.gapAt(wall) : undefined;
    const words = state === "codec" ? "This browser cannot play its video"
      : state === "gap" || state === "nothing" ? gap ? `No video ${range(parse(gap.from), parse(gap.to))}: ${cause(gap)}` : "No video at this moment"
        : "The file did not arrive";
    setText(this.words, words);
  }
}

/** @param {URLSearchParams} asked @returns {Name[]} */
function wanted(asked) {
  const names = (asked.get("cameras") ?? "").split(",").filter(Boolean).map((one) => {
    const [site = "", ...camera] = one.split("/");
    return { site, camera: camera.join("/") };
  });
  const all = known.cameras ?? [];
  return (names.length > 0 ? names : all.slice(0, 4)).slice(0, MOST);
}

/** The screen. @param {HTMLElement} main @param {URLSearchParams} asked */
export function side(main, asked) {
  const names = wanted(asked);
  const ends = names.map((name) => parse(known.camera(name)?.last)).filter((end) => !Number.isNaN(end));
  const t = parse(asked.get("t") ?? undefined);
  // A moment of which all of them have footage, as far as there is one.
  let wall = Number.isNaN(t) ? Math.min(now(), ...ends) - 3000 : t;
  let playing = false;
  const cells = names.map((name) => new Cell(name));
  const apart = h("span", { class: "quiet" });
  const clock = h("b", {});
  const inUtc = h("span", { class: "faint" });
  const play = h("button", { type: "button", class: "button square play", "aria-label": "Play", onclick: () => toggle() }, icon("play"));
  const timeline = new TimelineView(names[0] ?? { site: "", camera: "" }, wall);
  timeline.show(wall - 2 * MINUTE, wall + MINUTE);
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Cameras" }, ...(known.cameras ?? []).map((one) => {
    const on = names.some((name) => name.site === one.site && name.camera === one.camera);
    return h("button", { type: "button", class: "chip", "aria-pressed": String(on), onclick: () => change(one, on) }, one.camera);
  }));
  const grid = h("div", { class: "together" }, ...cells.map((cell) => cell.element));
  grid.dataset.columns = String(cells.length <= 1 ? 1 : cells.length <= 4 ? 2 : 3);
  fill(main, h("header", { class: "head" }, h("h1", {}, "Side by side"), apart, h("span", { class: "space" }), chips), grid,
    h("div", { class: "controls padded" }, h("div", { class: "clock" }, clock, inUtc), h("div", { class: "row" }, play),
      h("div", { class: "row end" }, h("span", { class: "faint wide" }, `Timeline of ${timeline.of.camera}`), iconButton("link", "Copy a link to this moment", share))),
    timeline.element);
  timeline.element.classList.add("plain");

  /** @param {Name[]} of */
  function address(of) {
    return `#/side?${new URLSearchParams({ cameras: of.map((one) => `${one.site}/${one.camera}`).join(","), t: utc(wall) })}`;
  }

  /** @param {Name} one @param {boolean} on */
  function change(one, on) {
    const next = on ? names.filter((name) => name.site !== one.site || name.camera !== one.camera) : [...names, { site: one.site, camera: one.camera }];
    if (next.length > 0 && next.length <= MOST) location.hash = address(next);
  }

  async function share() {
    const link = new URL(address(names), location.href).href;
    history.replaceState(null, "", link);
    await navigator.clipboard?.writeText(link).catch(() => {});
    say("The link is in the address bar");
  }

  function toggle() {
    playing = !playing;
    fill(play, icon(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    for (const { player } of cells) {
      if (playing) player.play();
      else player.pause();
    }
  }

  /** @param {number} ms */
  function seek(ms) {
    wall = ms;
    timeline.moveTo(ms, "reveal");
    for (const { player } of cells) player.seek(ms);
  }

  let before = performance.now();
  let syncedAt = 0;
  let emptySince = 0;
  let running = true;
  function frame(/** @type {number} */ at) {
    if (!running) return;
    const passed = Math.min(500, at - before);
    before = at;
    // Nobody runs ahead of one that still loads.
    if (playing && cells.every(({ player }) => player.state !== "loading")) wall = Math.min(now(), wall + passed);
    if (at - syncedAt > SYNC_MS) {
      syncedAt = at;
      for (const cell of cells) cell.sync(wall, playing, timeline);
      const times = cells.filter(({ player }) => player.state === "ready").map(({ player }) => player.wall);
      const empty = playing && cells.every(({ player }) => player.state === "gap" || player.state === "nothing");
      if (!empty) emptySince = at;
      const again = Math.min(...cells.map((cell) => cell.again ?? Infinity));
      if (at - emptySince > SKIP_MS && again < Infinity) seek(again);
      setText(apart, times.length > 1 ? `at most ${Math.round(Math.max(...times) - Math.min(...times))} ms apart` : "");
    }
    setText(clock, text(Math.floor(wall), "hms"));
    setText(inUtc, `${utc(wall).slice(11, 19)} UTC`);
    timeline.moveTo(wall);
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
  timeline.addEventListener("seek", (/** @type {any} */ event) => seek(event.detail));
  const keys = onKeys((key, event) => {
    const step = event.shiftKey ? MINUTE : 1000;
    if (key === " " || key === "k") toggle();
    else if (key === "ArrowLeft") seek(wall - step);
    else if (key === "ArrowRight") seek(wall + step);
    else return false;
    return true;
  });
  seek(wall);

  return {
    close() {
      running = false;
      keys();
      timeline.close();
      for (const { player } of cells) player.close();
    },
  };
}

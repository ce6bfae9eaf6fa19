// The live wall: every camera's newest picture, how old it is, and its last day.

import { json, lineState, now } from "./api.js";
import { plays } from "./buffer.js";
import { chip, fill, h, icon, setText } from "./dom.js";
import { draw, picture } from "./pictures.js";
import { cameraLink, freshness, isFresh, known, sameCamera } from "./state.js";
import { Strip } from "./strip.js";
import { HOUR, MINUTE, text, utc } from "./time.js";
import { labelText, sign } from "./words.js";

/** A sighting that ended this long ago is "now" on the picture. */
const NOW_MS = 10_000;
/** A strip, which tells what was seen last, is asked for once a minute; what is new in between, of all cameras at once, no more often than this. */
const NEWS_MS = 3000;
const NEWS_OF_MS = 2 * MINUTE;
const NEWS_MAX = 100;
/** Pictures change no more often than this where somebody wants little motion. */
const CALM_MS = 3000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

class Tile {
  /** @param {Camera} camera */
  constructor(camera) {
    this.camera = camera;
    this.canvas = h("canvas", { width: 640, height: 360, "aria-hidden": "true" });
    this.tag = h("div.tag", { hidden: true });
    this.over = h("div.over", { hidden: true });
    this.seen = h("span.row.last-seen");
    this.age = h("span.age");
    this.strip = new Strip(camera);
    this.element = h("a.tile", { href: cameraLink(camera) },
      h("div.caption", h("span.name", camera.camera), h("span.space"), this.seen, this.age),
      // Above the words, and read behind the camera's name as a part of what the link is called.
      h("figure.on-picture", { role: "presentation" }, this.canvas, this.tag, this.over), this.strip.canvas);
    this.visible = false;
    this.watch = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1)?.isIntersecting ?? false;
      this.update();
    });
    this.watch.observe(this.element);
    this.drawn = "";
    this.drawnAt = -Infinity;
    this.busy = false;
    this.unplayable = false;
    this.tagged = "";
    this.lastSeen = "";
    /** What was seen last, where that is newer than the strip. @type {Sighting | undefined} */
    this.news = undefined;
  }

  close() {
    this.watch.disconnect();
    this.strip.close();
  }

  /** What changes without anything new. */
  tick() {
    const { tone, age, why } = freshness(this.camera);
    const words = age === "not known" || age === "no picture" || age === "now" ? age : `${age} ago`;
    setText(this.age, words);
    const late = !isFresh(this.camera) && why !== "";
    this.element.classList.toggle("dim", late && tone === "bad");
    this.over.hidden = !this.unplayable && !(late && tone === "bad");
    if (!this.over.hidden && !this.unplayable) {
      const last = this.camera.last ?? NaN;
      setText(this.over, "");
      fill(this.over, h("strong.row", icon("fault", "bad"), `No video since ${text(last, now() - last > 20 * HOUR ? "date" : "hm")}`), h("span", `${why}. Last picture ${text(last, "hms")}.`));
    }
    const listed = this.strip.data?.sightings.at(-1);
    const seen = this.news && this.news.to >= (listed?.to ?? 0) ? this.news : listed;
    const current = seen && now() - seen.to < NOW_MS ? seen.label : "";
    const tag = late && tone !== "bad" ? `${tone} ${why}` : current && `seen ${current}`;
    if (this.tagged !== tag) {
      this.tagged = tag;
      this.tag.hidden = tag === "";
      if (late && tone === "warn") fill(this.tag, icon("warning", "warn"), why);
      else if (late) fill(this.tag, why);
      else if (current) fill(this.tag, sign(current), labelText(current));
    }
    const last = seen ? `${seen.label} ${seen.from}` : "";
    if (this.lastSeen !== last) {
      this.lastSeen = last;
      fill(this.seen, ...(seen ? [sign(seen.label), `${labelText(seen.label)} ${text(seen.from, "hm")}`] : []));
    }
  }

  /** Shows the newest picture, if somebody can see it. */
  async update() {
    this.camera = known.camera(this.camera) ?? this.camera;
    if (!this.visible || document.hidden) return;
    this.strip.load();
    const chunk = this.camera.lastChunk;
    if (!chunk || this.drawn === chunk.key || this.busy || (calm.matches && performance.now() - this.drawnAt < CALM_MS)) return;
    if (!plays(chunk.mimeType)) {
      this.drawn = chunk.key;
      this.unplayable = true;
      this.over.hidden = false;
      fill(this.over, h("strong", "This browser cannot play this camera’s video"), h("span", chunk.mimeType.split("\"")[1] ?? ""));
      return;
    }
    this.busy = true;
    try {
      const bitmap = await picture(chunk, -0.05);
      draw(this.canvas, bitmap);
      this.drawn = chunk.key;
      this.drawnAt = performance.now();
      this.unplayable = false;
      performance.mark("framepost-wall-picture");
    } catch {
      // The next chunk may be better.
    } finally {
      this.busy = false;
    }
  }
}

/** The screen. @param {HTMLElement} main */
export function wall(main) {
  /** @type {Tile[]} */
  let tiles = [];
  /** @type {string | undefined} */
  let label;
  const count = h("span.quiet");
  const chips = h("div.chips", { role: "group", "aria-label": "The last 24 hours" });
  const grid = h("div.wall", { tabindex: "-1" });
  fill(main, h("header.head", h("h1", "Live"), count, h("span.space"), chips), grid);

  function build() {
    for (const tile of tiles) tile.close();
    tiles = (known.cameras ?? []).map((camera) => new Tile(camera));
    grid.dataset.columns = String(known.cameras === undefined ? 2 : tiles.length <= 1 ? 1 : tiles.length <= 4 ? 2 : tiles.length <= 9 ? 3 : 4);
    if (known.cameras === undefined) fill(grid, ...Array.from({ length: 4 }, () => h("div.tile.blank", h("figure"))));
    else if (tiles.length === 0) {
      fill(grid, h("div.first", h("h2", "Nothing records here yet"),
        h("p", "This page changes by itself when the first file comes. On a machine that reaches a camera:"),
        h("pre", h("code", "framepost up rtsp://camera.example/stream"))));
    } else fill(grid, ...tiles.map((tile) => tile.element));
    fresh();
  }

  function choose(/** @type {string | undefined} */ next) {
    label = next;
    for (const tile of tiles) {
      tile.strip.label = label;
      tile.strip.draw();
    }
    drawnLabels = "";
    drawChips();
  }

  let drawnLabels = "";
  function drawChips() {
    const labels = [...new Set(tiles.flatMap((tile) => tile.strip.data?.counts.map((one) => one.label) ?? []))].sort();
    const key = `${labels} ${label}`;
    if (key === drawnLabels) return;
    drawnLabels = key;
    fill(chips, ...(labels.length === 0 ? [] : [h("span.quiet.wide", { "aria-hidden": "true" }, "The last 24 hours:"), chip(label === undefined, () => choose(undefined), "All"),
      ...labels.map((of) => chip(of === label, () => choose(of), sign(of), labelText(of)))]));
  }

  function tick() {
    for (const tile of tiles) tile.tick();
    const fine = tiles.filter((tile) => isFresh(tile.camera)).length;
    setText(count, tiles.length === 0 || lineState() !== "ok" ? "" : `${fine} of ${tiles.length} cameras up to date`);
    drawChips();
  }

  let askedAt = -Infinity;
  /** Asks what was seen just now. */
  async function look() {
    if (performance.now() - askedAt < NEWS_MS || tiles.length === 0 || document.hidden) return;
    askedAt = performance.now();
    try {
      /** @type {{ sightings: Sighting[] }} */
      const { sightings } = await json("/v1/sightings", { from: utc(now() - NEWS_OF_MS), limit: NEWS_MAX });
      sightings.sort((a, b) => a.to - b.to);
      for (const tile of tiles) {
        tile.news = sightings.findLast((one) => sameCamera(one, tile.camera));
        // The strip has no such label, or nothing yet.
        if (tile.news && !tile.strip.data?.counts.some(({ label }) => label === tile.news?.label)) tile.strip.stale();
      }
      tick();
    } catch {
      // What was seen before stays.
    }
  }

  function fresh() {
    for (const tile of tiles) tile.update();
    tick();
    look();
  }

  const deaf = [known.on("cameras", build), known.on("fresh", fresh)];
  const ticking = setInterval(tick, 1000);
  build();
  return {
    close() {
      for (const end of deaf) end();
      clearInterval(ticking);
      for (const tile of tiles) tile.close();
    },
  };
}

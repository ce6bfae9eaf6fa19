// One camera: picture, controls, proof, what was seen, timeline.

import { line, lineState, now } from "./api.js";
import { Boxes } from "./boxes.js";
import { Calendar } from "./calendar.js";
import { controls } from "./controls.js";
import { byId, fill, h, iconButton, button, say, setText } from "./dom.js";
import { ExportPanel, plan } from "./export.js";
import { cameraKeys } from "./keys.js";
import { Player } from "./player.js";
import { ProofView } from "./proof.js";
import { SeenList } from "./seen.js";
import { Stage } from "./stage.js";
import { cameraLink, known } from "./state.js";
import { TimelineView } from "./timeline.js";
import { MINUTE, SECOND, dateText, fromWall, midnight, parse, wall } from "./time.js";
import { cause, range, size } from "./words.js";

/** A gap in which playing stands is gone over after this long. */
const SKIP_MS = 1500;

/** The screen. @param {HTMLElement} main @param {{ site: string, camera: string }} of @param {number | undefined} at the instant; live without */
export function cameraScreen(main, of, at) {
  const stage = new Stage();
  const player = new Player(of, stage.video, stage.still);
  const last = parse(known.camera(of)?.last);
  const start = at ?? (Number.isNaN(last) ? now() : Math.min(now(), last));
  const timeline = new TimelineView(of, start);
  // Footage of a few minutes is seen as a whole.
  const first = parse(known.camera(of)?.first);
  if (last - first < 40 * MINUTE) timeline.show(first - (last - first) * 0.1, last + (last - first) * 0.1);
  const boxes = new Boxes(of, stage.boxes);
  const proof = new ProofView();
  const seen = new SeenList();
  const exporting = new ExportPanel(of);
  const calendar = new Calendar(of, start);
  const date = h("span", { class: "quiet wide" });
  const live = button("Go to live", () => goLive(), "bare");
  const panel = h("div", { class: "panel" }, proof.element, seen.element, exporting.element);
  const bar = controls(player, { sighting: nextSighting, boxes: toggleBoxes, full: () => { stage.element.requestFullscreen?.(); } });
  fill(main,
    h("header", { class: "head" }, h("h1", {}, of.camera), date, h("span", { class: "space" }), live, iconButton("link", "Copy a link to this moment", share), button("Export", openExport, "outlined")),
    h("div", { class: "work" }, h("div", { class: "stage-column" }, stage.element, bar.element), panel), timeline.element);
  const place = document.getElementById("calendar");
  place?.replaceChildren(calendar.element);

  let gapSince = 0;
  /** @type {{ at: number, after: number | undefined, before: number | undefined }} */
  let around = { at: NaN, after: undefined, before: undefined };

  function seek(/** @type {number} */ ms) {
    player.live = false;
    stage.note.hidden = true;
    timeline.moveTo(ms, "reveal");
    player.seek(ms);
  }

  function goLive() {
    player.goLive();
    say("Live");
  }

  function toggleBoxes() {
    boxes.shown = !boxes.shown;
    boxes.at(player.wall);
    return boxes.shown;
  }

  function nextSighting(/** @type {number} */ step) {
    const all = (timeline.day?.sightings ?? []).filter((one) => !timeline.hidden.has(one.label)).map((one) => parse(one.from));
    const found = step > 0 ? all.find((ms) => ms > player.wall + 600) : all.findLast((ms) => ms < player.wall - 600);
    if (found === undefined) stage.tell(step > 0 ? "No later sighting on this day" : "No earlier sighting on this day");
    else seek(found);
  }

  function nextFault(/** @type {number} */ step) {
    const all = [...(timeline.day?.gaps ?? []), ...(timeline.data?.gaps ?? [])].map((gap) => parse(gap.from)).sort((a, b) => a - b);
    const found = step > 0 ? all.find((ms) => ms > player.wall + 1) : all.findLast((ms) => ms < player.wall - 1);
    if (found === undefined) stage.tell(step > 0 ? "No later gap on this day" : "No earlier gap on this day");
    else seek(found + 1);
  }

  async function share() {
    const link = new URL(cameraLink(of, player.wall), location.href).href;
    history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      stage.tell("The link is copied");
    } catch {
      stage.tell("The link is in the address bar");
    }
  }

  function openExport() {
    if (timeline.marked.from === undefined) timeline.mark("from", Math.max(player.wall - 10 * SECOND, parse(known.camera(of)?.first) || 0));
    if (timeline.marked.to === undefined) timeline.mark("to", Math.min(player.wall + 10 * SECOND, parse(known.camera(of)?.last) || now()));
    proof.element.hidden = seen.element.hidden = true;
    exporting.element.hidden = false;
    exporting.heading.focus();
    ranged();
  }

  function closeExport() {
    exporting.element.hidden = true;
    proof.element.hidden = seen.element.hidden = false;
  }

  let planned = 0;
  function ranged() {
    const { from, to } = timeline.marked;
    if (from === undefined || to === undefined) return;
    const mine = (planned += 1);
    if (!exporting.element.hidden) exporting.show({ from, to }, timeline.data?.gaps ?? []);
    plan(of, from, to).then((found) => {
      if (mine === planned) timeline.tellRange(size(found.sizeBytes));
    }).catch(() => {});
  }

  /** Where a picture is on both sides of a time without one. @param {number} ms */
  async function lookAround(ms) {
    around = { at: ms, after: undefined, before: undefined };
    const gap = timeline.gapAt(ms);
    const runs = (timeline.data?.recorded ?? []).map((run) => ({ from: parse(run.from), to: parse(run.to) }));
    const before = runs.findLast((run) => run.to <= ms)?.to ?? (gap && parse(gap.from));
    const next = await player.next(ms).catch(() => undefined);
    if (around.at !== ms) return;
    around = { at: ms, after: next && parse(next.from), before: before === undefined ? undefined : before - 200 };
    changed();
  }

  function changed() {
    const ms = player.wall;
    const missing = player.state === "gap" || player.state === "nothing";
    bar.show();
    timeline.moveTo(ms);
    boxes.at(player.state === "ready" ? ms : NaN);
    proof.show(missing ? undefined : player.chunk);
    calendar.show(ms);
    setText(date, dateText(ms));
    live.hidden = player.live;
    const key = chosenAt(ms);
    if (key !== timeline.chosen) {
      timeline.chosen = key;
      timeline.dirty = true;
      seen.choose(key);
    }
    if (missing && around.at !== ms) lookAround(ms);
    if (!missing) gapSince = 0;
    else if (gapSince === 0) gapSince = performance.now();
    stage.show(player, timeline.gapAt(ms), { go: seek, after: around.after, before: around.before, retry: () => player.retry(), live: goLive });
  }

  /** @param {number} ms */
  function chosenAt(ms) {
    const found = timeline.day?.sightings.findLast((one) => ms >= parse(one.from) && ms <= parse(one.to) + 500);
    return found && found.from + found.label;
  }

  function skipped(/** @type {any} */ event) {
    const { from, to } = event.detail;
    const gap = timeline.gapAt((from + to) / 2);
    const words = `Skipped ${range(from, to)}: ${gap ? cause(gap) : player.bad.size > 0 ? "the file is damaged" : "no reason was recorded"}`;
    stage.tell(words);
    say(words);
  }

  const standing = setInterval(() => {
    if (player.playing && gapSince > 0 && performance.now() - gapSince > SKIP_MS && around.after !== undefined) {
      const to = around.after;
      skipped({ detail: { from: player.wall, to } });
      gapSince = 0;
      player.seek(to);
    }
  }, 250);
  const back = () => {
    if (lineState() === "ok" && player.state === "offline") player.seek(player.wall);
  };
  line.addEventListener("line", back);
  player.addEventListener("time", changed);
  player.addEventListener("skipped", skipped);
  timeline.addEventListener("seek", (/** @type {any} */ event) => seek(event.detail));
  timeline.addEventListener("range", ranged);
  timeline.addEventListener("data", () => {
    seen.show(timeline.day, timeline.daySpan.from);
    changed();
  });
  seen.addEventListener("go", (/** @type {any} */ event) => seek(parse(event.detail.from)));
  exporting.addEventListener("close", closeExport);
  exporting.addEventListener("range", (/** @type {any} */ event) => {
    timeline.marked = { ...event.detail };
    timeline.ranged();
  });
  calendar.addEventListener("day", (/** @type {any} */ event) => {
    // The same time of day, on the day that was chosen.
    const ms = fromWall(wall(event.detail) + (wall(player.wall) - wall(midnight(player.wall))));
    seek(ms);
  });
  const keys = cameraKeys({
    toggle: bar.toggle, sound: bar.sound, boxes: bar.boxes, rate: bar.rate, step: (frames) => player.step(frames),
    move: (ms) => seek(player.wall + ms), sighting: nextSighting, fault: nextFault, live: goLive, share, verify: () => proof.verify(), export: openExport,
    mark: (end) => timeline.mark(end), clear: () => timeline.clearRange(), zoom: (factor) => timeline.zoom(factor),
    day: () => timeline.show(midnight(player.wall), midnight(player.wall, 1)), start: () => seek(midnight(player.wall)),
    full: () => { stage.element.requestFullscreen?.(); }, close: closeExport,
  });
  if (at === undefined) {
    if (now() - last < MINUTE) player.goLive();
    else player.seek(Number.isNaN(last) ? start : last - 100);
  } else player.seek(at);
  changed();
  byId("main").scrollTop = 0;

  return {
    /** Another instant of the same camera. @param {number | undefined} ms */
    go(ms) {
      if (ms === undefined) goLive();
      else seek(ms);
    },
    close() {
      clearInterval(standing);
      line.removeEventListener("line", back);
      keys();
      player.close();
      timeline.close();
      stage.close();
      place?.replaceChildren();
    },
  };
}

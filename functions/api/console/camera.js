// One camera: picture, controls, proof, what was seen, timeline.

import { now } from "./api.js";
import { Boxes } from "./boxes.js";
import { Calendar } from "./calendar.js";
import { controls } from "./controls.js";
import { fill, h, iconButton, button, say, setText } from "./dom.js";
import { Exporting } from "./exporting.js";
import { Player } from "./player.js";
import { ProofView } from "./proof.js";
import { SeenList } from "./seen.js";
import { Stage } from "./stage.js";
import { cameraLink, copyLink, known } from "./state.js";
import { TimelineView } from "./timeline.js";
import { MINUTE, dateText, fromWall, midnight, wall } from "./time.js";
import { travel, travelKeys } from "./travel.js";
import { cause, range } from "./words.js";

/** A gap in which playing stands is gone over after this long. */
const SKIP_MS = 1500;
/** What stands around a picture is asked for when that is there, or after this long. */
const PICTURE_FIRST_MS = 150;

/** The screen. @param {HTMLElement} main @param {Name} of @param {number | undefined} at the instant; live without */
export function cameraScreen(main, of, at) {
  const stage = new Stage();
  const player = new Player(of, stage.video, stage.still);
  const last = (known.camera(of)?.last ?? NaN);
  const start = at ?? (Number.isNaN(last) ? now() : Math.min(now(), last));
  // The picture is asked for first. The page is made while the answer is on its way, and what else it shows is asked for behind the picture.
  const opening = at === undefined && now() - last < MINUTE ? player.goLive() : player.seek(at ?? (Number.isNaN(last) ? start : last - 100));
  const first = Promise.race([opening, new Promise((go) => setTimeout(go, PICTURE_FIRST_MS))]);
  const timeline = new TimelineView([of], start, first);
  const boxes = new Boxes(of, stage.boxes);
  const proof = new ProofView();
  const seen = new SeenList();
  const exporting = new Exporting([of], timeline, player, [proof.element, seen.element]);
  const calendar = new Calendar(of, start, first);
  const date = h("span.quiet.wide");
  const live = button("Go to live", () => goLive(), "bare");
  const full = () => { stage.element.requestFullscreen?.(); };
  const { sighting, fault } = travel(timeline, player, seek, (words) => stage.tell(words));
  const bar = controls(player, { sighting, boxes: toggleBoxes, full });
  fill(main,
    h("header.head", h("h1", of.camera), date, h("span.space"), live, iconButton("link", "Copy a link to this moment", share), button("Export", () => exporting.open())),
    h("div.work", h("div.stage-column", stage.element, bar.element), exporting.panel), timeline.element);
  const place = document.getElementById("calendar");
  place?.replaceChildren(calendar.element);

  /** Since when there is no picture that could be played here; 0 where there is one. */
  let standingSince = 0;
  const isMissing = () => player.state === "gap" || player.state === "nothing";
  /** @type {{ at: number, after: number | undefined, before: number | undefined }} */
  let around = { at: NaN, after: undefined, before: undefined };

  function seek(/** @type {number} */ ms) {
    player.live = false;
    stage.note.hidden = true;
    timeline.moveTo(ms, "reveal");
    player.seek(ms);
  }

  function goLive() {
    timeline.waiting = [];
    player.goLive();
    say("Live");
  }

  function toggleBoxes() {
    boxes.shown = !boxes.shown;
    boxes.at(player.wall);
    return boxes.shown;
  }

  async function share() {
    stage.tell(await copyLink(cameraLink(of, player.wall)));
  }

  /** Where a picture is on both sides of a time without one. @param {number} ms */
  async function lookAround(ms) {
    around = { at: ms, after: undefined, before: undefined };
    const gap = timeline.gapAt(ms);
    const before = timeline.data?.recorded.findLast((run) => run.to <= ms)?.to ?? (gap && gap.from);
    const next = await player.supply.next(ms).catch(() => undefined);
    if (around.at !== ms) return;
    around = { at: ms, after: next && next.from, before: before === undefined ? undefined : before - 200 };
    changed();
  }

  function changed() {
    const ms = player.wall;
    const missing = isMissing();
    const { loaded } = timeline.footage;
    bar.show((player.state === "ready" && !player.isSkimming() ? player.buffer.began(player.video.currentTime) : undefined) ?? ms);
    timeline.moveTo(ms);
    boxes.at(player.state === "ready" ? ms : NaN);
    proof.show(missing ? undefined : player.chunk);
    calendar.show(ms);
    setText(date, dateText(ms));
    live.hidden = player.live;
    const key = chosenAt(ms);
    if (key !== timeline.chosen) {
      timeline.chosen = key;
      timeline.redraw();
      seen.choose(key);
    }
    if (missing && around.at !== ms) lookAround(ms);
    if (!missing && !["gone", "damaged", "codec"].includes(player.state)) standingSince = 0;
    else if (standingSince === 0) standingSince = performance.now();
    if (timeline.faults.length !== player.supply.bad.size) {
      timeline.faults = [...player.supply.bad.values()];
      timeline.redraw();
    }
    stage.show(player, timeline.gapAt(ms), timeline.removedAt(ms), { go: seek, after: around.after, before: around.before, retry: () => player.retry(), live: goLive, isKnown: ms >= loaded.from && ms < loaded.to });
  }

  /** @param {number} ms */
  function chosenAt(ms) {
    const found = timeline.day?.sightings.findLast((one) => ms >= one.from && ms <= one.to + 500);
    return found && found.from + found.label;
  }

  function skipped(/** @type {Span} */ { from, to }) {
    const middle = (from + to) / 2;
    const gap = timeline.gapAt(middle);
    const removed = timeline.removedAt(middle);
    const bad = [...player.supply.bad.values()].find((one) => one.to > from && one.from < to);
    const why = bad ? `the file is ${bad.why}` : gap ? cause(gap) : removed ? "the video was removed" : player.state === "codec" ? "this browser cannot play it" : timeline.data ? "no reason was recorded" : "";
    // Before the timeline is there, nobody knows of a reason.
    stage.tell(`Skipped ${range(from, to)}${why && `: ${why}`}`);
  }

  const standing = setInterval(async () => {
    if (!player.playing || standingSince === 0 || performance.now() - standingSince < SKIP_MS) return;
    standingSince = performance.now() + 60_000;
    const from = player.wall;
    const to = isMissing() ? around.after : await player.supply.onward().catch(() => undefined);
    if (to === undefined || player.wall !== from || !player.playing) {
      standingSince = 0;
      return;
    }
    skipped({ from, to });
    player.seek(to);
  }, 250);
  player.on("time", changed);
  player.on("skipped", skipped);
  timeline.on("seek", seek);
  timeline.on("data", () => {
    seen.show(timeline.day, timeline.daySpan.from);
    changed();
  });
  seen.on("go", ({ from }) => seek(from));
  // The same time of day, on the day that was chosen.
  calendar.on("day", (day) => seek(fromWall(wall(day) + (wall(player.wall) - wall(midnight(player.wall))))));
  const keys = travelKeys(timeline, player, bar, exporting, seek, { boxes: bar.boxes, sighting, fault, live: goLive, share, verify: () => proof.verify(), full });
  changed();

  return {
    /** Another instant of the same camera. @param {number | undefined} ms */
    go(ms) {
      if (ms === undefined) goLive();
      else seek(ms);
    },
    close() {
      clearInterval(standing);
      keys();
      exporting.end();
      player.close();
      timeline.close();
      stage.close();
      place?.replaceChildren();
    },
  };
}

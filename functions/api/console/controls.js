// The controls below the picture: the picture's time, playing, speed, sound, boxes.

import { fill, h, icon, iconButton, isSpoken, say, setText } from "./dom.js";
import { text, utc } from "./time.js";

/** Thousandths of a second stand in front of the half of the day, where clocks have twelve hours. */
const digits = new Intl.NumberFormat(undefined, { minimumIntegerDigits: 3 });

const RATES = [0.25, 0.5, 1, 2, 4, 8, 16, 32];

/** What plays: one camera, or several on one clock.
 * @typedef {{ wall: number, playing: boolean, rate: number, video: HTMLVideoElement, play: () => void, pause: () => void,
 *   setRate: (rate: number) => void, step: (frames: number) => void }} Playing */

/**
 * @param {Playing} player
 * @param {{ sighting: (step: number) => void, boxes?: () => boolean, full: () => void }} actions
 */
export function controls(player, actions) {
  const clock = h("b");
  const thousandths = h("small");
  const half = h("b");
  const inUtc = h("span.faint");
  const play = h("button.button.square.play", { "aria-label": "Play", onclick: () => toggle() }, icon("play"));
  const rate = h("select.rate", { "aria-label": "Speed", onchange: (event) => player.setRate(Number(event.target.value)) },
    ...RATES.map((value) => h("option", { value, selected: value === 1 }, `${value}×`)));
  const sound = iconButton("muted", "Sound", () => {
    player.video.muted = !player.video.muted;
    fill(sound, icon(player.video.muted ? "muted" : "sound"));
    sound.setAttribute("aria-pressed", String(!player.video.muted));
  });
  sound.setAttribute("aria-pressed", "false");
  const boxes = iconButton("boxes", "Boxes", () => boxes.setAttribute("aria-pressed", String(actions.boxes?.() ?? false)));
  boxes.setAttribute("aria-pressed", "true");

  function toggle() {
    if (player.playing) player.pause();
    else player.play();
    // A slider that has the focus tells the time itself.
    const isSlider = document.activeElement?.role === "slider" && isSpoken(document.activeElement);
    say(player.playing ? "Playing" : isSlider ? "Paused" : `Paused at ${text(player.wall, "hms")}`);
  }

  let playing = false;
  return {
    element: h("div.controls",
      h("div.clock", h("span", clock, thousandths, half), inUtc),
      h("div.row", iconButton("previous", "Sighting before", () => actions.sighting(-1)), iconButton("back", "Frame back", () => player.step(-1), "wide"),
        play, iconButton("forward", "Frame on", () => player.step(1), "wide"), iconButton("next", "Next sighting", () => actions.sighting(1))),
      h("div.row.end.wide", rate, sound, actions.boxes && boxes, iconButton("full", "Full screen", actions.full))),
    toggle,
    sound: () => sound.click(),
    boxes: () => boxes.click(),
    /** @param {number} step */
    rate(step) {
      const next = RATES[RATES.indexOf(player.rate) + step];
      if (next === undefined) return;
      rate.value = String(next);
      player.setRate(next);
      say(`Speed ${next}×`);
    },
    /** Shows a time, that of the picture where there is one. @param {number} at */
    show(at) {
      const ms = Math.round(at);
      const [, seconds = "", day = ""] = /^(.*\p{Nd})(\P{Nd}*)$/u.exec(text(ms, "hms")) ?? [];
      setText(clock, seconds);
      setText(thousandths, `.${digits.format(((ms % 1000) + 1000) % 1000)}`);
      setText(half, day);
      setText(inUtc, `${utc(ms).slice(11, 19)} UTC`);
      if (rate.value !== String(player.rate)) rate.value = String(player.rate);
      if (playing !== player.playing) {
        playing = player.playing;
        fill(play, icon(playing ? "pause" : "play"));
        play.setAttribute("aria-label", playing ? "Pause" : "Play");
      }
    },
  };
}

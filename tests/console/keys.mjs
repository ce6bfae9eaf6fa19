// The keys, the spans of the timeline, the sound and the boxes of one camera, and what screen readers are told meanwhile.

import { check, until } from "./browser.mjs";
import { heard } from "./heard.mjs";

const LONGEST_S = 31 * 86_400;
const SHORTEST_S = 10;
/** More turns than lead from one end of the scale to the other. */
const TURNS = 20;

/** Presses what `drive.mjs` does not. `seen` are the sightings that are put in; the first is in the second file. */
export async function keys(page, { base, site, camera, sounding, chunks, gap, seen }) {
  const time = (iso) => Date.parse(iso);
  const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
  /** Whether the playhead comes to a time, which a picture's beginning may be beside by a frame. */
  const stands = (ms) => until(page, (s) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - s) < 0.045, ms / 1000);
  let visits = 0;
  const goes = async (ms, name = camera) => {
    // An address that is the same as before is nowhere to go.
    visits = (visits + 1) % 9;
    await page.goto(`${base}#/camera/${site}/${name}?t=${new Date(ms + visits).toISOString()}`);
    return stands(ms + visits);
  };
  const press = async (...all) => { for (const key of all) await page.keyboard.press(key); };
  const shifted = async (key) => {
    await page.keyboard.down("Shift");
    await press(key);
    await page.keyboard.up("Shift");
  };
  const says = (words) => until(page, (words) => document.querySelector("#say").textContent.includes(words), words);
  const tags = (words) => until(page, (words) => document.querySelector(".stage > .tag").textContent === words, words);
  const value = (words) => until(page, (words) => (document.querySelector(".lanes").getAttribute("aria-valuetext") ?? "").includes(words), words);
  const span = () => page.$eval(".lanes", (element) => Math.round((element.getAttribute("aria-valuemax") - element.getAttribute("aria-valuemin")) * 1000) / 1000);
  const start = time(chunks[1].from) + 300;

  // A detector's picture is at the beginning of the file, and its box is gone half a second after it.
  const boxes = (count) => until(page, (count) => document.querySelectorAll(".box").length === count, count);
  await goes(start);
  check("a box is there at its moment", await isReady() && await boxes(1));
  await goes(start - 400);
  check("not before", await isReady() && await boxes(0));
  await goes(start + 400);
  check("and not after", await isReady() && await boxes(0));
  await goes(start);
  await boxes(1);
  await press("b");
  check("a key hides boxes", await boxes(0) && await page.$eval("[aria-label=Boxes]", (button) => button.getAttribute("aria-pressed") === "false"));
  await press("b");
  check("and shows them", await boxes(1));
  await goes(start - 600);
  await isReady();
  await page.evaluate(() => {
    globalThis.boxed = [];
    const clock = () => Number(/\d\d$/.exec(document.querySelector(".clock b").textContent)[0] + document.querySelector(".clock small").textContent);
    new MutationObserver(() => globalThis.boxed.push({ at: clock(), is: document.querySelector(".box") !== null }))
      .observe(document.querySelector(".work"), { childList: true, subtree: true, characterData: true });
  });
  await press(" ");
  check("play is said", await says("Playing"));
  await until(page, (ms) => document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 > ms, start + 600);
  await press(" ");
  check("and pause, with the time", await says("Paused at"));
  const boxed = (await page.evaluate(() => globalThis.boxed)).map(({ at, is }) => ({ after: (at - (time(chunks[1].from) / 1000) % 60 + 90) % 60 - 30, is }))
    // The next box is four seconds on, where a busy machine may have come to.
    .filter(({ after }) => after < 3);
  // What changes first may be the clock or the boxes.
  const early = boxed.filter(({ after, is }) => is !== (after >= -0.02 && after < 0.5) && Math.abs(after) > 0.2 && Math.abs(after - 0.5) > 0.2);
  check("playing, a box is there at its moment alone", boxed.some(({ is }) => is) && boxed.some(({ is }) => !is) && early.length === 0, early.map(({ after, is }) => `${is} ${after.toFixed(3)} s`).join(", "));

  // Moving in time.
  await goes(start);
  await press("l");
  check("L goes on by ten seconds", await stands(start + 10_000));
  await press("j");
  check("J goes back", await stands(start));
  await shifted("ArrowRight");
  check("Shift and an arrow go on by a minute", await stands(start + 60_000));
  await shifted("ArrowLeft");
  check("and back", await stands(start));
  await press("ArrowDown");
  check("an arrow down goes to the next sighting", await stands(time(seen[1].from)) && await says("vehicle"));
  check("which the slider says", await value("vehicle"));
  await press("ArrowDown", "ArrowDown");
  check("after the last one that is said", await stands(time(seen[2].from)) && await tags("No later sighting on this day") && await says("No later sighting"));
  await press("ArrowUp");
  check("an arrow up goes back to the one before", await stands(time(seen[1].from)));
  await press("]");
  check("a bracket goes to the next gap", await stands(time(gap.from) + 1) && await says("No video"));
  check("whose cause the slider says", await value("the source has no pictures here"));
  await press("]");
  check("after the last one that is said", await tags("No later gap on this day"));
  await goes(time(gap.to) + 2000);
  await press("[");
  check("the other bracket goes back to it", await stands(time(gap.from) + 1));
  await goes(start);
  await press("i");
  check("a range that is marked is said", await says("Range"));
  await press("ArrowRight", "o");
  await until(page, () => !document.querySelector(".fact").hidden);
  await press("x");
  check("X clears the range", await until(page, () => document.querySelector(".fact").hidden));
  await press("0");
  const day = await page.evaluate((ms) => [new Date(ms).setHours(0, 0, 0, 0), new Date(ms).setHours(24, 0, 0, 0)], start);
  check("0 shows the whole day", await until(page, ([from, to]) => ["min", "max"].every((name, index) => document.querySelector(".lanes").getAttribute(`aria-value${name}`) * 1000 === [from, to][index]), day));
  await press("Home");
  check("Home goes to where the day begins", await stands(day[0]));
  await press("End");
  // That is the newest footage, or the time itself where that is older than a minute and a half.
  check("End goes to the present", await until(page, (s) => document.querySelector(".lanes").getAttribute("aria-valuenow") > s - 5, time(chunks.at(-1).from) / 1000) && await says("Live"));
  await goes(start);
  await press("f");
  check("F shows the picture alone", await until(page, () => document.fullscreenElement?.matches(".stage") ?? false));
  await page.evaluate(() => document.exitFullscreen());

  // The scale, from one end to the other.
  await goes(start);
  const wheel = async (deltaY) => {
    const box = await (await page.$(".lanes")).boundingBox();
    await page.mouse.move(box.x + box.width / 3, box.y + 46);
    await page.mouse.wheel({ deltaY });
  };
  const button = (words) => page.click(`[aria-label="${words}"]`);
  const shows = (s) => until(page, (s) => Math.abs(["max", "min"].map((name) => document.querySelector(".lanes").getAttribute(`aria-value${name}`)).reduce((to, from) => to - from) - s) < 0.0005, s);
  const turns = async (count, turn) => { for (let made = 0; made < count; made += 1) await turn(); };
  await turns(TURNS, () => press("-"));
  check("a key leads to a month", await shows(LONGEST_S), `${await span()} s`);
  await button("Show more time");
  check("and nothing beyond it", await shows(LONGEST_S), `${await span()} s`);
  await button("Show less time");
  check("a button leads to half of it", await shows(LONGEST_S / 2), `${await span()} s`);
  await turns(TURNS, () => press("+"));
  check("a key leads to ten seconds, which is said", await shows(SHORTEST_S) && await says(" to "), `${await span()} s`);
  await button("Show more time");
  check("a button to twice that", await shows(2 * SHORTEST_S), `${await span()} s`);
  await turns(TURNS / 2, () => wheel(1500));
  check("the wheel leads to a month", await shows(LONGEST_S), `${await span()} s`);
  await turns(TURNS / 2, () => wheel(-1500));
  check("and to ten seconds", await shows(SHORTEST_S), `${await span()} s`);
  await page.mouse.move(0, 0);
  // The axis is read as it is drawn.
  const marks = await page.evaluate(() => new Promise((go) => {
    const drawn = [];
    const pen = CanvasRenderingContext2D.prototype;
    const real = pen.fillText;
    pen.fillText = function write(text, x, y) {
      if (this.canvas.parentElement?.matches(".lanes") && y < 24) drawn.push({ text, x });
      return real.call(this, text, x, y);
    };
    document.querySelector(".lanes").dispatchEvent(new WheelEvent("wheel", { deltaX: 1, bubbles: true, cancelable: true }));
    const look = () => {
      if (drawn.length < 3) return requestAnimationFrame(look);
      pen.fillText = real;
      return go(drawn);
    };
    look();
  }));
  const seconds = marks.filter(({ text }) => /:\d\d:\d\d/.test(text)).map(({ text, x }) => ({ s: Number(/:(\d\d)\D*$/.exec(text)[1]), x })).sort((a, b) => a.x - b.x);
  const apart = seconds.slice(1).map(({ s, x }, index) => ({ s: (s - seconds[index].s + 60) % 60, px: x - seconds[index].x }));
  check("there, marks are a second apart", apart.filter(({ s, px }) => s === 1 && px >= 74).length >= 3, JSON.stringify(apart));

  await heard(page, { base, camera, start, goes });

  // Sound: not of the element's own word alone, but as it comes out of it.
  const { first } = (await (await fetch(new URL("v1/cameras", base))).json()).cameras.find((one) => one.camera === sounding);
  await goes(time(first) + 1000, sounding);
  await isReady();
  await page.evaluate(() => {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaElementSource(document.querySelector("video")).connect(analyser).connect(context.destination);
    globalThis.loudest = () => {
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    };
  });
  const sound = (is) => until(page, (is) => document.querySelector("[aria-label=Sound]").getAttribute("aria-pressed") === String(is) && document.querySelector("video").muted === !is, is);
  const isHeard = (is) => until(page, (is) => (globalThis.loudest() > 0.01) === is, is);
  check("a picture begins without sound", await sound(false));
  await page.evaluate(() => document.querySelector(".play").click());
  await press("m");
  check("M lets it be heard", await sound(true) && await isHeard(true));
  await page.click("[aria-label=Sound]");
  check("the button takes the sound away", await sound(false) && await isHeard(false));
  if ((await page.$eval(".play", (button) => button.getAttribute("aria-label"))) === "Pause") await press("k");
}

// What somebody does with the timeline of a camera's day, for the checks of `many.mjs` and the figures of `speed.mjs`.

import { until } from "./browser.mjs";

export const HOUR = 3_600_000;

/** Zooming by the wheel: how far each of six turns goes. */
const WHEEL = [-200, -200, -200, -200, -300, -300, 400, 400, 300, 300, 200, 200];
const TURNS = 6;
const DRAG_PX = 400;
const STEP_PX = 10;
const KEYS = 20;

/** How far `drive` zooms in and out in all, as a power of e. The wheel's step is that of `gestures.js`. */
export const ZOOMED = WHEEL.reduce((sum, delta) => sum + Math.abs(delta) * TURNS * Math.log(1.0016), 0) + KEYS * Math.log(2);

/** The address of a camera at an instant, in milliseconds since 1970. */
export function addressOf(base, site, camera, ms) {
  return `${base}#/camera/${site}/${camera}?t=${new Date(ms).toISOString()}`;
}

/** Opens a camera at an instant. Whether it has a picture there, or says that there is none. */
export async function openAt(page, base, site, camera, ms) {
  await page.goto(addressOf(base, site, camera, ms));
  return until(page, () => {
    const words = document.querySelector(".words");
    return document.querySelector("video")?.readyState >= 2 || (words?.hidden === false && !words.textContent.startsWith("Loading"));
  });
}

/** Shows the whole day, and waits until what is in it is there. */
export async function wholeDay(page) {
  await page.click(".segments .button:nth-child(3)");
  // `fill.py` makes as many; before the answer comes, there are those of the span that was shown.
  await until(page, () => document.querySelector("ul.sr li")?.textContent.includes(", 960 sightings."));
}

/** Where the middle of the recorded lane is on the screen, and how wide it is. */
export async function lane(page) {
  const box = await (await page.$(".lanes")).boundingBox();
  return { left: box.x, width: box.width, x: box.x + box.width / 2, y: box.y + 46 };
}

/** Zooms by the wheel, pans by dragging, zooms by keys. */
export async function drive(page, { x, y }) {
  for (const delta of WHEEL) {
    await page.mouse.move(x + delta / 4, y);
    for (let turn = 0; turn < TURNS; turn += 1) await page.mouse.wheel({ deltaY: delta });
  }
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let dx = 0; dx < DRAG_PX; dx += STEP_PX) await page.mouse.move(x - dx, y);
  await page.mouse.up();
  for (let key = 0; key < KEYS; key += 1) await page.keyboard.press(key < KEYS / 2 ? "+" : "-");
}

/**
 * Clicks at twenty places of the day, each far from what the player has, and returns after how many milliseconds each had its picture,
 * or the words that there is none; NaN is never. The picture of before does not count: the page marks each new one.
 */
export async function click(page, { left, width, y }) {
  const took = [];
  const pictures = () => performance.getEntriesByName("framepost-picture").length;
  for (let index = 0; index < 20; index += 1) {
    const before = await page.evaluate(pictures);
    const began = Date.now();
    await page.mouse.click(left + width * (0.1 + ((index * 7) % 20) * 0.04), y);
    const is = await page.waitForFunction((before) => {
      const words = document.querySelector(".words");
      const video = document.querySelector("video");
      const isNew = performance.getEntriesByName("framepost-picture").length > before;
      return (isNew && words.hidden && video.readyState >= 2 && !video.seeking) || words.textContent.startsWith("No video");
    }, { polling: "raf" }, before).then(() => true, () => false);
    took.push(is ? Date.now() - began : NaN);
  }
  return took;
}

/** Returns a wait until the page has asked for nothing for half a second. What tells it of news is a question that never ends. */
export function quiet(page) {
  let last = performance.now();
  const seen = (request) => { if (!request.url().endsWith("/v1/events")) last = performance.now(); };
  for (const event of ["request", "requestfinished", "requestfailed"]) page.on(event, seen);
  return async () => {
    last = performance.now();
    while (performance.now() - last < 500) await new Promise((go) => setTimeout(go, 50));
  };
}

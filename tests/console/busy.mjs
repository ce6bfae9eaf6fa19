// A day of tens of thousands of files as somebody uses it: playing into a gap, scrubbing, keys, an export, a phone. What it costs is in `many.mjs`.

import { check, until } from "./browser.mjs";
import { openAt } from "./day.mjs";

/** As `fill.py` makes them: files to the first gap, in one, and from one sighting to the next. */
const FIRST_GAP = 4000;
const GAP = 40;
const SEEN_EVERY = 30;

/** Uses the day of a camera, which begins at `start`, in milliseconds since 1970. */
export async function busy(page, { base, site, camera, start }) {
  const asked = new URLSearchParams({ site, camera, from: new Date(start).toISOString(), to: new Date(start + 60_000).toISOString(), order: "oldest-first", limit: "1" });
  const { chunks: [chunk] } = await (await fetch(new URL(`v1/chunks?${asked}`, base))).json();
  const length = Date.parse(chunk.to) - Date.parse(chunk.from);
  const gap = { from: start + FIRST_GAP * length, to: start + (FIRST_GAP + GAP) * length };
  const isReady = () => until(page, () => document.querySelector(".words").hidden && document.querySelector("video").readyState >= 2 && !document.querySelector("video").seeking);
  const stands = (ms, near = 0.045) => until(page, (s, near) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - s) < near, ms / 1000, near);
  const now = () => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")) * 1000);

  await openAt(page, base, site, camera, gap.from - 3000);
  await isReady();
  // What is in the span has come, and the gap with it.
  await until(page, () => [...document.querySelectorAll("ul.sr button")].some((one) => one.textContent.endsWith("the camera did not answer")));
  const frames = () => page.evaluate(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames);
  const before = await frames();
  await page.keyboard.press("k");
  check("28 800 files: it plays into a gap, goes over it and says why", await until(page, () => document.querySelector(".stage > .tag").textContent.startsWith("Skipped") && document.querySelector(".stage > .tag").textContent.endsWith("the camera did not answer"))
    && await until(page, (s) => document.querySelector(".lanes").getAttribute("aria-valuenow") > s, gap.to / 1000 + 1), await page.$eval(".stage > .tag", (element) => element.textContent));
  check("28 800 files: with pictures", (await frames()) - before > 20, `${(await frames()) - before}`);
  await page.keyboard.press("k");
  await isReady();

  // The hour around the playhead, of which a pixel is some seconds.
  await page.click(".segments .button:nth-child(4)");
  await until(page, () => document.querySelector(".segments .button:nth-child(4)").getAttribute("aria-pressed") === "true" && document.querySelectorAll("ul.sr li").length > 0);
  const lanes = await (await page.$(".lanes")).boundingBox();
  await page.mouse.move(lanes.x + lanes.width * 0.3, lanes.y + 8);
  await page.mouse.down();
  for (let share = 0.3; share < 0.455; share += 0.01) await page.mouse.move(lanes.x + lanes.width * share, lanes.y + 8);
  await page.mouse.up();
  const pointed = await page.$eval(".lanes", (element, x) => {
    const [min, max] = ["min", "max"].map((end) => Number(element.getAttribute(`aria-value${end}`)) * 1000);
    const { left, width } = element.getBoundingClientRect();
    return min + ((x - left) / width) * (max - min);
  }, lanes.x + lanes.width * 0.45);
  check("28 800 files: a drag on the axis leads to the pointer, and to a picture", await stands(pointed, 10) && await isReady(), `${(await now()) - pointed} ms beside it`);

  await openAt(page, base, site, camera, gap.to + length * 11);
  await isReady();
  const reads = (words) => until(page, (words) => (document.querySelector(".lanes").getAttribute("aria-valuetext") ?? "").includes(words), words);
  const next = Math.ceil((FIRST_GAP + GAP + 11) / SEEN_EVERY) * SEEN_EVERY;
  // The day and what is seen of it have come.
  await until(page, () => document.querySelectorAll(".sighting").length > 0);
  await page.keyboard.press("ArrowDown");
  check("28 800 files: a key leads to the next sighting", await stands(start + next * length) && await isReady(), `${(await now()) - start - next * length} ms beside it`);
  await page.keyboard.press("[");
  check("28 800 files: another one to the gap before, whose cause is told", await stands(gap.from) && await reads("the camera did not answer"), await page.$eval(".lanes", (element) => element.getAttribute("aria-valuetext")));

  const inside = gap.to + length * 100;
  await openAt(page, base, site, camera, inside);
  await isReady();
  for (const key of ["i", "l", "o", "e"]) await page.keyboard.press(key);
  await until(page, () => document.querySelector(".foot-bar a")?.textContent.startsWith("Download"));
  const [said, size] = await page.evaluate(() => [document.querySelector(".export .sum p").textContent, document.querySelector(".foot-bar a").href]);
  const clip = await (await fetch(size)).arrayBuffer();
  const inWords = await page.evaluate((bytes) => consoleModule("words.js").then(({ size }) => size(bytes)), clip.byteLength);
  check("28 800 files: an export of a part has the size that is said", said.startsWith(inWords) && clip.byteLength > 10_000, `${said}; ${clip.byteLength} bytes`);
  await page.keyboard.press("Escape");

  const wide = page.viewport();
  await page.setViewport({ width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  await openAt(page, base, site, camera, gap.to + length * 50);
  const pinned = (before = Infinity) => until(page, (before) => {
    const [at, min, max] = ["now", "min", "max"].map((name) => Number(document.querySelector(".lanes").getAttribute(`aria-value${name}`)));
    return at * 1000 < before && Math.abs((at - min) / (max - min) - 0.5) < 0.01;
  }, before);
  await until(page, () => document.querySelectorAll(".gutter button").length >= 3);
  check("28 800 files: on a phone, the playhead stands in the middle of a picture's time", await isReady() && await pinned() && await page.evaluate(() => document.documentElement.scrollWidth <= 390));
  const box = await (await page.$(".lanes")).boundingBox();
  const stood = await now();
  await page.touchscreen.touchStart(box.x + box.width / 2, box.y + 46);
  for (let x = 0; x <= 60; x += 6) await page.touchscreen.touchMove(box.x + box.width / 2 + x, box.y + 46);
  await page.touchscreen.touchEnd();
  check("28 800 files: a finger moves time under it, to another picture", await pinned(stood - 60_000) && await isReady(), `by ${Math.round((stood - (await now())) / 1000)} s`);
  await page.setViewport(wide);
}

// Nine cameras at one moment: `node nine.mjs BASE SITE PICTURES UNEVEN RATED CAMERA...`. All of them have footage of the same time, whose
// pictures carry a number in bars, black and white, which counts frames. The numbers say how far the pictures are from each other. A
// CAMERA has 25 a second; those of RATED have as many as stands beside their names, `slow=10,quick=50`.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { check, end, open, until } from "./browser.mjs";
import { frames } from "./frames.mjs";
import { rates } from "./rates.mjs";

const [base, site, pictures, uneven, rated, ...cameras] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
/** Bars of a picture, each of one bit, the lowest first. */
const BARS = 12;
const RATES = Object.fromEntries(rated.split(",").map((one) => one.split("=")).map(([name, rate]) => [name, Number(rate)]));
/** So often a busy machine begins again. */
const ROUNDS = 8;
const { chunks } = await (await fetch(new URL(`v1/chunks?site=${site}&camera=${cameras[0]}&order=oldest-first&limit=2`, base))).json();
const { browser, page } = await open();
await page.evaluateOnNewDocument((bars, rates) => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  /** The number in a picture, of a video or on a canvas. */
  globalThis.numberIn = (picture) => {
    [canvas.width, canvas.height] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
    context.drawImage(picture, 0, 0);
    const bits = Array.from({ length: bars }, (_, bar) => context.getImageData(((bar + 0.5) * canvas.width) / bars, canvas.height / 2, 1, 1).data[0] > 127);
    return bits.reduce((number, bit, bar) => number + (bit ? 2 ** bar : 0), 0);
  };
  /** The number in each of the pictures, all of them read in one go. */
  globalThis.numbers = () => [...document.querySelectorAll(".cell video")].map((video) => (video.readyState < 2 || video.seeking ? NaN : globalThis.numberIn(video)));
  /** When each picture begins and ends, in seconds of the footage. */
  globalThis.spans = () => {
    const names = [...document.querySelectorAll(".cell figcaption")].map((one) => one.textContent);
    return globalThis.numbers().map((number, index) => [0, 1].map((end) => (number + end) / (rates[names[index]] ?? 25)));
  };
  /** None begins later than another one ends: of cameras that are equally quick, the numbers differ by 1 at most. */
  globalThis.isWithinOneFrame = () => {
    const spans = globalThis.spans();
    return spans.length > 0 && Math.max(...spans.map(([from]) => from)) <= Math.min(...spans.map(([, to]) => to)) + 0.001;
  };
}, BARS, RATES);
const told = () => page.evaluate(() => globalThis.numbers().join(" "));
const within = () => until(page, () => globalThis.isWithinOneFrame());
const button = () => page.$eval(".play", (element) => element.getAttribute("aria-label"));
const names = cameras.map((name) => `${site}/${name}`).join(",");
await page.goto(`${base}#/side?cameras=${names}&t=${new Date(Date.parse(chunks[1].from) + 300).toISOString()}`);
check("there is a picture of each", await until(page, (count) => [...document.querySelectorAll(".cell video")].filter((video) => video.readyState >= 2).length === count, cameras.length));
check("standing, they are within one frame of each other", await within(), await told());
const began = await page.waitForFunction(() => Math.max(...globalThis.numbers()) || false, { polling: 50 }).then((handle) => handle.jsonValue());
await page.keyboard.press(".");
check("a step goes on with all of them", await until(page, (began) => globalThis.numbers().every((number) => number > began) && globalThis.isWithinOneFrame(), began), await told());
await page.keyboard.press(" ");
check("all of them play", await until(page, (number) => globalThis.numbers().every((one) => one > number), began + 50), await told());
// Twelve pictures of each, while all that are shown at one moment are within one frame. A busy machine, on which some come late, begins again.
const stays = async () => {
  let near = { is: false };
  for (let round = 0; round < ROUNDS && !near.is; round += 1) {
    near = await page.evaluate(() => new Promise((go) => {
      let first;
      let longest = 0;
      const look = () => {
        // In pictures of most of the cameras.
        const least = Math.min(...globalThis.spans().map(([from]) => from * 25));
        if (globalThis.isWithinOneFrame()) first ??= least;
        else first = undefined;
        if (first !== undefined) longest = Math.max(longest, least - first);
        if (longest >= 12 || least > 850) go({ is: longest >= 12, longest });
        else requestAnimationFrame(look);
      };
      look();
    }));
    if (!near.is) await page.evaluate((from) => { location.hash = location.hash.replace(/t=.*/, `t=${encodeURIComponent(from)}`); }, new Date(Date.parse(chunks[1].from) + 300 + round).toISOString());
  }
  return near;
};
const near = await stays();
check("playing, they stay within one frame of each other", near.is, `for ${near.longest} pictures; ${await told()}; ${await page.$eval(".head [role=status]", (element) => element.textContent)}`);
await page.keyboard.press(" ");
check("a key pauses", await until(page, () => document.querySelector(".play").getAttribute("aria-label") === "Play"), await button());
check("paused, they are within one frame of each other", await within(), await told());
check("and the page says so", await until(page, () => document.querySelector(".head [role=status]").textContent.startsWith("All within one frame")));
await page.screenshot({ path: path.join(pictures, "nine.png") });

// Cameras that are slower and quicker than the others.
const mixed = [...Object.keys(RATES), ...cameras].slice(0, 9);
await page.goto(`${base}#/side?cameras=${mixed.map((name) => `${site}/${name}`).join(",")}&t=${new Date(Date.parse(chunks[1].from) + 330).toISOString()}`);
await page.reload();
const times = () => page.evaluate(() => globalThis.spans().map((ends) => ends.map((end) => end.toFixed(2)).join("–")).join(" "));
check("cameras of different rates: there is a picture of each", await until(page, (count) => [...document.querySelectorAll(".cell video")].filter((video) => video.readyState >= 2).length === count, mixed.length));
check("standing, they show one moment", await within(), await times());
const before = await page.waitForFunction(() => Math.max(...globalThis.spans().map(([from]) => from)) || false, { polling: 50 }).then((handle) => handle.jsonValue());
await page.keyboard.press(" ");
await until(page, (before) => globalThis.spans().every(([from]) => from > before + 2), before);
const close = await stays();
check("playing, too", close.is, `for ${close.longest} pictures; ${await times()}`);
await page.keyboard.press(" ");
check("and paused", await until(page, () => document.querySelector(".play").getAttribute("aria-label") === "Play") && await within(), await times());
await frames(page, { base, site, camera: cameras[0], uneven, slow: Object.keys(RATES)[0], chunks });
await rates(page, { base, site, camera: cameras[0], chunks });
await end(browser);

// How quickly the console answers, with a day of tens of thousands of files: `node speed.mjs BASE SITE CAMERA START FEW FEW_START PICTURES`,
// as `many.mjs`. The same inputs go to a page that draws one rectangle for each frame, which is what the browser and its driver cost, and
// to a processor that is as it is and one that is four times slower. Prints milliseconds, and each as a multiple of the peer's.

import { check, failures, open, until } from "./browser.mjs";
import { HOUR, addressOf, click, drive, lane, openAt, quiet, wholeDay } from "./day.mjs";

/** How often a page is opened. */
const OPENINGS = 12;

const [base, site, camera, start, few, fewStart] = process.argv.slice(2);
const { browser, page } = await open();
const isQuiet = quiet(page);
const share = (list, of) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) * of)] ?? NaN;

/** Has the page note from each input to the end of the frame that answers it, and the tasks of more than 50 ms. */
function listen() {
  globalThis.answered = [];
  globalThis.blocked = [];
  for (const type of ["wheel", "pointermove", "keydown", "pointerdown"]) {
    addEventListener(type, ({ timeStamp }) => {
      // A frame that is asked for here is the one in which the page draws; a task behind it runs when that is done.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => globalThis.answered.push(performance.now() - timeStamp);
        channel.port2.postMessage(0);
      });
    }, { capture: true, passive: true });
  }
  globalThis.drawn = [];
  new PerformanceObserver((list) => globalThis.drawn.push(...list.getEntriesByName("framepost-timeline").map((one) => one.duration))).observe({ type: "measure" });
  new PerformanceObserver((list) => globalThis.blocked.push(...list.getEntries().map((one) => one.duration))).observe({ type: "longtask" });
}

/** A page with a canvas of the same size, which draws one rectangle in each frame that follows an input. */
async function emptyPage() {
  await page.goto("about:blank");
  await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.className = "lanes";
    canvas.width = 1088;
    canvas.height = 190;
    document.body.append(canvas);
    const pen = canvas.getContext("2d");
    let x = 0;
    let dirty = false;
    for (const type of ["wheel", "pointermove", "keydown", "pointerdown"]) addEventListener(type, () => { dirty = true; });
    const frame = () => {
      if (dirty) pen.fillRect((x += 1), 0, 1, 190);
      dirty = false;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

/** The milliseconds of each input of the drive, and of the tasks that kept others waiting. */
async function answers() {
  const at = await lane(page);
  await page.evaluate(listen);
  await drive(page, at);
  return page.evaluate(() => ({ answered: globalThis.answered, blocked: globalThis.blocked, drawn: globalThis.drawn }));
}

/** Opens a page, and returns the milliseconds from when that begins until the browser shows a picture of the camera. */
async function firstPicture(page, address) {
  await page.setViewport({ width: 1440, height: 900 });
  await page.evaluateOnNewDocument(() => {
    globalThis.picture = new Promise((go) => {
      const watch = new MutationObserver(() => {
        const video = document.querySelector("video");
        if (!video) return;
        watch.disconnect();
        video.requestVideoFrameCallback((at) => go(at));
      });
      watch.observe(document, { childList: true, subtree: true });
    });
  });
  await page.goto(address);
  const took = await page.evaluate(() => globalThis.picture);
  await page.close();
  return took;
}

const ms = (number) => `${number.toFixed(1)} ms`;
const row = (what, mine, peer, peerName) => console.log(`${what.padEnd(44)} ${ms(mine).padStart(10)} ${ms(peer).padStart(10)} ${(mine / peer).toFixed(2).padStart(7)}  ${peerName}`);
console.log(`${"".padEnd(44)} ${"console".padStart(10)} ${"peer".padStart(10)} ${"ratio".padStart(7)}`);
const session = await page.createCDPSession();
for (const rate of [1, 4]) {
  const of = rate === 1 ? "" : `, processor ${rate} times slower`;
  const throttle = (by) => session.send("Emulation.setCPUThrottlingRate", { rate: by });
  await emptyPage();
  await throttle(rate);
  const peer = await answers();
  const day = async (camera, start) => {
    await throttle(1);
    await openAt(page, base, site, camera, Number(start) + 9 * HOUR);
    await page.reload();
    await until(page, () => document.querySelector("video")?.readyState >= 2 || document.querySelector(".words")?.hidden === false);
    await wholeDay(page);
    await isQuiet();
    await throttle(rate);
    return answers();
  };
  const small = await day(few, fewStart);
  const large = await day(camera, start);
  for (const part of [0.5, 0.95]) {
    row(`input to picture, p${part * 100}, 28 800 files${of}`, share(large.answered, part), share(peer.answered, part), "a canvas with one rectangle");
  }
  row(`input to picture, p95, 28 800 files${of}`, share(large.answered, 0.95), share(small.answered, 0.95), "288 files");
  row(`a drawing, p95, 28 800 files${of}`, share(large.drawn, 0.95), share(small.drawn, 0.95), "288 files");
  console.log(`tasks of more than 50 ms${of}: ${large.blocked.length}, the longest ${ms(Math.max(0, ...large.blocked))}; with 288 files ${small.blocked.length}; on the canvas ${peer.blocked.length}`);
  check(`all inputs were answered${of}`, large.answered.length > 80 && small.answered.length > 80, `${large.answered.length}; ${peer.answered.length} on the canvas; a slow page has some at once`);
  await throttle(1);
}
await wholeDay(page);
const took = await click(page, await lane(page));
const began = performance.now();
await page.goto("about:blank");
const empty = performance.now() - began;
for (const part of [0.5, 0.95]) row(`click to picture, p${part * 100} (budget 150)`, share(took, part), empty, "opening an empty page");
const address = addressOf(base, site, camera, Number(start) + 9 * HOUR);
const [first, again] = [[], []];
for (let time = 0; time < OPENINGS; time += 1) {
  // A context of its own has nothing of the console, and then all of it.
  const context = await browser.createBrowserContext();
  for (const times of [first, again]) times.push(await firstPicture(await context.newPage(), address));
  await context.close();
}
for (const [times, which] of [[first, "for the first time"], [again, "again"]]) {
  for (const part of [0.5, 0.95]) row(`first picture of a page opened ${which}, p${part * 100} (budget 300)`, share(times, part), empty, "opening an empty page");
}
await browser.close();
process.exit(failures() === 0 ? 0 : 1);

// A camera with a day of tens of thousands of files: `node many.mjs BASE SITE CAMERA START PICTURES`, where the day begins at START,
// in milliseconds since 1970. From an input to the picture that answers it no more than 100 ms pass, for 95 of 100 inputs.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { check, complaints, failures, open, until } from "./browser.mjs";

const [base, site, camera, start, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const HOUR = 3_600_000;
const { browser, page } = await open();
const middle = Number(start) + 9 * HOUR;
await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(middle).toISOString()}`);
check("a moment of the day shows its picture", await until(page, () => document.querySelector("video")?.readyState >= 2));
const p95 = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length * 0.95)] ?? NaN;

/** From each input to the end of the frame that draws what it asks for, in milliseconds. */
await page.evaluate(() => {
  globalThis.answered = [];
  for (const type of ["wheel", "pointermove", "keydown", "pointerdown"]) {
    addEventListener(type, (event) => {
      const { timeStamp } = event;
      // A frame that is asked for here is the one in which the timeline draws; a task behind it runs when that is done.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => globalThis.answered.push(performance.now() - timeStamp);
        channel.port2.postMessage(0);
      });
    }, { capture: true, passive: true });
  }
});
const lanes = await (await page.$(".lanes")).boundingBox();
const [x, y] = [lanes.x + lanes.width / 2, lanes.y + 46];
await page.click(".segments .button:nth-child(3)");
await until(page, () => document.querySelectorAll("ul.sr li").length > 0);
for (const delta of [-200, -200, -200, -200, -300, -300, 400, 400, 300, 300, 200, 200]) {
  await page.mouse.move(x + delta / 4, y);
  for (let step = 0; step < 6; step += 1) await page.mouse.wheel({ deltaY: delta });
}
await page.mouse.move(x, y);
await page.mouse.down();
for (let dx = 0; dx < 400; dx += 10) await page.mouse.move(x - dx, y);
await page.mouse.up();
for (let step = 0; step < 20; step += 1) await page.keyboard.press(step < 10 ? "+" : "-");
const { answered, drawn } = await page.evaluate(() => ({
  answered: globalThis.answered, drawn: performance.getEntriesByName("framepost-timeline").map((one) => one.duration),
}));
check("from an input to the picture, 95 of 100", p95(answered) < 100, `${p95(answered).toFixed(1)} ms of ${answered.length} inputs`);
check("a drawing of the timeline, 95 of 100", p95(drawn) < 16, `${p95(drawn).toFixed(1)} ms of ${drawn.length}`);
await page.click(".segments .button:nth-child(3)");
await until(page, () => document.querySelectorAll("ul.sr li").length > 0);
await page.screenshot({ path: path.join(pictures, "many.png") });

// Anywhere in the day, a click shows its picture, or says that there is none.
const took = [];
for (let index = 0; index < 10; index += 1) {
  const began = Date.now();
  await page.mouse.click(lanes.x + lanes.width * (0.42 + index * 0.04), y);
  const is = await until(page, () => {
    const words = document.querySelector(".words");
    const video = document.querySelector("video");
    return (words.hidden && video.readyState >= 2 && !video.seeking) || words.textContent.startsWith("No video");
  });
  took.push(is ? Date.now() - began : NaN);
}
check("a click anywhere shows what there is", !took.some(Number.isNaN), `${took.join(", ")} ms`);
check("no errors", complaints.length === 0, complaints.join(" | "));
await browser.close();
process.exit(failures() === 0 ? 0 : 1);

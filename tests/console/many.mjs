// A camera with a day of tens of thousands of files: `node many.mjs BASE SITE CAMERA START FEW FEW_START PICTURES`. A day begins at its
// START, in milliseconds since 1970. FEW is a camera whose day is as long and has as much in it, with a hundredth of the files.
//
// Work is counted, not timed: what the page does for an input depends on the pixels and not on the files. `speed.mjs` has the times.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { check, end, open, settled, until } from "./browser.mjs";
import { busy } from "./busy.mjs";
import { filters } from "./filters.mjs";
import { HOUR, ZOOMED, click, drive, lane, openAt, quiet, wholeDay } from "./day.mjs";

const [base, site, camera, start, few, fewStart, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const { browser, page } = await open();

// What the timeline's canvas is told to draw, when the timeline is drawn, and when the list for screen readers is made anew.
await page.evaluateOnNewDocument(() => {
  const counted = { strokes: 0, drawings: [], lists: [], maxStrokes: 0, turns: 0 };
  globalThis.counted = counted;
  const pen = CanvasRenderingContext2D.prototype;
  for (const name of ["fill", "stroke", "fillRect", "strokeRect", "clearRect", "fillText", "drawImage"]) {
    const real = pen[name];
    pen[name] = function draw(...given) {
      if (this.canvas.parentElement?.classList.contains("lanes")) counted.strokes += 1;
      return real.apply(this, given);
    };
  }
  // What the page does once a second, ages that count up and questions for what is new, is none of an input's work. A slow machine has more of it between two inputs.
  const every = globalThis.setInterval.bind(globalThis);
  globalThis.setInterval = (work, ...given) => every(() => {
    counted.turns += 1;
    if (!globalThis.stopped) work();
  }, ...given);
  // A frame is told by its callbacks: what was asked for since the last frame began runs in the next one. Its time does not tell it: a frame that comes late can begin with the time of the one before.
  let frame = 0;
  const request = globalThis.requestAnimationFrame.bind(globalThis);
  globalThis.requestAnimationFrame = (callback) => {
    const next = frame + 1;
    return request((at) => {
      frame = next;
      callback(at);
    });
  };
  const measure = performance.measure.bind(performance);
  performance.measure = (name, ...given) => {
    if (name === "framepost-timeline") {
      counted.drawings.push({ frame, strokes: counted.strokes, at: performance.now() });
      counted.maxStrokes = Math.max(counted.maxStrokes, counted.strokes);
      counted.strokes = 0;
    }
    return measure(name, ...given);
  };
  new MutationObserver((changes) => {
    if (changes.some(({ target }) => target instanceof Element && target.matches("ul.sr"))) counted.lists.push(performance.now());
  }).observe(document, { childList: true, subtree: true });
});
const reset = () => page.evaluate(() => { Object.assign(globalThis.counted, { strokes: 0, drawings: [], lists: [], maxStrokes: 0, turns: 0 }); });
const counted = () => page.evaluate(() => globalThis.counted);
const isQuiet = quiet(page);
let asked = [];
page.on("request", (request) => { asked.push(new URL(request.url())); });
const timelines = () => asked.filter(({ pathname }) => pathname === "/v1/timeline").length;
/** How often a span was asked for: a long one is asked for in parts, each of which begins where the one before ends. The day has a mark a minute. */
const spans = () => asked.filter(({ pathname, searchParams }) => pathname === "/v1/timeline" && searchParams.get("resolution") !== "60")
  .filter(({ searchParams }, index, all) => searchParams.get("from") !== all[index - 1]?.searchParams.get("to")).length;
/** How often the day was. */
const days = () => asked.filter(({ pathname, searchParams }) => pathname === "/v1/timeline" && searchParams.get("resolution") === "60").length;

// A drawing of the day costs what is seen of it, and not what it is made of.
await openAt(page, base, site, few, Number(fewStart) + 9 * HOUR);
await wholeDay(page);
await isQuiet();
await page.hover(".lanes");
await settled(page);
const little = await counted();
check("a moment of the day shows its picture", await openAt(page, base, site, camera, Number(start) + 9 * HOUR) && await until(page, () => document.querySelector("video").readyState >= 2));
await wholeDay(page);
const at = await lane(page);
await isQuiet();
await page.hover(".lanes");
await settled(page);
const much = await counted();
check("a hundred times the files are drawn with as many strokes", much.maxStrokes <= little.maxStrokes * 1.5 && little.maxStrokes > 100,
  `${much.maxStrokes} and ${little.maxStrokes}`);
// A stroke for two pixels of each row at the most: what was recorded, what is signed, and each label in its lane and in the day below.
const labels = (await page.$$(".lane-seen")).length;
const seen = (2 + 2 * labels) * (at.width / 2);
check("not more strokes than are seen", labels === 3 && much.maxStrokes <= seen, `${much.maxStrokes} of at most ${seen} on ${at.width} pixels`);
await page.screenshot({ path: path.join(pictures, "many.png") });

// Zooming in and panning within what is there ask for nothing, and hundreds of inputs within a frame are answered by one drawing.
await page.mouse.move(at.x, at.y);
await isQuiet();
const clocks = (how) => page.evaluate((how) => { globalThis.stopped = how === "stop"; }, how);
await clocks("stop");
await settled(page);
await reset();
asked = [];
const inputs = 200;
const { layouts, longest } = await (async () => {
  const metric = async (name) => (await page.metrics())[name];
  const before = await metric("LayoutCount");
  await page.evaluate((x, y, inputs) => {
    const lanes = document.querySelector(".lanes");
    for (let input = 0; input < inputs; input += 1) {
      const where = { clientX: x + (input % 7), clientY: y, bubbles: true, cancelable: true };
      if (input % 2 === 0) lanes.dispatchEvent(new WheelEvent("wheel", { ...where, deltaY: input < inputs / 2 ? -4 : 4 }));
      else lanes.dispatchEvent(new PointerEvent("pointermove", { ...where, pointerId: 1 }));
    }
  }, at.x, at.y, inputs);
  await settled(page);
  return { layouts: (await metric("LayoutCount")) - before, longest: (await counted()).drawings.length };
})();
check("many inputs within a frame, one drawing", longest === 1, `${longest} for ${inputs} inputs`);
check("and the page is laid out a few times, not for each", layouts <= 4, `${layouts} times`);
await reset();
for (const delta of [-100, -100, -100, -100, 100, 100, 100, 100]) await page.mouse.wheel({ deltaY: delta });
for (const deltaX of [100, 100, 100, -100, -100, -100]) await page.mouse.wheel({ deltaX });
await settled(page);
check("zooming and panning within what is there ask for nothing", timelines() === 0 && (await counted()).drawings.length > 0, `${timelines()} questions`);
await clocks("go");

// At rest, nothing is drawn, while what the page does once a second goes on.
await page.mouse.move(0, 0);
await isQuiet();
await settled(page);
await reset();
check("at rest, nothing is drawn", await until(page, () => globalThis.counted.turns >= 8) && (await counted()).drawings.length === 0 && (await counted()).lists.length === 0, `${(await counted()).drawings.length} drawings in ${(await counted()).turns} turns`);

// The whole drive.
await page.mouse.move(at.x, at.y);
await reset();
asked = [];
await drive(page, at);
await settled(page);
const { drawings } = await counted();
check("a drawing for each frame at most", new Set(drawings.map(({ frame }) => frame)).size === drawings.length && drawings.length > 20, `${drawings.length} drawings`);
// What is there is good for a change of scale by 2, and above four days by 1.2, which is passed on the way out and back.
const allowed = Math.ceil(ZOOMED / Math.log(2)) + 12;
check("questions by how far it was zoomed, not by inputs", spans() <= allowed, `${spans()} of at most ${allowed}`);
// A minute for each of which a day that is over is known; the drive may take several on a busy machine.
check("the day is not asked for with each span", days() < Math.max(spans(), 2), `${days()} and ${spans()}`);
// An hour has other things in it than where the drive has ended, however much of the day was seen there.
await page.click(".segments .button:nth-child(4)");
check("the list for screen readers is made when nothing moves any more", await until(page, () => globalThis.counted.lists.length > 0));
const all = await counted();
const between = all.lists.map((at) => at - (all.drawings.findLast((drawing) => drawing.at <= at)?.at ?? -Infinity));
check("and is left alone before", between.every((ms) => ms > 250), `made anew ${all.lists.length} times`);
await wholeDay(page);

// Anywhere in the day, a click shows its picture, or says that there is none.
const took = await click(page, at);
check("a click anywhere shows what there is", !took.some(Number.isNaN), `${took.join(", ")} ms`);
await filters(page, { base, site, camera, few });
await busy(page, { base, site, camera, start: Number(start) });
await end(browser);

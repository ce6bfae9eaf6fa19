// Drives the console like a person: `node drive.mjs BASE SITE CAMERA OTHER SOUNDING UNPLAYABLE PICTURES`. The camera has a gap and something
// that moves, the other one has footage of the same time, the third has sound, and the last one a codec that no Chromium of Debian's has.

import { execFileSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HOSTILE, withSightings } from "./answers.mjs";
import { around } from "./around.mjs";
import { accessible } from "./axe.mjs";
import { check, complaints, end, expected, open, poll, settled, until } from "./browser.mjs";
import { choices } from "./choices.mjs";
import { differences, exports } from "./exports.mjs";
import { keys } from "./keys.mjs";
import { shapes } from "./shapes.mjs";
import { viewers } from "./viewers.mjs";

const [base, site, camera, other, sounding, unplayable, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const json = async (/** @type {string} */ path) => (await fetch(new URL(path, base))).json();
const of = `site=${site}&camera=${camera}`;
const { chunks } = await json(`v1/chunks?${of}&order=oldest-first&limit=1000`);
const [first, last] = [chunks[0].from, chunks.at(-1).to];
const { gaps } = await json(`v1/timeline?${of}&from=${first}&to=${last}`);
const gap = gaps[0];
const page_of = (ms) => `${base}#/camera/${site}/${camera}?t=${new Date(ms).toISOString()}`;

const { browser, page } = await open();
const shot = (name, options = {}) => page.screenshot({ path: path.join(pictures, `${name}.png`), ...options });
const scheme = (value) => page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }, { name: "prefers-reduced-motion", value: "reduce" }]);
const clock = () => page.$eval(".clock", (element) => element.textContent);
/** Presses space where that does what the button beside it says: "Play" or "Pause". */
const space = async (does) => {
  if ((await page.$eval(".play", (button) => button.getAttribute("aria-label"))) === does) await page.keyboard.press(" ");
  return until(page, (does) => document.querySelector(".play").getAttribute("aria-label") !== does, does);
};
/** Opens the camera at a time, and waits until the playhead is there. */
const goes = async (ms) => {
  await page.goto(page_of(ms));
  return until(page, (at) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - at) < 0.5, ms / 1000);
};
const picture = () => until(page, () => (document.querySelector("video")?.readyState ?? 0) >= 2);

// As it is, with nothing put in: the picture of the README.
await scheme("dark");
const { sightings } = await json(`v1/sightings?${of}`);
check("the detector has seen what moves", sightings.length > 0 && sightings.every(({ label }) => label === "motion"), `${sightings.length} sightings`);
check("the gateway has reported that its files are read", await poll(async () => (await json("v1/gateways")).gateways.some(({ report }) => report.cameras.length > 3 && report.cameras.every(({ state }) => state === "finished"))));
// Where what moves is in the middle.
const { chunks: looks } = await json(`v1/detections?${of}&from=${sightings.at(-1).from}&to=${sightings.at(-1).to}`);
const middle = ({ detections: [{ box }] }) => Math.abs(box.left + box.width / 2 - 0.45);
const [looked] = looks.flatMap(({ from, frames }) => frames.map((frame) => ({ ...frame, ms: frame.time ? Date.parse(frame.time) : Date.parse(from) + frame.offset * 1000 })))
  .filter(({ detections }) => detections.length > 0).sort((a, b) => middle(a) - middle(b));
await page.goto(page_of(Math.ceil(looked.ms) + 1));
check("the console opens at a moment", await picture());
check("what is in the span is listed, and its day has a bar", await until(page, () => document.querySelectorAll("ul.sr button").length > 0 && document.querySelector(".day i") !== null));
check("what moves has a box", await until(page, () => document.querySelector(".box.motion") !== null));
await around(page, { base, site, camera, sightings });
await page.goto(page_of(Math.ceil(looked.ms) + 1));
check("and a row with its picture", await until(page, () => {
  const canvas = document.querySelector(".sighting[aria-pressed=true] canvas");
  const { data } = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
  return new Set(Array.from({ length: data.length / 400 }, (_, at) => data[at * 400])).size > 8;
}));
await shot("console");
const size = statSync(path.join(pictures, "console.png")).size;
check("the picture is small enough for a README", size <= 200_000, `${size} bytes`);
// A camera of H.265, which this browser does not play: what it recorded can be had as a clip.
await page.goto(`${base}#/camera/${site}/${unplayable}`);
check("a codec that is not played is said", await until(page, () => document.querySelector(".words h2")?.textContent === "This browser cannot play H.265"));
check("and the clip is offered, with its length and size", await until(page, () => /^Download \d+ s from here, [\d.,]+ kB$/.test(document.querySelector(".words a")?.textContent ?? "")), await page.$eval(".words a", (link) => link.textContent));
const hevc = path.join(pictures, "h265.mp4");
writeFileSync(hevc, Buffer.from(await (await fetch(await page.$eval(".words a", (link) => link.href))).arrayBuffer()));
check("it is what was recorded", execFileSync("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", hevc]).toString().startsWith("hevc"));

const seen = await withSightings(page, chunks);
const began = Date.now();
await page.goto(base);
check("the wall shows a picture", await until(page, () => performance.getEntriesByName("framepost-wall-picture").length > 0), `${Date.now() - began} ms after the start`);
check("a camera's name is text", await until(page, (name) => [...document.querySelectorAll(".tile .name")].some((one) => one.textContent === name), HOSTILE));
check("no element came of it", (await page.$("img")) === null);
await shot("wall-dark");

const inside = Date.parse(chunks[1].from) + 300;
// In the same second as its picture begins, up to 40 ms before.
const start = inside % 1000 < 40 ? inside + 40 : inside;
let asked = Date.now();
await page.goto(page_of(start));
check("the camera shows a picture", await picture(), `${Date.now() - asked} ms`);
check("a box is where a detector said", await until(page, () => document.querySelector(".box.person span")?.textContent === "Person 0.91"));
check("each label has a lane", await until(page, () => document.querySelectorAll(".gutter button").length >= 3));
const boxed = await page.$eval(".box.person", (element) => element.getBoundingClientRect().width / element.parentElement.getBoundingClientRect().width);
check("it is as wide as was said", Math.abs(boxed - 0.2) < 0.01, boxed.toFixed(3));
await shot("camera-dark");
await page.click(".play");
const frames = () => page.evaluate(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames);
const before = await frames();
check("it plays on", await until(page, () => document.querySelector("video").currentTime > 3), `${(await frames()) - before} frames`);
await page.keyboard.press(" ");
check("space pauses", await until(page, () => document.querySelector("video").paused));
await settled(page);
const paused = await clock();
await page.keyboard.press(".");
check("a step shows another picture", await until(page, (was) => document.querySelector(".clock").textContent !== was, paused));
const stepped = await clock();
await page.keyboard.press(",");
check("so does a step back", await until(page, (was) => document.querySelector(".clock").textContent !== was, stepped), `${stepped}, ${await clock()}`);
await page.keyboard.press("s");
check("a link to the moment is given", await until(page, () => document.querySelector(".stage > .tag").textContent.startsWith("The link is")));
check("it names the instant in UTC", await until(page, () => /\?t=[\d-]+T[\d:.]+Z$/.test(location.hash)), await page.evaluate(() => location.hash));

// The timeline: zoom, click, gap.
await page.click(".segments .button:nth-child(5)");
await settled(page);
const lanes = await (await page.$(".lanes")).boundingBox();
const now_at = () => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")));
const was = await now_at();
asked = Date.now();
await page.mouse.click(lanes.x + lanes.width * 0.62, lanes.y + 46);
check("a click seeks", await until(page, (was) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) !== was, was));
check("and shows the picture", await until(page, () => document.querySelector(".words").hidden), `${Date.now() - asked} ms`);
await page.mouse.move(lanes.x + lanes.width * 0.62 + 2, lanes.y + 46);
check("the pointer over the timeline shows a key frame", await until(page, () => { const card = document.querySelector(".hover-card"); return !card.hidden && !card.querySelector("canvas").hidden; }));
const scrubbed = await now_at();
await page.mouse.move(lanes.x + lanes.width * 0.55, lanes.y + 8);
await page.mouse.down();
await page.mouse.move(lanes.x + lanes.width * 0.57, lanes.y + 8);
await page.mouse.up();
check("a drag on the axis scrubs", await until(page, (was) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) !== was, scrubbed));
const span = () => page.$eval(".timeline-head > .quiet", (element) => element.textContent);
await settled(page);
const wide = await span();
await page.mouse.move(lanes.x + lanes.width / 2, lanes.y + 46);
await page.mouse.wheel({ deltaY: 600 });
check("the wheel zooms", await until(page, (was) => document.querySelector(".timeline-head > .quiet").textContent !== was, wide));
await goes(Date.parse(gap.from) + 2000);
check("a gap says its cause", await until(page, () => document.querySelector(".words")?.textContent.includes("The source has no pictures here")));
check("and where it goes on", await until(page, () => [...document.querySelectorAll(".words button")].some((one) => one.textContent.startsWith("Go on at"))));
check("for screen readers, too", await until(page, () => [...document.querySelectorAll("ul.sr button")].some((one) => one.textContent.includes("the source has no pictures here"))));
// The middle of the test picture is bright; what is not there is black.
check("the last picture before it stands dimmed behind the words", await until(page, () => {
  const still = document.querySelector(".still");
  return !still.hidden && Number(getComputedStyle(still).opacity) < 0.5 && still.getContext("2d").getImageData(still.width / 2, still.height / 4, 1, 1).data.some((value, at) => at < 3 && value > 100);
}));
await shot("gap-dark");
await space("Play");
check("playing goes over it", await until(page, (to) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) >= to, Math.floor(Date.parse(gap.to) / 1000)));
check("and says so", await until(page, () => document.querySelector(".stage .tag").textContent.startsWith("Skipped")));
await space("Pause");
await goes(Date.parse(gap.from) - 1200);
await picture();
await space("Play");
check("so does playing into it", await until(page, (to) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) >= to, Math.floor(Date.parse(gap.to) / 1000)));
await space("Pause");
await goes(start + 500);
await space("Play");
for (let faster = 0; faster < 3; faster += 1) await page.keyboard.press(">");
check("above four times the speed there are key frames", await until(page, () => document.querySelector(".rate").value === "8" && !document.querySelector(".still").hidden));
for (let slower = 0; slower < 3; slower += 1) await page.keyboard.press("<");
await space("Pause");
check("and the video below it", await goes(start + 700) && await until(page, () => document.querySelector(".rate").value === "1" && document.querySelector(".still").hidden && document.querySelector(".words").hidden));
check("a link to another instant goes there", await goes(start) && await until(page, () => document.querySelector(".words").hidden && document.querySelector(".proof button") !== null));
await page.keyboard.press("v");
check("the file is verified in the browser", await until(page, () => document.querySelector(".digest").textContent === "Checked in this browser: matches"), await page.$eval(".digest", (element) => element.textContent));

// Days on which the clocks change.
const days = await page.evaluate(async () => {
  const [{ ticks }, { midnight }] = await Promise.all([consoleModule("ticks.js"), consoleModule("time.js")]);
  return ["2026-10-25T12:00:00Z", "2026-03-29T12:00:00Z", "2026-11-27T12:00:00Z"].map((noon) => {
    const [from, to] = [midnight(Date.parse(noon)), midnight(Date.parse(noon), 1)];
    const marks = ticks({ from, to }, 2400);
    return { hours: (to - from) / 3_600_000, marks: marks.length, different: new Set(marks.map((mark) => mark.text)).size };
  });
});
check("days have 25, 23 and 24 hours, each with a mark of its own", days.map((day) => day.hours).join() === "25,23,24"
  && days.every((day) => day.marks === day.hours && day.different === day.hours), JSON.stringify(days));
const typed = async (text) => {
  await page.keyboard.press("g");
  await page.waitForSelector("dialog input");
  await page.$eval("dialog input", (field, text) => { field.value = text; }, text);
  await page.click("dialog [type=submit]");
};
await typed("2026-10-25T02:30:00");
check("a time that was there twice asks which", await until(page, () => document.querySelectorAll("dialog p button").length === 2));
await (await page.$$("dialog p button"))[1].click();
check("and goes there", await until(page, (s) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - s) < 0.5, Date.parse("2026-10-25T01:30:00Z") / 1000));
await page.reload();
await picture();
await page.focus(".day.chosen");
await page.keyboard.press("ArrowLeft");
await page.keyboard.press("Enter");
check("a day that is chosen keeps the time of day", await until(page, (at) => [23, 24, 25].some((hours) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - (at - hours * 3600)) < 0.5), start / 1000));
const chosen = () => page.evaluate(() => [document.querySelector(".calendar h2").textContent, document.activeElement.getAttribute("data-day")].join());
const day = await chosen();
for (let before = 0; before < 31; before += 1) await page.keyboard.press("ArrowLeft");
check("arrows go on into the month before, and back", (await chosen()) !== day && await until(page, () => document.activeElement.matches(".day")));
for (let after = 0; after < 31; after += 1) await page.keyboard.press("ArrowRight");
check("to the day where they began", (await chosen()) === day, `${day}, ${await chosen()}`);
check("before the first footage, it is said when that began", await until(page, () => !document.querySelector(".words").hidden && document.querySelector(".words").textContent.includes("Recording began on")));
await goes(start + 100);
await picture();

// Export.
await page.keyboard.press("e");
check("the export has its size", await until(page, () => document.querySelector(".foot-bar a")?.textContent.startsWith("Download")));
const link = await page.$eval(".foot-bar a", (element) => ({ href: element.href, words: element.textContent }));
const clip = path.join(pictures, "clip.mp4");
writeFileSync(clip, Buffer.from(await (await fetch(link.href)).arrayBuffer()));
const probed = execFileSync("ffprobe", ["-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries", "stream=nb_read_packets:format=duration", "-of", "json", clip]).toString();
check("ffprobe reads the clip", Number(JSON.parse(probed).streams[0].nb_read_packets) > 50, `${link.words}, ${JSON.parse(probed).format.duration} s`);
const wrong = await differences(clip, link.href, { base, site, camera });
check("and it has the pictures of its range", wrong === "", wrong || new URL(link.href).search);
await scheme("light");
await shot("export-light");
const there = async (path) => (await fetch(new URL(path, base))).ok;
if (await there("v1/holds")) {
  const press = (words) => page.evaluate((words) => [...document.querySelectorAll(".panel button")].find((one) => one.textContent === words).click(), words);
  const holds = async () => (await json(`v1/holds?${of}`)).holds;
  await until(page, () => [...document.querySelectorAll(".keep button")].some((one) => one.textContent === "Keep this range"));
  await press("Keep this range");
  check("a range is kept", await until(page, () => document.querySelector(".keep").textContent.includes("Kept:")) && await poll(async () => (await holds()).length === 1));
  await press("Release");
  check("and released", await until(page, () => !document.querySelector(".keep").textContent.includes("Kept:")) && await poll(async () => (await holds()).length === 0));
} else console.log("skipped: the server holds nothing");
await page.keyboard.press("Escape");

await exports(page, { base, site, camera, other, start, pictures });
await keys(page, { base, site, camera, sounding, chunks, gap, seen });
await shapes(page);

// Search.
await page.goto(`${base}#/search?days=-1`);
check("search finds what was seen", await until(page, (count) => document.querySelectorAll(".hit").length === count, seen.length));
check("each result has its picture", await until(page, () => [...document.querySelectorAll(".hit canvas")].every((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(Array.from({ length: data.length / 400 }, (_, at) => data[at * 400])).size > 8;
})));
check("a label is text", await until(page, (label) => [...document.querySelectorAll(".hit")].some((one) => one.textContent.includes(label)), HOSTILE));
await shot("search-light");
const chip = () => page.evaluate(() => [...document.querySelectorAll(".filters .chip")].find((one) => one.textContent === "Vehicle").click());
await chip();
check("a label that is chosen is all that is found", await until(page, () => document.querySelectorAll(".hit").length === 1 && document.querySelector(".hit").textContent.includes("Vehicle")) && (await page.evaluate(() => location.hash)).includes("label=vehicle"));
await chip();
check("and everything without one", await until(page, (count) => document.querySelectorAll(".hit").length === count, seen.length));
await page.evaluate(() => [...document.querySelectorAll(".hit")].find((one) => one.textContent.includes("Vehicle")).click());
check("a result opens its moment", await picture());
check("at its time", await until(page, (at) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - at) < 2, Date.parse(seen[1].from) / 1000));
await page.goto(`${base}#/side?cameras=${site}/${camera},${site}/${other}&t=${new Date(start + 1000).toISOString()}`);
const both = () => [...document.querySelectorAll(".cell video")].filter((video) => video.readyState >= 2).length === 2;
check("two cameras show one moment", await until(page, both));
await page.keyboard.press(" ");
check("both play", await until(page, () => [...document.querySelectorAll(".cell video")].every((video) => video.currentTime > 2.5)));
check("within one frame of each other, playing", await until(page, () => document.querySelector(".head [role=status]").textContent.startsWith("All within one frame")));
await page.keyboard.press(" ");
check("a lane for each", await until(page, () => document.querySelectorAll(".lane-camera").length === 2));
await shot("side-light");
await page.goto(`${base}#/health`);
check("health lists the cameras", await until(page, (name) => [...document.querySelectorAll("tbody th")].some((one) => one.textContent === name), camera));
if (await there("v1/functions")) {
  check("and the functions", await until(page, () => [...document.querySelectorAll("section:not([hidden]) tbody th")].some((one) => one.textContent === "probe")));
}
await shot("health-light");

// Keyboard alone, from the first key on.
const isAt = (selector) => until(page, (selector) => document.activeElement?.matches(selector) ?? false, selector);
/** Presses Tab until something is reached. */
const tabTo = async (selector) => {
  for (let stop = 0; stop < 100; stop += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector) ?? false, selector)) return true;
    await page.keyboard.press("Tab");
  }
  return false;
};
await page.goto(base);
await page.reload();
await until(page, () => document.querySelector(".cameras a") !== null);
await page.keyboard.press("Tab");
check("the first stop leads past the side bar", await isAt("#skip"));
await page.keyboard.press("Enter");
check("and there", await isAt("#main"));
await page.keyboard.press("1");
check("a number opens a camera", await until(page, (camera) => document.querySelector("h1")?.textContent === camera, camera) && await picture());
check("the timeline is reached by Tab", await tabTo(".lanes"));
const beforeKeys = await now_at();
await page.keyboard.press("ArrowLeft");
check("an arrow moves a second", await until(page, (was) => { const at = Number(document.querySelector(".lanes").getAttribute("aria-valuenow")); return at < was - 0.5 && at > was - 1.5; }, beforeKeys), `${beforeKeys}`);
await page.keyboard.press("o");
await page.keyboard.press("ArrowLeft");
await page.keyboard.press("ArrowLeft");
await page.keyboard.press("i");
await page.keyboard.press("e");
check("a panel that opens has the focus", await isAt(".export h2"));
await until(page, () => document.querySelector(".foot-bar a") !== null);
check("its download is reached by Tab", await tabTo(".foot-bar a"));
await page.keyboard.press("Escape");
check("and gives the focus back", await isAt(".lanes"));
await page.keyboard.press("/");
await until(page, () => document.querySelector(".hit") !== null);
check("a result is reached by Tab", await tabTo(".hit"));
await page.keyboard.press("Enter");
check("and opened", await until(page, () => location.hash.startsWith("#/camera/")) && await picture());
await page.keyboard.press("?");
check("the list of keys opens", await until(page, () => document.querySelector("dialog[open]") !== null));
const turn = async () => {
  const reached = await tabTo("dialog [type=checkbox]");
  await page.keyboard.press(" ");
  await page.keyboard.press("Escape");
  return reached && until(page, () => document.querySelector("dialog") === null);
};
check("letters can be switched off there", await turn());
const unmoved = await now_at();
await page.keyboard.press("/");
await page.keyboard.press("ArrowLeft");
check("they do nothing then, and other keys do", await until(page, (was) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) < was - 0.5, unmoved)
  && (await page.evaluate(() => location.hash)).startsWith("#/camera/"));
await page.click("[aria-label=Keys]");
check("and on again", await turn());
await page.keyboard.press("/");
check("then they do", await until(page, () => location.hash.startsWith("#/search")));

// Phone, and the line breaking.
await scheme("dark");
await page.setViewport({ width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
await page.goto(page_of(start));
await picture();
// What comes later, the names of the lanes, moves what is below it.
await until(page, () => document.querySelectorAll(".gutter button").length >= 3);
await settled(page);
check("a phone's page is not wider than the phone", await page.evaluate(() => document.documentElement.scrollWidth <= 390));
const box = await (await page.$(".lanes")).boundingBox();
/** Waits until the playhead is in the middle, before a time if one is given. */
const pinned = (before = Infinity) => until(page, (before) => {
  const [at, min, max] = ["now", "min", "max"].map((name) => Number(document.querySelector(".lanes").getAttribute(`aria-value${name}`)));
  return at < before && Math.abs((at - min) / (max - min) - 0.5) < 0.01;
}, before);
check("the playhead stands in the middle", await pinned());
await shot("phone-dark");
const stood = await now_at();
await page.touchscreen.touchStart(box.x + box.width / 2, box.y + 46);
for (let x = 0; x <= 40; x += 8) await page.touchscreen.touchMove(box.x + box.width / 2 + x, box.y + 46);
check("a finger moves time under it", await pinned(stood), `${stood - (await now_at())} s`);
await page.touchscreen.touchEnd();
const shown = () => page.$eval(".lanes", (element) => element.getAttribute("aria-valuemax") - element.getAttribute("aria-valuemin"));
const unpinched = await shown();
const touch = await page.createCDPSession();
for (const [type, apart] of [["touchStart", 40], ["touchMove", 60], ["touchMove", 90], ["touchMove", 120]]) {
  await touch.send("Input.dispatchTouchEvent", { type, touchPoints: [-1, 1].map((side, id) => ({ id, x: box.x + box.width / 2 + side * apart, y: box.y + 46 })) });
}
await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
check("two fingers zoom", await until(page, (was) => { const lanes = document.querySelector(".lanes"); return lanes.getAttribute("aria-valuemax") - lanes.getAttribute("aria-valuemin") < was * 0.8; }, unpinched), `${unpinched} and ${await shown()} s`);
await page.setViewport({ width: 1440, height: 900 });
check("no errors, no refusals by the policy, no dialogs", complaints.length === 0, complaints.join(" | "));
// Standing in a gap when the line breaks. From here on, what does not arrive is meant not to.
expected.push(/Failed to load resource/);
await goes(Date.parse(gap.from) + 2000);
const says = (words) => until(page, (words) => !document.querySelector(".words").hidden && document.querySelector(".words").textContent.includes(words), words);
const goOn = () => until(page, () => [...document.querySelectorAll(".words button")].some((one) => one.textContent.startsWith("Go on at")));
check("a gap is stood in", await says("The source has no pictures here") && await goOn());
await page.setOfflineMode(true);
check("without a connection it says so", await until(page, () => document.querySelector(".notice")?.textContent.includes("No connection")));
check("and no age is claimed", await until(page, () => [...document.querySelectorAll(".cameras .age")].every((one) => one.textContent === "not known")));
check("the gap keeps its words and its way on", await says("The source has no pictures here") && await goOn());
await shot("offline-gap-dark");
await page.evaluate(() => [...document.querySelectorAll(".words button")].find((one) => one.textContent.startsWith("Go on at")).click());
check("what is behind it does not arrive, which is said", await says("The video did not arrive"));
await page.setOfflineMode(false);
check("it comes back by itself", await until(page, () => document.querySelector(".notice") === null));
check("and shows the picture behind the gap", await until(page, (to) => document.querySelector(".words").hidden && document.querySelector("video").readyState >= 2
  && Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) >= to - 1, Date.parse(gap.to) / 1000));

// A token that is needed, a file that is gone, and one that is damaged.
const other_page = await browser.newPage();
let media = "as it is";
await other_page.setRequestInterception(true);
other_page.on("request", (request) => {
  const { pathname } = new URL(request.url());
  if (pathname.startsWith("/v1/") && request.headers().authorization !== "Bearer secret") {
    return request.respond({ status: 401, contentType: "application/problem+json", body: "{\"title\":\"A valid token is needed\"}" });
  }
  if (pathname.startsWith("/v1/media/") && media === "gone") return request.respond({ status: 404, contentType: "application/problem+json", body: "{}" });
  if (pathname.startsWith("/v1/media/") && media === "damaged") return request.respond({ contentType: "video/mp4", body: "x".repeat(4096) });
  if (pathname.startsWith("/v1/media/") && media === "changed") {
    return fetch(request.url()).then((answer) => answer.arrayBuffer()).then((bytes) => {
      const body = Buffer.from(bytes);
      body[body.length - 1] ^= 1;
      return request.respond({ contentType: "video/mp4", body });
    });
  }
  return request.continue();
});
await (await other_page.createCDPSession()).send("Emulation.setLocaleOverride", { locale: "de-DE" });
await other_page.goto(base);
check("a token is asked for", await until(other_page, () => document.querySelector("#token") !== null));
await other_page.type("#token", "secret");
await other_page.keyboard.press("Enter");
check("and used", await until(other_page, () => performance.getEntriesByName("framepost-wall-picture").length > 0));
const words = (text) => until(other_page, (text) => document.querySelector(".words")?.textContent.includes(text), text);
media = "gone";
await other_page.goto(page_of(start));
check("a file that is gone is said to be", await words("The file is gone"));
media = "damaged";
await other_page.evaluate(() => [...document.querySelectorAll(".words button")].find((one) => one.textContent === "Try again").click());
check("a damaged one, too", await words("The file is damaged"));
media = "as it is";
await other_page.evaluate(() => [...document.querySelectorAll(".words button")].find((one) => one.textContent === "Try again").click());
check("and a sound one plays after it", await until(other_page, () => document.querySelector(".words").hidden && document.querySelector("video").readyState >= 2));
check("dates and times are those of the browser's language", await until(other_page, () => /^\d\d?:\d\d:\d\d\./.test(document.querySelector(".clock").textContent) && !/[AP]M/.test(document.querySelector(".clock").textContent) && /(tag|woch),/.test(document.querySelector(".head .wide").textContent)),
  await other_page.$eval(".head .wide", (element) => element.textContent));
check("and scores", (await other_page.evaluate(() => consoleModule("words.js").then(({ scoreText }) => scoreText(0.912)))) === "0,91");
media = "changed";
await other_page.keyboard.press("v");
check("a file that was changed does not match", await until(other_page, () => document.querySelector(".digest")?.textContent.startsWith("Does not match.")));
await other_page.close();

await choices(browser, { base, address: page_of(start), ms: start, shot: (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`) }) });
await viewers(browser, { address: page_of(start), shot: (page, name) => page.screenshot({ path: path.join(pictures, `${name}.png`) }) });

// Accessibility. The checker is a script of its own, which the policy rightly refuses.
await page.setBypassCSP(true);
const screens = [["wall", "#/"], ["camera", new URL(page_of(start)).hash], ["gap", new URL(page_of(Date.parse(gap.from) + 2000)).hash], ["export", new URL(page_of(start)).hash], ["keys", "#/health"], ["side", "#/side"], ["search", "#/search?days=-1"], ["health", "#/health"]];
const sizes = [["wide", { width: 1440, height: 900 }], ["phone", { width: 390, height: 844, isMobile: true, hasTouch: true }]];
for (const [size, viewport, name, hash] of sizes.flatMap(([size, viewport]) => screens.map(([name, hash]) => [size, viewport, name, hash]))) {
  await page.setViewport(viewport);
  await page.goto(base + hash);
  await page.reload();
  await until(page, () => document.querySelector("h1") !== null);
  if (name === "camera" || name === "export") await picture();
  if (name === "gap") await says("The source has no pictures here");
  if (name === "export") {
    await page.keyboard.press("e");
    await until(page, () => document.querySelector(".foot-bar a") !== null);
  }
  if (name === "keys") await page.keyboard.press("?");
  await accessible(page, `${name}, ${size}`, async (value) => {
    if (size !== "phone") return;
    check(`a phone has no need to scroll ${name} sideways, ${value}`, await page.evaluate(() => document.documentElement.scrollWidth <= 390));
    await shot(`phone-${name}-${value}`);
  });
}
await end(browser);

// The console in another browser than Chromium: `node elsewhere.mjs ENGINE PROGRAM BASE SITE NUMBERED SEEN PICTURES`. ENGINE is `webkit` or
// `firefox`, PROGRAM its browser with its whole path: firefox-esr, or MiniBrowser of Debian's webkit2gtk-driver, beside Xvfb. The pictures
// of NUMBERED carry their number, as those of `nine.mjs` do, and are decoded in another order than they are shown; on SEEN something moves,
// and there is a gap. Firefox is a test, `browsers::firefox_shows_it_as_well`; WebKit is by hand, as on a busy machine MiniBrowser now and
// then loads no page any more, and has to be started again.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { PATIENCE_MS, check, failures, poll, until } from "./browser.mjs";
import { Line } from "./line.mjs";
import { openWebKit } from "./webdriver.mjs";

const [engine, program, server, site, numbered, seen, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const FRAME_MS = 40;
const downloads = path.resolve(pictures, "downloads");
rmSync(downloads, { recursive: true, force: true });
mkdirSync(downloads);

/** What the page runs before its own modules: it notes what goes wrong, and reads pictures' numbers. */
function listen() {
  globalThis.wrong = [];
  const note = (words) => globalThis.wrong.push(String(words));
  addEventListener("error", ({ message, filename, lineno }) => message && note(`${message} ${filename}:${lineno}`));
  addEventListener("unhandledrejection", ({ reason }) => note(reason?.stack ?? reason));
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => note(`the policy refuses: ${violatedDirective} ${blockedURI}`));
  for (const name of ["error", "warn"]) console[name] = (...words) => note(words.join(" "));
  const BARS = 12;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  globalThis.numberIn = (picture) => {
    [canvas.width, canvas.height] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
    context.drawImage(picture, 0, 0);
    const bits = Array.from({ length: BARS }, (_, bar) => context.getImageData(((bar + 0.5) * canvas.width) / BARS, canvas.height / 2, 1, 1).data[0] > 127);
    return bits.reduce((number, bit, bar) => number + (bit ? 2 ** bar : 0), 0);
  };
  globalThis.coloursIn = (picture) => {
    const { data } = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height);
    return new Set(Array.from({ length: data.length / 400 }, (_, at) => data[at * 400])).size;
  };
}

const line = new Line(server);
const first = await fetch(server);
const index = (await first.text()).replace("<meta charset", "<script src=\"listen.js\"></script><meta charset");
const policy = { "content-security-policy": first.headers.get("content-security-policy") };
line.instead = (url) => (url.pathname === "/" ? { type: "text/html; charset=utf-8", headers: policy, body: index }
  : url.pathname === "/listen.js" ? { type: "text/javascript", body: `(${listen})();` } : undefined);
await line.open();

/** Firefox, by WebDriver BiDi. */
async function openFirefox() {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: program, headless: true, env: { ...process.env, TZ: "Europe/Berlin" },
    protocolTimeout: 2 * PATIENCE_MS,
    extraPrefsFirefox: { "media.autoplay.default": 0, "browser.download.folderList": 2, "browser.download.dir": downloads } });
  const page = await browser.newPage();
  await page.setViewport({ width: 1440, height: 900 });
  return { page, version: await browser.version(), close: () => browser.close() };
}

const { page, version, close } = await (engine === "webkit" ? openWebKit(program) : openFirefox());
console.log(`        ${version}, ${await page.evaluate(() => navigator.language)}`);
const shot = (name) => page.screenshot({ path: path.join(pictures, `${engine}-${name}.png`) });
const chunksOf = async (camera) => (await (await fetch(new URL(`v1/chunks?site=${site}&camera=${camera}&order=oldest-first&limit=1000`, server))).json()).chunks;
const wrong = [];
/** Goes somewhere as if for the first time; what the page before noted is kept. */
const goes = async (place) => {
  wrong.push(...(await page.evaluate(() => globalThis.wrong ?? [])));
  await page.goto("about:blank");
  await page.goto(`${line.base}${place}`);
};
const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
const opens = async (camera, ms) => {
  await goes(`#/camera/${site}/${camera}?t=${new Date(ms).toISOString()}`);
  return isReady();
};
const passes = (ms) => until(page, (ms) => document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 > ms, ms);
const shows = (number) => until(page, (number) => {
  const video = document.querySelector("video");
  return video.readyState >= 2 && !video.seeking && globalThis.numberIn(video) === number;
}, number);
const state = () => page.evaluate(() => {
  const video = document.querySelector("video");
  const ranges = Array.from({ length: video.buffered.length }, (_, at) => `${video.buffered.start(at)}-${video.buffered.end(at)}`);
  return `${globalThis.numberIn(video)} at ${video.currentTime} of ${ranges}, ${video.readyState}${video.seeking ? " seeking" : ""}, ${document.querySelector(".words").textContent}`;
});

await goes("");
check("the wall shows the cameras", await until(page, () => performance.getEntriesByName("framepost-wall-picture").length > 1));

// Single pictures, over the border of two files and back; they are decoded in another order than they are shown.
const chunks = await chunksOf(numbered);
const start = Date.parse(chunks[0].from);
const length = Math.round((Date.parse(chunks[0].to) - start) / FRAME_MS);
check("a camera opens", await opens(numbered, start + (length - 1.5) * FRAME_MS), await state());
check("at the picture that was asked for", await shows(length - 2), await state());
let isNext = true;
for (const [key, number] of [[".", length - 1], [".", length], [".", length + 1], [",", length], [",", length - 1]]) {
  await page.keyboard.press(key);
  isNext &&= await shows(number);
}
check("steps go to the very next picture and back, from file to file", isNext, await state());
await page.keyboard.press("k");
check("it plays over files' ends", await passes(start + 3 * length * FRAME_MS), await state());
await page.keyboard.press("k");
check("and stops on the picture of its time", await until(page, (start, frame) => {
  const video = document.querySelector("video");
  const at = document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 - start;
  return video.paused && !video.seeking && globalThis.numberIn(video) === Math.floor(at / frame);
}, start, FRAME_MS), await state());
for (let step = 0; step < 3; step += 1) await page.keyboard.press(">");
await page.keyboard.press("k");
const from = await page.evaluate(() => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) * 1000);
check("eight times as fast there are key pictures", await passes(from + 2 * length * FRAME_MS) && await until(page, () => {
  const still = document.querySelector(".still");
  return !still.hidden && globalThis.numberIn(still) > 0;
}), await state());
await page.keyboard.press("k");

// What was seen, and what was not recorded.
const [one] = await chunksOf(seen);
check("a camera with a gap opens", await opens(seen, Date.parse(one.from) + 100), await state());
await until(page, () => document.querySelectorAll("ul.sr button").length > 2);
await page.keyboard.press("ArrowDown");
check("it goes to a sighting, with its box and its row", await until(page, () => document.querySelector(".box.motion") !== null && document.querySelector(".sighting[aria-pressed=true]") !== null));
check("which has a picture", await until(page, () => globalThis.coloursIn(document.querySelector(".sighting canvas")) > 8));
await isReady();
await page.keyboard.press("v");
check("the file is verified", await until(page, () => document.querySelector(".digest")?.textContent === "Checked in this browser: matches"));
await shot("camera");
await page.keyboard.press("]");
check("a gap has its words, over the last picture", await until(page, () => /No video .*no pictures here/.test(document.querySelector(".words").textContent) && !document.querySelector(".still").hidden));
await page.keyboard.press("j");
await isReady();
await page.keyboard.press("i");
await page.keyboard.press("ArrowRight");
await page.keyboard.press("o");
await page.keyboard.press("e");
check("an export has its size", await until(page, () => /^Download [\d.,]+ kB$/.test(document.querySelector(".foot-bar a")?.textContent.trim() ?? "")));
await shot("export");
if (engine === "firefox") {
  const link = await page.evaluate(() => {
    const link = document.querySelector(".foot-bar a");
    link.click();
    return link.href;
  });
  /** The file that was downloaded, which is beside an empty one of its name until it is whole. */
  const downloaded = () => readdirSync(downloads).filter((name) => name.endsWith(".mp4"))[0];
  const isWhole = () => downloaded() !== undefined && !readdirSync(downloads).some((name) => name.endsWith(".part"));
  check("its download is a file", await poll(isWhole), String(readdirSync(downloads)));
  const file = path.join(downloads, downloaded() ?? "none");
  const expected = Buffer.from(await (await fetch(link)).arrayBuffer());
  check("and the clip, as the server gives it", await poll(() => readFileSync(file).equals(expected)), `${file}, ${expected.length} bytes`);
  const { streams, format } = JSON.parse(execFileSync("ffprobe", ["-v", "error", "-show_entries", "stream=codec_name,width,height:format=duration", "-of", "json", file]).toString());
  const range = new URL(link).searchParams;
  const asked = Date.parse(range.get("to")) - Date.parse(range.get("from"));
  // A range that begins within a picture has the whole of it.
  const longer = Math.round(Number(format.duration) * 1000) - asked;
  check("which is as long as was asked for, by ffprobe", streams[0].codec_name === "h264" && Math.abs(longer) <= FRAME_MS, `${JSON.stringify(streams[0])}, ${format.duration} s of ${asked} ms`);
}

await goes("#/search");
check("results have their pictures", await until(page, () => {
  const all = [...document.querySelectorAll(".hit canvas")];
  return all.length > 1 && all.slice(0, 3).every((canvas) => globalThis.coloursIn(canvas) > 1);
}));
await goes(`#/side?cameras=${site}/${numbered},${site}/${numbered}&t=${new Date(start + 1000).toISOString()}`);
const within = () => until(page, () => {
  const videos = [...document.querySelectorAll(".cell video")];
  const [one, other] = videos.map((video) => (video.readyState >= 2 && !video.seeking ? globalThis.numberIn(video) : NaN));
  return Math.abs(one - other) <= 1;
});
check("two pictures are of one moment", await within());
await page.keyboard.press("k");
check("playing, too", await passes(start + 3000) && await within());
await shot("side");
wrong.push(...(await page.evaluate(() => globalThis.wrong)));
check("no errors and no refusals by the policy", wrong.length === 0, wrong.join(" | "));
await close();
await line.cut();
process.exit(failures() === 0 ? 0 : 1);

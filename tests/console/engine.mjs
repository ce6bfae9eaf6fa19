// What a browser's own player does now and then: it fails at a file that is sound, throws away what it was given, or comes to no end of a
// seek. None of it is the file's fault, and the page goes on.

import { check, poll, until } from "./browser.mjs";

/** Has the page keep its media sources, so that a test can take them in hand. */
function keep() {
  globalThis.sources = [];
  const add = MediaSource.prototype.addSourceBuffer;
  MediaSource.prototype.addSourceBuffer = function adding(type) {
    globalThis.sources.unshift(this);
    return add.call(this, type);
  };
  /** Does something to the newest source as soon as nothing is appended to it. */
  globalThis.handle = (what) => new Promise((go) => {
    const look = () => {
      const [source] = globalThis.sources;
      const [buffer] = source?.sourceBuffers ?? [];
      if (!buffer || buffer.updating || buffer.buffered.length === 0) return setTimeout(look, 5);
      return go(what(source, buffer));
    };
    look();
  });
}

/** @param {{ site: string, camera: string, chunks: any[] }} given a camera with half a minute of footage without a gap */
export async function engine(browser, line, { site, camera, chunks }) {
  const page = await browser.newPage();
  await page.evaluateOnNewDocument(keep);
  const at = (index) => Date.parse(chunks[index].from) + 300;
  const playhead = () => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")) * 1000);
  const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
  const goes = async (ms) => {
    await page.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(ms).toISOString()}`);
    return until(page, (ms) => Math.abs(document.querySelector(".lanes")?.getAttribute("aria-valuenow") * 1000 - ms) < 40, ms).then(isReady);
  };
  const passes = (ms) => until(page, (ms) => document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 > ms, ms);
  const said = () => page.evaluate(() => `${document.querySelector(".words").textContent} ${document.querySelector(".stage > .tag").textContent}`);

  await goes(at(2));
  const sources = await page.evaluate(() => globalThis.sources.length);
  await page.keyboard.press("k");
  await page.evaluate(() => globalThis.handle((source) => source.endOfStream("decode")));
  check("a player that fails once is begun anew", await until(page, (count) => globalThis.sources.length > count, sources) && await passes(at(3) + 500));
  check("and no file is said to be damaged", !(await said()).includes("damaged"), await said());
  await page.keyboard.press("k");
  await page.evaluate(() => {
    globalThis.failing = setInterval(() => {
      const [source] = globalThis.sources;
      if (source.readyState === "open" && [...source.sourceBuffers].every((buffer) => !buffer.updating && buffer.buffered.length > 0)) source.endOfStream("decode");
    }, 5);
  });
  check("one at which it fails each time is", await poll(async () => (await said()).includes("The file is damaged")), await said());
  await page.evaluate(() => {
    clearInterval(globalThis.failing);
    [...document.querySelectorAll(".words button")].find((one) => one.textContent === "Try again").click();
  });
  check("until it is tried again", await isReady());

  // What was appended behind the playhead and ahead of it is gone.
  await goes(at(3));
  await goes(at(4));
  await page.evaluate(() => globalThis.handle((_, buffer) => buffer.remove(0, document.querySelector("video").currentTime - 0.7)));
  check("what the browser has thrown away is fetched again by who goes back to it", await goes(at(3)));
  await until(page, () => document.querySelector("video").buffered.end(0) - document.querySelector("video").currentTime > 6);
  await page.evaluate(() => globalThis.handle((_, buffer) => buffer.remove(document.querySelector("video").currentTime + 1.5, Infinity)));
  await page.keyboard.press("k");
  check("and by who plays up to it", await passes((await playhead()) + 4000), await said());
  await page.keyboard.press("k");

  // A seek whose end never comes, until another one begins.
  await isReady();
  await page.evaluate(() => {
    const media = HTMLMediaElement.prototype;
    const seeking = Object.getOwnPropertyDescriptor(media, "seeking").get;
    const time = Object.getOwnPropertyDescriptor(media, "currentTime");
    globalThis.seeks = 0;
    const isStuck = () => globalThis.seeks < 2;
    Object.defineProperty(media, "seeking", { get() { return isStuck() || seeking.call(this); } });
    Object.defineProperty(media, "currentTime", { get: time.get, set(seconds) { globalThis.seeks += 1; time.set.call(this, seconds); } });
    addEventListener("seeked", (event) => { if (isStuck()) event.stopImmediatePropagation(); }, true);
  });
  await page.keyboard.press("ArrowLeft");
  check("a seek that comes to no end is begun again", await until(page, () => globalThis.seeks >= 2) && await isReady());
  await page.close();
}

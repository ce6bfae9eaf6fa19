// A browser whose memory for video is full: `node full.mjs BASE SITE CAMERA`. Chromium is told that it has 1 MB of it, and of the
// camera's video more than that is to be appended ahead: `appendBuffer` throws, as it does at about 150 MB otherwise.

import { check, end, open, until } from "./browser.mjs";

const [base, site, camera] = process.argv.slice(2);
const { browser, page } = await open(["--mse-video-buffer-size-limit-mb=1"]);
await page.evaluateOnNewDocument(() => {
  globalThis.full = 0;
  globalThis.appended = [];
  globalThis.said = [];
  const append = SourceBuffer.prototype.appendBuffer;
  SourceBuffer.prototype.appendBuffer = function appending(data) {
    try {
      append.call(this, data);
      globalThis.appended.push(data.byteLength);
    } catch (error) {
      if (error.name === "QuotaExceededError") globalThis.full += 1;
      throw error;
    }
  };
  // Everything that the page says over the picture while it plays.
  setInterval(() => {
    for (const place of [".stage .words", ".stage > .tag"]) {
      const element = document.querySelector(place);
      const words = element?.hidden ? "" : element?.textContent ?? "";
      if (words !== "" && globalThis.said.at(-1) !== words) globalThis.said.push(words);
    }
  }, 20);
});
const { chunks } = await (await fetch(new URL(`v1/chunks?site=${site}&camera=${camera}&order=oldest-first&limit=1000`, base))).json();
const [first, last] = [Date.parse(chunks[0].from), Date.parse(chunks.at(-1).to)];
const bytes = chunks.slice(0, 6).reduce((sum, chunk) => sum + chunk.sizeBytes, 0);
check("what is appended ahead is more than there is room for", bytes > 1.2 * 1024 * 1024, `${bytes} bytes`);
await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(first + 200).toISOString()}`);
const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
check("it opens", await isReady());
check("the browser takes no more", await until(page, () => globalThis.full > 0));
await page.evaluate(() => { globalThis.said.length = 0; });
await page.keyboard.press("k");
await page.keyboard.press(">");
const passes = (ms) => until(page, (s) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) > s, ms / 1000);
check("it plays to the end of what was recorded", await passes(last - 1000));
const { full, said, appended, s } = await page.evaluate(() => ({ full: globalThis.full, said: globalThis.said, appended: globalThis.appended, s: performance.now() / 1000 }));
check("though the browser took no more again and again", full > 2, `${full} times`);
check("which is tried again once a second, not all the time", full <= s + 1, `in ${s.toFixed(1)} s`);
check("each file was appended once, in its order", appended.join() === chunks.map((chunk) => chunk.mediaEnd ?? chunk.sizeBytes).join(), appended.join());
check("and nothing was said to be the matter", !/damaged|gone|went|skipped|did not arrive/.test(said.join(" | ")), said.join(" | "));
await page.keyboard.press("k");
await page.evaluate((at) => { location.hash = location.hash.replace(/t=[^&]*/, `t=${new Date(at).toISOString()}`); }, first + 1000);
check("what it has thrown away meanwhile is there for who goes back", await until(page, (s) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - s) < 0.1, first / 1000 + 1) && await isReady());
await end(browser);

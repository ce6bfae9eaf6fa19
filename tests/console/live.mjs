// Follows a live camera: `node live.mjs BASE SECONDS`. Prints every half minute how far the picture is behind, and what the page holds:
// none of it may grow.

import { check, end, open, until } from "./browser.mjs";

const [base, seconds] = process.argv.slice(2);
const EVERY_MS = 30_000;
const { browser, page } = await open();
const json = async (path) => (await fetch(new URL(path, base))).json();
const { cameras: [{ site, camera }] } = await json("v1/cameras");
await page.evaluateOnNewDocument(() => {
  globalThis.waited = 0;
  addEventListener("waiting", () => { globalThis.waited += 1; }, true);
});
const asked = Date.now();
await page.goto(`${base}#/camera/${site}/${camera}`);
check("it shows the live picture", await until(page, () => document.querySelector("video")?.readyState >= 2), `${Date.now() - asked} ms`);
const session = await page.createCDPSession();

/** What the page is like, its garbage collected. */
async function look() {
  await session.send("HeapProfiler.collectGarbage");
  const { JSHeapUsedSize, Nodes, JSEventListeners } = await page.metrics();
  const seen = await page.evaluate(() => {
    const video = document.querySelector("video");
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    return {
      wall: Number(document.querySelector(".lanes").getAttribute("aria-valuenow")), now: Date.now() / 1000, waited: globalThis.waited, frames: totalVideoFrames,
      dropped: droppedVideoFrames, ahead: video.buffered.end(video.buffered.length - 1) - video.currentTime, kept: video.currentTime - video.buffered.start(0), entries: performance.getEntries().length,
    };
  });
  const [{ from, to }] = (await json(`v1/chunks?site=${site}&camera=${camera}&limit=1`)).chunks;
  const lag = seen.now - seen.wall;
  const row = { ...seen, lag, chunks: lag * 1000 / (Date.parse(to) - Date.parse(from)), heap: JSHeapUsedSize / 1e6, nodes: Nodes, listeners: JSEventListeners };
  console.log(`behind ${lag.toFixed(1)} s, ${row.chunks.toFixed(1)} chunks; ahead ${row.ahead.toFixed(1)} s, kept ${row.kept.toFixed(0)} s; waited ${row.waited} times; ${row.frames} frames, ${row.dropped} dropped; `
    + `heap ${row.heap.toFixed(2)} MB, ${row.nodes} nodes, ${row.listeners} listeners, ${row.entries} performance entries`);
  return row;
}

const rows = [];
for (const end = Date.now() + Number(seconds) * 1000; Date.now() < end;) {
  await new Promise((go) => setTimeout(go, EVERY_MS));
  rows.push(await look());
}
const [first, last] = [rows[0], rows.at(-1)];
check("it goes on to the end", rows.every((row, index) => index === 0 || row.wall > rows[index - 1].wall));
check("two or three chunks behind", rows.every((row) => row.chunks < 4), rows.map((row) => row.chunks.toFixed(1)).join(" "));
check("it does not wait again after its start", last.waited === first.waited, `${last.waited} and ${first.waited} times`);
check("elements and listeners stay as many", last.nodes < first.nodes * 1.1 && last.listeners < first.listeners * 1.1);
await end(browser);

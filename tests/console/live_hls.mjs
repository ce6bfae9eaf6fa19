// Follows a live camera's HLS playlists with hls.js, each in a page of its own, at the same time: `node live_hls.mjs BASE SECONDS`.

import { check, complaints, failures, open, until } from "./browser.mjs";
import { hlsLine } from "./hls.mjs";

const [base, seconds] = process.argv.slice(2);
const EVERY_MS = 30_000;
const line = await hlsLine(base);
const { cameras: [{ site, camera }] } = await (await fetch(new URL("v1/cameras", base))).json();
const { browser } = await open();

const players = [];
for (const timeline of ["", "?timeline=continuous"]) {
  const page = await browser.newPage();
  await page.goto(`${line.base}play.html`);
  await page.evaluate((source) => {
    const video = document.querySelector("video");
    Object.assign(window, { waited: 0, errors: [] });
    const hls = window.hls = new Hls();
    hls.on(Hls.Events.ERROR, (_, data) => window.errors.push(`${data.details}${data.fatal ? " (fatal)" : ""}`));
    video.addEventListener("waiting", () => { window.waited += 1; });
    hls.attachMedia(video);
    hls.loadSource(source);
    video.play();
  }, `${line.base}v1/playlists/${site}/${camera}.m3u8${timeline}`);
  const name = timeline === "" ? "a live playlist" : "a continuous one";
  check(`${name} plays`, await until(page, () => document.querySelector("video").currentTime > 1));
  players.push({ page, name, rows: [] });
}

/** What a player is like. */
const look = ({ page }) => page.evaluate(() => {
  const video = document.querySelector("video");
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  return {
    at: video.currentTime, now: performance.now() / 1000, behind: (Date.now() - window.hls.playingDate) / 1000, waited: window.waited,
    errors: window.errors, frames: totalVideoFrames, dropped: droppedVideoFrames, buffered: video.buffered.end(video.buffered.length - 1) - video.currentTime,
  };
});
for (const player of players) player.rows.push(await look(player));
for (const end = Date.now() + Number(seconds) * 1000; Date.now() < end;) {
  await new Promise((go) => setTimeout(go, EVERY_MS));
  for (const player of players) {
    const row = await look(player);
    player.rows.push(row);
    console.log(`${player.name}: ${row.behind.toFixed(1)} s behind, ${row.buffered.toFixed(1)} s ahead, waited ${row.waited} times; ${row.frames} frames, ${row.dropped} dropped ${row.errors.join(" ")}`);
  }
}
for (const { name, rows } of players) {
  const [first, last] = [rows[0], rows.at(-1)];
  check(`${name}: it does not wait after its start`, last.waited === first.waited, `${last.waited} and ${first.waited} times`);
  check(`${name}: it goes on with the time`, Math.abs((last.at - first.at) - (last.now - first.now)) < 2, `${(last.at - first.at).toFixed(1)} of ${(last.now - first.now).toFixed(1)} s`);
  check(`${name}: it stays as far behind`, Math.abs(last.behind - first.behind) < 2, `${first.behind.toFixed(1)} and ${last.behind.toFixed(1)} s`);
  check(`${name}: no errors`, last.errors.length === 0, last.errors.join(" "));
}
check("the pages complain of nothing", complaints.length === 0, complaints.join(" | "));
await browser.close();
process.exit(failures() === 0 ? 0 : 1);

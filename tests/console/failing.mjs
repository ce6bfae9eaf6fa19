// What the page does when something fails while it plays: `node failing.mjs BASE SITE CAMERA PICTURES`. The camera has more than a
// minute of footage without a gap. Each time the page says what is the matter, and goes on by itself when that is over.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { accessible } from "./axe.mjs";
import { PATIENCE_MS, check, end, expected, open, poll, until } from "./browser.mjs";
import { changing } from "./changing.mjs";
import { engine } from "./engine.mjs";
import { hostile } from "./hostile.mjs";
import { Line } from "./line.mjs";
import { waiting } from "./waiting.mjs";
import { words } from "./words.mjs";

const [server, site, camera, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
// What does not arrive is meant not to.
expected.push(/Failed to load resource/);
const line = new Line(server);
await line.open();
const { chunks } = await (await fetch(new URL(`v1/chunks?site=${site}&camera=${camera}&order=oldest-first&limit=1000`, server))).json();
const at = (index) => Date.parse(chunks[index].from) + 300;
const { browser, page } = await open();
const playhead = (page) => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")));
/** Whether time has gone on behind where it stood from there, and not from further on: the page keeps every place of the playhead from `keepPlaces` on. */
const fromThere = (page, stood) => page.evaluate((stood) => Math.min(...globalThis.places.filter((at) => at > stood)) < stood + 20, stood);
const keepPlaces = (page) => page.evaluate(() => {
  const lanes = document.querySelector(".lanes");
  globalThis.places = [];
  new MutationObserver(() => globalThis.places.push(Number(lanes.getAttribute("aria-valuenow")))).observe(lanes, { attributeFilter: ["aria-valuenow"] });
});
const passes = (page, ms) => until(page, (s) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) > s, ms / 1000);
const notice = (page, words) => until(page, (words) => (document.querySelector(".notice")?.textContent ?? "").includes(words), words);
const noticeNow = (page) => page.$eval("#notice", (element) => element.textContent);
/** Waits until the playhead is at a time, to a second. */
const stands = (page, ms) => until(page, (s) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - s) <= 1, ms / 1000);
const tells = (page, words) => until(page, (words) => [".stage .words", ".stage > .tag"].some((place) => {
  const element = document.querySelector(place);
  return element && !element.hidden && element.textContent.includes(words);
}), words);
const isReady = (page) => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2);

/** Opens the camera at a chunk, on a page of its own. */
async function opened(index) {
  const other = await browser.newPage();
  // What one page has fetched would hide from the next one what is wrong with it.
  await other.setCacheEnabled(false);
  await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(index)).toISOString()}`);
  return other;
}

/** Opens the camera at a chunk, and plays. */
async function playing(index) {
  const other = await opened(index);
  await isReady(other);
  await other.keyboard.press("k");
  return other;
}
const shot = (page, name) => page.screenshot({ path: path.join(pictures, `failing-${name}.png`) });
await page.close();

// A server that is busy refuses a file of the page.
const busy = await browser.newPage();
let refused = 0;
await busy.setRequestInterception(true);
busy.on("request", (request) => {
  if (refused === 2 || !request.url().endsWith("/player.js")) return request.continue();
  refused += 1;
  return request.respond({ status: 429 });
});
await busy.goto(server);
check("a page whose server refuses a file of it opens in the end", await until(busy, () => document.querySelector(".tile .name") !== null), `refused ${refused} times`);
await busy.close();

// The server dies while it plays, and comes back.
const health = await browser.newPage();
await health.goto(`${line.base}#/health`);
const reports = (page, word) => until(page, (word) => {
  const all = [...document.querySelectorAll('td[data-name="Last report"]')].map((one) => one.textContent);
  return all.length > 0 && all.every((one) => one.endsWith(word));
}, word);
check("health says how old a gateway's report is", await reports(health, " ago"));
let other = await playing(0);
await passes(other, at(0) + 1500);
await line.cut();
check("a server that dies is said to be gone", await notice(other, "No connection to the server"));
check("what was loaded plays on, and its end is said", await tells(other, "The video did not arrive"));
check("no age is claimed", await until(other, () => [...document.querySelectorAll(".cameras .age")].every((one) => one.textContent === "not known")));
await health.bringToFront();
check("nor one of a report", await reports(health, "not known"));
await shot(health, "offline-health");
await health.close();
await other.bringToFront();
await shot(other, "offline");
await accessible(other, "no connection");
const stood = await playhead(other);
await keepPlaces(other);
await line.open();
check("it comes back by itself", await until(other, () => document.querySelector(".notice") === null));
check("and plays on from where it stood", await passes(other, (stood + 3) * 1000) && await fromThere(other, stood), `from ${stood}`);
await other.close();

// The token expires while it plays.
let token = "first";
line.instead = (url, request) => (url.pathname.startsWith("/v1/") && request.headers.authorization !== `Bearer ${token}`
  ? { status: 401, type: "application/problem+json", body: "{\"title\":\"A valid token is needed\"}" } : undefined);
const signIn = async (page, text) => {
  await page.waitForSelector("#token");
  await page.type("#token", text);
  await page.keyboard.press("Enter");
};
other = await browser.newPage();
await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(0)).toISOString()}`);
await signIn(other, "first");
check("with a token it shows the picture", await isReady(other));
await other.keyboard.press("i");
await other.evaluate(() => document.activeElement.blur());
await other.keyboard.press("k");
await passes(other, at(0) + 1500);
token = "second";
check("a token that is over is asked for again", await notice(other, "The token does not count any more"));
check("at the end of what was loaded that is said", await tells(other, "The sign-in is over"));
const over = await playhead(other);
await keepPlaces(other);
await shot(other, "sign-in");
await accessible(other, "the sign-in is over");
await signIn(other, "second");
check("it plays on from where it stood", await passes(other, (over + 3) * 1000) && await fromThere(other, over));
check("and the marked range is still there", await until(other, () => document.querySelector(".fact")?.hidden === false));
await other.close();
line.instead = () => undefined;

// A server that answers, but not with what it is asked for: all of it, or the video alone.
const problem = (status, headers = {}) => ({ status, type: "application/problem+json", headers, body: "{\"title\":\"No\"}" });
for (const [status, title] of [
  [503, "The server is busy, or does not reach its catalogue"], [429, "The server was asked too much at once"],
  [502, "The server does not answer what is in front of it"], [500, "The server has a fault"],
]) {
  other = await playing(6);
  const pulses = [];
  line.instead = (url) => {
    if (url.pathname === "/v1/cameras") pulses.push(performance.now());
    return url.pathname.startsWith("/v1/") ? problem(status, status === 503 ? { "retry-after": "4" } : {}) : undefined;
  };
  check(`${status}: the notice says so, and not that there is no connection`, await notice(other, title) && !(await noticeNow(other)).includes("No connection"));
  // What is there plays to its end; elsewhere there is nothing at once.
  if (status !== 503) await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(30)).toISOString()}`);
  check(`${status}: so do the words where there is no video`, await tells(other, title));
  await shot(other, `server-${status}`);
  if (status === 503) {
    await accessible(other, "a server that is busy");
    await poll(() => pulses.length > 2);
    check("it is left alone for as long as it wanted", pulses[2] - pulses[1] > 3990, `${Math.round(pulses[2] - pulses[1])} ms`);
  }
  const stood = await playhead(other);
  line.instead = () => undefined;
  check(`${status}: it plays on when that is over`, await passes(other, (stood + 2) * 1000) && await until(other, () => document.querySelector(".notice") === null));
  await other.close();

  line.instead = (url) => (url.pathname.startsWith("/v1/media/") ? problem(status, { "retry-after": "1" }) : undefined);
  other = await opened(8);
  check(`${status} for the video alone: the words say so`, await tells(other, title));
  check("and nothing is said of the rest", !(await noticeNow(other)).includes(title));
  line.instead = () => undefined;
  check(`${status}: the picture comes when that is over`, await isReady(other));
  await other.close();
}
line.instead = (url) => (url.pathname.startsWith("/v1/media/") ? problem(403) : undefined);
other = await opened(8);
check("a camera that is not allowed is said to be", await tells(other, "You may not see this"));
await shot(other, "forbidden");
await other.close();
line.instead = (url) => (url.pathname.startsWith("/v1/") ? problem(403) : undefined);
other = await browser.newPage();
await other.goto(line.base);
check("so is the whole server, and another token is asked for", await notice(other, "This is not allowed here") && (await other.$("#token")) !== null);
await accessible(other, "a token is needed");
line.instead = () => undefined;
await other.close();

// A line that is slower than the video, and then is not.
other = await playing(4);
const network = await other.createCDPSession();
// A file of two seconds has some 190 kB, and its key picture a twentieth of that.
const throughput = 40_000;
await network.send("Network.emulateNetworkConditions", { offline: false, latency: 100, downloadThroughput: throughput, uploadThroughput: throughput });
check("a slow line is said to be slow", await tells(other, "The line is slow: waiting for the video"));
check("then there are key pictures, which is said", await tells(other, "The line is slower than the video: key pictures only"));
check("they are shown", await until(other, () => !document.querySelector(".still").hidden));
await shot(other, "slow");
await accessible(other, "a slow line");
const parts = [];
other.on("response", (response) => { if (response.url().includes("/v1/media/")) parts.push(response.status()); });
const slow = await playhead(other);
check("and time goes on with them", await passes(other, (slow + 8) * 1000));
check("of a part of each file", await poll(() => parts.filter((status) => status === 206).length > 2), parts.join(" "));
check("a slow answer is not taken for a clock that is wrong", !(await noticeNow(other)).includes("clock"));
line.instead = (url) => (url.pathname.startsWith("/v1/") ? problem(503) : undefined);
check("a server that fails meanwhile is said to", await tells(other, "The server is busy"));
line.instead = () => undefined;
const failed = await playhead(other);
check("and time goes on again after it", await passes(other, (failed + 3) * 1000));
await network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
let isBack = false;
// Key pictures take as long as the video: whoever waits for it may come to the footage's end, and goes back.
for (let go = 0; go < 4 && !isBack; go += 1) {
  await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(5 + go)).toISOString()}`);
  isBack = await other.waitForFunction(() => {
    const video = document.querySelector("video");
    return document.querySelector(".still").hidden && !video.paused && video.readyState >= 3;
  }, { timeout: PATIENCE_MS / 2, polling: 50 }).then(() => true, () => false);
}
check("and it plays on when the line is quick again", isBack && await passes(other, ((await playhead(other)) + 2) * 1000));
await other.close();

// A line on which answers break off in the middle, or never come: each second file in turns, and of the other answers some that are made up.
other = await playing(14);
await other.evaluate(() => {
  globalThis.told = [];
  const look = () => { for (const place of document.querySelectorAll(".stage .words, .stage > .tag")) if (!place.hidden) globalThis.told.push(place.textContent); };
  new MutationObserver(look).observe(document.querySelector(".stage"), { childList: true, subtree: true, attributes: true, characterData: true });
});
let seed = 11;
let files = 0;
const lost = { "breaks off": 0, "never begins": 0, comes: 0 };
line.fate = (url) => {
  if (!url.pathname.startsWith("/v1/")) return "comes";
  seed = (seed * 48_271) % 2_147_483_647;
  const isFile = url.pathname.startsWith("/v1/media/");
  if (isFile) files += 1;
  const lot = isFile ? (files % 4) / 2 : seed % 8;
  const fate = lot === 0 ? "breaks off" : lot === 1 ? "never begins" : "comes";
  lost[fate] += 1;
  return fate;
};
// Further than what was appended ahead before.
check("it plays on over a line that loses answers", await passes(other, at(14) + 20_000), JSON.stringify(lost));
check("it has lost some of both kinds", await poll(() => lost["breaks off"] > 2 && lost["never begins"] > 2), JSON.stringify(lost));
const told = await other.evaluate(() => [...new Set(globalThis.told)]);
check("no file is said to be damaged or gone, and nothing to be skipped", !told.some((words) => /damaged|gone|Skipped/.test(words)), told.join(" | "));
await shot(other, "lossy");
line.fate = () => "comes";
check("nothing is said when the line is whole again", await until(other, () => document.querySelector(".notice") === null));
await other.close();

// Something in front of the server that answers everything with a page of its own.
other = await opened(40);
await isReady(other);
line.instead = (url) => (url.pathname.startsWith("/v1/") ? { type: "text/html", body: "<title>Sign in to the guest network</title>" } : undefined);
await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(2)).toISOString()}`);
check("a page that is no answer is not taken for a file", await tells(other, "The server does not answer what is in front of it"));
line.instead = () => undefined;
check("the picture comes when the server answers again", await isReady(other) && await stands(other, at(2)));
await other.close();

// Files that are gone, damaged, or of a kind that the browser does not play: in the way, and where somebody goes.
const media = (index) => decodeURIComponent(chunks[index].media);
const faults = [
  ["gone", 18, "the file is gone", "The file is gone", (index) => (url) => (decodeURIComponent(url.pathname) === media(index) ? { status: 404, type: "application/problem+json", body: "{}" } : undefined)],
  ["damaged", 25, "the file is damaged", "The file is damaged", (index) => (url) => (decodeURIComponent(url.pathname) === media(index) ? { type: "video/mp4", body: "x".repeat(4096) } : undefined)],
  ["unreadable", 25, "the file is damaged", "The file is damaged", (index) => (url) => (decodeURIComponent(url.pathname) === media(index)
    ? { status: 500, type: "application/problem+json", body: JSON.stringify({ type: "/problems/damaged", title: "The footage is damaged", status: 500 }) } : undefined)],
  ["codec", 32, "this browser cannot play it", "This browser cannot play H.265", (index) => async (url) => {
    if (url.pathname !== "/v1/chunks") return undefined;
    const answer = await (await fetch(url)).json();
    for (const chunk of answer.chunks) if (chunk.key === chunks[index].key) chunk.mimeType = "video/mp4; codecs=\"hvc1.1.6.L93.B0\"";
    return { body: JSON.stringify(answer) };
  }],
];
for (const [name, index, skipped, title, instead] of faults) {
  line.instead = instead(index);
  other = await playing(index - 2);
  check(`${name}: playing goes over it and says so`, await tells(other, skipped), await other.$eval(".stage > .tag", (element) => element.textContent));
  check(`${name}: and on`, await passes(other, at(index + 1) + 1000));
  await other.keyboard.press("k");
  await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(index)).toISOString()}`);
  check(`${name}: whoever goes there is told`, await tells(other, title));
  await shot(other, name);
  if (name !== "unreadable") await accessible(other, name);
  line.instead = () => undefined;
  await other.close();
}

// A file that was removed, as the catalogue remembers: its place says so, and playing goes over it.
line.instead = async (url) => {
  if (!["/v1/chunks", "/v1/timeline"].includes(url.pathname)) return undefined;
  const answer = await (await fetch(url)).json();
  const { key, from, to } = chunks[18];
  if (url.pathname === "/v1/chunks") answer.chunks = answer.chunks.filter((chunk) => chunk.key !== key);
  else answer.removed.push({ from, to, chunks: 1, removedAt: "2024-01-05T09:30:00Z", cause: "lifecycle" });
  return { body: JSON.stringify(answer) };
};
other = await opened(18);
check("removed: whoever goes there is told", await tells(other, "Video removed"));
check("removed: and when and why", await tells(other, "2024, 10:30") && await tells(other, "its time was over."), await other.$eval(".stage .words", (element) => element.textContent));
check("removed: it is in the list for screen readers", await until(other, () => document.querySelector(".timeline ul").textContent.includes("Video removed")));
await shot(other, "removed");
await other.close();
other = await playing(16);
check("removed: playing goes over it and says so", await tells(other, "the video was removed"), await other.$eval(".stage > .tag", (element) => element.textContent));
check("removed: and on", await passes(other, at(19) + 1000));
await other.close();
line.instead = () => undefined;

/** Seconds of an age as the page says it: `3 h 5 min ago`, `12 s ago`. */
const seconds = (age) => [["days", 86_400], ["h", 3600], ["min", 60], ["s", 1]]
  .reduce((sum, [unit, length]) => sum + Number(age.match(new RegExp(`([\\d.]+) ${unit}\\b`))?.[1] ?? 0) * length, 0);

// A device whose clock is an hour off, or right. The newest picture is three hours old by the server's clock.
const OLD_MS = 3 * 3_600_000;
line.instead = async (url) => {
  if (url.pathname !== "/v1/cameras") return undefined;
  const answer = await (await fetch(url)).json();
  for (const one of answer.cameras) one.last = new Date(Date.parse(answer.now) - OLD_MS).toISOString();
  return { body: JSON.stringify(answer) };
};
for (const [hours, words] of [[-1, "1 h behind"], [0, ""], [1, "1 h ahead"]]) {
  other = await browser.newPage();
  await other.evaluateOnNewDocument((ms) => {
    const real = Date.now.bind(Date);
    Date.now = () => real() + ms;
  }, hours * 3_600_000);
  await other.goto(line.base);
  await other.waitForSelector(".caption .age");
  if (hours !== 0) check(`a clock that is ${words} is said to be`, await notice(other, words));
  const age = await other.$eval(".caption .age", (element) => element.textContent);
  check("ages are by the server's clock", Math.abs(seconds(age) * 1000 - OLD_MS) < 600_000, `${age}, ${words || "the clock is right"}`);
  if (hours === 0) check("nothing is said of a clock that is right", !(await noticeNow(other)).includes("clock"));
  await other.close();
}
line.instead = () => undefined;
// A browser with Safari's own media source; one with none, which plays HLS by itself; and one that plays nothing.
const withoutSource = () => { delete globalThis.MediaSource; delete globalThis.ManagedMediaSource; };
for (const [name, prepare] of [
  ["ManagedMediaSource", () => { globalThis.ManagedMediaSource = globalThis.MediaSource; delete globalThis.MediaSource; }],
  ["HLS", withoutSource],
]) {
  other = await browser.newPage();
  await other.evaluateOnNewDocument(prepare);
  const isHls = await other.evaluate(() => document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "");
  if (name === "HLS" && !isHls) {
    console.log("        this browser plays no HLS by itself");
    await other.close();
    continue;
  }
  await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(2)).toISOString()}`);
  check(`${name}: it shows the picture`, await isReady(other) && await stands(other, at(2)), await other.$eval("video", (video) => video.currentSrc.replace(/\?.*/, "").replace(/^.*(blob|playlists)/, "$1").slice(0, 40)));
  await other.keyboard.press("k");
  check(`${name}: it plays over the files' ends`, await passes(other, at(4) + 500));
  await other.keyboard.press("k");
  await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(20)).toISOString()}`);
  check(`${name}: and goes where it is told`, await stands(other, at(20)) && await isReady(other));
  await shot(other, name.toLowerCase());
  await other.close();
}
other = await browser.newPage();
await other.evaluateOnNewDocument(withoutSource);
await other.evaluateOnNewDocument(() => { HTMLMediaElement.prototype.canPlayType = () => ""; });
await other.goto(`${line.base}#/camera/${site}/${camera}?t=${new Date(at(2)).toISOString()}`);
check("nothing: it says so and offers the file", await tells(other, "This browser cannot play") && await until(other, () => document.querySelector(".words a[href]") !== null));
await other.close();

await waiting(browser, line, { site, camera, chunks });
await engine(browser, line, { site, camera, chunks });
await words(browser, line, { site, camera, chunks });
await changing(browser, line, { site, camera, chunks });
await hostile(browser, line, { site, camera, chunks });
await line.cut();
await end(browser);

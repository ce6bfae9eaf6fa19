// Single pictures of a camera whose pictures carry their number: the one that was asked for, the one before and behind it, the key picture
// under the pointer, and whether the clock says the time of the one that is shown. Steps that lead to what is on its way are not lost.

import { check, expected, poll, until } from "./browser.mjs";

const FRAME_MS = 40;
/** Records have microseconds, and the page milliseconds. */
const NEAR_MS = 2;
const HOUR_MS = 3_600_000;

/** Looks at single pictures. The page has `numberIn`. `uneven` is a camera without the pictures whose number is 3 more than a multiple of 7, and `slow` one with 10 a second. */
export async function frames(page, { base, site, camera, uneven, slow, chunks }) {
  const start = Date.parse(chunks[0].from);
  /** Pictures of a file. */
  const length = Math.round((Date.parse(chunks[0].to) - start) / FRAME_MS);
  /** The middle of a picture, which every clock takes for that picture. */
  const middle = (number) => start + (number + 0.5) * FRAME_MS;
  const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
  const open = async (ms, name = camera) => {
    await page.goto(`${base}#/camera/${site}/${name}?t=${new Date(ms).toISOString()}`);
    return until(page, (at) => Math.abs(document.querySelector(".lanes")?.getAttribute("aria-valuenow") - at) < 0.04, ms / 1000).then(isReady);
  };
  /** The number of the picture that is shown, and the time that the clock says. */
  const shown = () => page.evaluate(() => {
    const [hours, minutes, seconds] = document.querySelector(".clock b").textContent.split(":").map(Number);
    const thousandths = Number(document.querySelector(".clock small").textContent) * 1000;
    return { number: globalThis.numberIn(document.querySelector("video")), clock: ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths };
  });
  /** Waits until a picture is shown. */
  const shows = (number) => until(page, (number) => {
    const video = document.querySelector("video");
    return video.readyState >= 2 && !video.seeking && globalThis.numberIn(video) === number;
  }, number);
  /** How far the clock is behind the beginning of the picture that is shown. Berlin's clocks are whole hours from those of records. */
  const off = ({ number, clock }) => (clock - ((start + number * FRAME_MS) % HOUR_MS) + 1.5 * HOUR_MS) % HOUR_MS - HOUR_MS / 2;

  const wrong = [];
  // Within a file, the first and the last of one, and far from what is loaded.
  for (const number of [3, length, length - 1, 2 * length + 7, 12 * length + 1, 2 * length]) {
    await open(middle(number));
    await shows(number);
    const is = await shown();
    if (is.number !== number || Math.abs(off(is)) > NEAR_MS) wrong.push(`${is.number} at ${off(is)} ms for ${number}`);
  }
  check("the picture is that of the moment asked for, and the clock says its time", wrong.length === 0, wrong.join(", "));

  /** Presses a key some times, and returns the numbers of the pictures that came. */
  const steps = async (key, count, from) => {
    const came = [];
    for (let step = 1; step <= count; step += 1) {
      await page.keyboard.press(key);
      await shows(from + (key === "." ? step : -step));
      came.push((await shown()).number);
    }
    return came;
  };
  const row = (from, count, by) => Array.from({ length: count }, (_, index) => from + (index + 1) * by).join();
  const before = length - 2;
  await open(middle(before));
  const on = await steps(".", 4, before);
  check("a step goes on by one picture, over a file's end, too", on.join() === row(before, 4, 1), on.join(" "));
  const back = await steps(",", 4, before + 4);
  check("and one back", back.join() === row(before + 4, 4, -1), back.join(" "));
  await page.reload();
  await open(middle(3 * length));
  const into = await steps(",", 2, 3 * length);
  check("a step back goes into a file that is not loaded", into.join() === row(3 * length, 2, -1), into.join(" "));
  await open(middle(5));
  for (let step = 0; step < length; step += 1) await page.keyboard.press(".");
  check("as many steps as somebody presses, however quickly", await shows(5 + length), `${(await shown()).number} after ${length} from 5`);
  await owed(page, { base, site, camera, length, middle, open, shows, shown, off, start, slow });
  await open(middle(5 + length));
  await shows(5 + length);
  await page.keyboard.press(" ");
  await until(page, (number) => globalThis.numberIn(document.querySelector("video")) > number, 5 + length + 12);
  await page.keyboard.press(" ");
  await isReady();
  const paused = await shown();
  check("after playing, the clock says the time of the picture that it stops on", Math.abs(off(paused)) <= NEAR_MS, `${off(paused)} ms from its beginning`);
  const after = await steps(".", 1, paused.number);
  check("and a step goes on from there by one", after[0] === paused.number + 1, `${paused.number}, ${after[0]}`);
  await page.keyboard.press("s");
  await until(page, () => location.hash.includes("?t="));
  await page.reload();
  await isReady();
  check("a link to the moment shows the same picture", await shows(after[0]), `${after[0]}, ${(await shown()).number}`);

  const lanes = await (await page.$(".lanes")).boundingBox();
  const previews = [];
  for (const share of [0.35, 0.5, 0.62]) {
    await page.mouse.move(lanes.x + lanes.width * share, lanes.y + 46);
    await until(page, () => !document.querySelector(".hover-card").hidden && !document.querySelector(".hover-card canvas").hidden);
    previews.push(await page.evaluate(({ x, width }, share) => {
      const value = (name) => Number(document.querySelector(".lanes").getAttribute(`aria-value${name}`)) * 1000;
      // The pointer stands on a whole pixel.
      const at = (Math.round(x + width * share) - x) / width;
      return { number: globalThis.numberIn(document.querySelector(".hover-card canvas")), ms: value("min") + at * (value("max") - value("min")) };
    }, lanes, share));
  }
  const due = previews.map(({ ms }) => Math.floor((ms - start) / FRAME_MS / length) * length);
  check("the picture under the pointer is the key picture of its file", previews.every(({ number }, index) => number === due[index]) && new Set(due).size > 1,
    previews.map(({ number }, index) => `${number} for ${due[index]}`).join(", "));
  await page.mouse.move(0, 0);

  // A camera that leaves pictures out, and sends them in another order than they are shown: from one file into the next.
  const [gappy] = (await (await fetch(new URL(`v1/chunks?site=${site}&camera=${uneven}&order=oldest-first&limit=1`, base))).json()).chunks;
  await open(Date.parse(gappy.to) - 300, uneven);
  const came = [(await shown()).number];
  let isNext = true;
  for (const key of [..."............", ...",,,,,,,,,,,,"]) {
    const by = key === "." ? 1 : -1;
    const next = came.at(-1) + by;
    await page.keyboard.press(key);
    isNext &&= await shows(next % 7 === 3 ? next + by : next);
    came.push((await shown()).number);
    if (!isNext) break;
  }
  check("a step goes to the very next picture where they come unevenly and in another order", isNext, came.join(" "));
}

/** Has the page wait for files until it is let: whoever steps on to one, or back, gets there when it has come. */
async function owed(page, { base, site, camera, length, middle, open, shows, shown, off, start, slow }) {
  const { chunks } = await (await fetch(new URL(`v1/chunks?site=${site}&camera=${camera}&order=oldest-first&limit=100`, base))).json();
  /** The file that is kept back, and what asked for it. */
  let kept = "";
  let asked = [];
  let shorten = false;
  const keep = async (request) => {
    if (shorten && request.url().includes(".m3u8")) {
      const body = await (await fetch(request.url())).text();
      const fourth = body.split("#EXT-X-PROGRAM-DATE-TIME").slice(0, 4).join("#EXT-X-PROGRAM-DATE-TIME");
      return request.respond({ contentType: "application/vnd.apple.mpegurl", body: `${fourth.trimEnd().replace(/\n#EXT-X-DISCONTINUITY$/, "")}\n#EXT-X-ENDLIST\n` });
    }
    if (kept === "" || !request.url().includes(kept)) return request.continue();
    return asked.push(request);
  };
  await page.setRequestInterception(true);
  page.on("request", keep);
  const hold = (number) => { kept = chunks[Math.floor(number / length)].media; };
  const isHeld = () => poll(() => asked.length > 0);
  /** Lets what is kept back come, or has the first that asked for it fail. */
  const release = async (fate = (request) => request.continue()) => {
    kept = "";
    const [first, ...others] = asked.splice(0);
    await fate(first);
    for (const one of others) await one.continue();
  };
  const press = async (keys) => { for (const key of keys) await page.keyboard.press(key); };
  const told = async (what, number) => check(what, await shows(number), `${(await shown()).number}, where ${number} is due`);
  /** Waits until the clock says the time of a picture. */
  const tells = (number) => poll(async () => Math.abs(off({ number, clock: (await shown()).clock })) <= NEAR_MS);
  /** Opens a place on a fresh page, so that only what is around it is loaded, but for the file of a picture. */
  const without = async (number, at) => {
    await page.goto("about:blank");
    hold(number);
    await open(middle(at));
    await shows(at);
  };

  // A browser does not show the last pictures that it has before there are more.
  const near = length - 20;
  await without(length, near);
  await isHeld();
  await press(".".repeat(24));
  check("steps go as far as there are pictures", await tells(length - 1), `${(await shown()).clock}`);
  await release();
  await told("and on when the next file has come", near + 24);

  await without(length, near);
  await isHeld();
  await press(`${".".repeat(24)},..`);
  await release();
  await told("steps on and back, while it comes, are counted together", near + 25);

  await without(length, near);
  await isHeld();
  await press(".".repeat(24));
  expected.push(/Failed to load resource/);
  await release((request) => request.respond({ status: 503 }));
  await told("steps on are not lost where the next file does not come at first", near + 24);

  await without(2 * length, 3 * length);
  await press(",,,,,");
  await isHeld();
  await release();
  await told("steps back go into a file that comes late", 3 * length - 5);

  await without(2 * length, 3 * length);
  await press(",");
  await isHeld();
  await press(",,,..,");
  await release((request) => request.respond({ status: 503 }));
  await told("also where it does not come at first, and somebody steps on, too", 3 * length - 3);
  expected.splice(expected.findIndex((one) => one.source === "Failed to load resource"), 1);

  const far = 12 * length + 7;
  const goTo = (number) => page.evaluate((at) => { location.hash = location.hash.replace(/t=.*/, `t=${at}`); }, new Date(middle(number)).toISOString());
  await without(far, 5);
  await goTo(far);
  await isHeld();
  await press("...,");
  await release();
  await told("steps while a place loads are steps from there", far + 2);

  await without(length, near);
  await isHeld();
  await press(".".repeat(24));
  await open(middle(3));
  await release();
  await told("who goes elsewhere is not carried on by them", 3);
  await press(".");
  await told("nor later", 4);

  // The end of all that there is.
  const last = chunks.length * length - 1;
  await without(0, last - length - 20);
  await press(".".repeat(length + 24));
  check("at the end there is nothing to step to", await tells(last), `${(await shown()).clock}`);
  for (let times = 0; times < 2; times += 1) await page.waitForResponse((response) => response.url().includes("/v1/chunks"));
  await press(",".repeat(20));
  await told("and steps back go back", last - 20);

  // Side by side it is known how long a picture lasts when the first file is.
  await page.goto("about:blank");
  kept = `/v1/chunks?site=${site}&camera=${slow}`;
  await page.goto(`${base}#/side?cameras=${site}/${slow},${site}/${camera}&t=${new Date(start + 2330).toISOString()}`);
  await isHeld();
  await page.waitForSelector(".clock");
  await press("....,");
  await release();
  check("side by side, steps before anything is known are steps of the camera that is heard", await until(page, () => globalThis.numbers().join() === "26,66"), await page.evaluate(() => globalThis.numbers().join()));

  // Where the browser plays HLS by itself: a playlist that comes late, and one that ends after three files, as one does after twenty minutes.
  const { identifier } = await page.evaluateOnNewDocument(() => { delete globalThis.MediaSource; delete globalThis.ManagedMediaSource; });
  await page.goto("about:blank");
  if (await page.evaluate(() => document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "")) {
    kept = ".m3u8";
    const opening = open(middle(5));
    await isHeld();
    await press("...");
    await release();
    await opening;
    await told("HLS: steps before the playlist comes are not lost", 8);
    shorten = true;
    await page.goto("about:blank");
    await open(middle(2 * length + 5));
    await told("HLS: the picture is that of the moment asked for", 2 * length + 5);
    await press(".".repeat(2 * length));
    await told("HLS: steps go on behind the end of a playlist", 4 * length + 5);
  } else console.log("        this browser plays no HLS by itself");
  await page.removeScriptToEvaluateOnNewDocument(identifier);
  page.off("request", keep);
  await page.setRequestInterception(false);
  await page.goto("about:blank");
}

// Slow motion and key pictures of a camera whose pictures carry their number: whether time and pictures go on as fast as is said. What is
// compared is in the page: a frame's time and what the page makes of it, so that a busy machine shows less and not something else.

import { check, until } from "./browser.mjs";

const FRAME_MS = 40;
/** What a picture's time may differ from the file's by. */
const NEAR_MS = FRAME_MS / 2;
/** So often a machine that shows few pictures begins again. */
const ROUNDS = 12;
/** Clocks may have twelve hours. */
const HALF_DAY_MS = 43_200_000;

/** Has the page note each frame with the clock that it shows, each key picture with the time that it was asked for, and what the video does. */
function listen() {
  const noted = (globalThis.noted = { frames: [], stills: [], asked: NaN });
  const clock = () => {
    const [, hours, minutes, seconds] = /(\d+):(\d+):([\d.]+)/.exec(document.querySelector(".clock").textContent).map(Number);
    return ((hours * 60 + minutes) * 60 + seconds) * 1000;
  };
  const request = globalThis.requestAnimationFrame.bind(globalThis);
  globalThis.requestAnimationFrame = (callback) => request((at) => {
    callback(at);
    noted.frames.push({ at, clock: clock() });
  });
  const ask = globalThis.fetch.bind(globalThis);
  globalThis.fetch = (url, ...given) => {
    const { pathname, searchParams } = new URL(url);
    if (pathname === "/v1/chunks" && searchParams.get("limit") === "1") noted.asked = Date.parse(searchParams.get("from"));
    return ask(url, ...given);
  };
  const pen = CanvasRenderingContext2D.prototype;
  const draw = pen.drawImage;
  pen.drawImage = function noting(...given) {
    draw.apply(this, given);
    if (this.canvas.matches(".still")) noted.stills.push({ number: globalThis.numberIn(this.canvas), asked: noted.asked });
  };
}

/** Plays a camera at the rates at which it is not played as it is. The page has `numberIn`. */
export async function rates(page, { base, site, camera, chunks }) {
  const start = Date.parse(chunks[0].from);
  const length = Date.parse(chunks[0].to) - start;
  const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
  const open = async (ms) => {
    await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(start + ms).toISOString()}`);
    return until(page, (at) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - at) < 0.5, (start + ms) / 1000).then(isReady);
  };
  await open(100);
  await page.evaluate(listen);

  // The video's own time beside the page's, while there is something to play, and the number of the picture on which it stops.
  const number = () => page.evaluate(() => globalThis.numberIn(document.querySelector("video")));
  for (const rate of [0.25, 0.5, 2, 4]) {
    await open(100 + rate * 8);
    await page.select(".rate", String(rate));
    const first = await number();
    await page.keyboard.press(" ");
    const went = await page.evaluate((most) => new Promise((go) => {
      const video = document.querySelector("video");
      let from;
      const look = () => {
        const at = { media: video.currentTime, page: performance.now() };
        // Whoever waits for data does not play.
        if (video.paused || video.readyState < 3) from = undefined;
        else from ??= at;
        if (from && at.media - from.media > most) go({ media: (at.media - from.media) * 1000, page: at.page - from.page });
        else setTimeout(look, 20);
      };
      look();
    }), Math.max(0.5, rate));
    await page.keyboard.press(" ");
    await isReady();
    const [last, stood] = [await number(), await page.$eval("video", (video) => Math.floor((video.currentTime * 1000) / 40 + 0.001))];
    check(`${rate}×: time goes on as fast`, Math.abs(went.media / went.page / rate - 1) < 0.1, `${went.media.toFixed(0)} ms of video in ${went.page.toFixed(0)} ms`);
    check(`${rate}×: with the pictures of it`, last - first > 12 && last === stood, `from ${first} to ${last}, where ${stood} is due`);
  }

  // A page that is out of sight has no frames, and plays on.
  await open(100);
  await page.select(".rate", "4");
  await until(page, () => document.querySelector("video").buffered.end(0) > 10);
  await page.keyboard.press(" ");
  const said = await page.evaluate(() => new Promise((go) => {
    const video = document.querySelector("video");
    const request = globalThis.requestAnimationFrame;
    const held = [];
    globalThis.requestAnimationFrame = (task) => held.push(task);
    const look = () => {
      if (video.currentTime < 5) return setTimeout(look, 20);
      globalThis.requestAnimationFrame = request;
      held.forEach((task) => request(task));
      return request(() => request(() => go(document.querySelector(".stage > .tag").textContent)));
    };
    look();
  }));
  await page.keyboard.press(" ");
  await isReady();
  check("files that were played out of sight are not said to be skipped", !said.includes("Skipped"), said);

  // It is stopped by the page itself: a frame takes it 16 seconds on at the most, and the footage has 40.
  await open(200);
  await page.select(".rate", "16");
  await page.keyboard.press(" ");
  const came = await page.evaluate((ms) => new Promise((go) => {
    const look = () => {
      const at = document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000;
      if (at <= ms) return setTimeout(look, 10);
      document.querySelector(".play").click();
      return go(at);
    };
    look();
  }), start + length);
  check("16×: it stops where it has come to", await isReady() && await until(page, (ms) => document.querySelector(".still").hidden && document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 > ms, came - length / 2));

  for (const rate of [16, 32]) {
    const seen = [];
    let [due, did] = [0, 0];
    // A busy machine comes to the end of the footage with few pictures, and begins again elsewhere.
    for (let round = 0; round < ROUNDS && (new Set(seen.map(({ number }) => number)).size < 3 || did < 8 * length); round += 1) {
      // From other places: the first picture alone is another one then. An address that is the same as before is nowhere to go.
      await open(100 + rate + round + (round % 6) * 2 * length);
      await page.select(".rate", String(rate));
      await page.evaluate(() => Object.assign(globalThis.noted, { frames: [], stills: [] }));
      await page.keyboard.press(" ");
      await until(page, (ms) => new Set(globalThis.noted.stills.map(({ number }) => number)).size > 2 || document.querySelector(".lanes").getAttribute("aria-valuenow") * 1000 > ms, start + 15 * length);
      const { frames, stills } = await page.evaluate(() => {
        const { frames, stills } = globalThis.noted;
        if (document.querySelector(".play").getAttribute("aria-label") === "Pause") document.querySelector(".play").click();
        return { frames, stills };
      });
      /** How far the clock went on since the callback before: several may share a frame. */
      const went = frames.map(({ clock }, index) => (clock - (frames[index - 1]?.clock ?? clock) + 1.5 * HALF_DAY_MS) % HALF_DAY_MS - HALF_DAY_MS / 2);
      const moving = frames.filter((_, index) => went[index] > 0 || went[index + 1] > 0);
      // The page takes no frame for longer than a second.
      due += moving.slice(1).reduce((sum, { at }, index) => sum + Math.min(1000, at - moving[index].at) * rate, 0);
      did += went.reduce((sum, one) => sum + one, 0);
      const isInTurn = stills.every(({ number }, index) => index === 0 || number >= stills[index - 1].number);
      seen.push(...stills.map((still) => ({ ...still, isInTurn })));
    }
    check(`${rate}×: time goes on as fast`, did >= 8 * length && Math.abs(did / due - 1) < 0.02, `${did.toFixed(0)} ms, ${due.toFixed(0)} ms are due`);
    /** When the file begins that a time is in. */
    const begins = (ms) => Math.floor((ms - start) / length) * length;
    // Times are cut to milliseconds here, and a file may begin within one: until the next, it is still the file before.
    const isOf = (number, asked) => [asked, asked - 1].some((ms) => Math.abs(number * FRAME_MS - begins(ms)) < NEAR_MS);
    const right = seen.filter(({ number, asked, isInTurn }) => isInTurn && isOf(number, asked));
    const wrong = seen.filter((one) => !right.includes(one));
    check(`${rate}×: with the first picture of the file that it has come to`, wrong.length === 0 && new Set(seen.map(({ number }) => number)).size > 2,
      `${seen.map(({ number }) => number).join(" ")}; wrong: ${wrong.map(({ number, asked }) => `${number} at ${asked - start}`).join(", ")}`);
  }
}

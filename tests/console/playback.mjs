// HLS as hls.js plays it: `playback.mjs BASE SITE CAMERA START`.
//
// The pictures carry a number in bars, black and white, which counts frames since START. A picture's wall-clock time is therefore
// known from the picture alone, and compared with what hls.js takes it for.

import { PATIENCE_MS, check, complaints, failures, open, until } from "./browser.mjs";
import { hlsLine } from "./hls.mjs";

const [base, site, camera, start] = process.argv.slice(2);
const FRAME_MS = 40;
/** As many pictures are looked at. A busy machine that shows fewer plays again, at half of the speed. */
const PICTURES = 50;
/** Bars of a picture, each of one bit, the lowest first. */
const BARS = 16;

const line = await hlsLine(base);
const server = line.base.replace(/\/$/, "");

const known = (await (await fetch(`${server}/v1/cameras`)).json()).cameras.find((one) => one.site === site && one.camera === camera);
const query = `from=${known.first}&to=${known.last}`;
const { chunks } = await (await fetch(`${server}/v1/chunks?site=${site}&camera=${camera}&${query}&order=oldest-first&limit=500`)).json();
/** Where spans begin: chunks with the counter 0. */
const spans = chunks.filter((chunk) => /\.0\.mp4$/.test(chunk.key)).map((chunk) => Date.parse(chunk.from));
check("there are three spans", spans.length === 3, spans.map((at) => new Date(at).toISOString()).join(" "));
check("the picture changes in between", new Set(chunks.map((chunk) => chunk.sampleEntryDigest)).size === 2);

const { browser, page } = await open();
await page.goto(`${server}/play.html`);
await page.evaluate((bars) => {
  window.shown = [];
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  /** The number that is in a picture, of a video or of one that was taken from it. */
  window.numberOf = (picture) => {
    canvas.width = picture.videoWidth ?? picture.displayWidth;
    canvas.height = picture.videoHeight ?? picture.displayHeight;
    context.drawImage(picture, 0, 0);
    let number = 0;
    for (let bar = 0; bar < bars; bar += 1) {
      const { data } = context.getImageData(Math.floor(((bar + 0.5) * canvas.width) / bars), Math.floor(canvas.height / 2), 1, 1);
      if (data[0] > 127) number += 2 ** bar;
    }
    return number;
  };
}, BARS);

for (const timeline of ["", "&timeline=continuous"]) {
  const name = timeline === "" ? "a playlist" : "a continuous one";
  const ended = await page.evaluate(async (source) => {
    const video = document.querySelector("video");
    window.hls?.destroy();
    window.shown = [];
    window.errors = [];
    window.over = false;
    // Fragments are kept, so that a slow machine does not fetch them twice.
    const hls = window.hls = new Hls({ enableWorker: false, maxBufferLength: 120 });
    // A busy machine may stand still though there is what to play. A hole is another matter, and told by other names, too.
    const isBusy = () => Array.from({ length: video.buffered.length }, (_, n) => n).some((n) => video.buffered.start(n) <= video.currentTime && video.buffered.end(n) > video.currentTime + 0.2);
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR && !data.fatal && isBusy()) return;
      window.errors.push(`${data.details}${data.fatal ? " (fatal)" : ""}: ${data.error?.message ?? ""}`);
    });
    let played;
    hls.on(Hls.Events.FRAG_CHANGED, (_, data) => { played = data.frag.sn; });
    const look = () => {
      if (window.hls !== hls) return;
      video.requestVideoFrameCallback(look);
      // The picture that is there now, with its own time: a busy machine calls back when the next one is there.
      const picture = new VideoFrame(video);
      const time = picture.timestamp / 1e6;
      const date = hls.playingDate;
      const segment = (time) => hls.levels[0]?.details?.fragments.find((one) => time >= one.start && time < one.end);
      // The date is of this moment, and hls.js looks by and by which segment is played.
      const here = segment(time);
      const isKnown = here !== undefined && here === segment(video.currentTime) && here.sn === played;
      if (date && isKnown) window.shown.push({ number: window.numberOf(picture), width: video.videoWidth, date: date.getTime() - (video.currentTime - time) * 1000 });
      picture.close();
    };
    video.requestVideoFrameCallback(look);
    video.onended = () => { window.over = true; };
    hls.loadSource(source);
    hls.attachMedia(video);
    await video.play();
  }, `/v1/playlists/${site}/${camera}.m3u8?${query}${timeline}`).then(() => until(page, () => window.over));
  for (let rate = 0.5; rate > 0.05 && (await page.evaluate(() => window.shown.length)) <= PICTURES; rate /= 2) {
    await page.evaluate((rate) => {
      const video = document.querySelector("video");
      window.over = false;
      video.playbackRate = rate;
      video.currentTime = 0;
      return video.play();
    }, rate);
    await until(page, () => window.over);
  }
  const { shown, errors, at, buffered } = await page.evaluate(() => {
    const video = document.querySelector("video");
    const { buffered } = video;
    return {
      shown: window.shown, errors: window.errors, at: video.currentTime,
      buffered: Array.from({ length: buffered.length }, (_, n) => [buffered.start(n), buffered.end(n)]),
    };
  });
  check(`${name} plays to its end without an error`, ended && errors.length === 0, `${errors.join("; ")} at ${at} of ${JSON.stringify(buffered)}`);
  const recorded = chunks.reduce((sum, chunk) => sum + chunk.seconds, 0);
  check(`${name} plays all that was recorded and nothing else`, Math.abs(at - recorded) < 0.5, `${at} s of ${recorded} s`);
  const errors_ms = shown.map(({ number, date }) => Math.abs(Date.parse(start) + number * FRAME_MS - date));
  const worst = Math.max(...errors_ms);
  check(`${name}: playingDate is right to one frame`, shown.length > PICTURES && Math.round(worst / FRAME_MS) <= 1, `${worst.toFixed(1)} ms in ${shown.length} pictures`);
  const seen = new Set(shown.map(({ date }) => spans.findLastIndex((begins) => date >= begins - FRAME_MS)));
  check(`${name}: pictures of each span are shown, of both sizes`, seen.size === 3 && new Set(shown.map(({ width }) => width)).size === 2, [...seen].join(" "));
}

// Key frames, as hls.js scrubs: one picture for a time, and little to load.
const asked = [[0.5, 0], [3.5, 75], [6.5, 900]];
const stills = await page.evaluate(async (source, wanted, patience) => {
  window.hls?.destroy();
  const main = window.hls = new Hls({ enableWorker: false });
  const made = new Promise((go) => main.on(Hls.Events.MANIFEST_PARSED, go));
  main.loadSource(source);
  await made;
  const player = main.createIFramePlayer();
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  player.attachMedia(video);
  const found = [];
  for (const [at, number] of wanted) {
    const over = performance.now() + patience;
    const isThere = () => video.readyState >= 2 && !video.seeking && window.numberOf(video) === number;
    while (!isThere() && performance.now() < over) {
      player.loadMediaAt(at);
      // As often as somebody's hand moves.
      for (let n = 0; n < 10 && !isThere(); n += 1) await new Promise((go) => setTimeout(go, 50));
    }
    found.push(video.readyState >= 2 ? window.numberOf(video) : undefined);
  }
  return found;
}, `/v1/playlists/${site}/${camera}.m3u8?${query}&frames=both&every=1`, asked, PATIENCE_MS / 2);
check("key frames are shown where they are looked for", asked.every(([, number], n) => stills[n] === number), JSON.stringify(stills));

check("the page did not complain", complaints.length === 0, complaints.join("; "));
await browser.close();
await line.cut();
process.exit(failures() === 0 ? 0 : 1);

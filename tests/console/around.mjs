// Boxes of a real detector, measured on the picture that is shown: they are around what moves at its moment.

import { check, until } from "./browser.mjs";

/** Where the middle of the box is, less where that of the blue shirt is, in widths of the picture. It runs in the page. */
function apart() {
  const [video, box] = [document.querySelector("video"), document.querySelector(".box.motion")];
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const isBlue = (at) => data[at] < 75 && data[at + 2] > 100 && data[at + 2] > data[at + 1] + 25;
  const columns = Array.from({ length: data.length / 4 }, (_, at) => at).filter((at) => isBlue(at * 4)).map((at) => at % canvas.width);
  const [around, whole] = [box, box.parentElement].map((element) => element.getBoundingClientRect());
  return (around.left + around.width / 2 - whole.left) / whole.width - (Math.min(...columns) + Math.max(...columns) + 1) / 2 / canvas.width;
}

/** How far somebody on foot goes from one picture to the next: 90 of 640 pixels a second, at 25 pictures a second. */
const STEP = 90 / 640 / 25;

/** @param {{ base: string, site: string, camera: string, sightings: any[] }} given of a yard whose newest sighting is of somebody on foot */
export async function around(page, { base, site, camera, sightings: [walked] }) {
  const { chunks } = await (await fetch(new URL(`v1/detections?site=${site}&camera=${camera}&from=${walked.from}&to=${walked.to}`, base))).json();
  const looks = chunks.flatMap(({ from, frames }) => frames.map((frame) => (frame.time ? Date.parse(frame.time) : Date.parse(from) + frame.offset * 1000)));
  const found = [];
  for (const ms of [looks[2], looks[Math.floor(looks.length / 2)], looks.at(-3)]) {
    await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(Math.ceil(ms) + 1).toISOString()}`);
    await until(page, (at) => Math.abs(document.querySelector(".lanes")?.getAttribute("aria-valuenow") - at) < 0.02 && !document.querySelector("video").seeking && document.querySelector(".box.motion") !== null, ms / 1000);
    found.push(await page.evaluate(apart));
  }
  check("boxes are around what moves, to a picture", found.every((one) => Math.abs(one) < STEP), found.map((one) => `${(one / STEP).toFixed(2)} pictures`).join(", "));
}

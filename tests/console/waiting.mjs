// What somebody asks for before the page knows enough to do it: it is done when it does, and nothing is said that is not known.

import { check, poll, settled, until } from "./browser.mjs";

/** @param {{ site: string, camera: string, chunks: any[] }} given a camera with footage without a gap */
export async function waiting(browser, line, { site, camera, chunks }) {
  const at = (index) => Date.parse(chunks[index].from) + 300;
  const iso = (ms) => new Date(ms).toISOString();
  const hash = (ms) => `#/camera/${site}/${camera}?t=${iso(ms)}`;
  /** Which answers are kept back, and those that are. */
  let kept = () => false;
  let held = [];
  /** What an answer is made into. */
  let made = () => undefined;
  line.instead = async (url) => {
    if (kept(url)) await new Promise((go) => held.push(go));
    const change = made(url);
    return change && { body: JSON.stringify(change(await (await fetch(url)).json())) };
  };
  const hold = (which) => { kept = which; };
  const isHeld = () => poll(() => held.length > 0);
  const release = () => {
    kept = () => false;
    for (const go of held.splice(0)) go();
  };
  const page = await browser.newPage();
  await page.setCacheEnabled(false);
  const opened = async (ms) => {
    await page.goto("about:blank");
    await page.goto(line.base + hash(ms));
    return until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2);
  };
  const stands = (ms) => until(page, (s) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - s) <= 0.1, ms / 1000);
  const said = () => page.$eval(".stage > .tag", (tag) => (tag.hidden ? "" : tag.textContent));
  const tells = (words) => until(page, (words) => document.querySelector(".stage > .tag").textContent === words, words);

  // Sightings, before the day is known.
  const seen = [4, 5, 6].map((index) => ({ site, camera, label: "person", from: iso(at(index)), to: iso(at(index) + 500), score: 0.9, best: { time: iso(at(index)), key: chunks[index].key, offset: 0, media: chunks[index].media } }));
  made = (url) => url.pathname === "/v1/timeline" && ((answer) => ({ ...answer, sightings: seen }));
  hold((url) => url.pathname === "/v1/timeline");
  await opened(at(3));
  await isHeld();
  await page.keyboard.press("ArrowDown");
  check("who looks for a sighting before the day is known is told so", await tells("Loading what happened on this day"), await said());
  await page.keyboard.press("ArrowDown");
  release();
  check("and goes to it when it is", await stands(at(5)), await said());
  hold((url) => url.pathname === "/v1/timeline");
  await opened(at(3));
  await isHeld();
  await page.keyboard.press("]");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowLeft");
  release();
  await until(page, () => document.querySelector(".sighting") !== null);
  check("unless somebody goes elsewhere meanwhile", await stands(at(3) - 1000));
  await page.keyboard.press("]");
  check("that there is no gap is said when that is known", await tells("No later gap on this day"), await said());

  // A place without video, before it is known why, and whether there is any behind it.
  made = (url) => url.pathname === "/v1/chunks" && ((answer) => ({ ...answer, chunks: answer.chunks.filter(({ from }) => !chunks.slice(5, 9).some((one) => one.from === from)) }));
  hold((url) => url.pathname === "/v1/timeline" || (url.pathname === "/v1/chunks" && url.searchParams.get("limit") === "1"));
  await page.goto("about:blank");
  await page.goto(line.base + hash(at(6)));
  await until(page, () => document.querySelector(".words h2")?.textContent === "No video here");
  await settled(page);
  const words = () => page.$eval(".words p", (element) => element.textContent);
  check("nothing is said of what is behind a place without video before it is known", await words() === "", await words());
  release();
  check("and no reason before that is", await until(page, () => document.querySelector(".words p").textContent === "No reason was recorded."), await words());
  made = () => undefined;

  // Somebody goes elsewhere while the page looks for what is live.
  await opened(at(2));
  hold((url) => url.pathname === "/v1/chunks" && url.searchParams.get("limit") === "500");
  await page.keyboard.press("End");
  await isHeld();
  await page.evaluate((hash) => { location.hash = hash; }, hash(at(4)));
  await stands(at(4));
  const answered = page.waitForResponse((response) => response.url().includes("limit=500")).then((response) => response.text());
  release();
  await answered;
  await settled(page);
  check("who goes elsewhere is not taken to what is live", await stands(at(4)));

  // An export, before the cameras are known.
  hold((url) => url.pathname === "/v1/cameras");
  await opened(at(2));
  await page.keyboard.press("e");
  const sum = () => page.$eval(".sum", (element) => element.textContent);
  await isHeld();
  check("an export that waits for the cameras says that it looks", await until(page, () => document.querySelector(".sum").textContent !== "") && (await sum()).startsWith("Looking"), await sum());
  release();
  check("and is offered then", await until(page, () => document.querySelector(".foot-bar a")?.textContent.startsWith("Download ")), await sum());

  // The second page of what was found, asked for twice.
  const results = (from) => seen.map((one, index) => ({ ...one, from: iso(at(from + index)), to: iso(at(from + index) + 500) }));
  made = (url) => url.pathname === "/v1/sightings" && url.searchParams.has("limit") && (() => (url.searchParams.has("cursor") ? { sightings: results(1) } : { sightings: results(4), next: "more" }));
  await page.goto(`${line.base}#/search?days=-1`);
  const more = () => page.evaluate(() => { [...document.querySelectorAll(".results button")].find((one) => one.textContent === "Show more").click(); });
  await until(page, () => document.querySelectorAll(".hit").length === 3);
  hold((url) => url.searchParams.has("cursor"));
  await more();
  await more();
  await isHeld();
  release();
  check("more results are shown once, however often they are asked for", await until(page, () => document.querySelectorAll(".hit").length === 6 && document.querySelector(".results button") === null), `${(await page.$$(".hit")).length}`);

  // What is newest side by side, on a page that has been open for a while.
  let last = at(3);
  made = (url) => url.pathname === "/v1/cameras" && ((answer) => ({ ...answer, cameras: answer.cameras.map((one) => ({ ...one, last: iso(last) })) }));
  await page.goto("about:blank");
  await page.goto(`${line.base}#/side?cameras=${site}/${camera}`);
  await stands(last - 3000);
  last = at(12);
  await page.waitForResponse((response) => response.url().includes("/v1/cameras"));
  await page.waitForResponse((response) => response.url().includes("/v1/cameras"));
  await page.keyboard.press("End");
  check("side by side, End goes to what is newest now", await stands(last - 3000));
  line.instead = () => undefined;
  await page.close();
}

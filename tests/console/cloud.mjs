// The page as a cloud's `api` serves it: `node cloud.mjs BASE SITE CAMERA PICTURES EXPORT [MEDIA]`. The environment's `FRAMEPOST_TOKEN`
// may see and keep. MEDIA is the origin of a bucket that sends the media itself. One export is there, with as many bytes as EXPORT says.

import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { check, end, expected, friends, open, poll, until } from "./browser.mjs";
import { downloads, probe } from "./exports.mjs";

const [base, site, camera, pictures, exported, media] = process.argv.slice(2);
const token = process.env.FRAMEPOST_TOKEN;
mkdirSync(pictures, { recursive: true });
if (media) friends.push(media);
const { browser, page } = await open();
const sent = [];
/** How often the page asked what has happened since it asked before. */
let turns = 0;
page.on("request", (request) => { if (request.url().endsWith("/v1/events") && request.headers()["last-event-id"] !== undefined) turns += 1; });
page.on("response", (response) => { if (new URL(response.url()).origin === media && response.ok()) sent.push(response); });
await page.evaluateOnNewDocument(() => {
  globalThis.coloursIn = (canvas) => {
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(Array.from({ length: data.length / 400 }, (_, at) => data[at * 400])).size;
  };
});
const answer = await (await fetch(new URL("v1/chunks?order=oldest-first&limit=1000", base), { headers: { authorization: `Bearer ${token}` } })).json();
const { chunks } = answer;
const at = (index) => Date.parse(chunks[index].from);
const notice = (words) => until(page, (words) => document.querySelector("#notice").textContent.includes(words), words);
const signIn = async (text) => {
  await page.waitForSelector("#token");
  await page.type("#token", text);
  await page.keyboard.press("Enter");
};
const isReady = () => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);

// A browser reports each refusal; only here are there any.
expected.push(/status of 401/);
await page.goto(base);
check("the page comes without a token, and asks for one", await notice("A token is needed"));
await signIn(`${token}x`);
check("one that is none does not count", await notice("The token does not count"));
await page.$eval("#token", (input) => { input.value = ""; });
await signIn(token);
check("with one, the wall has the camera's picture", await until(page, () => document.querySelector(".notice") === null && performance.getEntriesByName("framepost-wall-picture").length > 0));
check("and its name", await page.$eval(".tile .name", (element) => element.textContent) === camera);
expected.pop();

await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(at(0) + 300).toISOString()}`);
check("the camera opens at its moment", await isReady() && await until(page, (at) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - at) < 0.5, at(0) / 1000 + 0.3));
await page.keyboard.press("k");
check("it plays over a file's end", await until(page, (s) => document.querySelector(".lanes").getAttribute("aria-valuenow") > s, at(1) / 1000 + 0.5));
await page.keyboard.press("k");
check("what was seen is beside it, with its picture", await until(page, () => globalThis.coloursIn(document.querySelector(".sighting canvas")) > 2));
await page.keyboard.press("v");
check("the file is verified", await until(page, () => document.querySelector(".digest")?.textContent === "Checked in this browser: matches"));
await page.screenshot({ path: path.join(pictures, "cloud-camera.png") });

// What S3 says of a file that is not there to whoever may not list the bucket.
if (media) {
  let refused = 0;
  expected.push(/status of 403/);
  const refuse = (request) => {
    const url = new URL(request.url());
    const isIt = url.origin === media && decodeURIComponent(url.pathname).endsWith(chunks[1].key);
    if (!isIt) return request.continue();
    refused += 1;
    return request.respond({ status: 403, headers: { "access-control-allow-origin": "*" }, contentType: "application/xml", body: "<Error><Code>AccessDenied</Code></Error>" });
  };
  await page.setRequestInterception(true);
  page.on("request", refuse);
  await page.goto("about:blank");
  await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(at(1) + 300).toISOString()}`);
  check("a file that the bucket refuses is said to be gone", await until(page, () => document.querySelector(".stage .words")?.textContent.includes("The file is gone")));
  check("after its link was asked for again", refused > 1, `${refused} times`);
  await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(at(0) + 300).toISOString()}`);
  await isReady();
  await page.keyboard.press("k");
  check("and playing goes over it", await until(page, (s) => document.querySelector(".lanes").getAttribute("aria-valuenow") > s, at(2) / 1000 + 0.3));
  await page.keyboard.press("k");
  page.off("request", refuse);
  await page.setRequestInterception(false);
  expected.pop();
  await page.goto("about:blank");
  await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(at(0) + 300).toISOString()}`);
  await isReady();
}

// A clip is made and downloaded, a range is kept, and the export that was made before is there.
const directory = path.join(pictures, "cloud");
const next = await downloads(page, directory);
for (const key of ["i", "l", "o", "e"]) await page.keyboard.press(key);
check("a clip has its size", await until(page, () => /^Download [\d.,]+ [kM]B$/.test(document.querySelector(".foot-bar a")?.textContent.trim() ?? "")));
const said = await page.evaluate(async () => ({ words: document.querySelector(".export .sum .big").textContent, href: document.querySelector(".foot-bar a").href }));
await page.click(".foot-bar a");
const clip = await next("clip.mp4");
const found = clip && probe(clip);
const words = clip && await page.evaluate(async (bytes) => (await consoleModule("words.js")).size(bytes), Number(found.size));
check("and comes by a signed link", words === said.words && said.href.includes("signature") && Number(found.duration) > 1, `${said.words}: ${found?.size} bytes, ${found?.duration} s`);
check("the export that was made is there", await until(page, () => document.querySelector(".job a[download]") !== null));
await page.click(".job a[download]");
const archive = await next("export.zip");
check("and comes whole", archive !== undefined && statSync(archive).size === Number(exported), `${archive && statSync(archive).size} bytes`);
const keep = (name) => page.evaluate((name) => [...document.querySelectorAll(".keep button")].find((one) => one.textContent.startsWith(name))?.click(), name);
await until(page, () => [...document.querySelectorAll(".keep button")].some((one) => one.textContent === "Keep this range"));
await keep("Keep this range");
check("a range is kept", await until(page, () => document.querySelector(".keep").textContent.includes("Kept:")));
await keep("Release");
check("and released", await until(page, () => !document.querySelector(".keep").textContent.includes("Kept:")));

await page.goto(`${base}#/search?label=motion&days=-1`);
check("search finds what was seen, with its picture", await until(page, () => globalThis.coloursIn(document.querySelector(".hit canvas")) > 2));
await page.goto(`${base}#/health`);
check("health knows the camera", await until(page, (camera) => [...document.querySelectorAll("tbody th")].some((one) => one.textContent === camera), camera));
if (media) check("what happens is asked for again and again, from where it was", await poll(() => turns > 1), `${turns} times`);
if (media) check("the bucket sent the media", sent.length > 3, `${sent.length} answers`);
await end(browser);

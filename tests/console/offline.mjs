// An export's own page, from a directory and without a server: `node offline.mjs DIRECTORY SECONDS FROM`. Its one clip lasts so many seconds
// from that time on.

import path from "node:path";
import { pathToFileURL } from "node:url";
import { check, complaints, failures, open, until } from "./browser.mjs";

const [directory, seconds, from] = process.argv.slice(2);
const { browser, page } = await open();
const asked = [];
// The browser's own buttons are drawings in `data:` URLs.
page.on("request", (request) => { if (!request.url().startsWith("data:")) asked.push(request.url()); });
await page.goto(pathToFileURL(path.join(directory, "index.html")).href);

const shown = () => page.$eval("output", (output) => Date.parse(output.textContent));
const media = () => page.$eval("video", (video) => video.currentTime);
check("the clip is loaded", await until(page, () => document.querySelector("video").readyState >= 2));
const { length, width } = await page.$eval("video", (video) => ({ length: video.duration, width: video.videoWidth }));
check("it has its length", Math.abs(length - Number(seconds)) < 0.1, `${length} of ${seconds} s`);
check("it has a picture", width > 0, `${width} pixels wide`);
check("the time of its first picture is shown", await shown() === Date.parse(from), await page.$eval("output", (output) => output.textContent));
await page.$eval("video", (video) => { video.currentTime = 1; });
check("the time shown goes with the picture", await until(page, (at) => Date.parse(document.querySelector("output").textContent) === at, Date.parse(from) + 1000));
await page.$eval("video", (video) => { video.muted = true; video.play(); });
check("it plays", await until(page, () => document.querySelector("video").currentTime > 1.5), await media());
check("to its end", await until(page, () => document.querySelector("video").ended), await media());
check("each clip can be taken by itself", await page.$$eval("section a", (links) => links.length === 1 && links[0].getAttribute("href") === document.querySelector("video").getAttribute("src")));
check("nothing is asked of anybody", asked.length > 0 && asked.every((url) => url.startsWith("file:")), asked.filter((url) => !url.startsWith("file:")).join(" "));
check("the page complains of nothing", complaints.length === 0, complaints.join(" | "));
await browser.close();
process.exit(failures() === 0 ? 0 : 1);

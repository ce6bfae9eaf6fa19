// A server whose program is killed, and started again at the same address: `node dies.mjs BASE SITE`. It has the built-in camera. On its
// standard output it says `die` and `come back` when that is to happen.

import { check, end, expected, open, until } from "./browser.mjs";

const [base, site] = process.argv.slice(2);
// What does not arrive is meant not to.
expected.push(/Failed to load resource/);
const { browser, page } = await open();
const playhead = (page) => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")));
const passes = (page, s) => until(page, (s) => Number(document.querySelector(".lanes")?.getAttribute("aria-valuenow")) > s, s);
const notice = (page, is) => until(page, (is) => (document.querySelector(".notice")?.textContent ?? "").includes("No connection to the server") === is, is);

await page.goto(base);
check("there is a camera", await until(page, () => document.querySelector(".tile .name") !== null && performance.getEntriesByName("framepost-wall-picture").length > 0));
await page.click(".tile");
check("it plays live", await until(page, () => document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").paused) && await passes(page, await playhead(page)));
const [{ camera, first }] = (await (await fetch(new URL("v1/cameras", base))).json()).cameras;
// Somebody else looks at the beginning.
const still = await browser.newPage();
await still.goto(`${base}#/camera/${site}/${camera}?t=${new Date(Date.parse(first) + 500).toISOString()}`);
const isReady = (page) => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
check("what was recorded first is shown", await isReady(still));
const stood = await playhead(still);
console.log("die");
check("a program that is killed is said to be gone", await notice(still, true));
await page.bringToFront();
check("to who follows live, too", await notice(page, true));
const died = await playhead(page);
console.log("come back");
check("when it is there again, that is seen", await notice(page, false));
check("and what it records from then on plays by itself", await passes(page, died + 3) && await isReady(page));
check("the time between has its cause", await until(page, () => [...document.querySelectorAll("ul.sr button")].some((one) => one.textContent.startsWith("No video") && one.textContent.endsWith("the recorder was off"))), await page.$$eval("ul.sr button", (all) => all.map((one) => one.textContent).join(" | ")));
await still.bringToFront();
check("who stood elsewhere stands there", await notice(still, false) && Math.abs((await playhead(still)) - stood) < 0.001 && await isReady(still));
await end(browser);

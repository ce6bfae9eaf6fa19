// What somebody sees who starts `framepost up` for the first time, without arguments: `node first.mjs BASE SITE CATALOG PICTURES`. The
// built-in camera moves, and something is seen on it, so that every part of the page has something to show.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { check, end, open, until } from "./browser.mjs";

const [base, site, catalog, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const { browser, page } = await open();
const shot = (name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });
// A picture's fingerprint, and whether there is a picture at all: what is not there is of one colour.
await page.evaluateOnNewDocument(() => {
  globalThis.fingerprint = (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4 * 97) {
      const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
      colours.add(colour);
      sum = (sum * 31 + colour) % 2_147_483_647;
    }
    return { sum, colours: colours.size };
  };
});
const mark = (name) => page.evaluate((name) => performance.getEntriesByName(name)[0]?.startTime, name);

await page.goto(base);
check("the wall shows the built-in camera", await until(page, () => performance.getEntriesByName("framepost-wall-picture").length > 0));
const name = await page.$eval(".tile .name", (element) => element.textContent);
// Opened again, there is something to be seen from the first moment on: how long that takes on this machine.
await page.reload();
check("opened again, there is its picture", await until(page, () => performance.getEntriesByName("framepost-wall-picture").length > 0), `${Math.round(await mark("framepost-wall-picture"))} ms after the page was asked for`);
const first = await page.evaluate(() => globalThis.fingerprint(document.querySelector(".tile canvas")));
check("it is a picture", first.colours > 8, `${first.colours} colours`);
check("which changes by itself", await until(page, (first) => globalThis.fingerprint(document.querySelector(".tile canvas")).sum !== first.sum, first));
check("it is up to date", await until(page, () => document.querySelector(".head .quiet").textContent === "1 of 1 cameras up to date" && /^(now|\d+ s ago)$/.test(document.querySelector(".tile .age").textContent)), await page.$eval(".tile .age", (element) => element.textContent));
check("what moves is seen, beside its name", await until(page, () => document.querySelector(".tile .last-seen").textContent.startsWith("Motion ")));
check("and on the picture, while it is seen", await until(page, () => !document.querySelector(".tile .on-picture > .tag").hidden && document.querySelector(".tile .on-picture > .tag").textContent === "Motion"));
check("its strip tells it", await until(page, () => /[1-9]\d* sightings?$/.test(document.querySelector(".strip").ariaLabel)), await page.$eval(".strip", (element) => element.ariaLabel));
check("and the choice of labels has it", await until(page, () => [...document.querySelectorAll(".head .chip")].some((one) => one.textContent === "Motion")));
await shot("first-wall");

await page.click(".tile");
check("the camera plays live", await until(page, () => document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").paused));
const playhead = () => page.$eval(".lanes", (element) => Number(element.getAttribute("aria-valuenow")));
const began = await playhead();
check("and goes on", await until(page, (began) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) > began + 2, began));
check("with a lane for what moves", await until(page, () => [...document.querySelectorAll(".gutter button")].some((one) => one.textContent === "Motion")));
check("which the list for screen readers has", await until(page, () => [...document.querySelectorAll("ul.sr button")].some((one) => one.textContent.startsWith("Motion, "))));
check("and the list beside the picture, with its picture", await until(page, () => {
  const canvas = document.querySelector(".sighting canvas");
  return canvas && document.querySelector(".sighting .name").textContent === "Motion" && globalThis.fingerprint(canvas).colours > 8;
}));
await page.evaluate(() => document.querySelector(".sighting").click());
check("a sighting opens its moment, with its box", await until(page, () => document.querySelector(".words").hidden && document.querySelector(".box.motion") !== null));
check("the files of this camera are not signed, which is said", await until(page, () => document.querySelector(".proof strong")?.textContent === "Not signed"));
await shot("first-camera");
await page.keyboard.press("End");
check("End goes back to the present", await until(page, (began) => Number(document.querySelector(".lanes").getAttribute("aria-valuenow")) > began && !document.querySelector("video").paused, began));

await page.goto(`${base}#/search?label=motion`);
check("search finds it, with a picture of each result", await until(page, () => {
  const all = [...document.querySelectorAll(".hit canvas")];
  return all.length > 0 && all.slice(0, 6).every((canvas) => globalThis.fingerprint(canvas).colours > 8);
}), `${await page.$$eval(".hit", (all) => all.length)} results`);
await shot("first-search");
await page.goto(`${base}#/health`);
const cell = (row, column, words) => until(page, (row, column, words) => {
  const found = [...document.querySelectorAll("tbody tr")].find((one) => one.querySelector("th")?.textContent === row);
  return new RegExp(words).test(found?.querySelector(`td[data-name="${column}"]`)?.textContent ?? "");
}, row, column, words);
check("health: the camera's last picture is new, and there are no gaps", await cell(name, "Last picture", "^(now|\\d+ s)") && await cell(name, "Gaps", "^none$"));
check("health: its gateway has reported", await cell(site, "Last report", " ago$") && await cell(site, "Clock", "synchronised") && await cell(site, "Set aside", "^none$"));
for (const one of ["probe", "infer", "catalog"]) check(`health: ${one} runs`, await cell(one, "State", "^(running|behind)$"));
await shot("first-health");
// A real fault of a function: the catalogue takes no more files.
const trigger = "CREATE TRIGGER broken BEFORE INSERT ON chunk BEGIN SELECT RAISE(FAIL, 'the disk is on fire'); END";
execFileSync("python3", ["-c", "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1], timeout=60) as db: db.execute(sys.argv[2])", catalog, trigger]);
check("health: what a function cannot do is said, with its reason", await cell("catalog", "Last fault", ": .*the disk is on fire"));
await end(browser);

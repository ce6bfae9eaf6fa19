// Exports as somebody makes them: the size and the length that the page says first, the download, several cameras at once.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { check, poll, until } from "./browser.mjs";

/** Has the browser put downloads into a directory, and returns a function that waits for one, and gives its path. */
export async function downloads(page, directory) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const session = await page.browser().target().createCDPSession();
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: directory, eventsEnabled: true });
  const ends = [];
  session.on("Browser.downloadProgress", ({ state }) => { if (state !== "inProgress") ends.push(state); });
  const taken = [];
  return async (name) => {
    await poll(() => ends.length > taken.length);
    const [file] = readdirSync(directory).filter((one) => !one.endsWith(".crdownload") && !taken.includes(one) && statSync(path.join(directory, one)).isFile());
    taken.push(name);
    if (ends.at(-1) !== "completed" || file === undefined) return undefined;
    const kept = path.join(directory, name);
    if (!existsSync(kept)) renameSync(path.join(directory, file), kept);
    return kept;
  };
}

export const probe = (file) => JSON.parse(execFileSync("ffprobe", ["-v", "error", "-show_entries", "format=duration,size", "-of", "json", file]).toString()).format;

/** The packets of a file's pictures, with their times in milliseconds. */
function packets(file) {
  const entries = ["-select_streams", "v:0", "-show_entries", "packet=pts_time,data_hash", "-show_data_hash", "md5", "-of", "json"];
  const { packets: all } = JSON.parse(execFileSync("ffprobe", ["-v", "error", ...entries, file]).toString());
  return all.map(({ pts_time, data_hash }) => ({ ms: Number(pts_time) * 1000, hash: data_hash }));
}

/**
 * Compares a clip with what was recorded: from the beginning of the file that its first picture is in up to its last one, each packet byte
 * for byte and at its time. Returns what is different, in words. @param {string} clip @param {string} link that the clip came from, of a range without a gap
 */
export async function differences(clip, link, { base, site, camera }) {
  const [from, to] = ["from", "to"].map((name) => new URL(link).searchParams.get(name));
  const start = Date.parse(from);
  const { chunks } = await (await fetch(new URL(`v1/chunks?site=${site}&camera=${camera}&from=${from}&to=${to}&order=oldest-first&limit=1000`, base))).json();
  const recorded = [];
  for (const chunk of chunks) {
    const file = `${clip}.chunk`;
    writeFileSync(file, Buffer.from(await (await fetch(new URL(chunk.media, base))).arrayBuffer()));
    recorded.push(...packets(file).map((packet) => ({ ...packet, ms: packet.ms + Date.parse(chunk.from) - start })));
  }
  const expected = recorded.filter(({ ms }) => ms < Date.parse(to) - start);
  const found = packets(clip);
  const [at] = expected.map((packet, at) => [at, packet.hash === found[at]?.hash && Math.abs(packet.ms - found[at].ms) < 2]).find(([, isAlike]) => !isAlike) ?? [];
  return found.length === expected.length && at === undefined ? "" : `${found.length} packets of ${expected.length}, the first that differs is ${at}`;
}

/** Exports one camera and two of them. Both have footage at the time where the page stands. */
export async function exports(page, { base, site, camera, other, start, pictures }) {
  const directory = path.join(pictures, "downloads");
  const next = await downloads(page, directory);
  /** A size and a length in the page's own words. */
  const inWords = (bytes, seconds) => page.evaluate(async (bytes, seconds) => {
    const [{ size }, { length }] = await Promise.all([consoleModule("words.js"), consoleModule("time.js")]);
    return [size(bytes), length(seconds * 1000)];
  }, bytes, seconds);
  const says = () => page.evaluate(() => ["strong.big", "strong.big + .quiet"].map((one) => document.querySelector(`.export .sum ${one}`)?.textContent));
  await page.goto(`${base}#/camera/${site}/${camera}?t=${new Date(start).toISOString()}`);
  await page.reload();
  await until(page, (at) => Math.abs((document.querySelector(".lanes")?.getAttribute("aria-valuenow") ?? NaN) - at) < 0.5, start / 1000);
  for (const key of ["i", "l", "o", "e"]) await page.keyboard.press(key);
  await until(page, () => document.querySelector(".foot-bar a")?.textContent.startsWith("Download"));
  const first = await says();
  const link = await page.$eval(".foot-bar a", ({ href }) => href);
  await page.click(".foot-bar a");
  const clip = await next("one.mp4");
  const one = clip && probe(clip);
  check("a clip that is downloaded is as large and as long as was said", clip !== undefined && (await inWords(Number(one.size), Number(one.duration))).join() === first.join(), `${first.join(", ")}; ${one?.size} bytes, ${one?.duration} s`);
  const wrong = clip === undefined ? "no clip" : await differences(clip, link, { base, site, camera });
  check("and has the pictures of its range, byte for byte and at their times", wrong === "", wrong);
  check("its button says so, too", await page.$eval(".foot-bar a", (link, size) => link.textContent === `Download ${size}`, first[0]));

  // The other camera is ticked.
  await page.evaluate((other) => [...document.querySelectorAll(".export .choices label")].find((one) => one.querySelector(".cut").textContent === other).querySelector("input").click(), other);
  check("several cameras are offered as files that are made", await until(page, () => /^Make 2 files, /.test(document.querySelector(".foot-bar button")?.textContent ?? "")));
  const both = await says();
  await page.evaluate(() => {
    globalThis.jobs = [];
    new MutationObserver(() => globalThis.jobs.push(document.querySelector(".job .quiet")?.textContent)).observe(document.querySelector(".exports"), { childList: true, subtree: true });
  });
  await page.click(".foot-bar button");
  const saved = ".job a[download]";
  check("it is made", await until(page, (saved) => document.querySelector(saved)?.href.includes("/v1/exports/"), saved), await page.evaluate(() => [...new Set(globalThis.jobs)].join(" | ")));
  check("and says what it is", await page.$eval(".job .quiet", (element, size) => element.textContent.startsWith(`2 files, ${size}`), both[0]), both[0]);
  await page.click(saved);
  const archive = await next("both.zip");
  const inside = path.join(directory, "both");
  // What is no archive has no files.
  try {
    if (archive) execFileSync("python3", ["-m", "zipfile", "-e", archive, inside]);
  } catch { /* `inside` is not there then. */ }
  const files = existsSync(inside) ? readdirSync(inside, { recursive: true }).map(String).filter((name) => name.endsWith(".mp4")) : [];
  const found = files.map((name) => ({ name, ...probe(path.join(inside, name)) }));
  const bytes = found.reduce((sum, { size }) => sum + Number(size), 0);
  const longest = Math.max(...found.map(({ duration }) => Number(duration)));
  check("the archive has a file of each, as large and as long as was said", found.length === 2 && [camera, other].every((name) => files.some((file) => file.includes(name)))
    && (await inWords(bytes, longest)).join() === both.join(), `${both.join(", ")}; ${found.map(({ name, size, duration }) => `${name} ${size} bytes, ${duration} s`).join(", ")}`);
  await page.evaluate(() => document.querySelector(".job [aria-label^=Remove]").click());
  check("an export is removed", await until(page, () => document.querySelector(".job") === null));
  await page.keyboard.press("Escape");
  rmSync(directory, { recursive: true, force: true });
}

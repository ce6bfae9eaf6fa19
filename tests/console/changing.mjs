// Footage of days on which the clocks change: where it lies on a day of 25 and of 23 hours, and which of two equal times is meant.

import { check, poll, until } from "./browser.mjs";

const HOUR = 3_600_000;
const MINUTE = 60_000;
/** A pixel of the whole day is more than a minute. */
const NEAR_PX = 2;

/** What the server has, as if it had been recorded at another time: by whole seconds later. */
function moved(line, chunks, start) {
  const ms = Math.round((Date.parse(start) - Date.parse(chunks[0].from)) / 1000) * 1000;
  const by = (iso, ms) => iso.replace(/^[^.Z]+/, (seconds) => new Date(Date.parse(`${seconds}Z`) + ms).toISOString().slice(0, 19));
  line.instead = async (url) => {
    if (!url.pathname.startsWith("/v1/") || url.pathname.startsWith("/v1/media/") || ["/v1/events", "/v1/exports", "/v1/holds"].includes(url.pathname)) return undefined;
    if (url.pathname === "/v1/days") return { body: JSON.stringify({ days: [] }) };
    const asked = new URL(url);
    for (const name of ["from", "to"]) if (asked.searchParams.has(name)) asked.searchParams.set(name, by(asked.searchParams.get(name), -ms));
    const answer = await fetch(asked);
    const body = await answer.text();
    return answer.ok ? { body: body.replace(/("now":)?"(\d{4}-\d\d-\d\dT[\d:.]+Z)"/g, (whole, now, iso) => (now ? whole : `"${by(iso, ms)}"`)) } : undefined;
  };
}

/** Looks at the same footage on both days. Clocks are Berlin's. */
export async function changing(browser, line, { site, camera, chunks }) {
  for (const [hours, start, midnight, here] of [[25, "2026-10-25T01:30:00Z", "2026-10-24T22:00:00Z", "2:31:"], [23, "2026-03-29T01:30:00Z", "2026-03-28T23:00:00Z", "3:31:"]]) {
    moved(line, chunks, start);
    const page = await browser.newPage();
    const asked = [];
    page.on("request", (request) => asked.push(decodeURIComponent(new URL(request.url()).pathname)));
    const [began, day] = [Date.parse(start), Date.parse(midnight)];
    const length = Date.parse(chunks.at(-1).to) - Date.parse(chunks[0].from);
    const at = (ms) => `${line.base}#/camera/${site}/${camera}?t=${new Date(ms).toISOString()}`;
    const spans = (from, to) => until(page, (from, to) => [["min", from], ["max", to]].every(([end, ms]) => Math.abs(document.querySelector(".lanes")?.getAttribute(`aria-value${end}`) * 1000 - ms) < 2), from, to);
    await page.goto(at(began + MINUTE));
    await until(page, () => document.querySelector("video")?.readyState >= 2);
    await page.keyboard.press("0");
    const isDay = await spans(day, day + hours * HOUR);
    // The first and the last column that has the colour of what was recorded: in its lane, and in the day below the lanes.
    const bars = () => page.evaluate(async () => {
      const [{ colour }, { HEIGHTS }] = await Promise.all([consoleModule("palette.js"), consoleModule("lanes.js")]);
      const recorded = colour("rec").match(/\d+/g).map(Number);
      const canvas = document.querySelector(".lanes canvas");
      const ratio = canvas.width / canvas.clientWidth;
      return [HEIGHTS.axis + 10, canvas.clientHeight - 6].map((y) => {
        const { data } = canvas.getContext("2d").getImageData(0, Math.round(y * ratio), canvas.width, 1);
        const found = Array.from({ length: canvas.width }, (_, x) => x).filter((x) => recorded.every((part, at) => Math.abs(data[4 * x + at] - part) < 24));
        return { from: found[0] / ratio, to: (found.at(-1) + 1) / ratio, width: canvas.clientWidth };
      });
    });
    await until(page, () => document.querySelectorAll("ul.sr button").length > 0);
    let lies = [];
    const isThere = isDay && await poll(async () => {
      lies = await bars();
      return lies.every(({ from, to, width }) => Math.abs(from - ((began - day) / (hours * HOUR)) * width) <= NEAR_PX && Math.abs(to - ((began + length - day) / (hours * HOUR)) * width) <= NEAR_PX);
    });
    check(`a day of ${hours} hours: what was recorded lies where it belongs, on the timeline and in the day below it`, isThere, JSON.stringify(lies));

    // Two hours, in which a time comes twice or an hour is left out, and a click in each of them.
    await page.goto(at(began - HOUR / 2));
    await until(page, (s) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - s) < 0.5, (began - HOUR / 2) / 1000);
    await page.click(".segments .button:nth-child(4)");
    await page.keyboard.press("-");
    const middle = began - HOUR / 2;
    await spans(middle - 1.2 * HOUR, middle + 0.8 * HOUR);
    const lanes = await (await page.$(".lanes")).boundingBox();
    const click = (ms) => page.mouse.click(lanes.x + ((ms - middle + 1.2 * HOUR) / (2 * HOUR)) * lanes.width, lanes.y + 46);
    const clock = (words, utc) => until(page, (words, utc) => {
      const [here, there] = [".clock b", ".clock .faint"].map((place) => document.querySelector(place).textContent);
      return here.replace(/^0/, "").startsWith(words) && there.startsWith(utc);
    }, words, utc);
    const says = () => page.evaluate(() => [".clock", ".words"].map((place) => document.querySelector(place).textContent).join("; "));
    const isPicture = () => until(page, () => document.querySelector(".words").hidden && document.querySelector("video").readyState >= 2 && !document.querySelector("video").seeking);
    const isNothing = () => until(page, () => !document.querySelector(".words").hidden && document.querySelector(".words").textContent.startsWith("No video"));
    // Half a minute into a minute, of which a pixel is less than six seconds.
    const first = began + MINUTE * 1.5;
    const due = chunks.find(({ to }) => Date.parse(to) - Date.parse(chunks[0].from) > 1.5 * MINUTE);
    await click(first - HOUR);
    check(`a day of ${hours} hours: an hour before, there is nothing`, await clock(hours === 25 ? here : "1:31:", "00:31:") && await isNothing(), await says());
    await click(first);
    check(`a day of ${hours} hours: a click shows the picture of that time`, await clock(here, "01:31:") && await isPicture() && asked.includes(decodeURIComponent(due.media)), await says());
    if (hours === 25) {
      for (const [which, utc, is] of [[0, "00:31:30", isNothing], [1, "01:31:30", isPicture]]) {
        await page.keyboard.press("g");
        await page.waitForSelector("dialog input");
        await page.$eval("dialog input", (field) => { field.value = "2026-10-25T02:31:30"; });
        await page.click("dialog [type=submit]");
        await until(page, () => document.querySelectorAll("dialog p button").length === 2);
        await (await page.$$("dialog p button"))[which].click();
        check(`a time that comes twice: the ${which === 0 ? "first has no video" : "second has its picture"}`, await clock(here, utc) && await is(), await says());
      }
    }
    await page.close();
  }
  line.instead = () => undefined;
}

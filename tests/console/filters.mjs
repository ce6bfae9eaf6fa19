// Search by everything that it can be narrowed by, on the days that `fill.py` made: the server's own answers, as the page shows them.

import { check, poll, until } from "./browser.mjs";

/** Narrows a search by label, score, time of day, camera and site, as somebody does, and looks whether every result is what was asked for. */
export async function filters(page, { base, site, camera, few }) {
  // A second site, whose only camera has nothing.
  await page.setRequestInterception(true);
  const put = async (request) => {
    if (new URL(request.url()).pathname !== "/v1/cameras") return request.continue();
    const answer = await (await fetch(request.url())).json();
    answer.cameras.push({ site: "elsewhere", camera: "none" });
    return request.respond({ contentType: "application/json", body: JSON.stringify(answer) });
  };
  page.on("request", put);
  await page.goto(`${base}#/search?days=-1`);
  /** The results as they are shown. */
  const hits = () => page.$$eval(".hit", (all) => all.map((one) => {
    const [label, time, camera, score] = [...one.querySelectorAll(".row > span:not(.space)")].map((part) => part.textContent);
    return { label, time, camera, score: Number(score) };
  }));
  /** Whether a time is from half past two to four at night, as the language of the browser has it. */
  const isNight = ({ time }) => /^(0?2:[345]|0?3:)/.test(time) && !/PM/i.test(time);
  const all = (is) => poll(async () => {
    const found = await hits();
    return found.length > 0 && found.every(is);
  });
  /** What a search by one thing finds, which everything does not. */
  const narrows = async (what, narrow, is, place) => {
    const before = await hits();
    await narrow();
    const [hash, found] = [await page.evaluate(() => decodeURIComponent(location.hash)), await all(is)];
    check(`search by ${what} finds nothing else`, !before.every(is) && found && hash.includes(place), `${before.filter(is).length} of ${before.length} before, ${(await hits()).length} now, ${hash}`);
  };
  const select = (name, value) => page.select(`[aria-label="${name}"]`, value);
  const time = (place, value) => page.$$eval(".filters [type=time]", (fields, place, value) => {
    fields[place].value = value;
    fields[place].dispatchEvent(new Event("change"));
  }, place, value);
  await until(page, () => document.querySelectorAll(".hit").length > 1 && document.querySelectorAll("[aria-label=Camera] option").length > 2);
  await narrows("label", () => page.evaluate(() => [...document.querySelectorAll(".filters .chip")].find((one) => one.textContent === "Animal").click()), ({ label }) => label === "Animal", "label=animal");
  await narrows("score", () => select("Least score", "0.9"), ({ score }) => score >= 0.9, "score=0.9");
  await narrows("camera", () => select("Camera", `${site}/${few}`), (one) => one.camera === few, `camera=${site}/${few}`);
  await narrows("time of day", () => time(0, "02:30").then(() => time(1, "04:00")), isNight, "time=02:30-04:00");
  check("all of it together", (await hits()).every((one) => one.label === "Animal" && one.score >= 0.9 && one.camera === few));
  await page.reload();
  check("and again from the address alone", await all((one) => one.label === "Animal" && one.score >= 0.9 && one.camera === few && isNight(one)));
  await time(0, "");
  await time(1, "");
  await select("Camera", `${site}/`);
  check("a site has all its cameras", await poll(async () => new Set((await hits()).map((one) => one.camera)).size > 1));
  await select("Camera", "elsewhere/");
  check("another one has nothing, which is said", await until(page, () => document.querySelector(".results h2")?.textContent === "Nothing was found"));
  page.off("request", put);
  await page.setRequestInterception(false);
}

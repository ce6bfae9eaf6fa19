// Where the focus goes and what is said to screen readers, and what is not. `spoken.py` listens to a real one, by hand.

import { check, until } from "./browser.mjs";

/** Whether the element of a selector has the focus, and if it is the one that was marked before. */
const isFocused = (page, selector, more = "") => until(page, (selector, more) => {
  const one = document.activeElement;
  return one.matches(selector) && (more === "" || one.textContent.includes(more)) && (globalThis.mine === undefined || globalThis.mine === one);
}, selector, more);
const says = (page, words) => until(page, (words) => document.querySelector("#say").textContent.includes(words), words);
/** Gives the focus to an element, which has to keep it. */
const holds = (page, selector) => page.evaluate((selector) => {
  globalThis.mine = document.querySelector(selector);
  globalThis.mine.focus();
}, selector);
const letsGo = (page) => page.evaluate(() => { globalThis.mine = undefined; });

/** Of one camera, of which there is a picture at `start`, and of the screens around it. */
export async function heard(page, { base, camera, start, goes }) {
  await page.goto(`${base}#/`);
  await until(page, (camera) => [...document.querySelectorAll(".tile .name")].some((one) => one.textContent === camera), camera);
  check("what is called by its name has its name first", await page.$$eval(".tile", (all) => all.every((one) => one.textContent.startsWith(one.querySelector(".name").textContent))));
  await page.evaluate((camera) => [...document.querySelectorAll(".tile")].find((one) => one.querySelector(".name").textContent === camera).focus(), camera);
  await page.keyboard.press("Enter");
  check("a screen that is gone to has the focus at its title", await isFocused(page, "h1", camera));
  check("and is said where the focus before went with its screen", await says(page, camera));

  // The slider, by keys.
  await goes(start);
  await until(page, () => document.querySelector("video")?.readyState >= 2 && !document.querySelector("video").seeking);
  // It plays where somebody was live before.
  if ((await page.$eval(".play", (button) => button.ariaLabel)) === "Pause") await page.keyboard.press("k");
  await page.evaluate(() => {
    document.querySelector(".lanes").focus();
    globalThis.changes = { slider: [], say: [] };
    new MutationObserver(() => globalThis.changes.slider.push(document.querySelector(".lanes").ariaValueText)).observe(document.querySelector(".lanes"), { attributeFilter: ["aria-valuenow", "aria-valuetext"] });
    new MutationObserver(() => globalThis.changes.say.push(document.querySelector("#say").textContent)).observe(document.querySelector("#say"), { childList: true, characterData: true, subtree: true });
  });
  const slider = (what) => page.$eval(".lanes", (element, what) => element.getAttribute(`aria-value${what}`), what);
  const moves = (what, before) => until(page, (what, before) => document.querySelector(".lanes").getAttribute(`aria-value${what}`) !== before, what, before);
  const was = await slider("text");
  await page.keyboard.press("ArrowRight");
  check("the slider says where an arrow leads", await moves("text", was), `${was}, ${await slider("text")}`);
  await page.keyboard.press(" ");
  check("playing is said", await says(page, "Playing"));
  check("no time is said beside it", await page.evaluate(() => !globalThis.changes.say.some((words) => /\d:\d\d/.test(words))), await page.evaluate(() => globalThis.changes.say.join(", ")));
  const before = await page.evaluate(() => { globalThis.changes.slider = []; return document.querySelector("video").currentTime; });
  const stood = await slider("now");
  await until(page, (before) => document.querySelector("video").currentTime > before + 2.5, before);
  check("the running time is not", await page.evaluate(() => globalThis.changes.slider.length === 0), await page.evaluate(() => globalThis.changes.slider.slice(0, 3).join(", ")));
  await page.keyboard.press(" ");
  check("the slider has the time again when it stands", await moves("now", stood), `${stood}, ${await slider("now")}`);

  // What is drawn anew keeps the focus.
  await holds(page, ".check button");
  await page.keyboard.press("Enter");
  check("a file is verified without the button going away", await until(page, () => document.querySelector(".digest").textContent.endsWith("matches")) && await isFocused(page, ".check button"));
  await page.keyboard.press("?");
  await letsGo(page);
  check("a dialog has the focus as a whole", await isFocused(page, "dialog"));
  await page.keyboard.press("Escape");
  check("and gives it back", await isFocused(page, ".check button"));
  await page.goto(`${base}#/search`);
  await until(page, () => document.querySelector(".chips .chip") !== null && document.querySelector(".hit") !== null);
  await page.evaluate(() => document.querySelector(".filters .chip").focus());
  await page.keyboard.press("Enter");
  check("a choice that is made keeps the focus", await isFocused(page, ".filters .chip[aria-pressed=true]"));
  await page.keyboard.press("Enter");
  await page.goto(`${base}#/health`);
  await until(page, () => document.querySelector("tbody a") !== null);
  await holds(page, "tbody a");
  const told = await page.$eval(".head .faint", (element) => element.textContent);
  check("a row that is told anew keeps it, too", await until(page, (told) => document.querySelector(".head .faint").textContent !== told, told) && await isFocused(page, "tbody a"));
  await letsGo(page);
}

/** Where nothing comes: `line` answers that the server is busy. */
export async function heardBusy(page, line) {
  line.instead = (url) => (url.pathname.startsWith("/v1/") ? { status: 503, type: "application/problem+json", body: "{\"title\":\"No\"}" } : undefined);
  check("that nothing comes is said", await says(page, "The server is busy"));
  const counted = () => page.$eval(".notice", (element) => /Next try in \d+ s/.exec(element.textContent)?.[0] ?? "");
  await until(page, () => /Next try in [3-9] s/.test(document.querySelector(".notice").textContent));
  const before = await counted();
  check("the seconds to the next try are counted", await until(page, (before) => !document.querySelector(".notice").textContent.includes(before), before), before);
  check("and not said", await page.$eval(".notice", (element) => element.closest("[aria-live], [role=status], [role=alert]") === null && element.querySelector("[aria-live], [role=status], [role=alert]") === null));
  check("then the wall claims no number of cameras", await page.$eval(".head > .quiet", (element) => element.textContent === ""));
  await page.goto(`${line.base}#/health`);
  check("nor health that all is well", await until(page, () => document.querySelector(".head > .quiet").textContent === "Not known now"));
  line.instead = () => undefined;
  check("that it is over is said", await says(page, "Connected again"));
}

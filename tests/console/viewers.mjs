// Viewers who are not like most: a phone that is held sideways, colours of the system's choice, little motion, digits and words that are
// written from right to left, and a browser that copies nothing.

import { check, until } from "./browser.mjs";

const opacity = (page, selector, is) => until(page, (selector, is) => Number(getComputedStyle(document.querySelector(selector)).opacity) === is, selector, is);
const isReady = (page) => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2);

/** Looks at a camera at an address as each of them does. `shot` takes a picture of a page. */
export async function viewers(browser, { address, shot }) {
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  const media = (name, value) => session.send("Emulation.setEmulatedMedia", { features: [{ name, value }, { name: "prefers-color-scheme", value: "dark" }] });
  const { origin } = new URL(address);
  await page.goto(address);
  await isReady(page);

  // A link that is copied is there; one that is not is in the address bar.
  const permit = async (setting) => {
    for (const name of ["clipboard-write", "clipboard-read"]) await session.send("Browser.setPermission", { permission: { name }, setting, origin });
  };
  const copies = (words) => page.bringToFront().then(() => page.keyboard.press("s"))
    .then(() => until(page, (words) => document.querySelector(".stage > .tag").textContent === words && location.hash.includes("?t="), words));
  await permit("granted");
  check("a link to the moment is copied", await copies("The link is copied") && await page.evaluate(async () => (await navigator.clipboard.readText()) === location.href));
  await permit("denied");
  check("where that is refused, it is in the address bar", await copies("The link is in the address bar"));

  // Motion.
  await media("prefers-reduced-motion", "no-preference");
  const moves = () => page.$eval(".button", (button) => getComputedStyle(button).transitionDuration);
  const before = await moves();
  await media("prefers-reduced-motion", "reduce");
  check("who wants little motion has none", before !== "0s" && (await moves()) === "0s", `${before} and ${await moves()}`);

  // Colours of the system's choice: what is chosen is told by a line, and bars are seen.
  await media("forced-colors", "active");
  const line = (selector) => page.$eval(selector, (element) => getComputedStyle(element).outlineStyle);
  await until(page, () => document.querySelector(".segments [aria-pressed=true]") !== null && document.querySelector(".day i") !== null);
  check("what is chosen has a line in forced colours", (await line(".segments [aria-pressed=true]")) === "solid" && (await line(".side [aria-current]")) === "solid" && (await line(".segments [aria-pressed=false]")) === "none");
  check("and a day's bar is seen", await page.$eval(".day i", (bar) => getComputedStyle(bar).backgroundColor !== getComputedStyle(bar.closest(".day")).backgroundColor));
  await shot(page, "forced-colours");
  await page.close();

  // Digits and words that are written from right to left. Times and the timeline go from left to right for everybody.
  const arabic = await browser.newPage();
  await (await arabic.createCDPSession()).send("Emulation.setLocaleOverride", { locale: "ar-EG" });
  await arabic.goto(address);
  await isReady(arabic);
  check("days have their numbers in other digits", await until(arabic, () => {
    const numbers = [...document.querySelectorAll(".day span")].map((one) => one.textContent);
    return numbers.length > 27 && new Set(numbers).size === numbers.length && numbers.every((number) => /^[٠-٩]+$/.test(number));
  }));
  // Where the first and the last digit of a span of two times stand.
  const ends = await arabic.$eval(".timeline-head > .quiet", (element) => {
    const text = element.firstChild;
    const left = (at) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return range.getBoundingClientRect().left;
    };
    const dash = text.data.indexOf("–");
    return { words: text.data, before: left(dash - 2), dash: left(dash), after: left(text.data.search(/\S/u) + dash + 3) };
  });
  check("a span's beginning stands left of its end", ends.before < ends.dash && ends.dash < ends.after, JSON.stringify(ends));
  check("the page is no wider for it", await arabic.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await shot(arabic, "arabic");
  await arabic.close();

  // A browser that says of itself what is no language, as WebKit does where the system has none.
  const wordless = await browser.newPage();
  await wordless.evaluateOnNewDocument(() => Object.defineProperty(Navigator.prototype, "language", { get: () => "C" }));
  await wordless.goto(address);
  check("a browser without a language shows a camera with its days", await isReady(wordless) && await until(wordless, () => document.querySelectorAll(".day span").length > 27));
  await wordless.close();

  // A phone that is held sideways.
  const sideways = await browser.newPage();
  await sideways.setViewport({ width: 844, height: 390, deviceScaleFactor: 2, isMobile: true, hasTouch: true, isLandscape: true });
  await sideways.goto(address);
  await isReady(sideways);
  const height = () => sideways.$eval(".picture", (element) => element.getBoundingClientRect().height);
  check("sideways the picture has the phone for itself", await until(sideways, () => document.querySelector(".picture").getBoundingClientRect().height > 380)
    && await sideways.evaluate(() => document.documentElement.scrollWidth <= 844 && document.querySelector(".timeline").offsetParent === null), `${await height()} of 390 pixels`);
  check("without controls over it", await opacity(sideways, ".controls", 0));
  await shot(sideways, "sideways");
  // They go after three seconds, which a busy machine may take to look.
  await sideways.evaluate(() => {
    globalThis.opacities = [];
    const look = () => globalThis.opacities.push(getComputedStyle(document.querySelector(".controls")).opacity);
    new MutationObserver(look).observe(document.querySelector(".stage"), { attributeFilter: ["class"] });
  });
  await sideways.touchscreen.tap(422, 150);
  check("which a touch brings", await until(sideways, () => globalThis.opacities.includes("1")));
  await shot(sideways, "sideways-controls");
  check("and which go again", await opacity(sideways, ".controls", 0));
  for (const [name, hash] of [["wall", "#/"], ["side", "#/side"], ["search", "#/search?days=-1"], ["health", "#/health"]]) {
    await sideways.goto(new URL(hash, address));
    await until(sideways, () => document.querySelector("h1") !== null);
    check(`sideways ${name} is no wider than the phone`, await sideways.evaluate(() => document.documentElement.scrollWidth <= 844));
    await shot(sideways, `sideways-${name}`);
  }
  await sideways.close();
}

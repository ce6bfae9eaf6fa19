// What a viewer chooses, or brings along: dark or light, the time zone, zones whose clocks change at other times and by other amounts,
// and a language whose words are longer.

import { check, until } from "./browser.mjs";

const HOUR = 3_600_000;
const isReady = (page) => until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2);

/** The colours of the style sheet that the timeline is drawn in, as the page shows them: the share of its pixels that have the colour of what was recorded. */
const recorded = (page) => page.evaluate(() => {
  const probe = document.createElement("i");
  probe.style.color = "var(--rec)";
  document.body.append(probe);
  const [red, green, blue] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
  probe.remove();
  const canvas = document.querySelector(".lanes canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
  return { colour: [red, green, blue].join(), share: count / (data.length / 4) };
});

/** Chooses all of it. `address` is a camera at an instant, `ms` the instant; `shot` takes a picture of a page. */
export async function choices(browser, { base, address, ms, shot }) {
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await page.evaluateOnNewDocument(() => {
    new MutationObserver(() => { globalThis.themed ??= performance.now(); }).observe(document, { attributes: true, attributeFilter: ["data-theme"], subtree: true });
  });
  await page.goto(address);
  await isReady(page);
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const drawn = () => until(page, () => document.querySelector("ul.sr button") !== null).then(() => recorded(page));
  const dark = { ground: await ground(), lanes: await drawn() };
  await page.click("[aria-label='Dark or light']");
  check("a button changes to the light theme", await until(page, () => document.documentElement.dataset.theme === "light") && (await ground()) !== dark.ground);
  await page.evaluate(() => new Promise((go) => { requestAnimationFrame(() => requestAnimationFrame(go)); }));
  const light = { ground: await ground(), lanes: await recorded(page) };
  // A theme's colours are asked for once, and not again for each drawing.
  await page.evaluate(() => {
    globalThis.styles = { asked: 0, drawings: 0 };
    const ask = globalThis.getComputedStyle.bind(globalThis);
    globalThis.getComputedStyle = (...given) => { globalThis.styles.asked += 1; return ask(...given); };
    const measure = performance.measure.bind(performance);
    performance.measure = (...given) => { globalThis.styles.drawings += 1; return measure(...given); };
  });
  const turns = async () => {
    await page.evaluate(() => { Object.assign(globalThis.styles, { asked: 0, drawings: 0 }); });
    for (let turn = 0; turn < 12; turn += 1) {
      await page.evaluate((turn) => { document.querySelector(".lanes").dispatchEvent(new WheelEvent("wheel", { deltaX: turn % 2 === 0 ? 40 : -40, bubbles: true, cancelable: true })); }, turn);
      await page.evaluate(() => new Promise((go) => { requestAnimationFrame(() => requestAnimationFrame(go)); }));
    }
    return page.evaluate(() => globalThis.styles);
  };
  const still = await turns();
  check("colours are not asked for with each drawing", still.drawings >= 12 && still.asked === 0, JSON.stringify(still));
  check("the timeline is drawn in the colours of either", dark.lanes.colour !== light.lanes.colour && dark.lanes.share > 0.01 && light.lanes.share > 0.01, JSON.stringify([dark.lanes, light.lanes]));
  await page.reload();
  check("it is remembered", (await theme()) === "light" && (await ground()) === light.ground);
  await until(page, () => performance.getEntriesByName("first-paint").length > 0);
  const when = await page.evaluate(() => ({ themed: globalThis.themed, painted: performance.getEntriesByName("first-paint")[0].startTime }));
  check("and there before anything is painted, so that nothing flashes", when.themed < when.painted, JSON.stringify(when));
  await page.click("[aria-label='Dark or light']");
  check("and back", await until(page, () => document.documentElement.dataset.theme === "dark") && (await ground()) === dark.ground);

  // The system's choice, where somebody made none: it may change while the page is there, and the timeline with it.
  await page.evaluate(() => { localStorage.removeItem("framepost-theme"); });
  await page.reload();
  await drawn();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
  check("the timeline takes on the system's colours when those change", await until(page, (colour) => {
    const canvas = document.querySelector(".lanes canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) if (data[at] === colour[0] && data[at + 1] === colour[1] && data[at + 2] === colour[2]) return true;
    return false;
  }, light.lanes.colour.split(",").map(Number)));
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);

  // The zone.
  await isReady(page);
  const said = `${new Date(ms).toISOString().slice(11, 19)} UTC`;
  /** The hour, of twelve, and the rest of what a clock says. */
  const parts = (words) => [Number(/^\d+/.exec(words)[0]) % 12, /:\d\d:\d\d/.exec(words)[0]];
  const clock = () => page.evaluate(() => ({ here: document.querySelector(".clock b").textContent, utc: document.querySelector(".clock .faint").textContent, zone: document.querySelector(".zone").textContent }));
  const berlin = await clock();
  const ahead = (parts(berlin.here)[0] - parts(berlin.utc)[0] + 12) % 12;
  check("the picture's time in UTC stands beside the clock", berlin.utc === said && [1, 2].includes(ahead) && berlin.zone === `Berlin, GMT+${ahead}` && parts(berlin.here)[1] === parts(said)[1], JSON.stringify(berlin));
  await page.click(".zone");
  await until(page, () => document.querySelector(".zone").textContent === "UTC" && document.querySelector(".clock b").textContent !== "");
  const everywhere = await clock();
  check("a button shows all times in UTC", everywhere.utc === said && parts(everywhere.here).join() === parts(said).join(), JSON.stringify(everywhere));
  await page.reload();
  check("which is remembered", await until(page, () => document.querySelector(".zone")?.textContent === "UTC"));
  await page.click(".zone");
  check("and back in the viewer's", await until(page, (here) => document.querySelector(".clock b")?.textContent === here, berlin.here), JSON.stringify(await clock()));
  await page.close();

  // Days on which clocks change, elsewhere: by an hour, and by half of one.
  for (const [zone, days] of [
    ["America/New_York", [["2026-03-08", 23], ["2026-11-01", 25], ["2026-06-01", 24]]],
    ["Australia/Lord_Howe", [["2026-10-04", 23.5], ["2026-04-05", 24.5], ["2026-06-01", 24]]],
  ]) {
    const there = await browser.newPage();
    await there.emulateTimezone(zone);
    await there.goto(base);
    const found = await there.evaluate(async (days, hour) => {
      const [{ ticks }, { midnight, fromWall, wall, twin }] = await Promise.all([consoleModule("ticks.js"), consoleModule("time.js")]);
      return days.map(([day]) => {
        // The browser's own word of the day's ends, and of the whole hours in it.
        const [from, to] = [new Date(`${day}T00:00:00`).getTime(), new Date(`${day}T24:00:00`).getTime()];
        const whole = [];
        for (let at = from; at < to; at += hour / 4) if (new Date(at).getMinutes() === 0) whole.push(at);
        const every = Array.from({ length: (to - from) / (hour / 4) }, (_, index) => from + index * (hour / 4));
        return {
          hours: (to - from) / hour, isDay: midnight(from + 5 * hour) === from && midnight(from + 5 * hour, 1) === to, marks: ticks({ from, to }, 2400).map(({ at }) => at).join() === whole.join(),
          // Whatever clocks say leads back to that time, or to the other one at which they say it.
          isBack: every.every((at) => [at, twin(at)].includes(fromWall(wall(at)))), twice: every.filter((at) => twin(at) !== undefined).length,
        };
      });
    }, days, HOUR);
    check(`${zone}: days have their hours, each with a mark, and times lead back`, found.every(({ hours, isDay, marks, isBack, twice }, index) => hours === days[index][1] && isDay && marks && isBack && twice === Math.max(0, (hours - 24) * 8)), JSON.stringify(found));
    await there.close();
  }

  // East of twelve hours: the first of a month stands under its own day of the week.
  const far = await browser.newPage();
  await far.emulateTimezone("Pacific/Kiritimati");
  await far.goto(address);
  await until(far, () => document.querySelectorAll(".day").length > 27);
  const first = await far.evaluate(() => {
    const left = (element) => Math.round(element.getBoundingClientRect().left + element.getBoundingClientRect().width / 2);
    const [day] = document.querySelectorAll(".day");
    const column = [...day.parentElement.querySelectorAll(":scope > span")].findIndex((name) => Math.abs(left(name) - left(day)) < 8);
    const locale = new Intl.Locale(navigator.language);
    const { firstDay } = locale.getWeekInfo?.() ?? locale.weekInfo;
    return { words: day.ariaLabel, column, due: (new Date(Number(day.dataset.day)).getDay() + 7 - (firstDay % 7)) % 7 };
  });
  check("fourteen hours east: a month begins under its day of the week", first.column === first.due, JSON.stringify(first));
  await far.close();

  // Words that are 40 % longer: nothing leaves the panel of 300 pixels, and no page is wider than the screen.
  const longer = await browser.newPage();
  for (const [name, hash, width, key] of [
    ["camera", new URL(address).hash, 1440, ""], ["export", new URL(address).hash, 1440, "e"], ["camera", new URL(address).hash, 390, ""], ["export", new URL(address).hash, 390, "e"],
    ["search", "#/search?days=-1", 390, ""], ["health", "#/health", 390, ""], ["wall", "#/", 390, ""],
  ]) {
    await longer.setViewport({ width, height: 900 });
    // Another address than before, so that it is another page.
    await longer.goto(`${base}?${name}${width}${hash}`);
    await until(longer, () => document.querySelector("h1") !== null);
    if (hash.startsWith("#/camera")) await isReady(longer);
    if (key !== "") {
      await longer.keyboard.press(key);
      await until(longer, () => document.querySelector(".foot-bar a") !== null);
    }
    const outside = await longer.evaluate(() => {
      const texts = document.createTreeWalker(document.querySelector(".page"), NodeFilter.SHOW_TEXT);
      for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const words = text.data.trim();
        if (/\p{L}{3}/u.test(words)) text.data += ` ${words.slice(0, Math.ceil(words.length * 0.4))}`;
      }
      const panel = document.querySelector(".panel:not([hidden])");
      const right = panel?.getBoundingClientRect().right ?? innerWidth;
      const clips = (element) => element !== null && (["hidden", "clip"].includes(getComputedStyle(element).overflowX) || clips(element.parentElement === panel ? null : element.parentElement));
      const all = panel ? [...panel.querySelectorAll("*")] : [];
      // The lists in it have margins of their own, up to eight pixels less than nothing.
      /** How far an element's own words go, which it may be narrower than. */
      const reach = (one) => {
        const range = document.createRange();
        const ends = [...one.childNodes].filter((node) => node instanceof Text).map((node) => {
          range.selectNodeContents(node);
          return range.getBoundingClientRect().right;
        });
        return Math.max(one.getBoundingClientRect().right, ...ends);
      };
      const over = all.filter((one) => one.getClientRects().length > 0 && reach(one) > right + 9 && !clips(one) && !(one instanceof SVGElement));
      // Nor is there anything to be scrolled sideways, but for tables and rows of choices.
      const scrolled = [...document.querySelectorAll(".page, .page *")].filter((one) => /auto|scroll/.test(getComputedStyle(one).overflowX) && one.scrollWidth > one.clientWidth + 1 && !one.matches(".scroll, .chips, pre"));
      return { page: document.documentElement.scrollWidth - innerWidth, scrolled: scrolled.map((one) => one.cloneNode(false).outerHTML.slice(0, 100)), over: over.map((one) => one.outerHTML.slice(0, 100)) };
    });
    await shot(longer, `longer-${name}-${width}`);
    check(`longer words: ${name}, ${width} pixels`, outside.page <= 0 && outside.over.length === 0 && outside.scrolled.length === 0, JSON.stringify(outside));
  }
  await longer.close();
}

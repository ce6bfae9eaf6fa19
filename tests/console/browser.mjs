// A browser whose every complaint is a failure, and checks that are counted.

import puppeteer from "puppeteer-core";

/** How long anything may take on a busy machine. It is longer than the page ever leaves a server alone that failed. */
export const PATIENCE_MS = 120_000;
/** `FRAMEPOST_SLOW=6`: with a processor six times slower, to see that no check depends on how quick it is. */
const SLOW = Number(process.env.FRAMEPOST_SLOW ?? 1);

let failed = 0;

/** Counts a check and says it. */
export function check(what, is, more = "") {
  if (!is) failed += 1;
  console.log(`${is ? "ok    " : "FAILED"} ${what}${more === "" ? "" : `: ${more}`}`);
}

export const failures = () => failed;

/** What no page may do: errors, refusals by the policy, questions to another server, dialogs. */
export const complaints = [];

/** What a script brings about itself: complaints that are none. It reads canvases, which the page never does. @type {RegExp[]} */
export const expected = [/willReadFrequently/];

/** Other servers that pages may ask: buckets that send media themselves. @type {string[]} */
export const friends = [];

/** How many questions pages asked. */
export let requests = 0;

function complain(words) {
  if (!expected.some((one) => one.test(words))) complaints.push(words);
}

/** Has a page's complaints kept. */
function hear(page) {
  page.on("console", (message) => {
    // A host that makes no exports, holds nothing or runs no functions answers 404, which a browser always reports.
    const url = message.location().url ?? "";
    if (/\/v1\/(exports|holds|functions)(\?|$)/.test(url) && message.text().includes("404")) return;
    if (message.type() === "error" || message.type() === "warn") complain(`${message.text()} ${url}`);
  });
  page.on("pageerror", (error) => complain(String(error.stack ?? error)));
  page.on("dialog", (dialog) => {
    complain(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  // The test goes to places; the page asks nobody but the server that it came from.
  const origins = new Set();
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) origins.add(origin);
    requests += 1;
    if (["http:", "https:", "ws:", "wss:"].includes(protocol) && !origins.has(origin) && !friends.includes(origin)) complain(`a question to another server: ${request.url()}`);
  });
  return page.evaluateOnNewDocument(() => {
    // A module as the page has it, for checks that run in the page: the version is a part of its address.
    globalThis.consoleModule = (name) => import(new URL(name, document.querySelector("script[type=module]").src));
    // A worker or an image that is refused is told here alone.
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => console.error(`the policy refuses: ${violatedDirective} ${blockedURI}`));
  });
}

/** Says whether there were complaints, and ends. */
export async function end(browser) {
  check("no errors, no refusals by the policy, no dialogs, no question to another server", complaints.length === 0 && requests > 0, complaints.join(" | ") || `${requests} questions`);
  await browser.close();
  process.exit(failures() === 0 ? 0 : 1);
}

/** @param {string[]} [more] arguments of the browser's own */
export async function open(more = []) {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium-headless-shell",
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--lang=en-GB", ...more],
    env: { ...process.env, LANGUAGE: "en_GB" },
    protocolTimeout: 2 * PATIENCE_MS,
  });
  // The zone of this machine plays no part on any page.
  const bare = browser.newPage.bind(browser);
  browser.newPage = async () => {
    const made = await bare();
    made.setDefaultTimeout(PATIENCE_MS);
    await made.emulateTimezone("Europe/Berlin");
    await made.setViewport({ width: 1440, height: 900 });
    if (SLOW > 1) await made.emulateCPUThrottling(SLOW);
    await hear(made);
    return made;
  };
  return { browser, page: await browser.newPage() };
}

/** Waits until a function of the page is true. False when it never is. */
export async function until(page, condition, ...given) {
  return page.waitForFunction(condition, { timeout: PATIENCE_MS, polling: 50 }, ...given).then(() => true, () => false);
}

/** Waits until a condition of this program is true, which may be a promise. False when it never is. */
export async function poll(condition) {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
    if (await condition()) return true;
    await new Promise((go) => setTimeout(go, 50));
  }
  return false;
}

/** Two frames later: what was to be drawn is drawn, and what is drawn is told to screen readers. */
export function settled(page) {
  return page.evaluate(() => new Promise((go) => { requestAnimationFrame(() => requestAnimationFrame(go)); }));
}

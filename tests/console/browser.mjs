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

/** What the page must not do: errors, refused requests, dialogs. */
export const complaints = [];

export async function open() {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium-headless-shell",
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--lang=en-GB"],
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
    return made;
  };
  const page = await browser.newPage();
  page.on("console", (message) => {
    // A host that makes no exports, holds nothing or runs no functions answers 404, which a browser always reports.
    const url = message.location().url ?? "";
    if (/\/v1\/(exports|holds|functions)(\?|$)/.test(url) && message.text().includes("404")) return;
    if (message.type() === "error" || message.type() === "warn") complaints.push(`${message.text()} ${message.location().url ?? ""}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error.stack ?? error)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return { browser, page };
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

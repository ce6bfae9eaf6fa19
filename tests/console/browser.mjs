// A browser whose every complaint is a failure, and checks that are counted.

import puppeteer from "puppeteer-core";

/** How long anything may take on a busy machine. */
export const PATIENCE_MS = 30_000;

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
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
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
  await page.emulateTimezone("Europe/Berlin");
  await page.setViewport({ width: 1440, height: 900 });
  return { browser, page };
}

/** Waits until a function of the page is true. False when it never is. */
export async function until(page, condition, ...given) {
  return page.waitForFunction(condition, { timeout: PATIENCE_MS, polling: 50 }, ...given).then(() => true, () => false);
}

// Whether everybody can read and use what a page shows, as far as a program can tell: axe-core in both themes.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { check } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Looks at a page as it is, in each theme. `then` is called while a theme is shown. */
export async function accessible(page, what, then = async () => {}) {
  await page.evaluate(axe);
  for (const value of ["dark", "light"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }, { name: "prefers-reduced-motion", value: "reduce" }]);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    check(`axe: ${what}, ${value}`, violations.length === 0, violations.map(({ id, nodes }) => `${id} ${nodes[0].html.slice(0, 120)}`).join(" | "));
    await then(value);
  }
}

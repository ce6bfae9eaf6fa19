// What the page says of states that are seldom: a server that has nothing, files that are not signed or do not match, a gateway and
// functions that have something the matter, a timeline that did not load.

import { check, until } from "./browser.mjs";
import { heardBusy } from "./heard.mjs";

/** Shows these states over a line on which answers are changed. */
export async function words(browser, line, { site, camera, chunks }) {
  const page = await browser.newPage();
  const at = (index) => `${line.base}#/camera/${site}/${camera}?t=${new Date(Date.parse(chunks[index].from) + 300).toISOString()}`;
  const real = async (url) => (await fetch(url)).json();
  /** Has answers changed before they come. */
  const changed = (changes) => {
    line.instead = async (url) => {
      const change = changes[url.pathname];
      return change && { body: JSON.stringify(change(await real(url))) };
    };
  };

  // A server that has nothing yet, and then has.
  changed({ "/v1/cameras": (answer) => ({ ...answer, cameras: [] }), "/v1/gateways": (answer) => ({ ...answer, gateways: [] }) });
  await page.goto(line.base);
  check("a server that has nothing says so, and what to do", await until(page, () => document.querySelector(".wall h2")?.textContent === "Nothing records here yet" && document.querySelector(".wall code").textContent.startsWith("framepost up ")));
  await page.goto(`${line.base}#/health`);
  check("health says that no gateway has reported", await until(page, () => document.querySelector("tbody")?.parentElement.parentElement.parentElement.textContent.includes("No gateway has reported yet.")));
  await page.goto(`${line.base}#/`);
  line.instead = () => undefined;
  check("and shows the first camera by itself", await until(page, (camera) => document.querySelector(".tile .name")?.textContent === camera, camera));
  await heardBusy(page, line);
  await page.goto(at(2));
  await until(page, () => document.querySelector(".day i") !== null);
  const days = await page.$$eval(".day", (all) => all.map((day) => ({ bar: day.querySelector("i") !== null, none: day.classList.contains("none"), words: day.ariaLabel })));
  check("days without footage have no bar, and say so", days.filter(({ bar }) => bar).length <= 2 && days.every(({ bar, none, words }) => bar !== none && none === words.endsWith("no video")), `${days.filter(({ bar }) => bar).length} of ${days.length} have one`);

  // Proofs, beside the picture, on the slider and in the list for screen readers.
  const proven = (integrity) => {
    const chain = integrity.chain?.state ?? "linked";
    changed({
      "/v1/chunks": (answer) => ({ ...answer, chunks: answer.chunks.map((one) => ({ ...one, integrity: { ...one.integrity, ...integrity } })) }),
      "/v1/timeline": (answer) => ({ ...answer, integrity: [
        { from: chunks[0].from, to: chunks[1].to, signature: "valid", chain: "linked" }, { from: chunks[2].from, to: chunks[4].to, signature: integrity.signature, content: integrity.content, chain },
      ] }),
    });
  };
  await page.goto(at(3));
  for (const [title, more, integrity, isBad] of [
    ["Signed by the gateway", "Chain unbroken", { signature: "valid", chain: { state: "linked" } }, false],
    ["Signed by the gateway", "First of its run", { signature: "valid", chain: { state: "first" } }, false],
    ["Not signed", "Nobody can show that it was not changed.", { signature: "absent", chain: { state: "absent" } }, false],
    ["Signed, key not known here", "Add the key to those you trust: 1234", { signature: "unknown", keyId: "1234", chain: { state: "linked" } }, false],
    ["The chain is broken", "Something before this was changed, removed or put in.", { signature: "valid", chain: { state: "broken" } }, true],
    ["Does not match its signature", "The bytes are not those that were signed.", { signature: "invalid", chain: { state: "linked" } }, true],
    ["Does not match its signature", "The bytes are not those that were signed.", { signature: "valid", content: "mismatch", chain: { state: "linked" } }, true],
  ]) {
    proven(integrity);
    await page.reload();
    const says = await until(page, (words) => words.every((one, index) => document.querySelector(`.proof ${["strong", "p"][index]}`)?.textContent === one), [title, more]);
    const listed = await until(page, (title) => [...document.querySelectorAll("ul.sr button")].some((one) => one.textContent.startsWith(title)), title);
    // On the slider only what somebody should act on.
    const told = await until(page, (title, isBad) => (document.querySelector(".lanes").ariaValueText ?? "").includes(title) === isBad, title, isBad);
    check(`proof: ${title}. ${more}`, says && listed && told, `${says} ${listed} ${told}`);
  }
  await page.keyboard.press("[");
  check("a bracket goes to what does not match, too", await until(page, (s) => Math.abs(document.querySelector(".lanes").getAttribute("aria-valuenow") - s) < 0.5, Date.parse(chunks[2].from) / 1000));

  // Health, cell by cell: a gateway that is well, and one with everything the matter.
  const cells = (row) => page.evaluate((row) => {
    const found = [...document.querySelectorAll("tbody tr")].find((one) => one.querySelector("th")?.textContent === row);
    return found && Object.fromEntries([...found.querySelectorAll("td")].map((cell) => [cell.dataset.name, cell.textContent]));
  }, row);
  const shows = (row, name, words) => until(page, (row, name, words) => {
    const found = [...document.querySelectorAll("tbody tr")].find((one) => one.querySelector("th")?.textContent === row);
    return (found?.querySelector(`td[data-name="${name}"]`)?.textContent ?? "").startsWith(words);
  }, row, name, words);
  // A report may be of a moment at which files still waited.
  changed({ "/v1/gateways": (answer) => ({ ...answer, gateways: answer.gateways.map((one) => ({ ...one, report: {
    ...one.report, spool: { ...one.report.spool, objects: 0, bytes: 0 }, cameras: one.report.cameras.map((camera) => ({ ...camera, waitingObjects: 0 })),
  } })) }) });
  await page.goto(`${line.base}#/health`);
  await page.reload();
  const { gateways: [{ report }] } = await real(new URL("v1/gateways", line.server));
  const well = [
    [camera, "Gaps", "none"], [camera, "Waiting to upload", "nothing"], [camera, "Last fault", "none"], [site, "Set aside", "none"], [site, "Waiting to upload", "nothing"],
    [site, "Clock", report.gatewayClock.synchronized ? "synchronised" : "not synchronised"],
  ];
  for (const [row, name, words] of well) check(`health: ${row === site ? "a gateway's" : "a camera's"} ${name.toLowerCase()}, when all is well`, await shows(row, name, words), `${(await cells(row))?.[name]}`);
  check("health: when the last picture was", await until(page, (camera) => /\d/.test([...document.querySelectorAll("tbody tr")].find((one) => one.querySelector("th").textContent === camera)?.querySelector("td")?.textContent ?? ""), camera));
  changed({
    "/v1/gateways": (answer) => ({ ...answer, gateways: answer.gateways.map((one) => ({ ...one, report: {
      ...one.report, quarantinedObjects: 3, gatewayClock: { synchronized: true, offsetUs: 42_000 }, spool: { objects: 7, bytes: 12_300_000, oldestAgeSeconds: 90 }, upload: { lastError: "No route to host" },
      cameras: one.report.cameras.map((camera) => ({ ...camera, state: "lost", waitingObjects: 5, lastError: "Connection refused" })),
    } })) }),
    "/v1/timeline": (answer) => ({ ...answer, gaps: [{ from: chunks[3].from, to: chunks[5].to, cause: "camera-lost" }, { from: chunks[8].from, to: chunks[8].to, cause: "clock-jump" }] }),
  });
  await page.reload();
  for (const [row, name, words] of [
    [site, "Set aside", "3 files"], [site, "Clock", "synchronised, ± 42 ms"], [site, "Waiting to upload", "7 files, 12.3 MB"], [site, "Last fault", "No route to host"],
    [camera, "Waiting to upload", "5 files"], [camera, "Last fault", "Connection refused"], [camera, "Gaps", "2, "],
  ]) check(`health: ${row === site ? "a gateway's" : "a camera's"} ${name.toLowerCase()}, when something is the matter`, await shows(row, name, words), `${(await cells(row))?.[name]}`);

  // An export that the server makes, seen from its beginning to its end: what is written of it, how long that takes, and what it is then.
  const job = { id: "7", name: "Yard, street and garden, Sat, Nov 28 6:34:17 AM–6:34:27 AM", createdAt: chunks[0].from, bytes: 40_000_000, durationMs: 60_000, gapsSkipped: 0 };
  let made = { state: "running", bytesWritten: 0, files: [] };
  let removed = 0;
  line.instead = (url, request) => {
    if (!url.pathname.startsWith("/v1/exports")) return undefined;
    if (request.method === "DELETE") removed += 1;
    return { body: JSON.stringify({ exports: removed > 0 ? [] : [{ ...job, ...made }] }) };
  };
  await page.goto(at(3));
  await until(page, () => document.querySelectorAll("ul.sr button").length > 0 && document.querySelector(".words")?.hidden);
  await page.keyboard.press("e");
  const progress = (words, value) => until(page, (words, value) => {
    const element = document.querySelector(".job progress");
    return document.querySelector(".job .quiet")?.textContent.startsWith(words) && element?.value === value && element.max === 40_000_000;
  }, words, value);
  check("an export that is being made says how far it is", await progress("Being made, 0 % of 40 MB. ", 0));
  made = { ...made, bytesWritten: 10_000_000 };
  check("it goes on, and how long it still takes is said", await progress("Being made, 25 % of 40 MB, about ", 10_000_000), await page.$eval(".job .quiet", (element) => element.textContent));
  await page.keyboard.press("Escape");
  made = { ...made, bytesWritten: 30_000_000 };
  await page.keyboard.press("e");
  check("closing the panel does not stop it", await progress("Being made, 75 % of 40 MB, about ", 30_000_000) && removed === 0);
  made = { state: "complete", bytesWritten: 40_000_000, files: [{ site, camera, url: "/v1/exports/7/1.mp4", bytes: 40_000_000, sha256: "0123456789abcdef0123" }] };
  check("when it is done, it can be saved, and its digest is there", await until(page, () => document.querySelector(".job progress") === null && document.querySelector(".job .quiet")?.textContent === "1 file, 40 MB, SHA-256 0123456789abcdef…"
    && document.querySelector(".job a[download]")?.href.endsWith("/v1/exports/7/1.mp4")));
  const ends = await page.evaluate(() => [".panel", ".job [aria-label^=Remove]"].map((one) => document.querySelector(one).getBoundingClientRect().right));
  check("what can be done with it stays in the panel, however long its name", ends[1] <= ends[0], ends.join(" and "));
  made = { state: "running", bytesWritten: 0, files: [] };
  await page.keyboard.press("Escape");
  await page.keyboard.press("e");
  await until(page, () => document.querySelector(".job progress") !== null);
  await page.evaluate(() => [...document.querySelectorAll(".job button")].find((one) => one.textContent === "Cancel").click());
  check("one that is being made is cancelled", await until(page, () => document.querySelector(".job") === null) && removed === 1);

  // A timeline that does not load says so in its lane, and comes by itself.
  line.instead = (url) => (url.pathname === "/v1/timeline" ? { status: 503, type: "application/problem+json", body: "{\"title\":\"No\"}" } : undefined);
  await page.evaluateOnNewDocument(() => {
    globalThis.written = [];
    const pen = CanvasRenderingContext2D.prototype;
    const write = pen.fillText;
    pen.fillText = function keep(text, ...given) {
      if (this.canvas.parentElement?.matches(".lanes")) globalThis.written.push(text);
      return write.call(this, text, ...given);
    };
  });
  await page.goto(at(3));
  await page.reload();
  check("a lane that did not load says so", await until(page, () => globalThis.written.includes("Not loaded. It is asked for again.")));
  line.instead = async (url) => {
    if (url.pathname === "/v1/timeline") return { status: 503, type: "application/problem+json", body: "{\"title\":\"No\"}" };
    if (url.pathname !== "/v1/chunks") return undefined;
    const answer = await real(url);
    return { body: JSON.stringify({ ...answer, chunks: answer.chunks.filter(({ key }) => key !== chunks[6].key) }) };
  };
  await page.goto(at(5));
  await page.reload();
  await until(page, () => document.querySelector(".words")?.hidden && document.querySelector("video")?.readyState >= 2);
  await page.keyboard.press("k");
  check("nor is anything claimed about why there is no video", await until(page, () => document.querySelector(".stage > .tag").textContent.startsWith("Skipped ")) && await page.$eval(".stage > .tag", (element) => !element.textContent.includes("reason")),
    await page.$eval(".stage > .tag", (element) => element.textContent));
  await page.keyboard.press("k");
  line.instead = () => undefined;
  check("and is asked for again", await until(page, () => document.querySelectorAll("ul.sr button").length > 0));
  await page.close();
}

// Markup in every text that a camera, a file, an object's key, a label or a record can bring: it is shown as it is written.

import { check, until } from "./browser.mjs";

/** A text that would be markup if anybody took it for that, and says what it stands in. */
const bad = (name) => `<img src=x onerror=alert(1)>"'><svg onload=alert(2)> ${name}`;

/** The texts of answers that nobody but the writer of a record decides on. Times and the paths of files are the API's own. */
const TEXTS = new Set(["key", "clock", "state", "version", "detector", "camera", "site", "label", "cause", "detail", "keyId", "reason", "message", "lastError", "name", "title", "signature", "skipped"]);

/** An answer with markup in each of its texts, but for some. */
function spoilt(answer, ...kept) {
  if (Array.isArray(answer)) return answer.map((one) => spoilt(one, ...kept));
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, typeof value === "string" && TEXTS.has(name) && !kept.includes(name) ? bad(name) : spoilt(value, ...kept)]));
}

/** Shows every screen over a line on which all answers are made hostile. */
export async function hostile(browser, line, { site, camera, chunks }) {
  const [first, last] = [chunks[0].from, chunks.at(-1).to];
  const chunk = chunks[3];
  const name = { site, camera };
  const span = { from: chunk.from, to: chunk.to };
  const box = { left: 0.3, top: 0.2, width: 0.3, height: 0.4 };
  const seen = { ...name, label: "", ...span, score: 0.9, best: { time: chunk.from, key: chunk.key, offset: 0, media: chunk.media, box } };
  const gap = { from: chunks[20].from, to: chunks[22].from, cause: "", detail: "" };
  /** What is put into an answer. What this server cannot do or has not seen is answered as one does that can and has. */
  const put = {
    "/v1/sightings": () => ({ sightings: [seen] }),
    "/v1/timeline": (answer) => ({
      ...answer, gaps: [gap], sightings: [seen], counts: [{ from: chunk.from, label: "", count: 1 }], notLookedAt: [{ ...span, reason: "" }],
      integrity: [{ from: first, to: last, signature: "", chain: "broken" }],
    }),
    "/v1/detections": () => ({ chunks: [{ ...span, key: chunk.key, model: { name: "", version: "", detector: "" }, frames: [{ time: chunk.from, offset: 0, detections: [{ label: "", score: 0.9, box }] }] }] }),
    "/v1/functions": () => ({ functions: [{ name: "", state: "failing", waiting: 1, parked: 1, lastError: { time: chunk.from, message: "" } }] }),
    "/v1/holds": () => ({ holds: [{ id: "1", ...name, from: first, to: last, reason: "", createdAt: first, createdBy: "" }] }),
    "/v1/exports": () => ({ exports: [
      { id: "1", name: "", state: "failed", createdAt: first, bytes: 1, bytesWritten: 0, durationMs: 1, problem: { title: "", detail: "" }, files: [] },
      { id: "2", name: "", state: "running", createdAt: first, bytes: 9, bytesWritten: 1, durationMs: 1, files: [] },
    ] }),
    "/v1/gateways": (answer) => ({ ...answer, gateways: answer.gateways.map((one) => ({
      ...one, report: { ...one.report, upload: { lastError: "" }, cameras: one.report.cameras.map((camera) => ({ ...camera, lastError: "" })) },
    })) }),
    "/v1/chunks": (answer) => ({ ...answer, chunks: answer.chunks.filter((one) => one.to <= gap.from || one.from >= gap.to).map((one) => ({
      ...one, clock: "", integrity: { ...one.integrity, signature: "unknown", keyId: "" },
      // Of a kind that no browser plays, by a name of the camera's choice.
      ...(one.key === chunks[30].key && { mimeType: `video/mp4; codecs="${bad("codec").replaceAll("\"", "")}"` }),
      ...(one.key === chunks[40].key && { mimeType: bad("mimeType") }),
    })) }),
  };
  let fails = "";
  let numbered = 0;
  line.instead = async (url) => {
    if (!url.pathname.startsWith("/v1/") || url.pathname.startsWith("/v1/media/") || url.pathname === "/v1/events") return undefined;
    // The API knows the names that it gave.
    const asked = new URL(url);
    for (const key of ["site", "camera"]) {
      asked.pathname = asked.pathname.replaceAll(encodeURIComponent(bad(key)), encodeURIComponent(name[key]));
      if (asked.searchParams.has(key)) asked.searchParams.set(key, name[key]);
    }
    if (fails !== "" && url.pathname.startsWith(fails)) return { status: 400, type: "application/problem+json", body: JSON.stringify(spoilt({ title: "", detail: "" })) };
    const real = await fetch(asked);
    const answer = real.ok ? await real.json() : {};
    const made = put[url.pathname]?.(answer) ?? (real.ok ? answer : undefined);
    // Proofs have states of their own, which are no texts.
    const state = url.pathname === "/v1/chunks" ? (key, value) => (key === "signature" ? "unknown" : value) : undefined;
    // An export's state decides what is said of it. Keys are told apart by their beginnings, as those of a camera are.
    const keyed = (key, value) => (key === "key" && typeof value === "string" ? `${value} ${numbered += 1}` : state ? state(key, value) : value);
    return made && { body: JSON.stringify(spoilt(made, ...(url.pathname === "/v1/exports" ? ["state"] : [])), keyed) };
  };
  const page = await browser.newPage();
  const of = [bad("site"), bad("camera")].map(encodeURIComponent).join("/");
  const at = (index) => `t=${new Date(Date.parse(chunks[index].from) + 300).toISOString()}`;
  /** Whether a text is seen on the page, or is what an element is called. */
  const shows = (text) => until(page, (text) => document.body.textContent.includes(text)
    || [...document.querySelectorAll("[title], [aria-label]")].some((one) => [one.title, one.getAttribute("aria-label")].some((words) => words?.includes(text))), text);
  const press = (words) => until(page, (words) => {
    const found = [...document.querySelectorAll("button")].find((one) => one.textContent === words);
    found?.click();
    return found !== undefined;
  }, words);
  const go = (hash) => page.goto(`${line.base}${hash}`);
  await page.goto(line.base);
  for (const [where, hash, texts, before] of [
    ["the wall", "#/", ["camera", "label"]],
    ["a camera", `#/camera/${of}?${at(3)}`, ["camera", "label", "keyId", "clock"]],
    ["a gap", `#/camera/${of}?${at(20)}`, ["cause", "detail"]],
    ["a codec", `#/camera/${of}?${at(30)}`, ["codec"]],
    ["a media type", `#/camera/${of}?${at(40)}`, ["mimeType"]],
    ["an export", `#/camera/${of}?${at(3)}`, ["name", "detail", "reason"], async () => { await press("Export"); }],
    ["side by side", `#/side?cameras=${encodeURIComponent(`${of},${of}`)}&${at(20)}`, ["camera", "cause"]],
    ["a search", "#/search?days=-1", ["camera", "label"]],
    ["health", "#/health", ["camera", "site", "lastError", "message", "name", "state"]],
  ]) {
    await go(hash);
    await before?.();
    for (const text of texts) check(`${where}: markup in a ${text} is text`, await shows(text === "codec" ? bad(text).replaceAll("\"", "") : bad(text)));
    const made = await page.evaluate(() => [...document.querySelectorAll("img, script:not([src]), [onerror], [onload], iframe, object")].map((one) => one.outerHTML));
    check(`${where}: nothing came of it`, made.length === 0, made.join(" "));
  }
  fails = "/v1/sightings";
  await go("#/search?days=7");
  await page.reload();
  check("a refusal's words are text", await shows(bad("detail")));
  line.instead = () => undefined;
  await page.close();
}

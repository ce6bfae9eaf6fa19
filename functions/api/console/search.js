// What was seen, anywhere: by label, camera, days and score.

import { json, now } from "./api.js";
import { button, chip, fill, h, say } from "./dom.js";
import { thumbnail } from "./seen.js";
import { cameraLink, known } from "./state.js";
import { DAY, dateText, midnight, text, utc, zone } from "./time.js";
import { labelText, scoreText, sign } from "./words.js";

const PAGE = 60;
const DAYS = /** @type {const} */ ([["Today", 0], ["7 days", 6], ["30 days", 29], ["All days", -1]]);

/** The screen. @param {HTMLElement} main @param {URLSearchParams} asked */
export function search(main, asked) {
  const labels = new Set((asked.get("label") ?? "").split(",").filter(Boolean));
  let camera = asked.get("camera") ?? "";
  let days = Number(asked.get("days") ?? 6);
  let score = Number(asked.get("score") ?? 0);
  let [early = "", late = ""] = (asked.get("time") ?? "").split("-");
  /** @type {Sighting[]} */
  let found = [];
  /** @type {string | undefined} */
  let next;
  let work = new AbortController();
  /** Labels that were seen so far, to choose from. @type {Set<string>} */
  const all = new Set(["person", "vehicle", "animal", "motion", ...labels]);
  const count = h("span.quiet");
  const chips = h("div.chips", { role: "group", "aria-label": "Labels" });
  const cameras = h("select", { "aria-label": "Camera", onchange: (event) => { camera = event.target.value; ask(); } });
  const range = h("select", { "aria-label": "Days", onchange: (event) => { days = Number(event.target.value); ask(); } },
    ...DAYS.map(([name, value]) => h("option", { value, selected: value === days }, name)));
  const least = h("select", { "aria-label": "Least score", onchange: (event) => { score = Number(event.target.value); ask(); } },
    ...[0, 0.5, 0.7, 0.9].map((value) => h("option", { value, selected: value === score }, value === 0 ? "Any score" : `Score from ${value.toLocaleString()}`)));
  const time = (/** @type {string} */ words, /** @type {string} */ value, /** @type {(value: string) => void} */ set) =>
    h("label.row.quiet", words, h("input", { type: "time", value, onchange: (event) => { set(event.target.value); ask(); } }));
  const hours = h("span.row", time("from", early, (value) => { early = value; }), time("to", late, (value) => { late = value; }));
  const results = h("div.results", { tabindex: "-1" });
  fill(main, h("header.head", h("h1", "Search"), count), h("div.filters", chips, h("span.space"), range, hours, cameras, least), results);

  function choices() {
    fill(chips, ...[...all].map((label) => chip(labels.has(label), () => {
      if (!labels.delete(label)) labels.add(label);
      ask();
    }, sign(label), labelText(label))));
    const options = (known.cameras ?? []).map((one) => ({ value: `${one.site}/${one.camera}`, name: one.camera }));
    const sites = [...new Set((known.cameras ?? []).map((one) => one.site))];
    if (sites.length > 1) options.unshift(...sites.map((site) => ({ value: `${site}/`, name: `All of ${site}` })));
    fill(cameras, h("option", { value: "" }, "All cameras"), ...options.map(({ value, name }) => h("option", { value, selected: value === camera }, name)));
  }

  function query() {
    const [site, ...name] = camera.split("/");
    return {
      label: [...labels].join(",") || undefined, site: site || undefined, camera: name.join("/") || undefined,
      from: days < 0 ? undefined : utc(midnight(now(), -days)), minScore: score || undefined, limit: PAGE,
      timeFrom: early || undefined, timeTo: late || undefined, zone: early || late ? zone() : undefined,
    };
  }

  async function ask() {
    work.abort();
    const mine = (work = new AbortController());
    next = undefined;
    const place = new URLSearchParams();
    const wanted = { label: [...labels].join(","), camera, days: days === 6 ? "" : `${days}`, score, time: early || late ? `${early}-${late}` : "" };
    for (const [name, value] of Object.entries(wanted)) if (value) place.set(name, `${value}`);
    history.replaceState(null, "", `#/search${place.size > 0 ? `?${place}` : ""}`);
    choices();
    try {
      const answer = await json("/v1/sightings", query(), mine.signal);
      found = answer.sightings;
      next = answer.next;
      if (found.length === 0 && next !== undefined) await more();
      else draw();
      say(`${found.length} found`);
    } catch (error) {
      if (mine.signal.aborted) return;
      fill(results, h("p.empty", error instanceof Error ? error.message : ""), button("Try again", () => ask()));
    }
  }

  async function more() {
    if (next === undefined) return;
    const answer = await json("/v1/sightings", { ...query(), cursor: next }, work.signal).catch(() => undefined);
    if (!answer) return;
    found = [...found, ...answer.sightings];
    next = answer.next;
    if (answer.sightings.length === 0 && next !== undefined) return more();
    draw();
  }

  function draw() {
    count.textContent = found.length === 0 ? "" : `${found.length.toLocaleString()}${next ? " and more" : ""} found`;
    const before = all.size;
    for (const one of found) all.add(one.label);
    if (all.size !== before) choices();
    if (found.length === 0) {
      fill(results, h("div.first", h("h2", "Nothing was found"),
        h("p", early || late ? "Nothing like this was seen at this time of the day." : days >= 0 ? "Nothing like this was seen in these days." : "Nothing like this was ever seen. A detector has to look at the pictures first."),
        days >= 0 && button("Search all days", () => { days = -1; range.value = "-1"; ask(); })));
      return;
    }
    /** @type {Map<number, Sighting[]>} */
    const byDay = new Map();
    for (const one of found) {
      const day = midnight(one.from);
      byDay.set(day, [...(byDay.get(day) ?? []), one]);
    }
    fill(results, ...[...byDay].flatMap(([day, list]) => [
      h("h2", dateText(day + DAY / 2), " ", h("span.quiet", String(list.length))),
      h("div.grid", ...list.map((one) => h("a.hit", { href: cameraLink(one, one.from) }, thumbnail(one),
        h("span.row", sign(one.label), h("span.cut", labelText(one.label)), h("span.space"), h("span.quiet", text(one.from, "hms"))),
        h("span.row", h("span.quiet.cut", one.camera), h("span.space"), h("span.quiet", scoreText(one.score)))))),
    ]), next !== undefined && button("Show more", () => more()));
  }

  const deaf = known.on("cameras", choices);
  ask();
  return {
    close() {
      work.abort();
      deaf();
    },
  };
}

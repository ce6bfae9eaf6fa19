// How cameras and gateways are.

import { now } from "./api.js";
import { fill, h, icon, setText } from "./dom.js";
import { cameraLink, freshness, isFresh, known } from "./state.js";
import { Strip } from "./strip.js";
import { length, text } from "./time.js";
import { size } from "./words.js";

const none = (/** @type {string} */ words) => h("span.faint", words);

/** The screen. @param {HTMLElement} main */
export function health(main) {
  const sentence = h("span.quiet");
  const asOf = h("span.faint");
  const cameraRows = h("tbody");
  const gatewayRows = h("tbody");
  const functionRows = h("tbody");
  const heads = (/** @type {string[]} */ ...names) => h("thead", h("tr", ...names.map((name) => h("th", { scope: "col" }, name))));
  const functions = h("section", { hidden: true }, h("h2", "Functions"), h("div.scroll", h("table", heads("Function", "State", "Waiting", "Set aside", "Last fault"), functionRows)));
  fill(main, h("header.head", h("h1", "Health"), sentence, h("span.space"), asOf),
    h("div.tables",
      h("h2", "Cameras"), h("div.scroll", h("table", heads("Camera", "Last picture", "Last 24 hours", "Gaps", "Waiting to upload", "Last fault"), cameraRows)),
      h("h2", "Gateways"), h("div.scroll", h("table", heads("Site", "Last report", "Clock", "Waiting to upload", "Set aside", "Last fault"), gatewayRows)),
      functions));
  /** @type {Map<string, Strip>} */
  const strips = new Map();

  /** @param {Camera} camera */
  function strip(camera) {
    const key = `${camera.site}/${camera.camera}`;
    let found = strips.get(key);
    if (!found) {
      found = new Strip(camera);
      strips.set(key, found);
      // Its number of gaps stands in the row.
      found.load().then(() => draw());
    }
    found.load();
    return found;
  }

  function draw() {
    const cameras = known.cameras ?? [];
    const bad = cameras.filter((one) => freshness(one).tone === "bad").length;
    const late = cameras.filter((one) => freshness(one).tone === "warn").length;
    const failing = (known.functions ?? []).filter((one) => one.state === "failing").length;
    const parts = [bad > 0 && `${bad} ${bad === 1 ? "camera sends" : "cameras send"} nothing`, late > 0 && `${late} ${late === 1 ? "is" : "are"} late`, failing > 0 && `${failing} ${failing === 1 ? "function fails" : "functions fail"}`].filter(Boolean);
    setText(sentence, parts.length > 0 ? parts.join(", ") : cameras.length > 0 ? "All is well" : "");
    setText(asOf, `as of ${text(now(), "hms")}`);
    fill(cameraRows, ...cameras.map((camera) => {
      const { tone, age, why } = freshness(camera);
      const reported = known.reported(camera);
      const { data, canvas } = strip(camera);
      const sum = (data?.gaps ?? []).reduce((all, gap) => all + gap.to - gap.from, 0);
      const when = isFresh(camera) || age === "not known" || camera.last === undefined ? age : text(camera.last, now() - camera.last > 72_000_000 ? "date" : "hms");
      return h("tr",
        h("th", { scope: "row" }, h("a.row", { href: cameraLink(camera) }, icon(tone === "calm" ? "tick" : tone === "warn" ? "warning" : "fault", tone), camera.camera)),
        h("td", when, " ", h("span.quiet", why)), h("td.day-strip", canvas),
        h("td", !data ? none("") : data.gaps.length === 0 ? none("none") : `${data.gaps.length}, ${length(sum)}`),
        h("td", !reported ? none("not reported") : reported.waitingObjects === 0 ? none("nothing") : `${reported.waitingObjects} files`),
        h("td", reported?.lastError ?? none("none")));
    }));
    const gateways = known.gateways?.gateways ?? [];
    fill(gatewayRows, ...gateways.map(({ site, report }) => {
      const { gatewayClock: clock, spool } = report;
      const offset = clock.offsetUs === undefined ? "" : `, ± ${Math.max(1, Math.round(clock.offsetUs / 1000))} ms`;
      return h("tr", h("th", { scope: "row" }, site), h("td", `${length(Math.max(0, now() - report.at))} ago`),
        h("td", clock.synchronized ? `synchronised${offset}` : "not synchronised"),
        h("td", spool.objects === 0 ? none("nothing") : `${spool.objects} files, ${size(spool.bytes)}`),
        h("td", report.quarantinedObjects === 0 ? none("none") : `${report.quarantinedObjects} files`), h("td", report.upload.lastError ?? none("none")));
    }), gateways.length === 0 && h("tr", h("td", { colspan: "6" }, none("No gateway has reported yet."))));
  }

  function drawFunctions() {
    functions.hidden = known.functions === undefined;
    fill(functionRows, ...(known.functions ?? []).map(({ name, state, waiting, parked, oldestWaitingMs, lastError }) => {
      const [sign, tone, words] = /** @type {const} */ ({ running: ["tick", "calm", "running"], behind: ["warning", "warn", "behind"], failing: ["fault", "bad", "failing"] })[state] ?? ["warning", "warn", state];
      return h("tr", h("th", { scope: "row" }, name), h("td", h("span.row", icon(sign, tone), words)),
        h("td", waiting === 0 ? none("nothing") : `${waiting.toLocaleString()} ${waiting === 1 ? "event" : "events"}${oldestWaitingMs === undefined ? "" : `, the oldest for ${length(oldestWaitingMs)}`}`),
        h("td", parked === 0 ? none("none") : `${parked.toLocaleString()} ${parked === 1 ? "event" : "events"}`),
        h("td", lastError ? `${text(lastError.time, now() - lastError.time > 72_000_000 ? "date" : "hms")}: ${lastError.message}` : none("none")));
    }));
  }

  let asking = false;
  async function ask() {
    if (asking) return;
    asking = true;
    await known.refreshFunctions();
    asking = false;
    drawFunctions();
    draw();
  }

  const timer = setInterval(ask, 5000);
  ask();
  known.addEventListener("fresh", draw);
  draw();
  return {
    close() {
      clearInterval(timer);
      known.removeEventListener("fresh", draw);
      for (const one of strips.values()) one.close();
    },
  };
}

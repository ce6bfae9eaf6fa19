// How cameras and gateways are.

import { lineState, now } from "./api.js";
import { fill, h, icon, renew, setText } from "./dom.js";
import { cameraLink, freshness, isFresh, known } from "./state.js";
import { Strip } from "./strip.js";
import { HOUR, length, text } from "./time.js";
import { counted, size } from "./words.js";

const none = (/** @type {string} */ words) => h("span.faint", words);

/** A time of the last day, or the date of an older one. @param {number} ms */
const since = (ms) => text(ms, now() - ms > 20 * HOUR ? "date" : "hms");

const CAMERAS = ["Camera", "Last picture", "Last 24 hours", "Gaps", "Waiting to upload", "Last fault"];
const GATEWAYS = ["Site", "Last report", "Clock", "Waiting to upload", "Set aside", "Last fault"];
const FUNCTIONS = ["Function", "State", "Waiting", "Set aside", "Last fault"];

/** A row of a table. Narrow screens have the names of the columns in the cells. @param {readonly string[]} names @param {import("./dom.js").Child} head @param {...import("./dom.js").Child} cells */
function row(names, head, ...cells) {
  return h("tr", h("th", { scope: "row" }, head), ...cells.map((cell, index) => h("td", { "data-name": names[index + 1] }, cell)));
}

/** The screen. @param {HTMLElement} main */
export function health(main) {
  const sentence = h("span.quiet");
  const asOf = h("span.faint.wide");
  const cameraRows = h("tbody");
  const gatewayRows = h("tbody");
  const functionRows = h("tbody");
  const table = (/** @type {readonly string[]} */ names, /** @type {HTMLElement} */ rows) =>
    h("div.scroll", h("table", h("thead", h("tr", ...names.map((name) => h("th", { scope: "col" }, name)))), rows));
  const functions = h("section", { hidden: true }, h("h2", "Functions"), table(FUNCTIONS, functionRows));
  fill(main, h("header.head", h("h1", "Health"), sentence, h("span.space"), asOf),
    h("div.tables", { tabindex: "0", role: "region", "aria-label": "Tables" },
      h("h2", "Cameras"), table(CAMERAS, cameraRows), h("h2", "Gateways"), table(GATEWAYS, gatewayRows), functions));
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
    // Without a connection the tables stay what they were, and nobody knows how things are.
    const isKnown = lineState() === "ok";
    setText(sentence, !isKnown ? "Not known now" : parts.length > 0 ? parts.join(", ") : cameras.length > 0 ? "All is well" : "");
    if (isKnown) setText(asOf, `as of ${text(now(), "hms")}`);
    renew(cameraRows, ...cameras.map((camera) => {
      const { tone, age, why } = freshness(camera);
      const reported = known.reported(camera);
      const { data, canvas } = strip(camera);
      const sum = (data?.gaps ?? []).reduce((all, gap) => all + gap.to - gap.from, 0);
      const when = isFresh(camera) || age === "not known" || camera.last === undefined ? age : since(camera.last);
      return row(CAMERAS, h("a.row", { href: cameraLink(camera) }, icon(tone === "calm" ? "tick" : tone === "warn" ? "warning" : "fault", tone), camera.camera),
        h("span", when, " ", h("span.quiet", why)), canvas,
        !data ? none("") : data.gaps.length === 0 ? none("none") : `${data.gaps.length}, ${length(sum)}`,
        !reported ? none("not reported") : reported.waitingObjects === 0 ? none("nothing") : counted(reported.waitingObjects, "file"),
        reported?.lastError ?? none("none"));
    }));
    const gateways = known.gateways?.gateways ?? [];
    renew(gatewayRows, ...gateways.map(({ site, report }) => {
      const { gatewayClock: clock, spool } = report;
      const offset = clock.offsetUs === undefined ? "" : `, ± ${Math.max(1, Math.round(clock.offsetUs / 1000))} ms`;
      return row(GATEWAYS, site, lineState() === "ok" ? `${length(Math.max(0, now() - report.at))} ago` : "not known", clock.synchronized ? `synchronised${offset}` : "not synchronised",
        spool.objects === 0 ? none("nothing") : `${counted(spool.objects, "file")}, ${size(spool.bytes)}`,
        report.quarantinedObjects === 0 ? none("none") : counted(report.quarantinedObjects, "file"), report.upload.lastError ?? none("none"));
    }), gateways.length === 0 && h("tr", h("td", { colspan: "6" }, none("No gateway has reported yet."))));
  }

  function drawFunctions() {
    functions.hidden = known.functions === undefined;
    renew(functionRows, ...(known.functions ?? []).map(({ name, state, waiting, parked, oldestWaitingMs, lastError }) => {
      const [sign, tone, words] = /** @type {const} */ ({ running: ["tick", "calm", "running"], behind: ["warning", "warn", "behind"], failing: ["fault", "bad", "failing"] })[state] ?? ["warning", "warn", state];
      return row(FUNCTIONS, name, h("span.row", icon(sign, tone), words),
        waiting === 0 ? none("nothing") : `${counted(waiting, "event")}${oldestWaitingMs === undefined ? "" : `, the oldest for ${length(oldestWaitingMs)}`}`,
        parked === 0 ? none("none") : counted(parked, "event"), lastError ? `${since(lastError.time)}: ${lastError.message}` : none("none"));
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
  const deaf = known.on("fresh", draw);
  draw();
  return {
    close() {
      clearInterval(timer);
      deaf();
      for (const one of strips.values()) one.close();
    },
  };
}

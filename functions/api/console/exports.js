// Exports that the server makes: how far they are, and what came of them. Closing the panel does not stop one.

import { Failure, json, send, signed } from "./api.js";
import { button, h, icon, iconButton, renew, say } from "./dom.js";
import { length } from "./time.js";
import { counted, size } from "./words.js";

const ASK_MS = 1000;
const SHOWN_MAX = 5;

export class Exports {
  constructor() {
    this.element = h("div.exports");
    /** Whether the server makes any. */
    this.isThere = false;
    this.failed = "";
    /** @type {Export[]} */
    this.all = [];
    /** Paths of finished files, signed where they have to be, by export. @type {Map<string, string>} */
    this.links = new Map();
    /** When it began to be watched, and how much was written then, by export. @type {Map<string, { at: number, bytes: number }>} */
    this.began = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  end() {
    clearTimeout(this.timer);
  }

  async load() {
    this.end();
    try {
      const running = new Set(this.all.filter(({ state }) => state === "running").map(({ id }) => id));
      this.all = (await json("/v1/exports", { limit: SHOWN_MAX })).exports;
      for (const one of this.all) if (running.has(one.id) && one.state !== "running") say(`${one.name}: ${one.state === "complete" ? "done, " : ""}${this.words(one)}`);
      this.isThere = true;
      for (const one of this.all.filter(({ id, state }) => state === "complete" && !this.links.has(id))) {
        const path = one.archive ?? one.files[0]?.url;
        if (path !== undefined) this.links.set(one.id, await signed(path));
      }
    } catch (error) {
      // Where the server makes none, there is nothing to be shown; otherwise what is known stays.
      if (error instanceof Failure && error.kind === "gone") return;
    }
    this.draw();
    if (this.all.some((one) => one.state === "running")) this.timer = setTimeout(() => this.load(), ASK_MS);
  }

  /** Has one made. @param {string} name @param {(Name & { from: string, to: string })[]} ranges in RFC 3339 */
  async make(name, ranges) {
    try {
      await send("POST", "/v1/exports", { name, ranges, gaps: "skip" });
      this.failed = "";
      say("The export is being made");
    } catch (error) {
      this.failed = error instanceof Error ? error.message : "";
      say(this.failed);
    }
    await this.load();
  }

  /** @param {Export} one */
  async remove(one) {
    await send("DELETE", `/v1/exports/${encodeURIComponent(one.id)}`).catch(() => {});
    await this.load();
  }

  draw() {
    renew(this.element, this.failed !== "" && h("p.row", icon("warning", "warn"), this.failed), this.all.length > 0 && h("h3.quiet", "Exports"),
      ...this.all.map((one) => h("div.job", { "data-id": one.id, "data-state": one.state }, h("div.row", h("span.cut", { title: one.name }, one.name), h("span.space"), this.action(one)), h("p.quiet", this.words(one)),
        one.state === "running" && h("progress", { max: one.bytes || 1, value: one.bytesWritten, "aria-label": one.name }))));
  }

  /** @param {Export} one */
  words(one) {
    if (one.state === "failed") return one.problem?.detail ?? one.problem?.title ?? "It could not be made.";
    if (one.state === "complete") {
      const digest = one.files.length === 1 ? one.files[0]?.sha256 : undefined;
      return `${counted(one.files.length, "file")}, ${size(one.bytes)}${digest ? `, SHA-256 ${digest.slice(0, 16)}…` : ""}`;
    }
    const began = this.began.get(one.id) ?? { at: performance.now(), bytes: one.bytesWritten };
    this.began.set(one.id, began);
    const speed = (one.bytesWritten - began.bytes) / (performance.now() - began.at);
    const left = speed > 0 ? `, about ${length((one.bytes - one.bytesWritten) / speed)} left` : "";
    return `Being made, ${Math.floor((one.bytesWritten / (one.bytes || 1)) * 100)} % of ${size(one.bytes)}${left}. You can leave this page.`;
  }

  /** @param {Export} one */
  action(one) {
    if (one.state === "running") return button("Cancel", () => this.remove(one), "outlined small");
    const href = this.links.get(one.id);
    return h("span.row", href !== undefined && h("a.button.outlined.small", { href, download: "" }, icon("download"), "Save"), iconButton("close", `Remove ${one.name}`, () => this.remove(one)));
  }
}

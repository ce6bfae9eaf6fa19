// "Keep this": a range that is not to be removed when its time is over.

import { Failure, json, ranged, send } from "./api.js";
import { button, fill, h, icon, renew } from "./dom.js";
import { sameCamera } from "./state.js";
import { range } from "./words.js";

export class Keep {
  constructor() {
    this.element = h("div.keep", { role: "status" });
    /** @type {Name[]} */
    this.cameras = [];
    /** @type {Span} */
    this.span = { from: 0, to: 0 };
    this.failed = "";
  }

  /** @param {Name[]} cameras @param {Span} span */
  show(cameras, span) {
    this.cameras = cameras;
    this.span = span;
    this.failed = "";
    return this.load();
  }

  async load() {
    const { cameras, span } = this;
    try {
      const answers = await Promise.all(cameras.map((of) => json("/v1/holds", ranged(of, span.from, span.to))));
      if (this.span !== span || this.cameras !== cameras) return;
      this.draw(answers.flatMap((answer) => answer.holds).filter((hold) => hold.to > span.from && hold.from < span.to));
    } catch (error) {
      // Where nothing can be held, nothing is offered.
      if (error instanceof Failure && error.kind === "gone") fill(this.element);
    }
  }

  /** @param {Hold[]} holds those that reach into the range */
  draw(holds) {
    const { from, to } = this.span;
    const isHeld = this.cameras.length > 0 && this.cameras.every((of) => holds.some((hold) => sameCamera(hold, of) && hold.from <= from + 1 && hold.to >= to - 1));
    renew(this.element,
      ...holds.map((hold) => h("div.row", { "data-id": hold.id }, icon("lock", "quiet"), h("span.cut", { title: hold.reason }, `Kept: ${hold.camera}, ${range(hold.from, hold.to)}`), h("span.space"), button("Release", () => this.change("DELETE", `/v1/holds/${encodeURIComponent(hold.id)}`), "outlined small"))),
      !isHeld && this.cameras.length > 0 && h("div.row", h("span.quiet", "Files are removed when their time is over."), h("span.space"), button("Keep this range", () => this.hold(), "outlined small")),
      this.failed !== "" && h("p.row", icon("warning", "warn"), this.failed));
  }

  async hold() {
    const { cameras, span } = this;
    for (const of of cameras) await this.change("POST", "/v1/holds", { ...ranged(of, span.from, span.to), reason: "kept in the console" });
  }

  /** @param {"POST" | "DELETE"} method @param {string} path @param {unknown} [body] */
  async change(method, path, body) {
    this.failed = "";
    try {
      await send(method, path, body);
    } catch (error) {
      this.failed = error instanceof Error ? error.message : "";
    }
    await this.load();
  }
}

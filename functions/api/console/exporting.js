// Exporting beside a picture: the panel takes the place of what stands there, the range is the timeline's.

import { now } from "./api.js";
import { h } from "./dom.js";
import { ExportPanel, plan } from "./export.js";
import { known } from "./state.js";
import { SECOND } from "./time.js";
import { size } from "./words.js";

/** A range that nobody chose goes so far to both sides of the moment. */
const AROUND_MS = 10 * SECOND;

export class Exporting {
  /**
   * @param {Name[]} names what is chosen at first @param {import("./timeline.js").TimelineView} timeline @param {{ wall: number }} clock
   * @param {HTMLElement[]} others what stands in the panel otherwise
   */
  constructor(names, timeline, clock, others) {
    this.timeline = timeline;
    this.clock = clock;
    this.others = others;
    this.form = new ExportPanel(names);
    this.panel = h("div.panel", ...others, this.form.element);
    this.planned = 0;
    /** @type {Element | null} */
    this.before = null;
    timeline.on("range", () => this.ranged());
    this.form.on("close", () => this.close());
    this.form.on("range", (span) => {
      timeline.marked = { ...span };
      timeline.ranged();
    });
  }

  open() {
    const { marked } = this.timeline;
    const { wall } = this.clock;
    const camera = known.camera(this.timeline.of);
    if (marked.from === undefined) this.timeline.mark("from", Math.max(wall - AROUND_MS, camera?.first ?? 0));
    if (marked.to === undefined) this.timeline.mark("to", Math.min(wall + AROUND_MS, camera?.last ?? now()));
    for (const other of this.others) other.hidden = true;
    this.panel.hidden = false;
    if (this.form.element.hidden) this.before = document.activeElement;
    this.form.element.hidden = false;
    this.form.heading.focus();
    this.ranged();
  }

  close() {
    if (this.form.element.hidden) return;
    this.form.element.hidden = true;
    for (const other of this.others) other.hidden = false;
    this.panel.hidden = this.others.length === 0;
    if (this.before instanceof HTMLElement) this.before.focus();
  }

  /** Ends it: nothing is asked any more. */
  end() {
    this.form.end();
  }

  /** The range is another one. */
  async ranged() {
    const { from, to } = this.timeline.marked;
    if (from === undefined || to === undefined) return;
    const mine = (this.planned += 1);
    if (!this.form.element.hidden) {
      this.form.show({ from, to }, this.timeline.data?.gaps ?? []);
      return;
    }
    const found = await plan(this.timeline.of, from, to).catch(() => undefined);
    if (found && mine === this.planned) this.timeline.heading.tellRange(size(found.sizeBytes));
  }
}

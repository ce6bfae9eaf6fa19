// Whether the picture is what its gateway wrote: the record's word, and a check in the browser.

import { ask } from "./api.js";
import { button, fill, h, icon, renew, say, setText } from "./dom.js";
import { proof } from "./words.js";

/** Whose clock the times are of. @type {Record<string, string>} */
const CLOCKS = {
  gateway: "Gateway’s clock", "gateway-unsynchronized": "Gateway’s clock, not synchronised", camera: "Camera’s clock",
  file: "Times of the file", given: "Times as they were given",
};

export class ProofView {
  constructor() {
    this.facts = h("div.row");
    this.digest = h("p.digest");
    this.check = h("div.row.check", this.digest, button("Verify this", () => this.verify(), "outlined small"));
    this.element = h("section.proof", { "aria-label": "Proof" }, this.facts, this.check);
    /** @type {Chunk | undefined} */
    this.chunk = undefined;
    this.drawn = "";
  }

  /** @param {Chunk | undefined} chunk */
  show(chunk) {
    const key = chunk?.key ?? "-";
    if (this.drawn === key) return;
    this.drawn = key;
    this.chunk = chunk;
    this.draw();
  }

  draw(checked = "") {
    const { chunk } = this;
    this.check.hidden = !chunk;
    if (!chunk) {
      fill(this.facts, icon("minus", "quiet"), h("div", h("strong", "Nothing to check"), h("p", "There is no picture here.")));
      return;
    }
    const { sign, tone, title, more } = proof(chunk.integrity);
    const source = chunk.clock?.split(";")[0] ?? "";
    const clock = CLOCKS[source] ?? source;
    const uncertainty = chunk.uncertaintyUs === undefined ? "" : `, ± ${Math.max(1, Math.round(chunk.uncertaintyUs / 1000))} ms`;
    renew(this.facts, icon(sign, tone), h("div", h("strong", title), h("p", more)));
    setText(this.digest, checked || (clock ? `${clock}${uncertainty}` : ""));
  }

  /** Hashes the file in the browser and compares it with what the record says. */
  async verify() {
    const { chunk } = this;
    if (!chunk) return;
    this.draw("Checking");
    let words;
    try {
      const response = await ask(chunk.media);
      const total = Number(response.headers.get("content-length")) || chunk.sizeBytes;
      const parts = [];
      let received = 0;
      const reader = response.body?.getReader();
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        parts.push(read.value);
        received += read.value.length;
        if (this.chunk === chunk) this.draw(`Checking ${Math.round((received / total) * 100)} %`);
      }
      const data = await new Blob(parts).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const said = chunk.integrity.sha256?.toLowerCase();
      if (said === undefined) words = `The record has no digest. The file’s is ${hex}`;
      else if (said === hex) words = "Checked in this browser: matches";
      else words = `Does not match. Record: ${said} File: ${hex}`;
    } catch {
      words = "Could not be checked: the file did not arrive.";
    }
    if (this.chunk !== chunk) return;
    this.draw(words);
    say(words);
  }
}

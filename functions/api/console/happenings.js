// What happens, as the server tells it: a stream of events, read with the token that every question has.

import { Failure, ask } from "./api.js";
import { Emitter } from "./emitter.js";

/** Where there is no stream, it is looked for again after this long. */
const AGAIN_MS = 15_000;

/** Events: `happened` when something was recorded, seen or reported. */
class Happenings extends Emitter {
  /** Whether the server tells what happens, so that nobody has to ask all the time. */
  isOpen = false;
  /** @type {AbortController | undefined} */
  #reading = undefined;
  #last = "";
  /** When a server that cannot wait for what happens wants to be asked again. @type {number | undefined} */
  #againMs = undefined;

  /** Listens while the page is looked at: a browser opens few connections to one server. */
  start() {
    document.addEventListener("visibilitychange", () => this.#turn());
    this.#turn();
  }

  #turn() {
    if (document.hidden) this.#reading?.abort();
    else if (!this.#reading || this.#reading.signal.aborted) this.#listen((this.#reading = new AbortController()));
  }

  /** @param {AbortController} mine */
  async #listen({ signal }) {
    while (!signal.aborted) {
      let wait = AGAIN_MS;
      try {
        await this.#read(signal);
        if (this.#againMs !== undefined) {
          await new Promise((go) => setTimeout(go, this.#againMs));
          continue;
        }
        wait = 500;
      } catch (error) {
        // Without a right to it, or without such a route, asking does.
        if (error instanceof Failure && ["offline", "busy", "unreachable"].includes(error.kind)) wait = Math.max(2000, error.retryMs);
      }
      // Whoever relied on it asks at once, and finds out why it ended.
      if (this.isOpen) this.emit("happened");
      this.isOpen = false;
      if (!signal.aborted) await new Promise((go) => setTimeout(go, wait));
    }
  }

  /** @param {AbortSignal} signal */
  async #read(signal) {
    const headers = /** @type {Record<string, string>} */ (this.#last === "" ? {} : { "last-event-id": this.#last });
    const { body } = await ask("/v1/events", { signal, headers });
    if (!body) return;
    this.isOpen = true;
    this.#againMs = undefined;
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const lines = (rest + read.value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("id:")) this.#last = line.slice(3).trim();
        if (line.startsWith("retry:")) this.#againMs = Number(line.slice(6));
      }
      if (lines.some((line) => line.startsWith("event:"))) this.emit("happened");
    }
  }
}

export const happenings = new Happenings();

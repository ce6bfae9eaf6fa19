// Who tells others that something happened.

export class Emitter extends EventTarget {
  /** @param {string} name @param {any} [detail] */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Calls `hear` with each event's detail, until the answer is called. @param {string} name @param {(detail: any) => void} hear */
  on(name, hear) {
    const listener = (/** @type {any} */ event) => hear(event.detail);
    this.addEventListener(name, listener);
    return () => this.removeEventListener(name, listener);
  }
}

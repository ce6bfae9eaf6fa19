// Frames that are asked for when they are wanted: a page that asks for all of them takes them from whoever moves something.

/** A task that runs in the next frame, once however often that is asked for, or after a rest. */
export class Frames {
  /** @type {number | undefined} */
  #frame = undefined;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resting = undefined;

  /** @param {(at: number) => void} task */
  constructor(task) {
    this.task = task;
  }

  /** Runs it in the next frame. */
  soon() {
    clearTimeout(this.#resting);
    this.#frame ??= requestAnimationFrame((at) => {
      this.#frame = undefined;
      this.task(at);
    });
  }

  /** Runs it in the frame after a rest. @param {number} ms */
  later(ms) {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.soon(), ms);
  }

  end() {
    clearTimeout(this.#resting);
    cancelAnimationFrame(this.#frame ?? 0);
  }
}

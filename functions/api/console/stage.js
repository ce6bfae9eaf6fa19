// The picture of one camera, and words where there is none.

import { button, fill, h, icon, say, sayToo, setText } from "./dom.js";
import { plan } from "./export.js";
import { known } from "./state.js";
import { MINUTE, length, text } from "./time.js";
import { cause, gapText, labelText, range, removal, removedText, size, trouble } from "./words.js";
import { lineState, signed } from "./api.js";

/** Words stay this long over a picture that goes on by itself. */
const NOTE_MS = 4000;
/** What loads for so long is said. */
const LATE_MS = 4000;
/** Controls stay this long after a touch, where the picture is alone. */
const AWAKE_MS = 3000;

export class Stage {
  constructor() {
    this.video = h("video", { playsinline: true, tabindex: "-1", "aria-hidden": "true" });
    this.still = h("canvas.still", { hidden: true, "aria-hidden": "true" });
    this.boxes = h("div.boxes");
    this.words = h("div.words", { hidden: true });
    this.note = h("div.tag", { hidden: true });
    this.picture = h("div.picture", this.video, this.still, this.boxes);
    this.element = h("div.stage.on-picture", { tabindex: "0", role: "group", "aria-label": "Picture" }, this.picture, this.note, this.words);
    this.said = "";
    this.video.addEventListener("loadedmetadata", () => this.fit());
    this.element.addEventListener("pointerdown", () => this.wake());
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.element);
  }

  close() {
    this.resized.disconnect();
    clearTimeout(this.lateTimer);
  }

  /** Gives the picture's frame the picture's shape, so that boxes lie where they belong. */
  fit() {
    const { clientWidth, clientHeight } = this.element;
    const shape = this.video.videoWidth / this.video.videoHeight || 16 / 9;
    const width = Math.min(clientWidth, clientHeight * shape);
    this.picture.style.width = `${width}px`;
    this.picture.style.height = `${width / shape}px`;
  }

  /** Shows the controls for a moment, where the picture is alone: on a phone that is held sideways. */
  wake() {
    this.element.classList.add("awake");
    clearTimeout(this.awakeTimer);
    this.awakeTimer = setTimeout(() => this.element.classList.remove("awake"), AWAKE_MS);
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  awakeTimer = undefined;

  /** Says something for a moment. @param {string} words */
  tell(words) {
    if (this.note.hidden || this.note.textContent !== words) say(words);
    this.note.hidden = false;
    setText(this.note, words);
    clearTimeout(this.noteTimer);
    this.noteTimer = setTimeout(() => { this.note.hidden = true; }, NOTE_MS);
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  noteTimer = undefined;

  /** Says why there is no picture; nothing where there is one. @param {string} key @param {...import("./dom.js").Child} children */
  say(key, ...children) {
    if (this.said === key) return;
    this.said = key;
    this.words.hidden = key === "";
    this.picture.classList.toggle("dim", key !== "");
    fill(this.words, key !== "" && h("div", ...children));
    // Each move in time loads for a moment, which nobody wants to hear.
    clearTimeout(this.lateTimer);
    if (key.startsWith("loading")) this.lateTimer = setTimeout(() => this.sayWords(), LATE_MS);
    else if (key !== "") this.sayWords();
  }

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  lateTimer = undefined;

  /** Says the words that stand in the picture's place, without the buttons. */
  sayWords() {
    const words = [...this.words.querySelectorAll("h2, p")].map((one) => one.textContent.replace(/\.$/, ""));
    sayToo(words.join(". "), words[0] ?? "");
  }

  /**
   * @param {import("./player.js").Player} player @param {Gap | undefined} gap @param {Removed | undefined} removed
   * @param {{ go: (ms: number) => void, after: number | undefined, before: number | undefined, retry: () => void, live: () => void, isKnown: boolean }} actions
   * `isKnown` is whether the timeline tells of this time.
   */
  show(player, gap, removed, actions) {
    const at = Math.floor(player.wall / 1000);
    const row = (/** @type {import("./dom.js").Child[]} */ ...children) => h("div.row", ...children);
    const { after, before, isKnown } = actions;
    const back = before !== undefined && button("Last picture before", () => actions.go(before));
    const ways = () => row(after !== undefined && button(`Go on at ${text(after, "hms")}`, () => actions.go(after), "primary"), back,
      after === undefined && button("Go to live", actions.live));
    switch (player.state) {
      case "ready":
        this.say("");
        if (player.slow) this.tell("The line is slow: waiting for the video");
        if (player.thin) this.tell("The line is slower than the video: key pictures only");
        return undefined;
      case "loading": return this.say(`loading ${at}`, h("p.late", `Loading ${text(player.wall, "hms")}`));
      case "gap": case "nothing": {
        const key = `${player.state} ${gap?.from} ${after} ${before} ${isKnown}`;
        if (!gap && removed) {
          return this.say(`${key} ${removed.from}`, h("h2", removedText(removed)), h("p", `It was recorded, and removed on ${removal(removed)}.`), ways());
        }
        if (!gap) {
          const first = known.camera(player.of)?.first ?? NaN;
          return this.say(key, h("h2", "No video here"), h("p", player.wall < first ? `Recording began on ${text(first, "long")} at ${text(first, "hm")}.`
            : player.state === "nothing" ? "Nothing was recorded at this time or after it." : isKnown ? "No reason was recorded." : ""), ways());
        }
        const missing = length(gap.to - gap.from);
        const why = cause(gap);
        return this.say(key, h("h2", `No video ${range(gap.from, gap.to)}`),
          h("p", `${labelText(why)}. ${missing} are missing; they were never recorded.`), gap.detail && h("p.faint", gap.detail), ways());
      }
      case "codec": {
        const { chunk } = player;
        if (!chunk) return undefined;
        if (this.said === `codec ${chunk.key}`) return undefined;
        const link = h("a.button.outlined", { download: "" });
        offer(link, player.of, chunk).catch(() => link.remove());
        return this.say(`codec ${chunk.key}`, h("h2", `This browser cannot play ${codecName(chunk.mimeType)}`), h("p", "Everything else works, and the video can be played elsewhere."), row(link));
      }
      case "gone": case "damaged": {
        const { chunk, state } = player;
        const time = text(player.wall, "hms");
        return this.say(`${state} ${at}`, h("h2", `The file is ${state}`),
          h("p", state === "gone" ? `The record says that there was video at ${time}. The file is not there any more.` : `The video at ${time} cannot be decoded.`),
          row(chunk && button("Go on after it", () => actions.go(chunk.to + 1)), button("Try again", actions.retry), back));
      }
      default: {
        const kind = troubleOf(player);
        const { title, more } = trouble(kind);
        const mine = kind === "unauthorized" || kind === "forbidden";
        return this.say(`offline ${kind}`, h("h2", mine ? title : "The video did not arrive"), h("p", mine ? more : `${title}. ${more}`), !mine && row(button("Try again", actions.retry)));
      }
    }
  }
}

/** What the line to the server suffers from, or else the question for the video. @param {import("./player.js").Player} player */
function troubleOf(player) {
  const line = lineState();
  return line === "ok" ? player.supply.why : line;
}

/** Makes a link to what can be played elsewhere: a minute from a file on, or the file alone. @param {HTMLElement} link @param {Name} of @param {Chunk} chunk */
async function offer(link, of, chunk) {
  const clip = await plan(of, chunk.from, chunk.from + MINUTE).catch(() => undefined);
  link.setAttribute("href", await signed(clip?.media ?? chunk.media));
  fill(link, icon("download"), clip ? `Download ${length(clip.seconds * 1000)} from here, ${size(clip.sizeBytes)}` : `Download this file, ${size(chunk.sizeBytes)}`);
}

/** @param {string} mimeType */
function codecName(mimeType) {
  const codec = /codecs="([^",]+)/.exec(mimeType)?.[1] ?? mimeType;
  if (/^(hvc1|hev1)/.test(codec)) return "H.265";
  if (/^avc/.test(codec)) return "this H.264";
  return /^av01/.test(codec) ? "AV1" : codec;
}

/** Why there is no picture, in a few words; nothing where there is one. @param {import("./player.js").Player} player @param {Gap | undefined} gap */
export function reason(player, gap) {
  switch (player.state) {
    case "ready": case "loading": return "";
    case "gap": case "nothing": return gap ? gapText(gap) : "No video at this moment";
    case "codec": return `This browser cannot play ${codecName(player.chunk?.mimeType ?? "")}`;
    case "gone": case "damaged": return `The file is ${player.state}`;
    default: return trouble(troubleOf(player)).title;
  }
}

// Plays a camera by wall clock: finds the chunks of a time, appends them ahead of the playhead, goes over gaps.

import { Failure, chunks, line, lineState, now } from "./api.js";
import { TOUCHING_MS, keepSeeking, plays } from "./buffer.js";
import { Emitter } from "./emitter.js";
import { Frames } from "./frames.js";
import { Line, run, showLast } from "./keyframes.js";
import { bufferOf } from "./native.js";
import { AHEAD_S, Supply } from "./supply.js";
import { HOUR, MINUTE, SECOND } from "./time.js";

/** Above this speed only key frames are shown. */
const FASTEST_PLAYED = 4;

/** So many pictures a browser decodes before it shows the first of them. */
const FEW_PICTURES = 12;
/** What is as new as this counts as live: a screen that opens on a camera that sent something in the last minute goes there. */
const NEWEST_MS = 90 * SECOND;
/** How often it is looked at while it stands still. */
const REST_MS = 250;

/** @typedef {"loading" | "ready" | "gap" | "nothing" | "codec" | "gone" | "damaged" | "offline"} State */
/** Events: `time` (the picture's time or the state changed), `skipped` (a gap was gone over, `detail` is its span). */
export class Player extends Emitter {
  /** @param {Name} of @param {HTMLVideoElement} video @param {HTMLCanvasElement} still */
  constructor(of, video, still) {
    super();
    this.of = of;
    this.video = video;
    this.still = still;
    this.wall = now();
    /** @type {State} */
    this.state = "loading";
    this.playing = false;
    this.live = false;
    this.rate = 1;
    /** The chunk that the picture is of. @type {Chunk | undefined} */
    this.chunk = undefined;
    this.buffer = bufferOf(video, of);
    this.supply = new Supply(this);
    this.line = new Line(this);
    /** Whether playing waits for a line that is too slow. */
    this.slow = false;
    /** Whether the line is so slow that key pictures are shown, and nothing else. */
    this.thin = false;
    this.deaf = line.on("line", () => {
      if (lineState() !== "ok") return;
      this.supply.hurry();
      if (this.state === "offline") this.again();
    });
    this.work = new AbortController();
    this.showing = this.wasPlaying = false;
    this.lastPart = /** @type {import("./buffer.js").Part | undefined} */ (undefined);
    video.muted = true;
    keepSeeking(video);
    video.addEventListener("waiting", () => { if (this.buffer.overHole()) this.again(); });
    // What cannot be appended is known by its own file; the picture that is shown then has no fault.
    video.addEventListener("error", () => { if (!this.buffer.isSpoilt) this.supply.doubt(this.chunk); });
    this.ticking = true;
    this.frames = new Frames((at) => this.tick(at));
    this.before = performance.now();
    for (const name of ["seeking", "seeked", "playing", "loadeddata"]) video.addEventListener(name, () => this.frames.soon());
    this.frames.soon();
  }

  close() {
    this.ticking = false;
    this.frames.end();
    this.deaf();
    this.work.abort();
    this.buffer.close();
  }

  /** @param {State} state */
  become(state) {
    this.state = state;
    this.tell();
    if (["gap", "nothing", "gone", "damaged"].includes(state)) showLast(this);
  }

  tell() { this.emit("time"); }

  /** Shows the picture of a time, and forgets the steps that are owed. @param {number} ms */
  seek(ms) {
    this.supply.leave();
    return this.go(ms);
  }

  /** Loads the picture of the present time again, and keeps the steps that are owed. */
  again() { return this.go(this.wall); }

  /** Goes to a time, and on from there by the steps that are owed. @param {number} ms */
  async go(ms) {
    this.wall = ms;
    if (this.thin && this.playing) return this.become("ready");
    const inside = this.buffer.isBroken() ? undefined : this.buffer.media(ms);
    if (inside !== undefined && this.state !== "loading") {
      this.still.hidden = true;
      this.video.currentTime = inside;
      this.state = "ready";
      this.lastPart = this.buffer.at(inside);
      this.chunk = this.lastPart?.chunk;
      this.resume();
      this.tell();
      this.supply.fill();
      return;
    }
    this.work.abort();
    const work = (this.work = new AbortController());
    this.become("loading");
    if (this.buffer.isBroken()) {
      this.buffer.close();
      this.buffer = bufferOf(this.video, this.of);
    }
    try {
      const found = await chunks(this.of, ms - 40 * SECOND, ms + 10 * MINUTE, 120, work.signal);
      const at = found.findIndex((chunk) => chunk.to > ms);
      const here = found[at];
      const why = here && this.supply.bad.get(here.key)?.why;
      if (why) {
        this.video.pause();
        this.chunk = here;
        return this.become(why);
      }
      if (!here || here.from > ms + TOUCHING_MS) {
        this.video.pause();
        this.still.hidden = true;
        this.chunk = undefined;
        await this.buffer.clear();
        if (!work.signal.aborted) this.become(here || (await this.supply.next(ms, work.signal)) ? "gap" : "nothing");
        return;
      }
      await this.start(found, at, ms, work);
    } catch (error) {
      this.fail(error, work);
    }
  }

  /** @param {Chunk[]} found @param {number} at @param {number} ms @param {AbortController} work */
  async start(found, at, ms, work) {
    let first = at;
    while (first > 0 && found[first]?.startsWithRandomAccess === false) first -= 1;
    const here = /** @type {Chunk} */ (found[at]);
    this.chunk = here;
    if (!plays(here.mimeType)) {
      this.video.pause();
      return this.become("codec");
    }
    this.supply.ahead = [];
    await this.buffer.clear();
    work.signal.throwIfAborted();
    for (const chunk of found.slice(first, at + 1)) await this.buffer.append(chunk, work.signal);
    this.supply.from(found.slice(at + 1));
    const media = this.buffer.media(Math.max(ms, here.from));
    // A browser shows no picture before it has a few, which there are not at the very end of the footage.
    const room = at === found.length - 1 ? FEW_PICTURES / (here.frameRate || 25) : 0;
    if (media !== undefined) this.video.currentTime = Math.max(0, Math.min(media, this.buffer.end() - room));
    this.lastPart = this.buffer.parts.at(-1);
    this.still.hidden = true;
    this.state = "ready";
    performance.mark("framepost-picture");
    this.resume();
    this.tell();
    this.supply.pay();
    await this.supply.fill();
  }

  /** @param {unknown} error @param {AbortController} work */
  fail(error, work) {
    if (work.signal.aborted) return;
    if (!(error instanceof Failure || this.buffer.isSpoilt)) return void this.supply.doubt(this.chunk);
    const kind = error instanceof Failure ? error.kind : "damaged";
    if (kind === "gone" || kind === "damaged") {
      if (this.chunk) this.supply.spoilt(this.chunk, kind);
      this.become(kind);
    } else {
      this.supply.wait(error);
      this.become("offline");
    }
  }

  /** A file cannot be decoded, and the browser's player with it cannot go on. @param {Chunk | undefined} chunk */
  spoilt(chunk) {
    if (!chunk || this.supply.bad.has(chunk.key) || !this.ticking) return;
    this.supply.spoilt(chunk, "damaged");
    setTimeout(() => this.again());
  }

  /** Tries again what was damaged. */
  retry() {
    this.supply.forgive();
    this.again();
  }

  play() {
    this.playing = true;
    this.supply.owed = 0;
    this.frames.soon();
    this.resume();
    this.tell();
  }

  pause() {
    const { playing } = this;
    this.playing = this.live = false;
    this.video.pause();
    // The video is still where it was when key pictures began.
    if (playing && this.isSkimming()) this.again();
    else if (playing && this.state === "ready") this.supply.pay();
    this.tell();
  }

  /** Whether key pictures are shown instead of the video. */
  isSkimming() {
    return this.rate > FASTEST_PLAYED || this.thin;
  }

  resume() {
    if (this.state !== "ready") return;
    if (!this.playing || this.isSkimming()) this.video.pause();
    else {
      this.video.playbackRate = this.rate;
      this.video.play().catch((error) => {
        // Another one took its place, or the browser wants a click first.
        if (error.name !== "NotAllowedError") return;
        this.playing = false;
        this.tell();
      });
    }
  }

  /** @param {number} rate */
  setRate(rate) {
    const slower = this.rate > FASTEST_PLAYED && rate <= FASTEST_PLAYED;
    this.rate = rate;
    this.live = false;
    if (slower) this.again();
    this.resume();
    this.tell();
  }

  /** Goes on by a number of pictures; negative goes back. @param {number} frames */
  step(frames) {
    this.pause();
    this.supply.owed += frames;
    this.supply.pay();
  }

  /** Follows the camera, as close as its newest chunk. */
  async goLive() {
    this.live = this.playing = true;
    this.rate = 1;
    const aim = this.supply.leave();
    const newest = await chunks(this.of, now() - NEWEST_MS, now() + HOUR, 500).catch(() => []);
    if (aim === this.supply.aims) await this.go((newest.at(-2) ?? newest.at(-1))?.from ?? now());
  }

  /** @param {number} at */
  tick(at) {
    if (!this.ticking) return;
    const passed = this.wasPlaying ? Math.min(1000, at - this.before) : 0;
    this.before = at;
    this.wasPlaying = this.playing;
    if (this.state === "offline" && lineState() === "ok" && !this.supply.isQuiet()) this.again();
    if (this.playing && this.isSkimming() && this.state === "ready") run(this, passed);
    // A seek to the end of what is appended comes to an end when more is.
    else if (this.state === "ready") this.video.seeking ? this.supply.fill() : this.follow();
    // A picture that stands still takes no frames from whoever moves something else.
    if (this.playing || this.video.seeking) this.frames.soon();
    else this.frames.later(REST_MS);
  }

  /** Takes the time from the picture. */
  follow() {
    const wall = this.buffer.wall(this.video.currentTime);
    if (wall === undefined) return;
    const part = this.buffer.at(this.video.currentTime);
    if (part && part !== this.lastPart) {
      const before = this.lastPart;
      this.lastPart = part;
      this.chunk = part.chunk;
      const hole = before && this.playing ? this.buffer.hole(before, part) : undefined;
      if (hole) this.emit("skipped", hole);
    }
    if (Math.abs(wall - this.wall) > 0.5) {
      this.wall = wall;
      this.tell();
    }
    const ahead = this.buffer.end() - this.video.currentTime;
    this.line.watch(ahead);
    if (this.playing && ahead < 0.1 && (lineState() !== "ok" || this.supply.isQuiet())) this.become("offline");
    if (this.live && this.playing) this.buffer.keepDistance(ahead);
    const next = this.supply.ahead[0];
    if (ahead < 0.1 && next && !plays(next.mimeType)) {
      this.chunk = next;
      this.wall = next.from;
      this.become("codec");
    } else if (ahead < AHEAD_S / 2) this.supply.fill();
  }
}

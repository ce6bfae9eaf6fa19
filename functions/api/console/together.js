// Several cameras on one clock: the clock runs, and each player is kept at it.

import { now } from "./api.js";
import { Emitter } from "./emitter.js";
import { Frames } from "./frames.js";
import { SECOND } from "./time.js";

/** From here on a picture is sought anew; below, it plays a little faster or slower until it is there. */
const FAR_MS = 400;
const NEAR_MS = 12;
const SYNC_MS = 200;
/** Where no camera has video, playing goes on after this long. */
const SKIP_MS = 1500;

/** Where a player is that has no picture, and when it has one again. @typedef {{ at: number, again: number | undefined }} Lost */

/** Events: `time` in each frame in which time runs, `skipped` (detail: a span that no camera has video of). */
export class Together extends Emitter {
  /** @param {import("./player.js").Player[]} players @param {number} wall */
  constructor(players, wall) {
    super();
    this.players = players;
    this.wall = wall;
    this.rate = 1;
    this.playing = false;
    /** Steps that were asked for before it was known how long a picture lasts. */
    this.owed = 0;
    /** The one that is heard. */
    this.heard = 0;
    /** @type {Map<import("./player.js").Player, Lost>} */
    this.lost = new Map();
    /** How far the pictures are apart, in milliseconds. */
    this.apart = NaN;
    this.before = performance.now();
    this.syncedAt = 0;
    this.emptySince = 0;
    this.running = true;
    this.frames = new Frames((at) => this.tick(at));
    this.frames.soon();
    this.seek(wall);
  }

  close() {
    this.running = false;
    this.frames.end();
    for (const player of this.players) player.close();
  }

  /** The video that is heard. */
  get video() {
    return /** @type {HTMLVideoElement} */ (this.players[this.heard]?.video);
  }

  /** Takes another one to be heard. @param {number} index */
  hear(index) {
    const { muted } = this.video;
    this.video.muted = true;
    this.heard = index;
    this.video.muted = muted;
  }

  play() {
    this.playing = true;
    this.owed = 0;
    for (const player of this.players) player.play();
    this.before = performance.now();
    this.frames.soon();
    this.tell();
  }

  /** Stands still, with all pictures of the same moment. */
  pause() {
    this.playing = false;
    for (const player of this.players) player.pause();
    this.seek(this.middle(this.wall));
  }

  /** @param {number} rate */
  setRate(rate) {
    this.rate = rate;
    for (const player of this.players) player.setRate(rate);
    this.tell();
  }

  /** @param {number} frames */
  step(frames) {
    if (this.playing) this.pause();
    this.owed += frames;
    const { chunk, state } = this.players[this.heard] ?? {};
    if (!chunk && (state === "loading" || state === "offline")) return;
    this.seek(this.middle(this.wall + this.owed * this.frameMs()));
  }

  /** The middle of the picture of a time: there the same picture is found again, whichever way times are rounded. @param {number} ms */
  middle(ms) {
    const from = this.players[this.heard]?.chunk?.from ?? ms;
    const frame = this.frameMs();
    return from + (Math.floor((ms - from) / frame) + 0.5) * frame;
  }

  frameMs() {
    return SECOND / (this.players[this.heard]?.chunk?.frameRate || 25);
  }

  /** @param {number} ms */
  seek(ms) {
    this.owed = 0;
    this.wall = Math.min(ms, now());
    for (const player of this.players) player.seek(this.wall);
    this.tell();
  }

  tell() {
    this.emit("time");
  }

  /** @param {number} at */
  tick(at) {
    if (!this.running) return;
    const passed = Math.max(0, Math.min(500, at - this.before));
    this.before = at;
    // Nobody runs ahead of one that still loads.
    if (this.playing && this.players.every((player) => player.state !== "loading" && !player.slow)) this.wall = Math.min(now(), this.wall + passed * this.rate);
    if (at - this.syncedAt > SYNC_MS) {
      this.syncedAt = at;
      for (const player of this.players) this.sync(player);
      if (this.owed !== 0) this.step(0);
      const times = this.players.filter((player) => player.state === "ready").map((player) => player.wall);
      this.apart = times.length > 1 ? Math.max(...times) - Math.min(...times) : NaN;
      this.overGap(at);
      this.tell();
    } else if (this.playing) this.tell();
    if (this.playing) this.frames.soon();
    else this.frames.later(SYNC_MS);
  }

  /** Goes over what no camera has video of. @param {number} at */
  overGap(at) {
    if (!this.playing || !this.players.every((player) => this.lost.has(player))) this.emptySince = at;
    const again = Math.min(...[...this.lost.values()].map((lost) => lost.again ?? Infinity));
    if (at - this.emptySince < SKIP_MS || again === Infinity) return;
    this.emit("skipped", { from: this.wall, to: again });
    this.emptySince = at;
    this.seek(again);
  }

  /** @param {import("./player.js").Player} player */
  sync(player) {
    const { state } = player;
    if (state !== "ready" && state !== "loading" && state !== "offline") {
      const lost = this.lost.get(player);
      if (lost?.at !== player.wall) this.lookAhead(player);
      else if (lost.again !== undefined && this.wall >= lost.again) player.seek(this.wall);
      return;
    }
    this.lost.delete(player);
    if (state !== "ready") return;
    if (this.playing !== player.playing) {
      if (this.playing) player.play();
      else player.pause();
    }
    const ahead = player.wall - this.wall;
    if (this.playing && player.isSkimming()) player.wall = this.wall;
    else if (Math.abs(ahead) > FAR_MS * Math.max(1, this.rate)) player.seek(this.wall);
    else if (this.playing) player.video.playbackRate = this.rate * (Math.abs(ahead) < NEAR_MS ? 1 : Math.max(0.85, Math.min(1.15, 1 - ahead / 800)));
    else if (Math.abs(ahead) > NEAR_MS && !player.video.seeking) player.seek(this.wall);
  }

  /** @param {import("./player.js").Player} player */
  async lookAhead(player) {
    /** @type {Lost} */
    const lost = { at: player.wall, again: undefined };
    this.lost.set(player, lost);
    const isGap = player.state === "gap" || player.state === "nothing";
    lost.again = await (isGap ? player.supply.next(player.wall).then((next) => next?.from) : player.supply.onward()).catch(() => undefined);
  }
}

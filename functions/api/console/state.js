// What every screen knows: the cameras, what gateways say of them, and how old their pictures are.

import { Failure, cameras, gateways, json, lineState, now, pathOf } from "./api.js";
import { Emitter } from "./emitter.js";
import { MINUTE, length, utc } from "./time.js";

/** From this age on a camera is late. */
const LATE_MS = 20_000;

class Known extends Emitter {
  /** @type {Camera[] | undefined} */
  cameras = undefined;
  /** @type {Gateways | undefined} */
  gateways = undefined;
  gatewaysAt = -Infinity;
  /** What each function of the host does; nothing where the host cannot tell. @type {FunctionState[] | undefined} */
  functions = undefined;
  tellsFunctions = true;

  /** Asks for what is new. Throws what the API throws. */
  async refresh() {
    const before = this.cameras;
    this.cameras = (await cameras()).cameras;
    if (performance.now() - this.gatewaysAt > 10_000) {
      this.gatewaysAt = performance.now();
      this.gateways = await gateways();
    }
    const names = (/** @type {Camera[] | undefined} */ list) => (list ?? ["none"]).map((one) => (typeof one === "string" ? one : one.site + "/" + one.camera)).join();
    if (names(before) !== names(this.cameras)) this.emit("cameras");
    this.emit("fresh");
  }

  /** Asks how the functions are. */
  async refreshFunctions() {
    if (!this.tellsFunctions) return;
    try {
      this.functions = (await json("/v1/functions")).functions;
    } catch (error) {
      if (error instanceof Failure && error.kind === "gone") this.tellsFunctions = false;
    }
  }

  /** @param {Name} of */
  camera(of) {
    return this.cameras?.find((one) => sameCamera(one, of));
  }

  /** What its gateway last said of a camera. @param {Name} of */
  reported(of) {
    return this.gateways?.gateways.find((one) => one.site === of.site)?.report.cameras.find((one) => one.camera === of.camera);
  }
}

export const known = new Known();

/** @typedef {{ tone: "calm" | "warn" | "bad", age: string, why: string }} Freshness */

/** Why a camera sends nothing, by what its gateway says of it. @type {Record<string, string>} */
const REASONS = {
  finished: "The file was read to its end", lost: "The camera does not answer", connecting: "The camera does not answer",
  unstored: "Pictures come, but cannot be stored", failed: "The recording failed",
};

/** How fresh a camera's last picture is, in words. @param {Camera} camera @returns {Freshness} */
export function freshness(camera) {
  const { last } = camera;
  if (lineState() !== "ok") return { tone: "calm", age: "not known", why: "" };
  if (last === undefined) return { tone: "warn", age: "no picture", why: "Nothing was recorded yet" };
  const age = Math.max(0, now() - last);
  const words = age < 1000 ? "now" : length(age);
  if (age < LATE_MS) return { tone: "calm", age: words, why: "" };
  const reported = known.reported(camera);
  const report = known.gateways?.gateways.find((one) => one.site === camera.site)?.report;
  // A report that is old says nothing about now.
  const fresh = report !== undefined && now() - report.at < 15 * MINUTE ? reported : undefined;
  const why = REASONS[fresh?.state ?? ""];
  if (why !== undefined) return { tone: fresh?.state === "finished" ? "calm" : "bad", age: words, why };
  if (fresh && fresh.waitingObjects > 0) return { tone: "warn", age: words, why: "The uplink is slow" };
  return age > 10 * MINUTE ? { tone: "bad", age: words, why: "Nothing has come since" } : { tone: "warn", age: words, why: "Late" };
}

/** Whether a camera's picture is up to date. @param {Camera} camera */
export function isFresh(camera) {
  return lineState() === "ok" && now() - (camera.last ?? NaN) < LATE_MS;
}

/** The place of a camera in the page. @param {Name} of @param {number} [ms] */
export function cameraLink(of, ms) {
  return `#/camera/${pathOf(of)}${ms === undefined ? "" : `?t=${utc(ms)}`}`;
}

/** @param {Name} one @param {Name} other */
export function sameCamera(one, other) {
  return one.site === other.site && one.camera === other.camera;
}

/** Puts a place into the address bar and copies the link to it. Says what became of it. @param {string} hash */
export async function copyLink(hash) {
  const link = new URL(hash, location.href).href;
  history.replaceState(null, "", link);
  return navigator.clipboard?.writeText(link).then(() => "The link is copied", () => "The link is in the address bar") ?? "The link is in the address bar";
}

/** A part of an address as it was before it was encoded; as it is where it was not. @param {string} part */
export function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

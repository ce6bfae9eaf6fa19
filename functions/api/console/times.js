// When the pictures of a file begin, from its own boxes: cameras send them at uneven times, and leave some out.

/** More pictures than a file has: a damaged one may say that it has billions, each of no byte. */
export const PICTURES_MAX = 200_000;

/** @typedef {{ name: string, from: number, to: number, end: number }} Box  Where what it holds begins and ends, as far as that is there, and where
 * it says that it ends. */

/** The boxes between two places. @param {DataView} view @param {Span} part */
export function* boxes(view, { from, to }) {
  for (let at = from; at + 8 <= to;) {
    const size = view.getUint32(at);
    if (size < 8) return;
    const name = String.fromCharCode(...[4, 5, 6, 7].map((place) => view.getUint8(at + place)));
    yield { name, from: at + 8, to: Math.min(to, at + size), end: at + size };
    at += size;
  }
}

/** The first box at a path. @param {DataView} view @param {Span} part @param {...string} path @returns {Box | undefined} */
export function find(view, part, ...path) {
  /** @type {Box | undefined} */
  let found = { ...part, name: "", end: part.to };
  for (const name of path) found = found && [...boxes(view, found)].find((box) => box.name === name);
  return found;
}

/** A number of four or eight bytes, as a box's version says. @param {DataView} view @param {number} at @param {number} version */
function number(view, at, version) {
  return version === 0 ? view.getUint32(at) : Number(view.getBigUint64(at));
}

/** The pictures' track: its number, and the ticks of its clock in a second. @param {DataView} view @param {Span} moov */
function pictures(view, moov) {
  for (const trak of boxes(view, moov)) {
    const [tkhd, mdhd, hdlr] = [["tkhd"], ["mdia", "mdhd"], ["mdia", "hdlr"]].map((path) => (trak.name === "trak" ? find(view, trak, ...path) : undefined));
    if (!tkhd || !mdhd || !hdlr || view.getUint32(hdlr.from + 8) !== 0x76696465) continue;
    const at = (/** @type {Box} */ box) => box.from + (view.getUint8(box.from) === 0 ? 12 : 20);
    return { track: view.getUint32(at(tkhd)), ticks: view.getUint32(at(mdhd)) };
  }
  return undefined;
}

/** A picture's time, in ticks, and where its duration and its distance from the time of decoding stand. @typedef {{ shown: number, lasts: number, at: number, offsetAt: number }} Sample */

/** WebKit shows a picture for as long as it should, however long it is said to last; where one is shown before it is decoded, as durations that are
 * changed have it, GStreamer's WebKit shows all of them later. */
const keepsDurations = /^Apple/.test(globalThis.navigator?.vendor ?? "");

/** The pictures of a run. @param {DataView} view @param {Box} trun @param {number} base @param {number} usual @returns {Sample[]} */
function run(view, trun, base, usual) {
  const flags = view.getUint32(trun.from);
  /** @type {Sample[]} */
  const samples = [];
  let at = trun.from + 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  let decoded = base;
  if (view.getUint32(trun.from + 4) > PICTURES_MAX) throw new RangeError("too many pictures");
  for (let count = view.getUint32(trun.from + 4); count > 0; count -= 1) {
    const lasts = flags & 0x100 ? view.getUint32(at) : usual;
    const offsetAt = at + [0x100, 0x200, 0x400].filter((flag) => flags & flag).length * 4;
    samples.push({ shown: decoded + (flags & 0x800 ? view.getInt32(offsetAt) : 0), lasts, at, offsetAt });
    decoded += lasts;
    at = offsetAt + (flags & 0x800 ? 4 : 0);
  }
  const shown = [...samples].sort((a, b) => a.shown - b.shown);
  // Where pictures are decoded in another order than they are shown, a duration is that until the next one is decoded, and a browser that
  // seeks takes it for that until the next one is shown: it is made to be that.
  if (!keepsDurations && (flags & 0x900) === 0x900 && shown.some((one, index) => one !== samples[index])) {
    const end = (shown[0]?.shown ?? 0) + decoded - base;
    for (const [index, one] of shown.entries()) one.lasts = (shown[index + 1]?.shown ?? end) - one.shown;
    if (shown.some(({ lasts }) => lasts <= 0)) return samples;
    view.setUint8(trun.from, 1);
    let next = base;
    for (const one of samples) {
      view.setUint32(one.at, one.lasts);
      view.setInt32(one.offsetAt, one.shown - next);
      next += one.lasts;
    }
  }
  return samples;
}

/** When each picture of a file begins, in seconds; nothing where its boxes do not say. Where a browser needs that, durations are made to be those of the pictures as they are shown. @param {Uint8Array} data @returns {number[] | undefined} */
export function timesOf(data) {
  try {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const all = { from: 0, to: data.byteLength };
    const moov = find(view, all, "moov");
    const of = moov && pictures(view, moov);
    if (!of) return undefined;
    /** @type {number[]} */
    const times = [];
    for (const moof of boxes(view, all)) {
      for (const traf of moof.name === "moof" ? boxes(view, moof) : []) {
        const [tfhd, tfdt] = [find(view, traf, "tfhd"), find(view, traf, "tfdt")];
        if (!tfhd || !tfdt || view.getUint32(tfhd.from + 4) !== of.track) continue;
        const flags = view.getUint32(tfhd.from);
        const usual = flags & 8 ? view.getUint32(tfhd.from + 8 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0)) : 0;
        let base = number(view, tfdt.from + 4, view.getUint8(tfdt.from));
        for (const trun of boxes(view, traf)) {
          if (trun.name !== "trun") continue;
          const samples = run(view, trun, base, usual);
          for (const { shown } of samples) times.push(shown);
          if (times.length > PICTURES_MAX) return undefined;
          base += samples.reduce((sum, { lasts }) => sum + lasts, 0);
        }
      }
    }
    const found = times.sort((a, b) => a - b).map((time) => time / of.ticks);
    return found.length > 0 && found.every((time, index) => index === 0 || time > (found[index - 1] ?? 0)) ? found : undefined;
  } catch {
    return undefined;
  }
}

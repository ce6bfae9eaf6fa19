// The beginning of a file, as far as its first picture goes (ISO/IEC 14496-12): a key picture for a part of the file's bytes.

import { bytes } from "./api.js";

/** This much is asked for first. It mostly has all boxes in front of the media. */
const HEAD_BYTES = 8192;

/** The bytes of a file up to the end of its first picture, or all of it where that is not found. @param {string} media @param {AbortSignal} [signal] */
export async function startOf(media, signal) {
  let head = await bytes(media, signal, { from: 0, to: HEAD_BYTES });
  if (head.byteLength < HEAD_BYTES) return head;
  // Once for the rest of the boxes, if need be, and once for the picture.
  for (let part = 0; part < 2; part += 1) {
    const { end, isPicture } = needed(new DataView(head));
    if (end === undefined) return bytes(media, signal);
    if (end > head.byteLength) head = joined(head, await bytes(media, signal, { from: head.byteLength, to: end }));
    if (isPicture) return head;
  }
  return head;
}

/** @param {ArrayBuffer} one @param {ArrayBuffer} other */
function joined(one, other) {
  const all = new Uint8Array(one.byteLength + other.byteLength);
  all.set(new Uint8Array(one));
  all.set(new Uint8Array(other), one.byteLength);
  return all.buffer;
}

/** The boxes from one offset to another. @param {DataView} view @param {number} from @param {number} to @returns {{ type: string, start: number, body: number, end: number }[]} */
function boxes(view, from, to) {
  const found = [];
  for (let start = from; start + 8 <= to;) {
    const size = view.getUint32(start);
    if (size < 8) break;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((at) => view.getUint8(start + at)));
    found.push({ type, start, body: start + 8, end: start + size });
    start += size;
  }
  return found;
}

/**
 * Up to where a file is needed for the first picture of its first movie fragment; or, where that is not known yet, up to the end of the
 * fragment's boxes. Of the first samples of its tracks, the largest is the picture: sound has small ones.
 * @param {DataView} view @returns {{ end: number | undefined, isPicture: boolean }}
 */
function needed(view) {
  const moof = boxes(view, 0, view.byteLength).find((box) => box.type === "moof");
  if (moof && moof.end > view.byteLength) return { end: moof.end, isPicture: false };
  const firsts = (moof ? boxes(view, moof.body, moof.end) : []).filter((box) => box.type === "traf").map((traf) => {
    const inside = boxes(view, traf.body, traf.end);
    const tfhd = inside.find((box) => box.type === "tfhd");
    const trun = inside.find((box) => box.type === "trun");
    return tfhd && trun && first(view, tfhd.body, trun.body);
  });
  const picture = firsts.reduce((most, one) => (one && one.size > (most?.size ?? 0) ? one : most), undefined);
  return { end: moof && picture && moof.start + picture.offset + picture.size, isPicture: true };
}

/** The first sample of a track run (§8.8.8), with its offset from the fragment's start. @param {DataView} view @param {number} tfhd @param {number} trun */
function first(view, tfhd, trun) {
  const flags = view.getUint32(trun) & 0xffffff;
  // An offset from the fragment's start is what the gateway writes.
  if ((flags & 0x1) === 0) return undefined;
  const offset = view.getInt32(trun + 8);
  if ((flags & 0x200) !== 0) return { offset, size: view.getUint32(trun + 12 + (flags & 0x4 ? 4 : 0) + (flags & 0x100 ? 4 : 0)) };
  const track = view.getUint32(tfhd) & 0xffffff;
  if ((track & 0x10) === 0) return undefined;
  const before = [0x1, 0x2, 0x8].reduce((sum, flag) => sum + (track & flag ? (flag === 0x1 ? 8 : 4) : 0), 8);
  return { offset, size: view.getUint32(tfhd + before) };
}

// The beginning of a file, as far as its first picture goes (ISO/IEC 14496-12): a key picture for a part of the file's bytes.

import { bytes } from "./api.js";
import { boxes, find } from "./times.js";

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

/**
 * Up to where a file is needed for the first picture of its first movie fragment; or, where that is not known yet, up to the end of the
 * fragment's boxes. Of the first samples of its tracks, the largest is the picture: sound has small ones.
 * @param {DataView} view @returns {{ end: number | undefined, isPicture: boolean }}
 */
function needed(view) {
  const moof = find(view, { from: 0, to: view.byteLength }, "moof");
  if (moof && moof.end > view.byteLength) return { end: moof.end, isPicture: false };
  const firsts = (moof ? [...boxes(view, moof)] : []).filter(({ name }) => name === "traf").map((traf) => {
    const [tfhd, trun] = [find(view, traf, "tfhd"), find(view, traf, "trun")];
    return tfhd && trun && first(view, tfhd.from, trun.from);
  });
  const picture = firsts.reduce((most, one) => (one && one.size > (most?.size ?? 0) ? one : most), undefined);
  return { end: moof && picture && moof.from - 8 + picture.offset + picture.size, isPicture: true };
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

// When pictures begin, as the console reads it from a file's boxes, also of boxes that lie: `node times.mjs`.

import assert from "node:assert/strict";
import { PICTURES_MAX, timesOf } from "../../functions/api/console/times.js";

const numbers = (...values) => Buffer.concat(values.map((value) => { const four = Buffer.alloc(4); four.writeUInt32BE(value >>> 0); return four; }));
const box = (name, ...parts) => { const data = Buffer.concat(parts); return Buffer.concat([numbers(data.length + 8), Buffer.from(name), data]); };
const TICKS = 90_000;
const tkhd = box("tkhd", numbers(3, 0, 0, 1, 0, 0), Buffer.alloc(60));
const mdia = box("mdia", box("mdhd", numbers(0, 0, 0, TICKS, 0, 0)), box("hdlr", Buffer.alloc(8), Buffer.from("vide"), Buffer.alloc(13)));
const moov = box("moov", box("trak", tkhd, mdia));
/** A fragment whose pictures last 3600 ticks unless its run says otherwise. */
const moof = (flags, count, ...rest) => box("moof", box("traf", box("tfhd", numbers(0x2_0008, 1, 3600)), box("tfdt", numbers(0, 0)), box("trun", numbers(flags, count), ...rest)));
const times = (...parts) => timesOf(new Uint8Array(Buffer.concat(parts)));

assert.deepEqual(times(moov, moof(0, 3)), [0, 0.04, 0.08]);
assert.deepEqual(times(moov, moof(0x100, 3, numbers(1800, 9000, 3600))), [0, 0.02, 0.12]);
// Four pictures, decoded in the order of 1, 4, 2, 3: each is shown at its own time.
const reordered = [3600, 3600, 3600, 10_800, 3600, 0, 3600, 0];
assert.deepEqual(times(moov, moof(0x900, 4, numbers(...reordered)))?.map((time) => Math.round(time * 1000)), [40, 80, 120, 160]);
// More pictures than there are bytes, in one run and in many, which are not counted up.
assert.equal(times(moov, moof(0, 0xffff_ffff)), undefined);
assert.equal(times(moov, ...Array.from({ length: 3000 }, () => moof(0, PICTURES_MAX - 1))), undefined);
// Cut off anywhere, it is none or fewer.
const whole = Buffer.concat([moov, moof(0x900, 4, numbers(...reordered))]);
for (let length = 0; length < whole.length; length += 1) assert.ok((times(whole.subarray(0, length)) ?? []).length <= 4, `${length} bytes`);
// Any byte may be any other.
let random = 1;
for (let round = 0; round < 5000; round += 1) {
  const changed = Buffer.from(whole);
  for (let n = 0; n < 3; n += 1) {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    changed[random % changed.length] = (random >> 8) & 255;
  }
  const found = times(changed);
  assert.ok(found === undefined || (found.length <= PICTURES_MAX && found.every(Number.isFinite)), `round ${round}`);
}
console.log("ok");

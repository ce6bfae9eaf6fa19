//! Fragments that tests make, with the boxes and fields that are read here.

use framepost_media::boxes::boxed;

/// Values of 32 bits, one after the other.
pub(crate) fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// A `traf` whose fragment starts at `time`. `tfhd` and `trun` are the fields of these boxes, their flags first.
pub(crate) fn traf(tfhd: &[u32], time: u32, trun: &[u32]) -> Vec<u8> {
    let [tfhd, tfdt, trun] = [tfhd, &[0, time], trun].map(numbers);
    boxed(*b"traf", &[&boxed(*b"tfhd", &[&tfhd]), &boxed(*b"tfdt", &[&tfdt]), &boxed(*b"trun", &[&trun])])
}

/// A `moof` with these `traf`.
pub(crate) fn moof(trafs: &[Vec<u8>]) -> Vec<u8> {
    boxed(*b"moof", &[&boxed(*b"mfhd", &[&[0; 8]]), &trafs.concat()])
}

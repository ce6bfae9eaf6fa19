//! The three CRCs of S3, with the interface of the crate `crc-fast` as far as the AWS SDK and `s3s` use it.
//!
//! `crc-fast` 1.10 has tables for 80 algorithms and selects one at run time, so the linker keeps them all: 0.7 MiB of each
//! program with the SDK. A gateway calls none of them, because its puts carry the SHA-256 that each chunk has anyway.
//! `[patch.crates-io]` in the workspace's `Cargo.toml` puts this crate in its place. An SDK that needs more of `crc-fast`
//! does not compile against it.

use std::fmt;

/// An algorithm, named as in the [catalogue of parametrised CRCs](https://reveng.sourceforge.io/crc-catalogue/all.htm).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-32/ISO-HDLC, which S3 calls CRC32.
    Crc32IsoHdlc,
    /// CRC-32/ISCSI, which S3 calls CRC32C.
    Crc32Iscsi,
    /// CRC-64/NVME, which S3 calls CRC64NVME.
    Crc64Nvme,
}

/// A CRC in progress.
#[derive(Clone)]
pub struct Digest(State);

#[derive(Clone)]
enum State {
    Crc32IsoHdlc(crc32fast::Hasher),
    Crc32Iscsi(u32),
    Crc64Nvme(u64),
}

impl Digest {
    /// The CRC of nothing.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        Self(match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => State::Crc32IsoHdlc(crc32fast::Hasher::new()),
            CrcAlgorithm::Crc32Iscsi => State::Crc32Iscsi(0),
            CrcAlgorithm::Crc64Nvme => State::Crc64Nvme(0),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Crc32IsoHdlc(hasher) => hasher.update(bytes),
            State::Crc32Iscsi(crc) => *crc = crc32c::crc32c_append(*crc, bytes),
            State::Crc64Nvme(crc) => *crc = crc64_nvme(*crc, bytes),
        }
    }

    /// The CRC of what was taken, in the low bits.
    pub fn finalize(&self) -> u64 {
        match &self.0 {
            State::Crc32IsoHdlc(hasher) => hasher.clone().finalize().into(),
            State::Crc32Iscsi(crc) => (*crc).into(),
            State::Crc64Nvme(crc) => *crc,
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:x})", self.finalize())
    }
}

/// The CRC of `bytes`, in the low bits.
pub fn checksum(algorithm: CrcAlgorithm, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new(algorithm);
    digest.update(bytes);
    digest.finalize()
}

/// How many bytes [`crc64_nvme`] takes at once.
const SLICES: usize = 8;

/// What each value of a byte adds to the CRC, followed by up to seven others.
static CRC64_NVME: [[u64; 256]; SLICES] = tables(0x9a6c_9329_ac4b_c9b5);

/// `polynomial` is reflected: its lowest bit is the highest power.
const fn tables(polynomial: u64) -> [[u64; 256]; SLICES] {
    let mut tables = [[0; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        byte = 0;
        while byte < 256 {
            let before = tables[slice - 1][byte];
            tables[slice][byte] = before >> 8 ^ tables[0][before.to_le_bytes()[0] as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// Continues a CRC-64/NVME, which begins with all ones and is inverted at its end.
fn crc64_nvme(crc: u64, bytes: &[u8]) -> u64 {
    let (eights, rest) = bytes.as_chunks::<SLICES>();
    let mut crc = !crc;
    for eight in eights {
        let mixed = crc ^ u64::from_le_bytes(*eight);
        crc = 0;
        for (table, byte) in CRC64_NVME.iter().rev().zip(mixed.to_le_bytes()) {
            crc ^= table[usize::from(byte)];
        }
    }
    for byte in rest {
        crc = crc >> 8 ^ CRC64_NVME[0][usize::from(crc.to_le_bytes()[0] ^ byte)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [CrcAlgorithm; 3] = [CrcAlgorithm::Crc32IsoHdlc, CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc64Nvme];

    /// The catalogue's check values.
    #[test]
    fn the_digits_have_the_catalogue_s_checksums() {
        let found = ALL.map(|algorithm| checksum(algorithm, b"123456789"));
        assert_eq!(found, [0xcbf4_3926, 0xe306_9283, 0xae8b_1486_0a79_9888]);
        assert_eq!(ALL.map(|algorithm| checksum(algorithm, b"")), [0, 0, 0]);
    }

    proptest! {
        #[test]
        fn pieces_have_the_checksum_of_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..8),
        ) {
            for algorithm in ALL {
                let mut digest = Digest::new(algorithm);
                for piece in &pieces {
                    digest.update(piece);
                }
                prop_assert_eq!(digest.finalize(), checksum(algorithm, &pieces.concat()));
            }
        }

        /// One bit at a time, as the algorithm is defined.
        #[test]
        fn crc64_is_the_remainder(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut crc = u64::MAX;
            for byte in &bytes {
                crc ^= u64::from(*byte);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 { crc >> 1 ^ 0x9a6c_9329_ac4b_c9b5 } else { crc >> 1 };
                }
            }
            prop_assert_eq!(checksum(CrcAlgorithm::Crc64Nvme, &bytes), !crc);
        }
    }
}

//! Pictures and sound that a camera may send once its session plays.

use super::{Attack, noise};
use crate::camera_side::{CameraSide, PPS, SPS};
use std::io::Result;
use std::time::{Duration, Instant};

/// A fragment (FU-A) of 16 KB from the middle of a random access picture, its beginning and its end.
const BEGINNING: [u8; 3] = [0x7c, 0x85, 0x88];
const END: [u8; 3] = [0x7c, 0x45, 0x88];
const PIECE_BYTES: usize = 16_000;
/// A random access picture of three bytes.
pub(super) const PICTURE: [u8; 3] = [0x65, 0x88, 0x84];

pub(super) fn attack(side: &mut CameraSide, attack: Attack) -> Result<()> {
    let piece = [&[0x7c, 0x05][..], &[0x55; PIECE_BYTES]].concat();
    match attack {
        Attack::EndlessUnit => {
            side.packet(0, false, &BEGINNING)?;
            loop {
                side.packet(0, false, &piece)?;
            }
        }
        Attack::TinyFragments => {
            side.packet(0, false, &BEGINNING)?;
            loop {
                side.packets(0, &[&[0x7c, 0x05, 0x55][..]; 200])?;
            }
        }
        Attack::Slices => endless(side, &aggregate([0x41, 0x9a], 4000)),
        Attack::Messages => endless(side, &aggregate([6, 5], 4000)),
        Attack::BrokenSlices => {
            let slices = aggregate([0x41, 0x9a], 4000);
            for n in 0_u32.. {
                side.packet(n.wrapping_mul(3600), false, &slices)?;
                side.lose_a_packet();
            }
            Ok(())
        }
        Attack::Pictures => {
            for n in 0_u32.. {
                side.packet(n.wrapping_mul(3600), true, &PICTURE)?;
            }
            Ok(())
        }
        Attack::OneTime => loop {
            side.packet(0, true, &PICTURE)?;
        },
        Attack::LargePictures => large(side, &piece, 5_000_000),
        Attack::LargestPictures => large(side, &piece, (16 << 20) - (64 << 10)),
        Attack::FastParameters => {
            for n in 0_u32.. {
                let sps = changed(n);
                for (part, unit) in [&sps[..], &PPS, &PICTURE].into_iter().enumerate() {
                    side.packet(n.wrapping_mul(3600), part == 2, unit)?;
                }
            }
            Ok(())
        }
        Attack::Parameters | Attack::BrokenParameters | Attack::StandingTime | Attack::RandomTime | Attack::HangsUp => {
            pictures(side, attack)
        }
        // RFC 3640 §3.2.1: 1000 headers of 16 bits, each of a frame of one byte.
        Attack::Sounds => {
            let sounds = [&[0x3e, 0x80][..], &[0, 8].repeat(1000), &[0x21; 1000]].concat();
            for n in 0_u32.. {
                side.packet_by(2, 97, n.wrapping_mul(1024 * 1000), true, &sounds)?;
            }
            Ok(())
        }
        _ => noise::attack(side, attack),
    }
}

fn endless(side: &mut CameraSide, payload: &[u8]) -> Result<()> {
    loop {
        side.packet(0, false, payload)?;
    }
}

fn large(side: &mut CameraSide, piece: &[u8], bytes: usize) -> Result<()> {
    for n in 0_u32.. {
        let time = n.wrapping_mul(3600);
        side.packet(time, false, &BEGINNING)?;
        for _ in 0..bytes / piece.len() {
            side.packet(time, false, piece)?;
        }
        side.packet(time, true, &END)?;
    }
    Ok(())
}

/// 25 small random access pictures a second.
fn pictures(side: &mut CameraSide, attack: Attack) -> Result<()> {
    let start = Instant::now();
    for n in 0_u32.. {
        let time = match attack {
            Attack::StandingTime => 1000,
            Attack::RandomTime => fastrand::u32(..),
            _ => n.wrapping_mul(3600),
        };
        let sps = match attack {
            Attack::Parameters => changed(n),
            Attack::BrokenParameters => {
                let mut sps = SPS;
                sps[4..].fill_with(|| fastrand::u8(1..));
                sps
            }
            _ => SPS,
        };
        if attack == Attack::HangsUp && n == 50 {
            return side.hang_up();
        }
        for (part, unit) in [&sps[..], &PPS, &PICTURE].into_iter().enumerate() {
            side.packet(time, part == 2, unit)?;
        }
        std::thread::sleep((Duration::from_millis(40) * n).saturating_sub(start.elapsed()));
    }
    Ok(())
}

/// The parameter set with another level for each picture.
fn changed(n: u32) -> [u8; 21] {
    let mut sps = SPS;
    sps[3] = 10 + (n % 40).to_be_bytes()[3];
    sps
}

/// STAP-A of so many equal NAL units.
fn aggregate(unit: [u8; 2], count: usize) -> Vec<u8> {
    [vec![24], [[0, 2], unit].concat().repeat(count)].concat()
}

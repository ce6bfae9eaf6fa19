//! What else a camera may send once its session plays: reports, packets of nobody's, messages, or nothing.

use super::Attack;
use super::stream::PICTURE;
use crate::camera_side::{CameraSide, framed};
use std::io::Result;
use std::time::Duration;

pub(super) fn attack(side: &mut CameraSide, attack: Attack) -> Result<()> {
    match attack {
        Attack::Reports => {
            let report = [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[0xe0; 8], &[0; 12]].concat();
            side.for_ever(&framed(1, &report).repeat(50))
        }
        Attack::Goodbyes => side.for_ever(&framed(1, &[0x81, 203, 0, 1, 0, 0, 0, 7]).repeat(100)),
        Attack::Sources => {
            for n in 0_u32.. {
                let packet = [&[0x80, 0xe0, 0, 1, 0, 0, 0, 0][..], &n.to_be_bytes(), &PICTURE].concat();
                side.send(&framed(0, &packet))?;
            }
            Ok(())
        }
        Attack::Strangers => side.for_ever(&framed(9, &vec![b'x'; 65_000])),
        // A packet of nobody's after each 200 KiB: what lies between is never too much.
        Attack::Dollars => side.for_ever(&[&b"x"[..], &vec![b'$'; 200 << 10], &framed(9, &[0x80])].concat()),
        Attack::TinySegments => {
            let packet = framed(9, &vec![b'x'; 65_000]);
            loop {
                for byte in packet.chunks(1) {
                    side.send(byte)?;
                }
            }
        }
        Attack::Line => {
            side.send(b"RTSP/1.0 200 OK\r\nX: ")?;
            side.for_ever(&[b'a'; 4096])
        }
        Attack::Head => {
            side.send(b"RTSP/1.0 200 OK\r\n")?;
            side.for_ever(&[&b"X-A: "[..], &[b'a'; 1000], b"\r\n"].concat())
        }
        Attack::Body => {
            side.send(b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n")?;
            side.for_ever(&[b'x'; 4096])
        }
        Attack::Answers => side.for_ever(&b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n".repeat(100)),
        Attack::Requests => {
            side.ignore_aside();
            side.for_ever(&b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(100))
        }
        Attack::Silent => {
            side.answer_aside();
            std::thread::park_timeout(Duration::from_mins(10));
            Ok(())
        }
        // Done before, or made of pictures.
        _ => Ok(()),
    }
}

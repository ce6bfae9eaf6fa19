//! An honest camera that costs next to nothing: pictures without content, of an even size, at an even rate.

use crate::camera_side::{CameraSide, PPS, SPS};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The time between two pictures: 25 a second.
const PICTURE: Duration = Duration::from_millis(40);
/// Pictures between two random access pictures: a second.
const GROUP: u32 = 25;

/// A running camera, with H.264 by interleaved RTP; it ends with the process.
#[derive(Debug, Clone, Copy)]
pub struct PlainCamera {
    port: u16,
}

impl PlainCamera {
    /// Listens on a port of its own. To each that connects it sends `bytes_a_second` of pictures, the first of them `phase`
    /// after it was asked to play.
    pub fn start(bytes_a_second: u32, phase: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    // Until the gateway hangs up.
                    let _ = CameraSide::new(stream, None).and_then(|side| play(side, bytes_a_second, phase));
                });
            }
        });
        Self { port }
    }

    /// Returns the URL to record from.
    pub fn url(self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }
}

fn play(mut side: CameraSide, bytes_a_second: u32, phase: Duration) -> std::io::Result<()> {
    if !side.until_playing()? {
        return Ok(());
    }
    side.answer_aside();
    let start = Instant::now() + phase;
    let bytes = usize::try_from(bytes_a_second / GROUP).unwrap_or(usize::MAX).max(8);
    for n in 0_u32.. {
        std::thread::sleep((start + PICTURE * n).saturating_duration_since(Instant::now()));
        let time = n.wrapping_mul(3600);
        let random_access = n.is_multiple_of(GROUP);
        if random_access {
            side.unit(time, false, &SPS)?;
            side.unit(time, false, &PPS)?;
        }
        let header: &[u8] = if random_access { &[0x65, 0x88, 0x84] } else { &[0x41, 0x9a, 0x24] };
        side.unit(time, true, &[header, &vec![0x55; bytes - header.len()]].concat())?;
    }
    Ok(())
}

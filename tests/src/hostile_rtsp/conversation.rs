//! What a camera may do before its session plays.

use super::{Attack, datagrams, stream};
use crate::camera_side::{CameraSide, DESCRIPTION, Request, framed};
use std::io::Result;
use std::time::Duration;

/// A second stream, of AAC.
const SOUND: &str = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/8000/1\r\na=fmtp:97 \
    mode=AAC-hbr;config=1588;sizeLength=13;indexLength=3;indexDeltaLength=3\r\na=control:track2\r\n";

/// Speaks with one client, and attacks it.
pub(super) fn attack(mut side: CameraSide, attack: Attack, bytes_a_second: u32) -> Result<()> {
    match attack {
        Attack::Mute | Attack::StalledHandshake => {
            std::thread::park_timeout(Duration::from_mins(10));
            return Ok(());
        }
        // A handshake record (RFC 8446 §5.1) of the largest length, and more of them.
        Attack::EndlessHandshake => {
            return side.for_ever(&[&[22, 3, 3, 0x3f, 0xff][..], &[2; 0x3fff]].concat());
        }
        _ => {}
    }
    let mut setups = 0;
    while let Some(request) = side.request()? {
        match request.method.as_str() {
            "DESCRIBE" => describe(&mut side, attack, &request)?,
            "SETUP" if attack.transport() == crate::edge::Transport::Udp => {
                let Some(datagrams) = datagrams::Datagrams::asked(&request) else { return Ok(()) };
                side.send(datagrams.answer(&request).as_bytes())?;
                let Some(play) = side.request()? else { return Ok(()) };
                side.send(play.answer(DESCRIPTION).as_bytes())?;
                side.answer_aside();
                return datagrams.attack(attack, bytes_a_second);
            }
            "SETUP" => {
                let channels = format!("{setups}-{}", setups + 1);
                setups += 2;
                let transport = format!("Transport: RTP/AVP/TCP;unicast;interleaved={channels}");
                side.send(format!("{}Session: 1;timeout=60\r\n{transport}\r\n\r\n", request.head()).as_bytes())?;
            }
            "PLAY" => {
                side.send(request.answer(DESCRIPTION).as_bytes())?;
                return stream::attack(&mut side, attack);
            }
            _ => side.send(request.answer(DESCRIPTION).as_bytes())?,
        }
    }
    Ok(())
}

fn describe(side: &mut CameraSide, attack: Attack, request: &Request) -> Result<()> {
    let head = request.head();
    match attack {
        Attack::Description => {
            side.send(format!("{head}Content-Length: 4000000000\r\n\r\n").as_bytes())?;
            side.for_ever(&b"a=x:yyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(100))
        }
        Attack::ManyStreams => {
            let one = "m=video 0 RTP/AVP 98\r\na=rtpmap:98 JPEG/90000\r\na=control:t\r\n";
            side.send(request.answer(&format!("{}{DESCRIPTION}", one.repeat(900))).as_bytes())
        }
        Attack::DescribeHead => {
            side.send(head.as_bytes())?;
            side.for_ever(&[&b"X-A: "[..], &[b'a'; 1000], b"\r\n"].concat())
        }
        Attack::Slowly => {
            for byte in request.answer(DESCRIPTION).bytes() {
                side.send(&[byte])?;
                std::thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        }
        Attack::EarlyPackets => side.for_ever(&framed(0, &[]).repeat(1000)),
        Attack::EarlyRequests => {
            side.ignore_aside();
            side.for_ever(&b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(100))
        }
        Attack::Continues => side.for_ever(&b"RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n".repeat(100)),
        Attack::Unauthorized => {
            let challenge =
                format!("WWW-Authenticate: Digest realm=\"x\", nonce=\"{}\", stale=true", fastrand::u64(..));
            side.send(format!("{}{challenge}\r\n\r\n", request.head_of("401 Unauthorized")).as_bytes())
        }
        Attack::Ring => {
            let location = format!("Location: {}", request.url);
            side.send(format!("{}{location}\r\n\r\n", request.head_of("302 Found")).as_bytes())
        }
        Attack::Sounds => side.send(request.answer(&format!("{DESCRIPTION}{SOUND}")).as_bytes()),
        _ => side.send(request.answer(DESCRIPTION).as_bytes()),
    }
}

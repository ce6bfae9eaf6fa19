//! Which signs of life a camera is sent: RTSP 1.0 names none, and cameras differ in what they take for one.
//!
//! `OPTIONS` first, which every camera knows; its answer lists the others. Then `GET_PARAMETER` where it is offered, as
//! ffmpeg does, or `SET_PARAMETER`. What is refused or not answered is not sent again. A camera that takes none of them gets
//! RTCP receiver reports alone. None of this ends a session: as long as pictures come it is alive.

use super::headers::offers;
use std::time::Duration;

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Options,
    GetParameter,
    SetParameter,
    /// No request.
    Report,
}

impl Sign {
    /// The request's method.
    pub(super) fn method(self) -> Option<&'static str> {
        match self {
            Self::Options => Some("OPTIONS"),
            Self::GetParameter => Some("GET_PARAMETER"),
            Self::SetParameter => Some("SET_PARAMETER"),
            Self::Report => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Unknown,
    No,
}

/// What is known of a camera's taste.
#[derive(Debug)]
pub(super) struct Keepalive {
    interval: Duration,
    next: Sign,
    waiting: bool,
    get: Option<Taken>,
    set: Option<Taken>,
    options: Taken,
}

impl Keepalive {
    /// For a camera that keeps a session for `timeout`.
    pub(super) fn new(timeout: Duration) -> Self {
        let interval = (timeout / 2).max(Duration::from_millis(500));
        Self { interval, next: Sign::Options, waiting: false, get: None, set: None, options: Taken::Unknown }
    }

    /// How often a sign is due.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// The sign that is due now.
    pub(super) fn due(&mut self) -> Sign {
        if self.waiting {
            self.refused();
        }
        self.waiting = self.next != Sign::Report;
        self.next
    }

    /// An answer came.
    pub(super) fn answered(&mut self, status: u16, public: Option<&str>) {
        if !self.waiting {
            return;
        }
        if status >= 400 {
            self.refused();
        } else if self.next == Sign::Options {
            let public = public.unwrap_or_default();
            self.get = self.get.or(offers(public, "GET_PARAMETER").then_some(Taken::Unknown));
            self.set = self.set.or(offers(public, "SET_PARAMETER").then_some(Taken::Unknown));
            self.choose();
        }
        self.waiting = false;
    }

    fn refused(&mut self) {
        match self.next {
            Sign::Options => self.options = Taken::No,
            Sign::GetParameter => self.get = Some(Taken::No),
            Sign::SetParameter => self.set = Some(Taken::No),
            Sign::Report => {}
        }
        self.waiting = false;
        self.choose();
    }

    fn choose(&mut self) {
        self.next = if self.get == Some(Taken::Unknown) {
            Sign::GetParameter
        } else if self.set == Some(Taken::Unknown) {
            Sign::SetParameter
        } else if self.options == Taken::Unknown {
            Sign::Options
        } else {
            Sign::Report
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Sign::{GetParameter, Options, Report, SetParameter};
    use super::*;

    /// The signs that a camera gets which offers `public`, and answers each method as `status` says.
    fn signs(public: &str, status: impl Fn(Sign) -> Option<u16>) -> Vec<Sign> {
        let mut keepalive = Keepalive::new(Duration::from_mins(1));
        (0..5)
            .map(|_| {
                let sign = keepalive.due();
                if let Some(status) = status(sign) {
                    keepalive.answered(status, Some(public).filter(|_| sign == Options));
                }
                sign
            })
            .collect()
    }

    #[test]
    fn each_camera_gets_what_it_takes() {
        let all = "OPTIONS, DESCRIBE, SET_PARAMETER, GET_PARAMETER";
        for (what, public, refuses, expected) in [
            ("everything", all, &[][..], [Options, GetParameter, GetParameter, GetParameter, GetParameter]),
            (
                "only SET_PARAMETER",
                "SET_PARAMETER",
                &[],
                [Options, SetParameter, SetParameter, SetParameter, SetParameter],
            ),
            ("only OPTIONS", "OPTIONS", &[], [Options; 5]),
            ("a list of nothing", "", &[], [Options; 5]),
            (
                "offered and refused",
                all,
                &[GetParameter],
                [Options, GetParameter, SetParameter, SetParameter, SetParameter],
            ),
            (
                "both refused",
                all,
                &[GetParameter, SetParameter],
                [Options, GetParameter, SetParameter, Options, Options],
            ),
            (
                "not even OPTIONS",
                all,
                &[Options, GetParameter, SetParameter],
                [Options, Report, Report, Report, Report],
            ),
        ] {
            for refusal in [Some(400), Some(551), None] {
                let found = signs(public, |sign| if refuses.contains(&sign) { refusal } else { Some(200) });
                assert_eq!(found, expected, "{what}, {refusal:?}");
            }
        }
        assert_eq!(Keepalive::new(Duration::from_millis(1)).interval(), Duration::from_millis(500));
    }
}

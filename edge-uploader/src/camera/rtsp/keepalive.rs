//! Chooses the keep-alive requests for a camera. RTSP 1.0 does not define one,
//! and cameras accept different ones.
//!
//! `OPTIONS` comes first, because every camera supports it, and its response lists the others. Then
//! `GET_PARAMETER` is used if it is offered, as in ffmpeg, or `SET_PARAMETER`. A request that is refused or not
//! answered is not sent again. A camera that accepts none of them gets only RTCP receiver reports. None of this
//! ends a session: it lives as long as pictures arrive.

use super::headers::offers;
use std::time::Duration;

/// A kind of keep-alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Options,
    GetParameter,
    SetParameter,
    /// An RTCP receiver report instead of a request.
    Report,
}

impl Sign {
    /// Returns the request's method, or `None` for a receiver report.
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

/// What is known about the requests that a camera accepts.
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
    /// Creates the state for a camera that keeps a session for `timeout`.
    pub(super) fn new(timeout: Duration) -> Self {
        let interval = (timeout / 2).max(Duration::from_millis(500));
        Self { interval, next: Sign::Options, waiting: false, get: None, set: None, options: Taken::Unknown }
    }

    /// Returns the interval between keep-alives.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns the keep-alive to send now.
    pub(super) fn due(&mut self) -> Sign {
        if self.waiting {
            self.refused();
        }
        self.waiting = self.next != Sign::Report;
        self.next
    }

    /// Handles a response to the last keep-alive.
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

    /// Returns the keep-alives for a camera that offers `public` and answers each method with `status`.
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

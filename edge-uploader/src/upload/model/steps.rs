//! What happens to the gateway of the model: random steps.

use super::super::Absent;
use super::bucket::{Answer, Heard, TRUTH};
use framepost_ports::{Effect, ErrorKind};
use proptest::prelude::*;

/// What lies under a chunk's key before its first put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    TheSame,
    Another,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Record(There),
    Answer(Answer),
    Wait {
        ms: u64,
    },
    /// Whether the credential may look.
    Looking(bool),
    Disk(Refusing),
    /// The process ends at any point.
    Kill,
    PowerCut,
    /// The process ends, and somebody releases the quarantine.
    Release,
    /// The process ends, and somebody verifies the quarantine.
    Verify(Absent),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusing {
    Writes,
    Nothing,
}

pub(super) fn heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        2 => Just(Heard::Truth),
        2 => Just(Heard::Nothing),
        1 => Just(Heard::BrokenOff),
        1 => Just(Heard::Stall),
        1 => Just(Heard::Bare),
        1 => Just(Heard::WrongChecksum),
        2 => prop::sample::select(vec![200_u16, 204, 302, 307, 400, 403, 404, 407, 412, 429, 500, 502, 503, 504, 511])
            .prop_map(Heard::Foreign),
        3 => prop::sample::select(vec![
            (301_u16, ErrorKind::Intercepted),
            (400, ErrorKind::Invalid),
            (400, ErrorKind::Transport),
            (400, ErrorKind::Corrupt),
            (403, ErrorKind::Denied),
            (403, ErrorKind::ClockSkew),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Busy),
            (429, ErrorKind::Busy),
            (500, ErrorKind::Busy),
            (501, ErrorKind::Busy),
            (503, ErrorKind::Busy),
        ])
        .prop_map(|(status, kind)| Heard::Own(status, kind)),
    ]
}

pub(super) fn answer() -> impl Strategy<Value = Answer> {
    (heard(), any::<bool>()).prop_map(|(heard, stores)| match heard {
        // S3's own answer is true.
        Heard::Truth => TRUTH,
        Heard::Own(status, _) if Effect::of_status(status) == Effect::None => Answer { heard, stores: false },
        _ => Answer { heard, stores },
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::sample::select(vec![There::Nothing, There::Nothing, There::TheSame, There::Another])
            .prop_map(Step::Record),
        10 => answer().prop_map(Step::Answer),
        8 => prop_oneof![1_u64..20, 500_u64..60_000].prop_map(|ms| Step::Wait { ms }),
        1 => any::<bool>().prop_map(Step::Looking),
        1 => Just(Step::Disk(Refusing::Writes)),
        1 => Just(Step::Disk(Refusing::Nothing)),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
        1 => Just(Step::Release),
        1 => prop::sample::select(vec![Absent::Kept, Absent::Released]).prop_map(Step::Verify),
    ]
}

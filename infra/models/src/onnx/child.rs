//! The process that runs a model: nothing but RTen between two pipes.

use super::session::Session;
use super::wire::{self, ANSWER_BYTES_MAX, Answer, Request};
use crate::store::MODEL_LIMIT_BYTES;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The only argument of a process that runs a model.
pub(super) const ARGUMENT: &str = "run-model";

/// This program, once it has said that it can be such a process.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Runs a model, if this process was started for that, until who started it has no more pictures; returns whether it was. A
/// program that runs models calls it first in its `main`, and ends if it was. In a program that does not, models run in its own
/// process, without limits.
pub fn run_if_asked() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() == Some(OsStr::new(ARGUMENT)) && arguments.next().is_none() {
        serve();
        return true;
    }
    // Without its path, it is as if it had not called.
    if let Ok(program) = std::env::current_exe() {
        let _ = PROGRAM.set(program);
    }
    false
}

/// The program that can be started to run a model.
pub(super) fn program() -> Option<&'static PathBuf> {
    PROGRAM.get()
}

/// Answers requests until there is none.
fn serve() {
    // A model that runs for ever does not outlive who asked for it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // Whoever asked sees that it has ended.
    let _ = answer_all(&mut io::stdin().lock(), &mut io::stdout().lock());
}

fn answer_all(requests: &mut impl Read, answers: &mut impl Write) -> io::Result<()> {
    let most = usize::try_from(MODEL_LIMIT_BYTES).unwrap_or(usize::MAX);
    let mut session: Option<Session> = None;
    while let Some((request, body)) = wire::read::<Request>(requests, most)? {
        let (answer, body) = match request {
            Request::Load(wanted) => match Session::load(body, &wanted) {
                Ok(loaded) => {
                    session = Some(loaded);
                    (Answer::Loaded, Vec::new())
                }
                Err(why) => (Answer::Refused(why), Vec::new()),
            },
            Request::Run { shape, element } => {
                let session = session.as_ref().ok_or_else(|| io::Error::other("no model is loaded"))?;
                match session.run(wire::to_input(shape, element, body)) {
                    Ok(outputs) => wire::of_outputs(outputs),
                    Err(why) => (Answer::Refused(why), Vec::new()),
                }
            }
        };
        if body.len() > ANSWER_BYTES_MAX {
            wire::write(answers, &Answer::Refused("its outputs have too many elements".to_owned()), &[])?;
        } else {
            wire::write(answers, &answer, &body)?;
        }
    }
    Ok(())
}

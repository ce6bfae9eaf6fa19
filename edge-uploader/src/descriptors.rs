//! How many file descriptors a gateway needs. [`framepost_listener::descriptors`] keeps them back from listeners.

/// Most descriptors that a camera needs at a time: its connection, for UDP a pair of sockets for each stream,
/// the file it records into, a directory being synced.
const PER_CAMERA: u64 = 8;
/// Most descriptors that an upload needs at a time: its connection, the object, its sidecars.
const PER_UPLOAD: u64 = 4;
/// Descriptors of the program itself: standard streams, the runtime, the lock.
const OWN: u64 = 32;

/// Returns how many descriptors `cameras` and `uploads` may need, including the listeners' share.
pub fn needed(cameras: usize, uploads: usize) -> u64 {
    let own = OWN + PER_CAMERA * cameras as u64 + PER_UPLOAD * uploads as u64;
    own + own / 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_listener::descriptors::reserve;

    #[test]
    fn many_cameras_need_more_than_the_usual_limit() {
        assert!(needed(1, 4) < 1024 - reserve(1024));
        assert!(needed(250, 4) > 1024, "systemd's usual soft limit is too little for 250 cameras");
    }
}

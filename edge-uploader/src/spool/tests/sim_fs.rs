//! A file system in memory that can stop at any operation, forget what was not synced, or be full.
//!
//! A power cut keeps of the names what was synced and any subset of the changes since, each rename whole; of a file's content
//! what was synced and a prefix of what was written since.
//!
//! With an even seed a file can have a second name, with an odd one it cannot.

use crate::spool::fs::{EntryKind, Fs, Listed, Lock, SpoolFile};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Default)]
struct Inode {
    data: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone)]
enum Change {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Node),
}

impl Change {
    fn touches(&self, dir: &Path) -> bool {
        match self {
            Self::Add(path, _) | Self::Remove(path) => path.parent() == Some(dir),
            Self::Rename(from, to, _) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Add(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                if !names.keys().any(|other| other.parent() == Some(path)) {
                    names.remove(path);
                }
            }
            Self::Rename(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// What goes wrong, and at which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// This and every later operation fails; a write is torn.
    Crash(u64),
    /// This one operation fails for want of space; a write is torn.
    Full(u64),
    /// Nothing can be changed, and everything read.
    ReadOnly,
}

/// What of the changes since the last sync a power cut keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsynced {
    /// Any subset of the names, and any prefix of what was written.
    Some,
    Nothing,
}

/// A sync that says "done" and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deaf {
    None,
    Directory,
    /// That of a file whose name ends like this when it is opened.
    File(&'static str),
}

pub(super) struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
    fault: Fault,
    random: fastrand::Rng,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) free_bytes: u64,
    /// Whether a file can have a second name.
    pub(super) links: Links,
    pub(super) deaf: Deaf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Some,
    /// As on FAT and some network file systems.
    None,
}

#[derive(Clone)]
pub(super) struct SimFs {
    world: Arc<Mutex<World>>,
}

impl SimFs {
    pub(super) fn new(seed: u64) -> Self {
        let names: BTreeMap<_, _> = [(PathBuf::from("/"), Node::Dir)].into();
        let world = World {
            inodes: Vec::new(),
            durable: names.clone(),
            names,
            pending: Vec::new(),
            fault: Fault::None,
            random: fastrand::Rng::with_seed(seed),
            operations: 0,
            syncs: 0,
            free_bytes: u64::MAX / 2,
            links: if seed.is_multiple_of(2) { Links::Some } else { Links::None },
            deaf: Deaf::None,
        };
        Self { world: Arc::new(Mutex::new(world)) }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Counts operations from here.
    pub(super) fn set_fault(&self, fault: Fault) {
        let mut world = self.world();
        world.operations = 0;
        world.fault = fault;
    }

    /// The process is gone, the machine is not.
    pub(super) fn restart(&self) {
        self.set_fault(Fault::None);
    }

    /// The machine is gone, too.
    pub(super) fn power_cut(&self) {
        self.power_cut_keeping(Unsynced::Some);
    }

    pub(super) fn power_cut_keeping(&self, unsynced: Unsynced) {
        self.set_fault(Fault::None);
        let mut guard = self.world();
        let world = &mut *guard;
        for change in std::mem::take(&mut world.pending) {
            if unsynced == Unsynced::Some && world.random.bool() {
                change.apply(&mut world.durable);
            }
        }
        world.names = world.durable.clone();
        for inode in &mut world.inodes {
            if inode.data != inode.synced {
                let cut = match unsynced {
                    Unsynced::Some => world.random.usize(0..=inode.data.len()),
                    Unsynced::Nothing => 0,
                };
                let mut torn = inode.data[..cut].to_vec();
                torn.extend_from_slice(inode.synced.get(cut..).unwrap_or_default());
                inode.data = torn;
            }
            inode.synced = inode.data.clone();
        }
    }

    /// What is in a file, if there is one.
    pub(super) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        match world.names.get(path)? {
            Node::File(inode) => Some(world.inodes[*inode].data.clone()),
            Node::Dir => None,
        }
    }

    /// Every file under `dir`.
    pub(super) fn files(&self, dir: &Path) -> Vec<PathBuf> {
        let world = self.world();
        let files = world.names.iter().filter(|(path, node)| **node != Node::Dir && path.starts_with(dir));
        files.map(|(path, _)| path.clone()).collect()
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl World {
    /// One operation; whether it may go on.
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.fault {
            Fault::Crash(at) if self.operations > at => Err(io::Error::other("crashed")),
            Fault::Full(at) if self.operations == at + 1 => Err(io::ErrorKind::StorageFull.into()),
            Fault::ReadOnly => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Fault::None | Fault::Crash(_) | Fault::Full(_) => Ok(()),
        }
    }

    /// The same for one that changes nothing.
    fn step_reading(&mut self) -> io::Result<()> {
        if self.fault == Fault::ReadOnly { Ok(()) } else { self.step() }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        self.names.get(path).copied().ok_or_else(not_found)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(Node::Dir), |parent| self.node(parent)).map(|_| ())
    }
}

struct SimFile {
    world: Arc<Mutex<World>>,
    inode: usize,
    at: usize,
    /// As it was opened.
    path: PathBuf,
}

impl SimFs {
    fn file(&self, inode: usize, path: &Path) -> Box<dyn SpoolFile> {
        Box::new(SimFile { world: self.world.clone(), inode, at: 0, path: path.to_owned() })
    }
}

impl Read for SimFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let world = self.world.lock().unwrap();
        let rest = world.inodes[self.inode].data.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut guard = self.world.lock().unwrap();
        let world = &mut *guard;
        let was_dead = matches!(world.fault, Fault::Crash(at) if world.operations > at);
        let step = world.step();
        let count = match &step {
            Ok(()) => bytes.len(),
            Err(_) if was_dead => 0,
            Err(_) => world.random.usize(0..=bytes.len()),
        };
        let data = &mut world.inodes[self.inode].data;
        data.resize(data.len().max(self.at + count), 0);
        data[self.at..self.at + count].copy_from_slice(&bytes[..count]);
        self.at += count;
        step.map(|()| count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SimFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let len = self.world.lock().unwrap().inodes[self.inode].data.len();
        let (base, offset) = match to {
            SeekFrom::Start(at) => (0, i64::try_from(at).unwrap()),
            SeekFrom::End(offset) => (len, offset),
            SeekFrom::Current(offset) => (self.at, offset),
        };
        self.at = usize::try_from(i64::try_from(base).unwrap() + offset).unwrap();
        Ok(self.at as u64)
    }
}

impl SpoolFile for SimFile {
    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        world.step()?;
        world.inodes[self.inode].data.resize(usize::try_from(bytes).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        world.step()?;
        world.syncs += 1;
        if matches!(world.deaf, Deaf::File(ending) if self.path.as_os_str().to_string_lossy().ends_with(ending)) {
            return Ok(());
        }
        let inode = &mut world.inodes[self.inode];
        inode.synced = inode.data.clone();
        Ok(())
    }
}

impl Fs for SimFs {
    fn lock(&self, _: &Path) -> io::Result<Lock> {
        self.world().step()?;
        Ok(Box::new(()))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let mut world = self.world();
        world.step()?;
        world.parent_exists(path)?;
        world.inodes.push(Inode::default());
        let inode = world.inodes.len() - 1;
        world.change(Change::Add(path.to_owned(), Node::File(inode)));
        drop(world);
        Ok(self.file(inode, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let mut world = self.world();
        world.step()?;
        let Node::File(inode) = world.node(path)? else { return Err(not_found()) };
        drop(world);
        Ok(self.file(inode, path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let mut world = self.world();
        world.step_reading()?;
        let Node::File(inode) = world.node(path)? else { return Err(not_found()) };
        drop(world);
        Ok(self.file(inode, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let node = world.node(from)?;
        world.change(Change::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        let node = world.node(file)?;
        assert_eq!(file.parent(), name.parent(), "a second name elsewhere");
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if world.links == Links::None {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        world.change(Change::Add(name.to_owned(), node));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        world.node(path)?;
        world.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.parent_exists(path)?;
        world.change(Change::Add(path.to_owned(), Node::Dir));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.step()?;
        world.node(path)?;
        if world.names.keys().any(|other| other.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        world.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut guard = self.world();
        let world = &mut *guard;
        world.step()?;
        world.syncs += 1;
        if world.deaf == Deaf::Directory {
            return Ok(());
        }
        let (now, later): (Vec<_>, Vec<_>) = world.pending.drain(..).partition(|change| change.touches(path));
        world.pending = later;
        for change in now {
            change.apply(&mut world.durable);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let mut world = self.world();
        world.step_reading()?;
        world.node(path)?;
        let inside = world.names.iter().filter(|(other, _)| other.parent() == Some(path));
        Ok(inside
            .map(|(other, node)| {
                let (kind, bytes) = match node {
                    Node::Dir => (EntryKind::Dir, 0),
                    Node::File(inode) => (EntryKind::File, world.inodes[*inode].data.len() as u64),
                };
                Listed { name: other.file_name().unwrap().to_owned(), kind, bytes }
            })
            .collect())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let mut world = self.world();
        world.step_reading()?;
        Ok(world.free_bytes)
    }
}

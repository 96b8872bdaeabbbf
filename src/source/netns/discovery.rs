//! Which network namespaces there are: those of the processes, and those that are mounted.
//!
//! A namespace is known by its inode, which permission may be denied to read, and by the inode of its
//! `net/tcp`, which every user may read through any process in it.

use super::mounts;
use crate::source::namespace::{namespace, own_process};
use rustix::fs::{AtFlags, CWD, statat};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// So many processes of a namespace are remembered.
const MEMBERS: usize = 8;

/// A namespace as it was found.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundNamespace {
    /// The inode of its `net/tcp`; `None` if there is no process in it.
    pub(super) table: Option<u64>,
    pub(super) inode: Option<u64>,
    /// Some of the processes in it.
    pub(super) members: Vec<i32>,
    /// Where it is mounted.
    pub(super) mounts: Vec<PathBuf>,
    /// This program is in it.
    pub(super) is_own: bool,
}

/// The inode of the `net/tcp` that a process sees.
pub(super) fn table_of(process: &Path) -> Option<u64> {
    let table = statat(CWD, process.join("net/tcp"), AtFlags::empty()).ok()?;
    Some(table.st_ino)
}

/// All namespaces, the own one first.
pub(super) fn find(procfs: &Path) -> Vec<FoundNamespace> {
    let mut by_table: HashMap<u64, FoundNamespace> = HashMap::new();
    let own = own_process(procfs);
    let own_table = table_of(&own);
    let names = fs::read_dir(procfs).into_iter().flatten().flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let Some(table) = table_of(&procfs.join(pid.to_string())) else { continue };
        let found = by_table.entry(table).or_default();
        found.table = Some(table);
        if found.members.len() < MEMBERS {
            found.members.push(pid);
        }
    }
    for found in by_table.values_mut() {
        let inodes = found.members.iter().map(|pid| namespace(&procfs.join(pid.to_string())));
        found.inode = inodes.flatten().next();
        found.is_own = found.table == own_table;
    }
    let mut all: Vec<FoundNamespace> = by_table.into_values().collect();
    let mountinfo = fs::read_to_string(procfs.join("self/mountinfo")).unwrap_or_default();
    for (inode, point) in mounts::parse(&mountinfo) {
        if let Some(found) = all.iter_mut().find(|found| found.inode == Some(inode)) {
            found.mounts.push(point);
        } else {
            let (inode, mounts) = (Some(inode), vec![point]);
            all.push(FoundNamespace { inode, mounts, ..FoundNamespace::default() });
        }
    }
    for found in &mut all {
        found.mounts.sort_unstable();
    }
    all.sort_by_key(|found| (!found.is_own, found.inode, found.table));
    all
}

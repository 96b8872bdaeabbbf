//! Which network namespaces `--netns` asks for.

use super::discovery::{self, FoundNamespace};
use crate::error::{NetnsError, Result, reason};
use crate::settings::netns::NetnsChoice;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Which namespaces are asked for.
#[derive(Debug, Default)]
pub(super) struct ChosenNamespaces {
    /// By the inode of a `net/tcp`.
    pub(super) tables: HashSet<u64>,
    /// By what is mounted there now.
    paths: Vec<PathBuf>,
}

impl ChosenNamespaces {
    /// `None` where all are asked for.
    pub(super) fn of(choices: &[NetnsChoice], procfs: &Path) -> Result<Option<Self>> {
        let mut chosen = Self::default();
        for choice in choices {
            match choice {
                NetnsChoice::All => return Ok(None),
                NetnsChoice::Process(pid) => {
                    let table = discovery::table_of(&procfs.join(pid.to_string()));
                    let table = table.ok_or(NetnsError::NoProcess(*pid))?;
                    chosen.tables.insert(table);
                }
                NetnsChoice::Name(name) => {
                    let path = path_of(name).ok_or_else(|| NetnsError::NoName(name.clone()))?;
                    chosen.paths.push(path);
                }
                NetnsChoice::Path(path) => {
                    File::open(path).map_err(|cause| NetnsError::Path {
                        path: path.clone(),
                        why: reason(&cause),
                    })?;
                    let why = || "it is no network namespace".to_owned();
                    inode_at(path)
                        .ok_or_else(|| NetnsError::Path { path: path.clone(), why: why() })?;
                    chosen.paths.push(path.clone());
                }
                // It was replaced by its processes.
                NetnsChoice::Container(_) => {}
            }
        }
        Ok(Some(chosen))
    }

    pub(super) fn includes(&self, found: &FoundNamespace) -> bool {
        found.table.is_some_and(|table| self.tables.contains(&table))
            || found.inode.is_some() && self.paths.iter().any(|path| inode_at(path) == found.inode)
    }
}

/// Where `ip netns` or docker has mounted a namespace.
fn path_of(name: &str) -> Option<PathBuf> {
    let folders = ["/run/netns", "/run/docker/netns"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| inode_at(path).is_some())
}

/// The inode of a namespace that is named or mounted; `None` of others.
pub(crate) fn inode_of(choice: &NetnsChoice) -> Option<u64> {
    match choice {
        NetnsChoice::Name(name) => inode_at(&path_of(name)?),
        NetnsChoice::Path(path) => inode_at(path),
        _ => None,
    }
}

/// The inode of the network namespace at a path; `None` if there is none.
fn inode_at(path: &Path) -> Option<u64> {
    const NSFS: i64 = 0x6e73_6673;
    let file = File::open(path).ok()?;
    let is_namespace = rustix::fs::fstatfs(&file).is_ok_and(|stat| stat.f_type == NSFS);
    is_namespace.then(|| file.metadata().ok().map(|data| data.ino()))?
}

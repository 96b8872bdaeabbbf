//! Files that no other user can have put in place: what is written, often as root, and rules, which
//! run programs.
//!
//! A path is walked name by name below open folders, so that nothing can be exchanged between a
//! check and its use. Root and the caller are trusted; in a folder that anybody else may write to,
//! nothing of others is followed, opened or appended to. The kernel does the same in sticky folders
//! where `fs.protected_symlinks` and its like are set.

use crate::error::{Distrust, Error, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, PROC_SUPER_MAGIC, RenameFlags, Stat,
    accessat, fstat, fstatfs, openat, readlinkat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use uzers::os::unix::GroupExt;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Opens a file for writing, at its end where `append` is set, else emptied; creates it, readable for
/// its owner alone. A regular file is open for reading, too. A pipe or device is written to where it
/// is named by the caller: it is not waited for.
///
/// # Errors
/// A file that cannot be opened, as the inner result, or one that others may have put there.
pub(crate) fn open_for_writing(
    path: &Path,
    append: bool,
) -> io::Result<std::result::Result<File, Distrust>> {
    let place = match Walk::to(path)? {
        Ok(place) => place,
        Err(distrust) => return Ok(Err(distrust)),
    };
    let mode = if append { OFlags::APPEND } else { OFlags::empty() } | OFlags::CLOEXEC;
    let Some(before) = place.stat()? else {
        let new = mode | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(&place.folder, &place.name, new, Mode::RUSR | Mode::WUSR)?;
        return Ok(Ok(File::from(file)));
    };
    // Nothing of others is even opened: that may have effects.
    if let Some(distrust) = place.distrust_of(path, &before) {
        return Ok(Err(distrust));
    }
    let access = if is_regular(&before) { OFlags::RDWR } else { OFlags::WRONLY };
    let flags = mode | access | OFlags::NONBLOCK | place.nofollow();
    let file = openat(&place.folder, &place.name, flags, Mode::empty())?;
    let now = fstat(&file)?;
    if let Some(distrust) = place.distrust_of(path, &now) {
        return Ok(Err(distrust));
    }
    if is_regular(&now) && !append {
        rustix::fs::ftruncate(&file, 0)?;
    }
    Ok(Ok(File::from(file)))
}

/// Opens a file for reading that nobody but root and the caller can change or replace.
///
/// # Errors
/// A file that cannot be opened, or that others can change.
pub(crate) fn open_unchangeable(path: &Path) -> Result<File> {
    let unreadable = |cause: io::Error| Error::read(path, cause, "");
    let untrusted = |distrust| Error::Changeable { path: path.to_owned(), distrust };
    let place = Walk::to(path).map_err(unreadable)?.map_err(untrusted)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | place.nofollow();
    let file = openat(&place.folder, &place.name, flags, Mode::empty());
    let file = file.map_err(|errno| unreadable(errno.into()))?;
    let stat = fstat(&file).map_err(|errno| unreadable(errno.into()))?;
    let own = || {
        if !is_trusted(stat.st_uid) {
            return Some(Distrust::Owner { path: path.to_owned(), uid: stat.st_uid });
        }
        is_shared(file.as_fd(), &stat).then(|| Distrust::Shared(path.to_owned()))
    };
    match place.replaceable.clone().or_else(own) {
        Some(distrust) => Err(untrusted(distrust)),
        None => Ok(File::from(file)),
    }
}

/// Where a path leads: a name in an open folder.
#[derive(Debug)]
pub(crate) struct Place {
    folder: OwnedFd,
    name: OsString,
    /// Others may write to the folder.
    is_exposed: bool,
    /// The name is one of the kernel's in procfs, which leads to an open file.
    is_magic: bool,
    /// What others could exchange on the way, or here.
    replaceable: Option<Distrust>,
}

impl Place {
    /// The place of a file that is written to, for others beside it.
    ///
    /// # Errors
    /// A folder that cannot be entered or, as the inner result, one on whose way others have put a
    /// link.
    pub(crate) fn of(path: &Path) -> io::Result<std::result::Result<Self, Distrust>> {
        Walk::to(path)
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The names of all files in the folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(&self.folder, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            names.push(OsString::from_vec(entry?.file_name().to_owned().into_bytes()));
        }
        Ok(names)
    }

    /// Whether files in the folder can be made, renamed and removed.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check_writable(&self) -> io::Result<()> {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        // Of a path-only descriptor, as this is, the folder itself is asked.
        Ok(accessat(&self.folder, ".", access, AtFlags::EACCESS)?)
    }

    /// Opens a regular file of this name for reading; `None` if there is none, or one that others
    /// may have put there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn open_beside(&self, name: &OsStr) -> io::Result<Option<File>> {
        let is_ours =
            |found: &Stat| is_regular(found) && self.distrust_of(Path::new(name), found).is_none();
        match statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if is_ours(&found) => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = openat(&self.folder, name, flags, Mode::empty())?;
        Ok(is_ours(&fstat(&file)?).then(|| File::from(file)))
    }

    /// Renames the file, if it is still this one; false if it is another by now, or none.
    ///
    /// # Errors
    /// Where the folder cannot be written to, or has a file of this name.
    pub(crate) fn rename(&self, file: &File, to: &OsStr) -> io::Result<bool> {
        let (ours, there) = (fstat(file)?, self.stat()?);
        if there.is_none_or(|there| identity(&there) != identity(&ours)) {
            return Ok(false);
        }
        let (folder, from) = (&self.folder, &self.name);
        match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match statat(folder, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => return Err(Errno::EXIST.into()),
                    Err(Errno::NOENT) => renameat(folder, from, folder, to)?,
                    Err(errno) => return Err(errno.into()),
                }
            }
            renamed => renamed?,
        }
        Ok(true)
    }

    /// Removes a file that [`Self::open_beside`] would open.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub(crate) fn remove_beside(&self, name: &OsStr) -> io::Result<()> {
        if self.open_beside(name)?.is_some() {
            unlinkat(&self.folder, name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// What is there; `None` if nothing is.
    fn stat(&self) -> io::Result<Option<Stat>> {
        let follow = if self.is_magic { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        match statat(&self.folder, &self.name, follow) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    const fn nofollow(&self) -> OFlags {
        if self.is_magic { OFlags::empty() } else { OFlags::NOFOLLOW }
    }

    /// Why a file in this place is not to be written to.
    fn distrust_of(&self, path: &Path, found: &Stat) -> Option<Distrust> {
        if !self.is_exposed {
            return None;
        }
        if !is_trusted(found.st_uid) {
            return Some(Distrust::Owner { path: path.to_owned(), uid: found.st_uid });
        }
        // A second name may be somebody else's way to have an important file written to.
        let is_linked = is_regular(found) && found.st_nlink != 1;
        is_linked.then(|| Distrust::Linked(path.to_owned()))
    }
}

/// A walk along a path.
struct Walk {
    folder: OwnedFd,
    /// How the folder is called.
    so_far: PathBuf,
    is_exposed: bool,
    is_magic: bool,
    replaceable: Option<Distrust>,
}

impl Walk {
    /// Walks to the last name of a path.
    fn to(path: &Path) -> io::Result<std::result::Result<Place, Distrust>> {
        let mut left: Vec<OsString> = Vec::new();
        push_names(&mut left, path);
        let mut walk = Self::from(if path.is_absolute() { "/" } else { "." })?;
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == "/" {
                walk = Self { replaceable: walk.replaceable, ..Self::from("/")? };
                continue;
            }
            let is_last = left.is_empty();
            let found = statat(&walk.folder, &name, AtFlags::SYMLINK_NOFOLLOW);
            let found = match found {
                Err(Errno::NOENT) if is_last => return Ok(Ok(walk.end(name))),
                found => found?,
            };
            walk.note_replaceable(&name, &found);
            let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
            if is_link && !walk.is_magic {
                if walk.is_exposed && !is_trusted(found.st_uid) {
                    let path = walk.so_far.join(&name);
                    return Ok(Err(Distrust::Link { path, uid: found.st_uid }));
                }
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&walk.folder, &name, Vec::new())?.into_bytes();
                push_names(&mut left, Path::new(&OsString::from_vec(target)));
                continue;
            }
            if is_last && name != ".." {
                return Ok(Ok(walk.end(name)));
            }
            walk.enter(&name)?;
        }
        // A folder, or nothing at all: it cannot be a file.
        Err(Errno::ISDIR.into())
    }

    fn from(start: &str) -> io::Result<Self> {
        let folder = open_folder(CWD, start.as_ref(), OFlags::empty())?;
        let mut walk = Self {
            folder,
            so_far: if start == "." { PathBuf::new() } else { PathBuf::from(start) },
            is_exposed: false,
            is_magic: false,
            replaceable: None,
        };
        walk.look_around()?;
        Ok(walk)
    }

    /// Goes on in a folder.
    fn enter(&mut self, name: &OsString) -> io::Result<()> {
        // A folder in procfs may be a link of the kernel's own.
        let nofollow = if self.is_magic { OFlags::empty() } else { OFlags::NOFOLLOW };
        self.folder = open_folder(self.folder.as_fd(), name, nofollow)?;
        self.so_far.push(name);
        self.look_around()
    }

    fn look_around(&mut self) -> io::Result<()> {
        let stat = fstat(&self.folder)?;
        self.is_magic = fstatfs(&self.folder).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
        // In procfs nobody can make or rename anything.
        self.is_exposed =
            !self.is_magic && (!is_trusted(stat.st_uid) || is_shared(self.folder.as_fd(), &stat));
        Ok(())
    }

    /// Notes whether others could put something else in place of this name.
    fn note_replaceable(&mut self, name: &OsString, found: &Stat) {
        if !self.is_exposed || self.replaceable.is_some() {
            return;
        }
        let Ok(folder) = fstat(&self.folder) else { return };
        let is_sticky = Mode::from_raw_mode(folder.st_mode).contains(Mode::SVTX);
        let path = if self.so_far.as_os_str().is_empty() { "." } else { "" };
        let path = self.so_far.join(path);
        self.replaceable = if !is_trusted(folder.st_uid) {
            Some(Distrust::Owner { path, uid: folder.st_uid })
        } else if !is_sticky {
            Some(Distrust::Shared(path))
        } else if !is_trusted(found.st_uid) {
            Some(Distrust::Owner { path: self.so_far.join(name), uid: found.st_uid })
        } else {
            None
        };
    }

    fn end(self, name: OsString) -> Place {
        let Self { folder, is_exposed, is_magic, replaceable, .. } = self;
        Place { folder, name, is_exposed, is_magic, replaceable }
    }
}

/// Pushes the names of a path, the first one last.
fn push_names(left: &mut Vec<OsString>, path: &Path) {
    let names = path.components().filter_map(|component| match component {
        Component::RootDir => Some(OsString::from("/")),
        Component::ParentDir => Some(OsString::from("..")),
        Component::Normal(name) => Some(name.to_owned()),
        Component::CurDir | Component::Prefix(_) => None,
    });
    let names: Vec<OsString> = names.collect();
    left.extend(names.into_iter().rev());
}

fn open_folder(at: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

const fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Root and the caller.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether others than the owner may write to a file or folder. The group that is the owner's alone,
/// as many systems give to every user, is nobody else.
fn is_shared(file: BorrowedFd<'_>, stat: &Stat) -> bool {
    let mode = Mode::from_raw_mode(stat.st_mode);
    mode.contains(Mode::WOTH)
        || mode.contains(Mode::WGRP) && (!is_private(stat.st_gid, stat.st_uid) || has_acl(file))
}

/// Whether a group is the one of a user alone. It has the user's name then: the members of a group do
/// not include those whose primary group it is.
fn is_private(gid: u32, uid: u32) -> bool {
    let (Some(group), Some(user)) = (uzers::get_group_by_gid(gid), uzers::get_user_by_uid(uid))
    else {
        return false;
    };
    user.primary_group_id() == gid
        && group.name() == user.name()
        && group.members().iter().all(|member| member == user.name())
}

/// Whether more than owner, group and others have rights, which the mode of the group then hides.
fn has_acl(file: BorrowedFd<'_>) -> bool {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut list = [0_u8; 1];
    match rustix::fs::getxattr(path, "system.posix_acl_access", &mut list) {
        Ok(_) | Err(Errno::RANGE) => true,
        Err(_) => false,
    }
}

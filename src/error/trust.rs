//! A file that another user can have put in place, or can change.

use std::path::PathBuf;

/// Why a file is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A file, or a folder on the way to it, belongs to a user who is neither root nor the caller.
    #[error("{} belongs to user {uid}", path.display())]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others than its owner may write to a file, or to a folder on the way to it.
    #[error("others may write to {}", .0.display())]
    Shared(PathBuf),
    /// A symbolic link on the way belongs to another user.
    #[error("{} is a link of user {uid}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// The file has more than one name, in a folder that others may write to.
    #[error("{} is a hard link", .0.display())]
    Linked(PathBuf),
}

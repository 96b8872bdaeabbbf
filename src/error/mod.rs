//! Every way in which a run can fail: one variant per cause, with its data. The sentences stand
//! here and nowhere else; each says what is wrong and what to do. Where a file is involved, the
//! code that opens or reads it adds the path and the line.

mod bpf;
mod condition;
mod inconclusive;
mod netns;
mod process;
mod recording;
mod rules;
mod trust;
mod usage;
mod value;

pub(crate) use bpf::BpfError;
#[cfg(feature = "bpf")]
pub(crate) use bpf::{BTF, LEAST_KERNEL};
pub(crate) use condition::ConditionError;
pub(crate) use inconclusive::{
    HiddenOwners, Inconclusive, Question, Reason, Unseen, UnshownBindings,
};
pub(crate) use netns::NetnsError;
pub(crate) use process::{ProcessError, no_process};
pub(crate) use recording::{NoSamples, RecordingError, UnreadPart};
pub(crate) use rules::{RuleCause, RuleError, RuleFileError};
pub(crate) use trust::Distrust;
pub use usage::UsageError;
pub(crate) use value::ValueError;

use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A process that is asked for cannot be inspected from here.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A network namespace that is asked for cannot be read.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The rules file is wrong.
    #[error(transparent)]
    Rules(#[from] Box<RuleFileError>),
    /// A recording cannot be read or appended to.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// `wait` or `check` cannot decide.
    #[error(transparent)]
    Inconclusive(#[from] Inconclusive),
    /// A file of the kernel, or of a fixture, cannot be read.
    #[error("cannot read {}: {}{hint}", path.display(), reason(cause))]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
        /// What to do about it, led by a separator; may be empty.
        hint: &'static str,
    },
    /// A recording cannot be written.
    #[error("cannot record to {}: {}{}", path.display(), reason(cause), file_hint(cause))]
    Record {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A file for the output cannot be written.
    #[error("cannot write {}: {}{}", path.display(), reason(cause), file_hint(cause))]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A file that would be written to may have been put there by another user.
    #[error(
        "cannot write to {}, which another user may have put there: {distrust}; choose a file in a \
         folder that only you may write to",
        path.display()
    )]
    Planted {
        /// Which file.
        path: PathBuf,
        /// Why it is not trusted.
        distrust: Distrust,
    },
    /// A file that decides which programs are run can be changed by another user.
    #[error(
        "cannot take rules from {}, which another user can change: {distrust}; give it to root or \
         to yourself, in a folder that nobody else may write to",
        path.display()
    )]
    Changeable {
        /// Which file.
        path: PathBuf,
        /// Why it is not trusted.
        distrust: Distrust,
    },
    /// A system call without a file failed.
    #[error("cannot {what}: {}", reason(cause))]
    System {
        /// What was attempted, as a verb and its object.
        what: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel does not answer on sock_diag.
    #[error("{}{}", no_sock_diag(cause), another_source(cause))]
    Netlink {
        /// What the kernel said.
        cause: io::Error,
    },
    /// Kernel events cannot be read.
    #[error("cannot trace kernel events: {0}; or use --source netlink")]
    Trace(BpfError),
    /// Owners cannot be found by BPF.
    #[error("cannot find owners by BPF: {0}; or use --owners proc")]
    Owners(BpfError),
    /// Scrapers cannot connect.
    #[error("cannot listen on {address}: {}; write another address with --listen", reason(cause))]
    Listen {
        /// The address, or the path after `unix:`.
        address: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write the output: {reason}", reason = reason(.0))]
    Output(#[source] io::Error),
    /// The reader of standard output has closed it: the run ends, and that is not a failure.
    #[error("the reader of the output is gone")]
    ReaderGone,
}

/// What a system call failed for, without the number that the library adds to the sentence.
pub(crate) fn reason(cause: &io::Error) -> String {
    let text = cause.to_string();
    let number = cause.raw_os_error().map(|number| format!(" (os error {number})"));
    number.and_then(|number| text.strip_suffix(&number)).unwrap_or(&text).to_owned()
}

/// What to do where a file cannot be opened, led by a separator; may be empty.
fn file_hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; check the path",
        io::ErrorKind::PermissionDenied => "; choose a file that you have access to",
        io::ErrorKind::IsADirectory => "; write the path of a file",
        _ => "",
    }
}

/// Why the kernel refuses sock_diag, and what to do so that it does not.
fn no_sock_diag(cause: &io::Error) -> String {
    let remedy = match Errno::from_io_error(cause) {
        Some(Errno::NOENT) => "; load the kernel's module tcp_diag (modprobe tcp_diag)",
        Some(Errno::MFILE | Errno::NFILE) => "; raise the limit of open files (ulimit -n)",
        Some(Errno::PERM | Errno::ACCESS) => {
            "; a seccomp filter or security module forbids it: allow AF_NETLINK sockets"
        }
        Some(Errno::NOBUFS | Errno::NOMEM) => "; the kernel is short of memory; try again",
        _ => "",
    };
    format!("cannot query TCP sockets over netlink: {}{remedy}", reason(cause))
}

/// What else to do, led by a separator: another source does not help where memory or descriptors are
/// short.
fn another_source(cause: &io::Error) -> &'static str {
    match Errno::from_io_error(cause) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => "",
        Some(Errno::NOENT | Errno::PERM | Errno::ACCESS) => ", or use --source proc",
        _ => "; use --source proc",
    }
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What is lacking, without the advice to use another source: that is used already.
    pub(crate) fn lack(&self) -> String {
        match self {
            Self::Trace(why) => why.to_string(),
            Self::Netlink { cause } => no_sock_diag(cause),
            Self::Netns(NetnsError::MayNotEnter) => {
                "sock_diag shows the sockets of other network namespaces only to who may enter them \
                 (CAP_SYS_ADMIN)"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }

    /// A file that could not be read. `hint`, led by a separator: what to do about it; if it is
    /// empty, what follows from the cause.
    pub fn read(path: &Path, cause: impl Into<io::Error>, hint: &'static str) -> Self {
        let cause = cause.into();
        let hint = if hint.is_empty() { file_hint(&cause) } else { hint };
        Self::Read { path: path.to_owned(), cause, hint }
    }

    /// A file for the output that could not be written.
    pub fn write(path: &Path, cause: io::Error) -> Self {
        Self::Write { path: path.to_owned(), cause }
    }

    /// A failed write to standard output; a closed pipe is [`Error::ReaderGone`].
    pub fn output(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Output(cause),
        }
    }
}

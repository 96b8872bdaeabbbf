//! Readings to lines and back, but for passes, which are told by their differences.

use super::lines::{
    AnswerLine, AnswersLine, CallerLine, ChangeLine, Dead, DeathsLine, HeaderLine, HolderLine,
    Line, LostLine, Name, OwnersLine, ProcessLine,
};
use super::row::{Id, Row};
use super::{Header, VERSION};
use crate::model::process::{Caller, Exe, Holder, Process};
use crate::model::reading::{
    DestroyEvents, LookupRequest, LookupResult, Lookups, Lost, OwnerUpdate, Reading, StateChange,
};
use std::time::Duration;

impl From<&Header> for Line {
    fn from(header: &Header) -> Self {
        Self::Tcplapse(HeaderLine {
            recording: VERSION,
            start: header.start.into(),
            boot_id: header.boot_id.clone(),
            part: header.part,
            source: header.source,
            interval: u64::try_from(header.interval.as_micros()).unwrap_or(u64::MAX),
            host: header.host.clone(),
            kernel: header.kernel.clone(),
        })
    }
}

impl From<HeaderLine> for Header {
    fn from(line: HeaderLine) -> Self {
        Self {
            start: line.start.into(),
            boot_id: line.boot_id,
            part: line.part,
            source: line.source,
            interval: Duration::from_micros(line.interval),
            host: line.host,
            kernel: line.kernel,
        }
    }
}

impl From<&Lookups> for AnswersLine {
    fn from(told: &Lookups) -> Self {
        let answer = |(asked, found): &(LookupRequest, LookupResult)| AnswerLine {
            asked: asked.addrs.into(),
            inode: asked.inode,
            cookie: Id(asked.cookie),
            ifindex: asked.ifindex,
            found: match found {
                LookupResult::Gone => None,
                LookupResult::There(row) => Some(Row::new(row)),
            },
        };
        Self {
            start: told.start.into(),
            end: told.end.into(),
            netns: told.netns,
            answers: told.answers.iter().map(answer).collect(),
        }
    }
}

impl AnswersLine {
    /// `None` if a socket that was found has no ends.
    pub(super) fn reading(self) -> Option<Reading> {
        let answer = |line: AnswerLine| {
            let question = LookupRequest {
                addrs: line.asked.into(),
                inode: line.inode,
                cookie: line.cookie.0,
                ifindex: line.ifindex,
            };
            let answer = match line.found {
                None => LookupResult::Gone,
                Some(row) => LookupResult::There(row.whole()?),
            };
            Some((question, answer))
        };
        Some(Reading::Lookups(Lookups {
            start: self.start.into(),
            end: self.end.into(),
            netns: self.netns,
            answers: self.answers.into_iter().map(answer).collect::<Option<_>>()?,
        }))
    }
}

impl From<&DestroyEvents> for DeathsLine {
    fn from(told: &DestroyEvents) -> Self {
        let dead = told.dead.iter();
        Self {
            time: told.time.into(),
            overrun: told.overrun,
            dead: dead
                .map(|(addrs, cookie)| Dead { addrs: addrs.map(Into::into), cookie: Id(*cookie) })
                .collect(),
        }
    }
}

impl From<DeathsLine> for DestroyEvents {
    fn from(line: DeathsLine) -> Self {
        let dead = line.dead.into_iter();
        Self {
            time: line.time.into(),
            dead: dead.map(|dead| (dead.addrs.map(Into::into), dead.cookie.0)).collect(),
            overrun: line.overrun,
        }
    }
}

impl From<&StateChange> for ChangeLine {
    fn from(told: &StateChange) -> Self {
        let caller = told.caller.clone();
        Self {
            time: told.time.into(),
            netns: told.netns,
            socket: Id(told.socket),
            addrs: told.addrs.into(),
            from: told.from,
            to: told.to,
            passive: told.passive,
            caller: caller.map(|Caller { pid, comm }| CallerLine { pid, comm: comm.map(Name) }),
            cut: told.cut,
        }
    }
}

impl From<ChangeLine> for StateChange {
    fn from(line: ChangeLine) -> Self {
        let caller = line.caller;
        Self {
            time: line.time.into(),
            netns: line.netns,
            socket: line.socket.0,
            addrs: line.addrs.into(),
            from: line.from,
            to: line.to,
            passive: line.passive,
            caller: caller.map(|line| Caller { pid: line.pid, comm: line.comm.map(|name| name.0) }),
            cut: line.cut,
        }
    }
}

impl From<&Lost> for LostLine {
    fn from(told: &Lost) -> Self {
        Self { time: told.time.into(), reason: told.reason, count: told.count }
    }
}

impl From<LostLine> for Lost {
    fn from(line: LostLine) -> Self {
        Self { time: line.time.into(), reason: line.reason, count: line.count }
    }
}

impl From<&OwnerUpdate> for OwnersLine {
    fn from(told: &OwnerUpdate) -> Self {
        let described = |processes: &[Process]| processes.iter().map(Into::into).collect();
        let held = |holders: &[Holder]| holders.iter().map(Into::into).collect();
        Self {
            time: told.time.into(),
            anew: told.anew,
            all: told.all,
            hidden: told.hidden,
            processes: described(&told.processes),
            denied: described(&told.denied),
            allowed: told.allowed.clone(),
            holders: told.holders.iter().map(|(inode, them)| (*inode, held(them))).collect(),
            proven: told.proven.clone(),
            callers: described(&told.callers),
        }
    }
}

impl From<OwnersLine> for OwnerUpdate {
    fn from(line: OwnersLine) -> Self {
        let processes = |lines: Vec<ProcessLine>| lines.into_iter().map(Into::into).collect();
        let holders = |lines: Vec<HolderLine>| lines.into_iter().map(Into::into).collect();
        Self {
            time: line.time.into(),
            anew: line.anew,
            all: line.all,
            hidden: line.hidden,
            processes: processes(line.processes),
            denied: processes(line.denied),
            allowed: line.allowed,
            holders: line.holders.into_iter().map(|(inode, them)| (inode, holders(them))).collect(),
            proven: line.proven,
            callers: processes(line.callers),
        }
    }
}

impl From<&Process> for ProcessLine {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.pid,
            start: process.start,
            comm: Name(process.comm.clone()),
            exe: match &process.exe {
                Exe::Name(name) => Some(Name(name.clone())),
                Exe::None | Exe::Denied => None,
            },
            exe_denied: process.exe == Exe::Denied,
            cmdline: Name(process.cmdline.clone()),
            uid: process.uid,
        }
    }
}

impl From<ProcessLine> for Process {
    fn from(line: ProcessLine) -> Self {
        Self {
            pid: line.pid,
            start: line.start,
            comm: line.comm.0,
            exe: match line.exe {
                Some(name) => Exe::Name(name.0),
                None if line.exe_denied => Exe::Denied,
                None => Exe::None,
            },
            cmdline: line.cmdline.0,
            uid: line.uid,
        }
    }
}

impl From<&Holder> for HolderLine {
    fn from(holder: &Holder) -> Self {
        let Holder { pid, start, task, fd } = *holder;
        Self { pid, start, fd, task: Some(task).filter(|task| *task != pid) }
    }
}

impl From<HolderLine> for Holder {
    fn from(HolderLine { pid, start, fd, task }: HolderLine) -> Self {
        Self { pid, start, task: task.unwrap_or(pid), fd }
    }
}

//! Records whatever source: writes what passes, and finds the owners of all sockets, so that a
//! replay can ask for any of them. The run itself acts on what is written, no more and no less.

mod file;

use crate::error::Result;
use crate::model::escape::escape;
use crate::model::event::{TrackerEvent, Transition};
use crate::model::process::{Inodes, Process};
use crate::model::reading::{Interface, LookupRequest, OwnerUpdate, Reading};
use crate::model::socket_row::SocketRow;
use crate::model::time::Stamp;
use crate::owner::OwnerLookup;
use crate::owner::recorded::RecordedOwners;
use crate::owner::scan::Scan;
use crate::recording::{Encoded, Encoder, Header, Thinner};
use crate::signals::Signals;
use crate::source::{Source, clock};
use file::RecordFile;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often all processes are looked at, though no socket is new: descriptors are handed on and
/// processes change their names.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// These looks take at most one part in so many of the time.
const SHARE: u32 = 50;

/// A source whose readings are written to a file.
pub struct Recorder {
    source: Box<dyn Source>,
    scan: Scan,
    path: PathBuf,
    /// `None` once it could not be written to.
    file: Option<RecordFile>,
    header: Header,
    encoder: Encoder,
    register: RecordedOwners,
    /// Owners have been written.
    begun: bool,
    thinner: Thinner,
    /// The reading that is being worked on: it is written once its owners are found.
    current: Option<Encoded>,
    /// A pass that showed nothing new, and that will have been the last one before some news, or
    /// that does not count.
    quiet: Option<Entry>,
    /// News that come after it.
    waiting: Option<Entry>,
    /// The sockets that have been looked for.
    known: Inodes,
    look_again: Instant,
    notices: Vec<String>,
}

type Entry = (Reading, Encoded);

/// What a reading makes us look at.
#[derive(Default)]
struct Asked {
    /// A look at all processes is needed.
    survey: bool,
    /// Sockets whose holders have been looked at, and hold them.
    proven: Vec<u64>,
    /// Processes that have another name than before.
    renamed: Vec<Process>,
    /// Processes that acted on a socket.
    callers: Vec<Process>,
}

impl Recorder {
    /// Records what `source` says in the file, and what `scan` finds.
    ///
    /// # Errors
    /// A file that cannot be written, or that holds anything but recordings.
    pub fn open(
        path: &Path,
        source: Box<dyn Source>,
        scan: Scan,
        interval: Duration,
    ) -> Result<Self> {
        let file = RecordFile::open(path)?;
        // The ids of a run begin with its second: none may be those of the run recorded before. It
        // is less than one second, before anything is read.
        std::thread::sleep(file.second_to_wait_for());
        let names = rustix::system::uname();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let header = Header {
            start: clock::stamp(),
            boot_id: boot_id.unwrap_or_default().trim_end().to_owned(),
            part: 0,
            source: source.interface(),
            interval,
            host: escape(names.nodename().to_bytes()),
            kernel: escape(names.release().to_bytes()),
        };
        let mut recorder = Self {
            source,
            scan,
            path: path.to_owned(),
            file: Some(file),
            header,
            encoder: Encoder::default(),
            register: RecordedOwners::default(),
            begun: false,
            thinner: Thinner::default(),
            current: None,
            quiet: None,
            waiting: None,
            known: Inodes::default(),
            look_again: Instant::now(),
            notices: Vec::new(),
        };
        recorder.begin_file();
        Ok(recorder)
    }

    /// The first line of a file.
    fn begin_file(&mut self) {
        let header = self.encoder.header(&self.header);
        self.write(&header);
    }

    /// A full disk ends the recording, not the run.
    fn write(&mut self, lines: &[u8]) {
        if let Some(file) = &mut self.file
            && let Err(cause) = file.write(lines)
        {
            let path = self.path.display();
            self.notices.push(format!("the recording to {path} ends here: {cause}"));
            self.file = None;
        }
    }

    /// Goes on in a new file at the same path, after the old one was moved away.
    fn reopen(&mut self) {
        self.quiet = None;
        // What was lost meanwhile leaves a gap in the numbers.
        self.header.part += if self.file.take().is_some() { 1 } else { 2 };
        match RecordFile::open(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(error) => self.notices.push(format!("{error}; the recording ends here")),
        }
        self.begin_file();
        let mut owners = Reading::OwnerUpdate(self.register.complete_update(Stamp::default()));
        let lines = self.encoder.encode(&mut owners).lines(None);
        self.write(&lines);
    }

    /// Passes a reading on as it will be read from the file.
    fn pass_on(&mut self, (reading, written): Entry) -> Reading {
        self.current = Some(written);
        reading
    }

    /// What comes next, kept or new.
    fn entry(&mut self, stop: &Signals) -> Result<Option<Entry>> {
        if let Some(entry) = self.waiting.take() {
            return Ok(Some(entry));
        }
        loop {
            let reading = self.source.next(stop)?;
            if stop.take_reopen_request() {
                self.reopen();
            }
            let Some(mut reading) = reading else { return Ok(self.quiet.take()) };
            let written = self.encoder.encode(&mut reading);
            let counts = self.thinner.keeps(written.is_unchanged(), reading.time());
            let entry = (reading, written);
            if !counts {
                self.quiet = Some(entry);
            } else if entry.1.is_unchanged() {
                self.quiet = None;
                return Ok(Some(entry));
            } else if let Some(quiet) = self.quiet.take() {
                // Until then nothing had changed.
                self.waiting = Some(entry);
                return Ok(Some(quiet));
            } else {
                return Ok(Some(entry));
            }
        }
    }

    /// What has to be looked at for a reading.
    fn asked(&mut self, reading: &Reading, conclusions: &[TrackerEvent]) -> Asked {
        let mut asked = Asked::default();
        if let Reading::Snapshot(snapshot) = reading
            && self.current.as_ref().is_some_and(|written| !written.is_unchanged())
        {
            let inodes = snapshot.rows.iter().map(|row| row.inode).filter(|inode| *inode != 0);
            let known = std::mem::take(&mut self.known);
            self.known = inodes.collect();
            asked.survey = !self.known.is_subset(&known);
        }
        for conclusion in conclusions {
            if let TrackerEvent::Transition(told) = conclusion {
                if matches!(reading, Reading::StateChange(_)) {
                    self.recall(told, &mut asked);
                } else {
                    self.ask(told, &mut asked);
                }
            }
        }
        asked
    }

    /// Looks at the holders that a transition needs.
    fn ask(&mut self, told: &Transition, asked: &mut Asked) {
        let listener_speaks =
            told.clues.last_inode == 0 && !self.register.holders(told.clues.listener).is_empty();
        asked.survey |= listener_speaks;
        let inode = told.clues.inode;
        if inode != 0 && !asked.survey && !asked.proven.contains(&inode) {
            asked.survey |= !self.known.contains(&inode) || !self.prove(inode, asked);
        }
        // A survey keeps the holders of known sockets alone: also one that another socket needs.
        if inode != 0 {
            self.known.insert(inode);
        }
    }

    /// Looks at who made a step, and at the holders known. Kernel events come by the thousand: they
    /// are no reason to look at all processes.
    fn recall(&mut self, told: &Transition, asked: &mut Asked) {
        if let Some(caller) = &told.caller {
            let process = self.scan.describe_fully(caller.pid);
            if !self.register.knows_caller(&process) {
                asked.callers.push(process);
            }
        }
        if told.clues.inode != 0 && !asked.proven.contains(&told.clues.inode) {
            self.prove(told.clues.inode, asked);
        }
    }

    /// Whether all holders of a socket still hold it, and there are any.
    fn prove(&mut self, inode: u64, asked: &mut Asked) -> bool {
        let holders = self.register.holders(inode);
        for holder in holders {
            let Some(comm) = self.scan.still_holds(holder, inode) else { return false };
            if let Some(process) = self.register.process(holder)
                && process.comm != comm
            {
                asked.renamed.push(Process { comm, ..process.clone() });
            }
        }
        let any = !holders.is_empty();
        asked.proven.extend(any.then_some(inode));
        any
    }

    /// Looks at all processes.
    fn survey(&mut self) -> OwnerUpdate {
        let begin = Instant::now();
        let survey = self.scan.scan_all(&self.known);
        self.look_again = Instant::now() + LOOK_AGAIN.max(begin.elapsed() * SHARE);
        self.register.update_to(survey, &self.known)
    }
}

impl Source for Recorder {
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        Ok(self.entry(stop)?.map(|entry| self.pass_on(entry)))
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        // What was read already comes before any answer.
        if self.waiting.is_some() {
            return Ok(None);
        }
        let Some(mut answers) = self.source.lookup(questions)? else { return Ok(None) };
        let written = self.encoder.encode(&mut answers);
        self.thinner.keeps(false, answers.time());
        Ok(Some(self.pass_on((answers, written))))
    }

    fn owners(&mut self, reading: &Reading, news: &[TrackerEvent]) -> Result<Option<OwnerUpdate>> {
        self.scan.start_reading(reading.time().boot);
        let asked = self.asked(reading, news);
        let is_pass = matches!(reading, Reading::Snapshot(_));
        let due = is_pass && Instant::now() >= self.look_again;
        let mut owners = if asked.survey || due { self.survey() } else { OwnerUpdate::default() };
        if !owners.all {
            owners.hidden = self.register.is_hidden();
            owners.processes = asked.renamed;
        }
        owners.proven = if owners.all { Vec::new() } else { asked.proven };
        owners.callers = asked.callers;
        owners.time = reading.time();
        owners.is_complete = !self.begun;
        let told =
            asked.survey || !owners.proven.is_empty() || self.register.is_changed_by(&owners);
        let owners = told.then_some(owners);
        let lines = self.current.take().map(|written| written.lines(owners.as_ref()));
        self.write(&lines.unwrap_or_default());
        if let Some(owners) = &owners {
            self.begun = true;
            self.register.apply(owners.clone());
        }
        Ok(owners)
    }

    fn reuse(&mut self, rows: Vec<SocketRow>) {
        self.source.reuse(rows);
    }

    fn tells_at_once(&self) -> bool {
        true
    }

    fn has_more(&self) -> bool {
        self.source.has_more()
    }

    fn due(&self) -> Option<Instant> {
        self.source.due()
    }

    fn interface(&self) -> Interface {
        self.source.interface()
    }

    fn notices(&mut self) -> Vec<String> {
        let mut notices = self.source.notices();
        notices.append(&mut self.notices);
        notices
    }
}

#[cfg(test)]
mod tests;

//! Names of hosts, services and users. They are asked for in a thread of their own: a name server
//! may take seconds, and polling does not wait for it.

use super::queue::live::Turn;
use crate::model::escape::{escape, one_word};
use crate::model::socket::Endpoint;
use crate::model::time::Stamp;
use crate::render::cell::Names;
use crate::view::Record;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Ends remembered at most, with a name or without: those of the busiest machine, not those of its
/// whole history. The same goes for users.
const REMEMBERED: usize = 100_000;
/// Questions that wait for an answer at most. A slow name server does not keep up with a busy
/// machine; an end that it is not asked for is shown by its numbers, and asked for the next time.
const WAITING: usize = 4096;

/// Asks for names and remembers the answers.
#[derive(Debug)]
pub(super) struct Resolver {
    names: Names,
    asked: HashSet<Endpoint>,
    waiting: usize,
    questions: Sender<Endpoint>,
    answers: Receiver<(Endpoint, Option<String>)>,
    /// How long the records of a reading, or all where nothing is read on, may wait for their names.
    patience: Duration,
    /// The reading at hand.
    reading: Option<Stamp>,
    /// Until when its records may wait, once they do.
    deadline: Option<Instant>,
}

impl Resolver {
    /// Starts the thread that asks; records wait for their names no longer than `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        let (questions, to_ask) = channel::<Endpoint>();
        let (answer, answers) = channel();
        // Where no thread can be made nobody answers, and numbers are shown.
        let _ = thread::Builder::new().spawn(move || {
            for end in to_ask {
                if answer.send((end, ask(end))).is_err() {
                    return;
                }
            }
        });
        Self::asking(questions, answers, patience)
    }

    fn asking(
        questions: Sender<Endpoint>,
        answers: Receiver<(Endpoint, Option<String>)>,
        patience: Duration,
    ) -> Self {
        Self {
            names: Names::default(),
            asked: HashSet::new(),
            waiting: 0,
            questions,
            answers,
            patience,
            reading: None,
            deadline: None,
        }
    }

    /// The records to come are of this reading: those of one, in however many portions they come,
    /// wait together, and no longer than half of the time to the next.
    pub(super) fn begin(&mut self, turn: Turn) {
        if self.reading == Some(turn.at) {
            return;
        }
        let now = Instant::now();
        let left = turn.due.map(|due| due.saturating_duration_since(now) / 2);
        self.reading = Some(turn.at);
        self.deadline = Some(now + left.map_or(self.patience, |left| left.min(self.patience)));
    }

    /// No reading follows: the records to come may wait anew.
    pub(super) const fn begin_rest(&mut self) {
        self.reading = None;
        self.deadline = None;
    }

    /// The names for these records, as far as they are known in time.
    pub(super) fn names_for(&mut self, records: &[Record]) -> &Names {
        self.forget();
        for record in records {
            self.ask_for(record);
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.patience);
        while self.waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok((end, name)) => {
                    self.waiting -= 1;
                    self.names.addrs.extend(name.map(|name| (end, name)));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        &self.names
    }

    /// Begins anew when there are too many.
    fn forget(&mut self) {
        if self.asked.len() > REMEMBERED {
            self.names.addrs.clear();
            self.asked.clear();
        }
        if self.names.users.len() > REMEMBERED {
            self.names.users.clear();
        }
    }

    fn ask_for(&mut self, record: &Record) {
        // The other end of a connection has the same two addresses.
        let addrs = record.socket().map(|socket| [socket.addrs.local, socket.addrs.remote]);
        for end in addrs.into_iter().flatten().filter(|end| end.port != 0) {
            self.ask_for_end(end);
        }
        if let Record::Socket(socket) = record
            && let Some(uid) = socket.clues.uid
        {
            self.names.users.entry(uid).or_insert_with(|| {
                uzers::get_user_by_uid(uid)
                    .map_or_else(|| uid.to_string(), |user| word(&user.name().to_string_lossy()))
            });
        }
    }

    fn ask_for_end(&mut self, end: Endpoint) {
        let may_ask = self.waiting < WAITING && !self.asked.contains(&end);
        if may_ask && self.questions.send(end).is_ok() {
            self.asked.insert(end);
            self.waiting += 1;
        }
    }
}

/// `host:service`, either of them a number where it has no name.
fn ask(end: Endpoint) -> Option<String> {
    let (host, service) = dns_lookup::getnameinfo(&end.into(), 0).ok()?;
    let host = word(&host);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("{host}:{}", word(&service)))
}

/// A name server may answer anything: no name is printed raw.
fn word(name: &str) -> String {
    one_word(&escape(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn addrs() -> impl Iterator<Item = Endpoint> {
        (1..).map(|n: u32| Endpoint { addr: IpAddr::V4(n.into()), port: 443 })
    }

    #[test]
    fn pending_questions_are_limited() {
        let (questions, to_ask) = channel();
        let (answer, answers) = channel();
        let mut resolver = Resolver::asking(questions, answers, Duration::ZERO);
        let all: Vec<Endpoint> = addrs().take(3 * WAITING).collect();
        for end in &all {
            resolver.ask_for_end(*end);
        }
        assert_eq!(to_ask.try_iter().count(), WAITING);
        answer.send((all[0], None)).unwrap();
        resolver.names_for(&[]);
        for end in &all {
            resolver.ask_for_end(*end);
        }
        assert_eq!(to_ask.try_iter().collect::<Vec<_>>(), [all[WAITING]], "not asked for before");
    }

    fn turn(at: u64, due: Option<Instant>) -> Turn {
        Turn { at: Stamp { boot: at, ..Stamp::default() }, due }
    }

    #[test]
    fn the_records_of_a_reading_share_a_deadline() {
        let (questions, _to_ask) = channel();
        let (_answer, answers) = channel();
        let patience = Duration::from_hours(1);
        let mut resolver = Resolver::asking(questions, answers, patience);
        let mut deadline_of = |at, due| {
            resolver.begin(turn(at, due));
            resolver.names_for(&[]);
            resolver.deadline.unwrap()
        };
        let first = deadline_of(1, None);
        assert_eq!([deadline_of(1, None), deadline_of(1, None)], [first, first]);
        assert!(deadline_of(2, None) > first);
        let due = Instant::now() + Duration::from_mins(1);
        assert!(deadline_of(3, Some(due)) < due, "a late poll leaves less time");
    }

    #[test]
    fn the_last_records_wait_once_for_a_dead_name_server() {
        let (questions, _to_ask) = channel();
        let (_answer, answers) = channel();
        let mut resolver = Resolver::asking(questions, answers, Duration::from_millis(1));
        addrs().take(10).for_each(|end| resolver.ask_for_end(end));
        resolver.names_for(&[]);
        let deadline = resolver.deadline;
        assert!(deadline.is_some_and(|deadline| deadline <= Instant::now()), "it was waited for");
        resolver.names_for(&[]);
        assert_eq!(resolver.deadline, deadline, "all parts share a deadline");
        resolver.begin_rest();
        resolver.names_for(&[]);
        assert!(resolver.deadline > deadline);
    }

    #[test]
    fn addresses_without_names_are_forgotten() {
        let (questions, to_ask) = channel();
        let (answer, answers) = channel();
        let mut resolver = Resolver::asking(questions, answers, Duration::ZERO);
        for end in addrs().take(3 * REMEMBERED) {
            resolver.ask_for_end(end);
            answer.send((to_ask.try_recv().unwrap(), None)).unwrap();
            resolver.names_for(&[]);
            assert!(resolver.asked.len() <= REMEMBERED + 1, "{}", resolver.asked.len());
        }
    }
}

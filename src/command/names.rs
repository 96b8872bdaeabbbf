//! Names of hosts, services and users. They are asked for in a thread of their own: a name server
//! may take seconds, and polling does not wait for it.

use crate::reading::Endpoint;
use crate::render::cell::Names;
use crate::view::Record;
use crate::view::name::{escape, one_word};
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Ends remembered at most: those of the busiest machine, not those of its whole history.
const REMEMBERED: usize = 100_000;

/// Asks for names and remembers the answers.
#[derive(Debug)]
pub(super) struct Resolver {
    names: Names,
    asked: HashSet<Endpoint>,
    waiting: usize,
    questions: Sender<Endpoint>,
    answers: Receiver<(Endpoint, Option<String>)>,
    /// How long records may wait for their names.
    patience: Duration,
}

impl Resolver {
    /// Starts the thread that asks; records wait for their names no longer than `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        let (questions, to_ask) = channel::<Endpoint>();
        let (answer, answers) = channel();
        thread::spawn(move || {
            for end in to_ask {
                if answer.send((end, ask(end))).is_err() {
                    return;
                }
            }
        });
        Self {
            names: Names::default(),
            asked: HashSet::new(),
            waiting: 0,
            questions,
            answers,
            patience,
        }
    }

    /// The names for these records, as far as they are known in time.
    pub(super) fn names_for(&mut self, records: &[Record]) -> &Names {
        if self.names.ends.len() > REMEMBERED {
            self.names.ends.clear();
            self.asked.clear();
        }
        for record in records {
            self.ask_for(record);
        }
        let deadline = Instant::now() + self.patience;
        while self.waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok((end, name)) => {
                    self.waiting -= 1;
                    self.names.ends.extend(name.map(|name| (end, name)));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        &self.names
    }

    fn ask_for(&mut self, record: &Record) {
        let (socket, uid) = match record {
            Record::Event(event) => (&event.socket, None),
            Record::Socket(socket) => (&socket.socket, socket.uid),
            // The other end has the same two.
            Record::Life(life) => (&life.socket, None),
            Record::Alert(alert) => (&alert.worst, None),
            Record::Lost(_) | Record::Diagram(_) => return,
        };
        let ends = [
            Endpoint { addr: socket.local_addr, port: socket.local_port },
            Endpoint { addr: socket.remote_addr, port: socket.remote_port },
        ];
        for end in ends.into_iter().filter(|end| end.port != 0) {
            if self.asked.insert(end) && self.questions.send(end).is_ok() {
                self.waiting += 1;
            }
        }
        if let Some(uid) = uid {
            self.names.users.entry(uid).or_insert_with(|| {
                uzers::get_user_by_uid(uid)
                    .map_or_else(|| uid.to_string(), |user| word(&user.name().to_string_lossy()))
            });
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

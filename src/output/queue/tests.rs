use super::*;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

/// No test that passes comes near it: a wait that takes so long has failed.
const LONG: Duration = Duration::from_mins(1);

/// A reader that takes a piece for every permit, and everything once the sender of permits is gone.
pub(in crate::output) struct Reader {
    permits: Receiver<()>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Reader {
    pub(in crate::output) fn new() -> (Sender<()>, Arc<Mutex<Vec<u8>>>, Self) {
        let ((permit, permits), read) = (channel(), Arc::default());
        (permit, Arc::clone(&read), Self { permits, read })
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.permits.recv();
        self.read.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn soon() -> Instant {
    Instant::now() + LONG
}

#[test]
fn a_late_reader_gets_everything_in_order() {
    let (permit, read, reader) = Reader::new();
    let outbox = Outbox::over(reader, || ()).unwrap();
    let lines: Vec<String> = (0..5000).map(|i| format!("{i:030}\n")).collect();
    for line in &lines {
        outbox.push(line.clone().into_bytes()).unwrap();
    }
    assert_eq!(outbox.waiting(), 5000 * 31, "pushing does not wait for the reader");
    permit.send(()).unwrap();
    assert!(outbox.wait_below(5000 * 31 - 1, soon()));
    assert!(read.lock().unwrap().ends_with(b"\n"), "a piece is whole lines");
    drop(permit);
    assert_eq!(outbox.finish(|| Patience::Short).unwrap(), 0);
    assert_eq!(String::from_utf8(read.lock().unwrap().clone()).unwrap(), lines.concat());
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    let (_permit, read, reader) = Reader::new();
    let outbox = Outbox::over(reader, || ()).unwrap();
    outbox.push(b"never read\n".to_vec()).unwrap();
    assert_eq!(outbox.finish(|| Patience::Short).unwrap(), 11, "after a while");
    assert_eq!(outbox.finish(|| Patience::Over).unwrap(), 11, "or at once");
    assert!(read.lock().unwrap().is_empty());
}

#[test]
fn endless_patience_outlasts_the_short_one() {
    let (permit, read, reader) = Reader::new();
    let outbox = Outbox::over(reader, || ()).unwrap();
    outbox.push(b"read at last\n".to_vec()).unwrap();
    // Asked again after every LOOK: so often that the short patience would be over.
    let mut waits_left = MOMENT.as_millis() / LOOK.as_millis() + 4;
    let mut permit = Some(permit);
    let patience = || {
        waits_left = waits_left.saturating_sub(1);
        if waits_left == 0 {
            permit.take();
        }
        Patience::Endless
    };
    assert_eq!(outbox.finish(patience).unwrap(), 0);
    assert_eq!(*read.lock().unwrap(), b"read at last\n");
}

#[test]
fn a_failed_write_is_reported_once() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(ErrorKind::StorageFull))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (call, called) = channel();
    let outbox = Outbox::over(Full, move || call.send(()).unwrap()).unwrap();
    outbox.push(b"one\n".to_vec()).unwrap();
    called.recv_timeout(LONG).expect("the failure wakes who waits");
    assert_eq!(outbox.waiting(), 0, "nothing waits for a full disk");
    let error = outbox.push(b"two\n".to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the output: "), "{error}");
    assert!(outbox.push(b"three\n".to_vec()).is_ok() && outbox.waiting() == 0);
}

#[test]
fn a_nonblocking_stream_is_waited_for() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(LONG)).unwrap();
    ours.set_nonblocking(true).unwrap();
    let outbox = Outbox::to(&ours, || ()).unwrap();
    let sent = b"more than a socket holds\n".repeat(100_000);
    outbox.push(sent.clone()).unwrap();
    let mut received = vec![0; sent.len()];
    theirs.read_exact(&mut received).unwrap();
    assert!(received == sent);
    assert_eq!(outbox.finish(|| Patience::Short).unwrap(), 0);
}

#[test]
fn a_piece_is_whole_lines_where_they_fit() {
    let lines = [vec![b'a'; 4000], vec![b'b'; 200], vec![b'c'; 9000], vec![b'd'; 10]];
    let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    let lengths: Vec<usize> = pieces(&text).map(<[u8]>::len).collect();
    assert_eq!(lengths, [4001, 201, 4096, 4096, 9001 - 2 * 4096 + 11]);
    assert_eq!(pieces(&text).collect::<Vec<_>>().concat(), text);
}

use super::*;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

/// Far more than any wait of a test that passes.
const LIMIT: Duration = Duration::from_secs(60);

/// A stream that takes a piece for every permit, and everything once the sender of permits is gone.
pub(in crate::output) struct SlowStream {
    permits: Receiver<()>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for SlowStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.permits.recv();
        self.taken.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue to a slow stream, the sender of its permits, and what the stream has taken.
pub(in crate::output) fn slow_queue(capacity: usize) -> (Queue, Sender<()>, Arc<Mutex<Vec<u8>>>) {
    let ((permit, permits), taken) = (channel(), Arc::default());
    let stream = SlowStream { permits, taken: Arc::clone(&taken) };
    (Queue::with_parts(stream, capacity, || ()).unwrap(), permit, taken)
}

pub(in crate::output) fn soon() -> Wait<'static> {
    Wait::Until(Instant::now() + LIMIT)
}

#[test]
fn a_late_reader_gets_everything_in_order() {
    let (mut queue, permit, taken) = slow_queue(usize::MAX);
    let lines: Vec<String> = (0..5000).map(|i| format!("{i:030}\n")).collect();
    for line in &lines {
        queue.push(line.clone().into_bytes()).unwrap();
    }
    assert_eq!(queue.queued(), 5000 * 31, "pushing does not wait for the reader");
    permit.send(()).unwrap();
    assert!(queue.wait(5000 * 31 - 1, &soon()));
    assert!(taken.lock().unwrap().ends_with(b"\n"), "a piece is whole lines");
    drop(permit);
    assert!(queue.wait(0, &Wait::WhileRead));
    assert_eq!(String::from_utf8(taken.lock().unwrap().clone()).unwrap(), lines.concat());
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    let (mut queue, _permit, taken) = slow_queue(usize::MAX);
    queue.push(b"never read\n".to_vec()).unwrap();
    assert!(!queue.wait(0, &Wait::Until(Instant::now())), "at once");
    assert!(!queue.wait(0, &Wait::WhileRead), "after a while");
    assert_eq!(queue.queued(), 11);
    assert!(taken.lock().unwrap().is_empty());
}

#[test]
fn a_run_that_goes_on_waits_longer_than_one_that_has_to_end() {
    let signals = Signals::for_command(&[]).unwrap();
    let start = Instant::now();
    signals.set_deadline(Some(start + READER_GRACE / 2));
    let (mut queue, _permit, _) = slow_queue(usize::MAX);
    queue.push(b"never read\n".to_vec()).unwrap();
    assert!(!queue.wait(0, &Wait::WhileRunning(&signals)));
    assert!(start.elapsed() >= 3 * READER_GRACE / 2, "{:?}", start.elapsed());
    assert!(!queue.wait(0, &Wait::WhileRunning(&signals)));
}

#[test]
fn a_full_queue_has_room_once_half_of_it_is_written() {
    let (mut queue, permit, _) = slow_queue(10);
    queue.push(b"one\ntwo\n".to_vec()).unwrap();
    assert!(queue.has_room());
    queue.push(b"three\n".to_vec()).unwrap();
    assert!(!queue.has_room(), "14 of 10");
    permit.send(()).unwrap();
    assert!(queue.wait(13, &soon()));
    // Whether the blocks were joined depends on when the thread has received them.
    assert_eq!(queue.has_room(), queue.queued() < 5);
    drop(permit);
    assert!(queue.wait(0, &soon()) && queue.has_room());
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
    let mut queue = Queue::with_parts(Full, usize::MAX, move || call.send(()).unwrap()).unwrap();
    queue.push(b"one\n".to_vec()).unwrap();
    called.recv_timeout(LIMIT).expect("the failure ends the wait of a run");
    assert_eq!(queue.queued(), 0, "nothing is kept for a full disk");
    let error = queue.push(b"two\n".to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the output: "), "{error}");
    assert!(queue.push(b"three\n".to_vec()).is_ok() && queue.queued() == 0);
}

#[test]
fn a_nonblocking_stream_is_waited_for() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(LIMIT)).unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut queue = Queue::to(&ours, usize::MAX, || ()).unwrap();
    let sent = b"more than a socket holds\n".repeat(100_000);
    queue.push(sent.clone()).unwrap();
    let mut received = vec![0; sent.len()];
    theirs.read_exact(&mut received).unwrap();
    assert!(received == sent);
    assert!(queue.wait(0, &Wait::WhileRead));
}

#[test]
fn a_piece_is_whole_lines_where_they_fit() {
    let lines = [vec![b'a'; 4000], vec![b'b'; 200], vec![b'c'; 9000], vec![b'd'; 10]];
    let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    let lengths: Vec<usize> = pieces(&text).map(<[u8]>::len).collect();
    assert_eq!(lengths, [4001, 201, 4096, 4096, 9001 - 2 * 4096 + 11]);
    assert_eq!(pieces(&text).collect::<Vec<_>>().concat(), text);
}

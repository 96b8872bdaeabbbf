use super::*;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// The process below, which panics while it draws on its terminal.
#[test]
#[ignore = "run by the next test, on a terminal of its own"]
fn panics_while_it_draws() {
    let signals = Signals::new(None).expect("signals can be caught");
    let screen = Screen::open(&signals).expect("a thread can be started");
    let mut screen = screen.expect("there is a terminal");
    screen.draw(&["a frame".to_owned()]).expect("the terminal takes it");
    panic!("on purpose");
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was() {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let mut master = File::from(openpt(flags).expect("a pseudo terminal"));
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
    let name = ptsname(&master, Vec::new()).expect("its name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal: File =
        rustix::fs::open(&name, flags, Mode::empty()).expect("the terminal").into();
    let before = tcgetattr(&terminal).expect("it has modes");
    let stream = || Stdio::from(terminal.try_clone().expect("a descriptor"));
    let name = "output::screen::tests::panics_while_it_draws";
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("TERM", "xterm")
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .status();
    assert!(!status.expect("it can be run").success());
    let after = tcgetattr(&terminal).expect("it has modes");
    assert_eq!(after.local_modes, before.local_modes, "lines and echo");
    drop(terminal);
    let mut written = Vec::new();
    // A terminal whose other ends are closed ends with an error.
    let _ = master.read_to_end(&mut written);
    let written = String::from_utf8_lossy(&written);
    let (entered, left) = (written.find(ENTER), written.find(LEAVE));
    assert!(entered.is_some() && entered < left, "{written:?}");
    let message = written.find("on purpose");
    assert!(left < message, "the message is on the main screen: {written:?}");
}

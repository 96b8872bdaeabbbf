//! SIGUSR1: the timelines so far on standard error, while the run goes on.

use super::fixture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// A run that ends when its reader goes away; its first record has been read.
fn start(line: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(line.split_whitespace())
        .arg("--procfs")
        .arg(fixture())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut record = String::new();
    stdout.read_line(&mut record).expect("a record");
    (child, stdout)
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), signal).expect("it runs");
}

#[test]
fn a_call_is_answered_on_standard_error_and_the_run_goes_on() {
    for view in ["-j client -s FIN_WAIT2 -i 30s", "client -s FIN_WAIT2 -H"] {
        let (mut child, mut stdout) = start(view);
        let mut told = BufReader::new(child.stderr.take().expect("piped"));
        for _ in 0..2 {
            signal(&child, Signal::SIGUSR1);
            let mut lines = Vec::new();
            while !lines.last().is_some_and(|line: &String| line.contains("coverage: ")) {
                let mut line = String::new();
                assert!(told.read_line(&mut line).expect("UTF-8") > 0, "{view}: {lines:?}");
                lines.push(line);
            }
            let block: Vec<_> = lines.iter().skip_while(|line| !line.starts_with("812")).collect();
            assert_eq!(block[0], "812/client  127.0.0.1:53088 -- 127.88.0.1:54389\n");
            assert!(block[1].starts_with("  closed first by this side, open for "), "{block:?}");
            assert!(block[2].contains("  FIN_WAIT2  >=") && block[2].contains("first look"));
            assert!(block[3].contains("the other side has not for at least"), "{block:?}");
        }
        signal(&child, Signal::SIGTERM);
        assert_eq!(child.wait().expect("our child").code(), Some(0));
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!(rest, "", "{view}: a report is no record");
    }
}

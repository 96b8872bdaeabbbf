//! The command line, on a fixture: exact output, exit status, what goes to standard error.

mod bad_usage;
mod bounds;
mod calls;
mod check;
mod clocks;
mod crowds;
mod diagram;
mod explain;
mod owners;
mod readers;
mod recordings;
mod records;
mod rules;
mod run;
pub(crate) mod stage;
mod wait;

use assert_cmd::Command;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Output, Stdio};

/// A procfs with every state in it; its README tells whose sockets are whose.
pub(crate) fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/linux-6.18")
}

/// Runs the program on the fixture; a run that does not end by itself is ended.
fn run(line: &str) -> Output {
    program(line).output().expect("it runs")
}

fn program(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    command.args(line.split_whitespace()).arg("--procfs").arg(fixture());
    command.timeout(std::time::Duration::from_secs(20));
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[track_caller]
fn assert_prints(line: &str, stdout: &str) {
    let output = run(line);
    assert_eq!(text(&output.stdout), stdout, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(stdout.is_empty())));
}

#[test]
fn a_table_in_a_pipe_is_plain_aligned_columns() {
    assert_prints(
        "list server|client",
        "\
PROTO  RECV-Q  SEND-Q  LOCAL             REMOTE            STATE        OWNER
tcp         0       0  127.88.0.1:56645  *                 LISTEN       700/server
tcp         0       0  127.0.0.1:47778   127.88.0.1:56645  ESTABLISHED  812/client
tcp         0       0  127.88.0.1:56645  127.0.0.1:47778   SYN_RECV     700/server^
tcp         0       1  127.0.0.1:47720   127.88.0.1:43405  SYN_SENT     812/client
tcp         0       1  127.0.0.1:55700   127.88.0.1:36829  FIN_WAIT1    812/client
tcp         0       0  127.0.0.1:53088   127.88.0.1:54389  FIN_WAIT2    812/client
tcp6        1       0  [::]:8080         *                 LISTEN       700/server+1
tcp6        0       0  127.0.0.1:8080    127.0.0.1:45508   ESTABLISHED  701/server
tcp6        0       0  [::1]:8080        [::1]:58016       ESTABLISHED  700/server
",
    );
}

#[test]
fn extra_columns_show_user_inode_and_timers() {
    assert_prints(
        "list -H -eo client -s SYN_SENT,FIN_WAIT2",
        "\
tcp  0  1  127.0.0.1:47720  127.88.0.1:43405  SYN_SENT   812/client  0  22323  retransmit(0.6s,2)
tcp  0  0  127.0.0.1:53088  127.88.0.1:54389  FIN_WAIT2  812/client  0  22333  -
",
    );
}

#[test]
fn the_view_of_a_table_is_printed_once_at_the_end_of_the_run() {
    let output = run("-H server --view table --for 300ms -s ESTABLISHED");
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(">=0."), "{lines:?}");
    assert!(
        lines[1].ends_with("ESTABLISHED  700/server  [::1]:8080      [::1]:58016"),
        "{lines:?}"
    );
}

/// Local ports and states of what `list` shows.
fn listed(line: &str) -> Vec<String> {
    let output = run(&format!("list -H {line}"));
    let short = |row: &str| {
        let cells: Vec<_> = row.split_whitespace().collect();
        format!("{} {}", cells[3].rsplit(':').next().unwrap(), cells[5])
    };
    text(&output.stdout).lines().map(short).collect()
}

#[test]
fn every_filter_narrows_and_repeated_values_widen() {
    assert_eq!(listed("client --port 43405"), ["47720 SYN_SENT"]);
    assert_eq!(
        listed("--local 127.88.0.0/16 -s CLOSE_WAIT"),
        ["59039 CLOSE_WAIT", "54389 CLOSE_WAIT"]
    );
    assert_eq!(listed("--remote [::1]:58000-58020"), ["8080 ESTABLISHED"]);
    assert_eq!(
        listed("--remote :58016 --remote 127.0.0.1:45508"),
        ["8080 ESTABLISHED", "8080 ESTABLISHED"]
    );
    assert_eq!(listed("-l --pid 700"), ["56645 LISTEN", "8080 LISTEN"]);
    assert_eq!(listed("-6 --pid 700,701 -s !LISTEN"), ["8080 ESTABLISHED", "8080 ESTABLISHED"]);
    assert_eq!(listed("-4 -l --port 8080"), Vec::<String>::new());
    assert_eq!(listed("--user 33"), ["8080 LISTEN", "8080 ESTABLISHED"]);
    let by_user = listed("--user 0 --port 45508");
    assert_eq!(by_user, ["45508 ESTABLISHED"], "its other end has an owner of another user");
    assert_eq!(listed("-x long-nam"), Vec::<String>::new());
    assert_eq!(listed("-x a-very-long-nam"), ["34178 LAST_ACK"]);
    assert_eq!(listed("name-indeed$"), ["34178 LAST_ACK"], "the kernel cuts names, files have all");
    assert_eq!(listed("-f worker"), ["8080 LISTEN", "8080 ESTABLISHED"]);
    assert_eq!(listed("(?i)CLIENT -s bucket"), Vec::<String>::new());
    assert_eq!(listed("-s time-wait"), ["59618 TIME_WAIT", "60417 TIME_WAIT"]);
}

#[test]
fn fingers_trained_on_netstat_are_right() {
    let plain = run("list client");
    for habit in ["list -apn client", "-apnt list client", "-4apn list client"] {
        let output = run(habit);
        let v4 = !habit.contains('4') || !text(&output.stdout).is_empty();
        assert!(v4 && output.stdout == plain.stdout, "{habit}");
    }
    let watched = run("-apn client -j -m 1 -s SYN_SENT");
    assert!(text(&watched.stdout).contains(r#""to":"SYN_SENT""#));
}

#[test]
fn a_count_of_none_prints_nothing_and_exits_1_as_grep_does() {
    let output = run("list -m 0");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let output = run("watch -m 0 -j");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), ""));
}

#[test]
fn no_match_is_silent_on_stdout_and_exits_1() {
    let output = run("list nosuch");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    assert_eq!(
        text(&output.stderr),
        "tcplapse: 5 sockets without a known owner not shown\n",
        "TIME_WAIT, orphans and what waits for accept()"
    );
}

#[test]
fn watching_shows_what_is_there_and_ends_with_its_time() {
    let output = run("watch client --for 50ms --time epoch");
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(output.status.code(), Some(0));
    assert!(lines[0].starts_with("TIME "), "{lines:?}");
    let words: Vec<Vec<&str>> =
        lines[1..].iter().map(|line| line.split_whitespace().skip(1).collect()).collect();
    assert_eq!(words.len(), 4);
    assert_eq!(
        words[3].join(" "),
        "812/client 127.0.0.1:53088 127.88.0.1:54389 - FIN_WAIT2 (there already) \
         this side closed, the other not yet"
    );
}

#[test]
fn names_of_other_processes_are_never_raw() {
    for format in ["text", "json", "csv"] {
        for command in ["list", "watch -m 1"] {
            let output = run(&format!("{command} evil --format {format}"));
            let shown = text(&output.stdout);
            assert!(!shown.contains('\x1b'), "{shown:?}");
            assert!(shown.contains(r"e\x1b[2Jvil\x0a") || shown.contains(r"e\\x1b[2Jvil\\x0a"));
            let lines = if format == "json" { 1 } else { 2 };
            assert_eq!(shown.lines().count(), lines, "{shown}");
        }
    }
    let text_row = run("list evil");
    assert!(text(&text_row.stdout).contains(r"813/e\x1b[2Jvil\x0a\x20me"));
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["client", "--procfs"])
        .arg(fixture())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    assert!(first.starts_with("TIME"));
    drop(stdout);
    // Nothing more is written on this fixture: the closed pipe itself has to be noticed.
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!stderr.contains("pipe") && !stderr.contains("panic"), "{stderr}");
}

#[test]
fn ctrl_c_and_sigterm_end_a_watch_with_0() {
    use nix::sys::signal::{Signal, kill};
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
            .args(["client", "-j", "--procfs"])
            .arg(fixture())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, signal).unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
        let whole = format!("{line}{rest}");
        for line in whole.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("whole lines");
        }
    }
}

#[test]
fn a_reader_that_stops_reading_holds_up_no_signal() {
    use nix::sys::signal::{Signal, kill};
    let procfs = many_sockets();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["-j", "-i", "1ms", "--max-cpu", "100", "--procfs"])
        .arg(procfs.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    // The signals are caught before the first record is written.
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    kill(pid, Signal::SIGTERM).unwrap();
    crate::old_support::wait::until("its end", || child.try_wait().unwrap())
        .code()
        .map_or_else(|| panic!("killed"), |code| assert_eq!(code, 0));
}

#[test]
fn a_slow_reader_gets_everything_after_the_time_is_over() {
    let procfs = many_sockets();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["-j", "--for", "1ms", "--procfs"])
        .arg(procfs.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = 0;
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        serde_json::from_str::<serde_json::Value>(&line).expect("whole lines");
        line.clear();
        lines += 1;
        if lines % 100 == 0 {
            // A reader's own work, not a wait for anything.
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!((lines, child.wait().unwrap().code()), (1999, Some(0)));
}

#[test]
fn an_interrupted_list_is_no_answer() {
    use nix::sys::signal::{Signal, kill};
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let stage = stage::Stage::new();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
            .args(["list", "--procfs"])
            .arg(stage.procfs())
            .spawn()
            .expect("it starts");
        // It reads the first table and waits for its end.
        let table = stage.open("net/tcp");
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status));
        drop(table);
    }
}

/// More sockets than a pipe holds records of.
fn many_sockets() -> tempfile::TempDir {
    let procfs = tempfile::tempdir().unwrap();
    std::fs::create_dir(procfs.path().join("net")).unwrap();
    let row = |port: usize| {
        format!(
            "0: 0100007F:{port:04X} 0200007F:0050 01 0:0 0:0 0 0 0 {} 1 0 0 0 0 0 0\n",
            port + 1
        )
    };
    std::fs::write(procfs.path().join("net/tcp"), (1..2000).map(row).collect::<String>()).unwrap();
    procfs
}

#[test]
fn a_full_disk_is_an_error_that_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["list", "--procfs"])
        .arg(fixture())
        .stdout(full)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.starts_with("tcplapse: cannot write the output: No space left"), "{told}");
}

#[test]
fn a_watch_whose_output_is_full_or_closed_says_so_or_nothing() {
    let shell = |redirected: &str| {
        let script = format!("exec \"$0\" watch --for 50ms --procfs \"$1\" {redirected}");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tcplapse")]).arg(fixture());
        let output = command.output().expect("there is a shell");
        (output.status.code(), text(&output.stderr).to_owned())
    };
    for view in ["", "-j", "--view timeline", "--view diagram --format svg"] {
        let (status, told) = shell(&format!("{view} >/dev/full"));
        assert_eq!(status, Some(2), "{view}: {told}");
        assert_eq!(told.matches("cannot write the output: No space left").count(), 1, "{told}");
        let (status, told) = shell(&format!("{view} >&-"));
        assert_eq!(status, Some(0), "{view}: {told}");
        assert!(!told.contains("panic"), "{told}");
        assert_eq!(shell(&format!("{view} >/dev/full 2>&-")), (Some(2), String::new()));
    }
}

#[test]
fn help_is_the_one_that_is_written_here() {
    insta::assert_snapshot!(text(&run("-h").stdout));
}

//! Every wait ends with the run, and no input takes more memory than is in proportion to it.

use super::made_recording::HEADER;
use super::on_fixture;
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::program::{
    self, Outcome, Program, refusals_with_few_descriptors, run_without_threads, start_as_nobody,
};
use crate::support::require::{Feature, skip};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const NO_RULE: &str = "[[rule]]\nname = 'leak'\nstate = 'CLOSE_WAIT'\nat_least = 1000\n";

fn folder() -> (TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name))
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn assert_refused(outcome: &Outcome, words: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    let message = &outcome.stderr;
    assert!(message.contains(words) && message.lines().count() == 1, "{message}");
}

#[test]
fn rules_are_read_from_a_regular_file_only() {
    let (_folder, path) = folder();
    fifo(&path("fifo"));
    fs::create_dir(path("folder")).expect("it is ours");
    symlink("/dev/zero", path("endless")).expect("it is ours");
    for (name, words) in [
        ("fifo", "rules are read from a regular file only"),
        ("folder", "rules are read from a regular file only"),
        // Anybody may write to it, too.
        ("endless", "cannot take rules from"),
    ] {
        let outcome = super::run(&format!("watch --rules {}", text(&path(name))));
        assert_refused(&outcome, words);
    }
    fs::write(path("long"), vec![b'#'; 2 << 20]).expect("it is ours");
    let outcome = super::run(&format!("watch --rules {}", text(&path("long"))));
    assert_refused(&outcome, "longer than 1 MiB");
}

#[test]
fn rules_that_become_a_fifo_stop_nothing() {
    let (_folder, path) = folder();
    fs::write(path("rules"), NO_RULE).expect("it is ours");
    let rules = path("rules");
    let args = ["watch", "-i", "10ms", "-s", "CLOSED", "--rules", text(&rules)];
    let mut program = Program::spawn(on_fixture(&[&args[..], &["--ready-fd", "2"]].concat()));
    program.until_ready();
    fifo(&path("swap"));
    fs::rename(path("swap"), path("rules")).expect("it is ours");
    let message = program.message_with("rules are read from a regular file only");
    assert!(message.contains("the previous rules stay in force"), "{message}");
    let outcome = program.stop();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_table_that_nobody_writes_is_not_waited_for_after_the_end() {
    for (signal, args) in [
        (Some(Signal::SIGINT), &["watch"][..]),
        (Some(Signal::SIGTERM), &["watch", "--for", "1h"]),
        (None, &["watch", "--for", "20ms"]),
        (Some(Signal::SIGINT), &["check", "--max", "LISTEN:0"]),
    ] {
        for begun in [false, true] {
            let mut procfs = FakeProcfs::new();
            procfs.run(args);
            let mut table = procfs.open("net/tcp");
            if begun {
                table.write_all(b"  sl  local_address\n").expect("there is room");
            }
            let table = begun.then_some(table);
            if let Some(signal) = signal {
                procfs.program().signal(signal);
            }
            let outcome = procfs.finish();
            let expected = if args[0] == "check" { 130 } else { 0 };
            assert_eq!(outcome.code, Some(expected), "{args:?}: {outcome:?}");
            drop(table);
        }
    }
}

#[test]
fn a_device_is_no_table() {
    for device in ["/dev/zero", "/dev/null"] {
        let procfs = FakeProcfs::empty();
        symlink(device, procfs.file("net/tcp")).expect("it is ours");
        let outcome = Program::spawn(procfs.command(&["list"])).finish();
        assert_refused(&outcome, "net/tcp: a table is a regular file or a pipe");
    }
}

#[test]
fn another_file_is_refused_before_its_first_line_ends() {
    assert_refused(&program::run(&["replay", "/dev/zero"]), "not a tcplapse recording");
    let check = ["check", "--max", "LISTEN:0", "--from", "/dev/zero"];
    assert_refused(&program::run(&check), "not a tcplapse recording");
}

#[test]
fn a_recording_in_a_fifo_ends_with_the_run() {
    let (_folder, path) = folder();
    fifo(&path("fifo"));
    for begun in [false, true] {
        let mut writer = OpenOptions::new();
        // A FIFO that is open for both ways has no end.
        let mut writer = begun.then(|| writer.read(true).write(true).open(path("fifo")).unwrap());
        if let Some(writer) = &mut writer {
            writeln!(writer, "{HEADER}").expect("there is room");
        }
        let fifo = path("fifo");
        let check = ["check", "--max", "LISTEN:0", "--from", text(&fifo)];
        for (args, code) in [(&["replay", text(&fifo)][..], 0), (&check, 143)] {
            let program = Program::start(args);
            program.until_asleep();
            program.signal(Signal::SIGTERM);
            assert_eq!(program.finish().code, Some(code), "{args:?}");
        }
    }
}

#[test]
fn a_small_file_that_unpacks_to_much_is_refused() {
    let (_folder, path) = folder();
    let poll = r#"{"pass":{"start":[1,1],"end":[2,2],"netns":1,"rows":["#;
    for piece in ["{}", "{\"rx\":1}", "   ", "[[[["] {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writeln!(gz, "{HEADER}\n{poll}{piece}").expect("memory");
        gz.write_all(format!(",{piece}").repeat(4 << 20).as_bytes()).expect("memory");
        fs::write(path("bomb"), gz.finish().expect("memory")).expect("it is ours");
        let outcome = program::run(&["replay", text(&path("bomb"))]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("unpacks to more than 100 times"), "{outcome:?}");
    }
}

#[test]
fn changes_of_rows_that_were_not_there_take_no_memory() {
    let (_folder, path) = folder();
    let poll = r#"{"pass":{"start":[1,1],"end":[2,2],"netns":1,"rows":["#;
    let changes = vec![r#"{"rx":1}"#; 1 << 20].join(",");
    fs::write(path("changes"), format!("{HEADER}\n{poll}{changes}]}}}}\n")).expect("it is ours");
    // Room for the line, but not for a list of what is in it.
    let mut limited = Command::new("prlimit");
    limited.arg("--as=150000000").arg(env!("CARGO_BIN_EXE_tcplapse"));
    limited.args(["replay", text(&path("changes"))]);
    let outcome = Program::spawn(limited).finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome.stderr.contains("line 2 is damaged (more rows than there were)"),
        "{outcome:?}"
    );
}

#[test]
fn the_text_of_a_damaged_line_is_not_repeated_at_length() {
    let (_folder, path) = folder();
    let line = format!(r#"{{"pass":"{}"}}"#, "x".repeat(1 << 20));
    fs::write(path("damaged"), format!("{HEADER}\n{line}\n{line}\n")).expect("it is ours");
    let outcome = program::run(&["replay", text(&path("damaged"))]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.len() < 1000, "{}", outcome.stderr.len());
}

#[test]
fn counts_of_losses_do_not_wrap() {
    let (_folder, path) = folder();
    let lost =
        |count: u64| format!(r#"{{"lost":{{"time":[1,1],"reason":"ring","count":{count}}}}}"#);
    let lines = [HEADER.to_owned(), lost(u64::MAX), lost(5), String::new()].join("\n");
    fs::write(path("lost"), lines).expect("it is ours");
    let outcome = program::run(&["replay", text(&path("lost"))]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("18,446,744,073,709,551,615 samples lost"), "{outcome:?}");
}

#[test]
fn a_recording_that_is_truncated_goes_on() {
    let (_folder, path) = folder();
    let recording = path("recording");
    let mut procfs = FakeProcfs::new();
    procfs.process(812, "client", 50, &[7, 9]);
    procfs.run(&["-j", "-i", "1ms", "--max-cpu", "100", "-m", "4", "--record", text(&recording)]);
    procfs.poll(&["4000 80 01/7"]);
    procfs.poll(&["4000 80 01/7", "4001 80 02/9"]);
    procfs.poll(&["4000 80 01/7", "4001 80 02/9"]);
    // As `> recording`, and logrotate's copytruncate.
    fs::write(&recording, "").expect("it is ours");
    procfs.poll(&["4000 80 01/7", "4001 80 01/9"]);
    procfs.poll(&["4000 80 08/7", "4001 80 01/9"]);
    let outcome = procfs.finish();
    let message = outcome.messages();
    assert!(message.contains("recording was truncated; recording continues in it"), "{message}");
    let live: Vec<String> =
        outcome.recorded().events.iter().map(|event| event.to.clone()).collect();
    assert_eq!(live, ["ESTABLISHED", "SYN_SENT", "ESTABLISHED", "CLOSE_WAIT"]);
    let replayed = program::run(&["replay", text(&recording), "-j", "client"]).recorded();
    let changes: Vec<(u16, &str)> =
        replayed.events.iter().map(|event| (event.local_port, event.to.as_str())).collect();
    // It begins with the sockets that there were, with their owners.
    assert_eq!(replayed.events[0].event, "present", "{replayed:?}");
    assert_eq!(replayed.events[0].pid, Some(812), "{replayed:?}");
    assert!(changes.ends_with(&[(4001, "ESTABLISHED"), (4000, "CLOSE_WAIT")]), "{replayed:?}");
}

#[test]
fn a_recording_that_somebody_else_writes_to_ends() {
    let (_folder, path) = folder();
    let recording = path("recording");
    let mut procfs = FakeProcfs::new();
    procfs.run(&["-j", "-i", "1ms", "--max-cpu", "100", "-m", "2", "--record", text(&recording)]);
    procfs.poll(&["4000 80 01/7"]);
    procfs.poll(&["4000 80 01/7"]);
    let other = OpenOptions::new().append(true).open(&recording);
    writeln!(other.expect("it is ours"), "{{}}").expect("it is ours");
    procfs.poll(&["4000 80 08/7"]);
    let message = procfs.finish().messages();
    assert!(message.contains("something else writes to this file; recording stopped"), "{message}");
}

#[test]
fn a_followed_recording_may_be_emptied() {
    let (_folder, path) = folder();
    let recording = path("recording");
    let poll = |second: u32, port: u16| {
        format!(
            r#"{{"pass":{{"start":[{second}000000,{second}000000],"end":[{second}000001,{second}000001],"netns":1,"rows":[{{"local":"10.0.0.1:{port}","remote":"10.0.0.2:80","state":"ESTABLISHED","inode":{port}}}]}}}}"#
        )
    };
    let torn = &poll(2, 4001)[..40];
    fs::write(&recording, format!("{HEADER}\n{}\n{torn}", poll(1, 4000))).expect("it is ours");
    let mut follower = Program::start(&["replay", "--follow", "-j", text(&recording)]);
    assert_eq!(follower.event().local_port, 4000);
    let next = HEADER.replace(r#""part":0"#, r#""part":1"#);
    // In place, and longer than what was read.
    let longer = format!("{next}\n{}\n{}\n", poll(3, 4000), "\n".repeat(1000));
    fs::write(&recording, longer).expect("it is ours");
    follower.message_with("was cut while it was read");
    fs::write(&recording, "").expect("it is ours");
    let last = HEADER.replace(r#""part":0"#, r#""part":2"#);
    let another = poll(4, 4002);
    let (_, row) = another.split_once(r#""rows":["#).expect("it has rows");
    let both = poll(4, 4000).replace("]}}", ",") + row;
    fs::write(&recording, format!("{last}\n{both}\n")).expect("it is ours");
    assert_eq!(follower.event().local_port, 4002);
    let outcome = follower.stop();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stderr.contains("damaged"), "{outcome:?}");
}

#[test]
fn a_run_that_watches_a_file_without_a_thread_does_not_panic() {
    let (folder, path) = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    fs::write(path("rules"), NO_RULE).expect("it is ours");
    fs::write(path("recording"), format!("{HEADER}\n")).expect("it is ours");
    let (rules, recording, fixture) = (path("rules"), path("recording"), fixture());
    for args in [
        &["replay", "--follow", text(&recording), "--for", "20ms"][..],
        &["replay", text(&recording), "--rules", text(&rules)],
        &["watch", "--for", "1ms", "--procfs", text(&fixture), "--rules", text(&rules)],
    ] {
        let Some(outcome) = run_without_threads(args) else {
            return skip(Feature::Prlimit, "nobody cannot be limited to one thread here");
        };
        // What is printed may need a thread; then it is refused with a sentence.
        let refused = outcome.stderr.starts_with("tcplapse: cannot start a thread: ");
        assert_eq!(outcome.code, Some(if refused { 2 } else { 0 }), "{outcome:?}");
    }
}

#[test]
fn without_a_watcher_rules_are_checked_once_a_second() {
    let skipped = || skip(Feature::Prlimit, "other users cannot be limited to two threads here");
    if run_without_threads(&["--version"]).is_none() {
        return skipped();
    }
    let (folder, path) = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    fs::write(path("rules"), NO_RULE).expect("it is ours");
    let (rules, fixture) = (path("rules"), fixture());
    // The second thread is the one that prints. The limit is one of the user, who does nothing else.
    let user = 50_000 + std::process::id() % 10_000;
    let mut limited = Command::new("prlimit");
    limited.arg("--nproc=2").arg(env!("CARGO_BIN_EXE_tcplapse")).uid(user).gid(user);
    limited.args(["watch", "-i", "10ms", "-s", "CLOSED", "--ready-fd", "2"]);
    limited.args(["--procfs", text(&fixture), "--rules", text(&rules)]);
    let mut program = Program::spawn(limited);
    program.until_ready();
    program.message_with("rules is checked for changes once a second: no thread can be started");
    fs::write(&rules, "[[rule]]").expect("it is ours");
    program.message_with("the previous rules stay in force");
    let outcome = program.stop();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr.matches("once a second").count(), 1, "{outcome:?}");
}

/// Appends readings to a recording until the program, which follows it, prints a message: it does so
/// with the first reading that it had to wait for.
fn until_printed(program: &Program, message: &str, recording: &mut File) {
    let mut time = 2;
    until(message, || {
        time += 1;
        writeln!(recording, r#"{{"quiet":[[{time},{time}],[{time},{time}]]}}"#).expect("room");
        program.stderr().contains(message).then_some(())
    });
}

#[test]
fn a_recording_is_followed_in_a_folder_that_cannot_be_watched() {
    let (folder, path) = folder();
    let row = r#"{"local":"10.0.0.1:4000","remote":"10.0.0.2:80","state":"ESTABLISHED","inode":7}"#;
    let poll = format!(r#"{{"pass":{{"start":[1,1],"end":[2,2],"netns":1,"rows":[{row}]}}}}"#);
    fs::write(path("recording"), format!("{HEADER}\n{poll}\n")).expect("it is ours");
    // Its files may be read, but not listed.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("it is ours");
    let recording = path("recording");
    let args = ["replay", "--follow", "-j", text(&recording)];
    let Some(mut program) = start_as_nobody(&args) else {
        return skip(Feature::OtherUser, "the program cannot be run as nobody here");
    };
    assert_eq!(program.event().to, "ESTABLISHED");
    let mut file = OpenOptions::new().append(true).open(&recording).expect("it is ours");
    until_printed(&program, "recording is read once a second: Permission denied", &mut file);
    let outcome = program.stop();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr.matches("once a second").count(), 1, "{outcome:?}");
}

/// A thread prints; one that would watch the folder is not needed.
#[test]
fn a_recording_is_followed_with_one_spare_thread() {
    if run_without_threads(&["--version"]).is_none() {
        return skip(Feature::Prlimit, "other users cannot be limited to a few threads here");
    }
    let (folder, path) = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let poll = |at: u64, state: &str| {
        let ends = r#""local":"10.0.0.1:4000","remote":"10.0.0.2:80","inode":7"#;
        let row = format!(r#"{{{ends},"state":"{state}"}}"#);
        format!(r#"{{"pass":{{"start":[{at},{at}],"end":[{at},{at}],"netns":1,"rows":[{row}]}}}}"#)
    };
    let recording = path("recording");
    fs::write(&recording, format!("{HEADER}\n{}\n", poll(1, "ESTABLISHED"))).expect("it is ours");
    // The limit is one of the user, who does nothing else.
    let user = 40_000 + std::process::id() % 10_000;
    let mut limited = Command::new("prlimit");
    limited.arg("--nproc=2").arg(env!("CARGO_BIN_EXE_tcplapse")).uid(user).gid(user);
    limited.args(["replay", "--follow", "-j", "-m", "2", text(&recording)]);
    let mut program = Program::spawn(limited);
    program.until("the first poll", |event| event.to == "ESTABLISHED");
    let mut file = OpenOptions::new().append(true).open(&recording).expect("it is there");
    let message = "is read once a second: no thread can be started";
    until_printed(&program, message, &mut file);
    writeln!(file, "{}", poll(200_000, "CLOSE_WAIT")).expect("there is room");
    program.until("the second poll", |event| event.to == "CLOSE_WAIT");
    let outcome = program.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr.matches(message).count(), 1, "{outcome:?}");
}

#[test]
fn a_run_of_a_command_takes_no_rules() {
    let (_folder, path) = folder();
    fs::write(path("rules"), NO_RULE).expect("it is ours");
    let outcome = program::run(&["run", "--rules", text(&path("rules")), "--", "true"]);
    assert_refused(&outcome, "--rules");
}

#[test]
fn a_missing_descriptor_is_not_called_a_missing_module() {
    let Some(refusals) = refusals_with_few_descriptors(&["list", "--source", "netlink"]) else {
        return skip(Feature::Prlimit, "prlimit is missing");
    };
    assert!(refusals.iter().any(|messages| messages.contains("over netlink")), "{refusals:?}");
    for messages in refusals {
        assert!(!messages.contains("modprobe"), "{messages}");
        assert!(messages.contains("open files"), "{messages}");
    }
}

//! What is typed wrong, and what cannot be read: one sentence on standard error, status 2.

use super::{run, text};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// What is said on standard error; nothing is on standard output, and the status is 2.
fn refused(line: &str) -> String {
    let output = run(line);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{line}");
    text(&output.stderr).to_owned()
}

#[test]
fn wrong_values_are_named_with_what_to_write() {
    for (line, told) in [
        ("list -s ESTABLISHT", "'ESTABLISHT' is no TCP state; states are LISTEN"),
        ("list (", "'(' is no regular expression: unclosed group"),
        ("-i 10 client --max-cpu 0", "--max-cpu takes percent"),
        ("-i fast", "'fast' is no duration; write 250ms"),
        ("-i 10us", "--interval must be 1ms or longer"),
        ("list --local 10.0.0.0/40", "'10.0.0.0/40' is no address filter; write 10.0.0.0/8"),
        ("list --port http", "--port takes 443 or 8000-8999, not 'http'"),
        ("list --pid init", "--pid takes process ids such as 812, not 'init'"),
        ("list --user no-such-user", "there is no user 'no-such-user'"),
        ("list -u", "TCP only"),
        ("-apu client", "TCP only"),
        ("wait --until LISTEN", "--until: 'LISTEN' alone is no condition; write 'any LISTEN'"),
        ("check", "check needs to know what is wrong; write --stuck CLOSE_WAIT:60s"),
        ("check --stuck CLOSE_WAIT", "--stuck takes STATE:AGE such as CLOSE_WAIT:60s"),
        ("check --stuck OPEN:60s", "--stuck: 'OPEN' is no TCP state"),
        ("check --stuck CLOSE_WAIT:long", "'long' is no duration"),
        ("check --max TIME_WAIT:many", "--max takes STATE:COUNT such as TIME_WAIT:1000"),
        ("check --growing CLOSE_WAIT", "--growing needs a time to grow in; add --for 10m"),
        ("check --stuck CLOSE_WAIT:60s --for 5s", "In 5s nothing can be seen to be stuck for 60s"),
        ("list --rules x.toml", "list judges by no --rules; write tcplapse watch --rules"),
        ("watch --rules /no/such/file", "cannot read /no/such/file: No such file"),
        ("wait --for 5s", "to give up, write --timeout '5s'"),
        ("wait --timeout soon", "'soon' is no duration"),
    ] {
        let said = refused(line);
        assert!(said.starts_with("tcplapse: ") && said.contains(told), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(refused("list --no-such-flag").contains("--no-such-flag"));
}

#[test]
fn what_was_probably_meant_is_hinted_at_and_works() {
    let digits = run("list 812");
    assert!(text(&digits.stderr).contains("--pid 812"), "{}", text(&digits.stderr));
    let slip = run("lists --for 10ms");
    assert!(text(&slip.stderr).contains("tcplapse list"), "{}", text(&slip.stderr));
    assert_eq!(slip.status.code(), Some(0));
}

fn with_tables(tcp: &[u8], line: &str) -> std::process::Output {
    let procfs = tempfile::tempdir().unwrap();
    fs::create_dir(procfs.path().join("net")).unwrap();
    fs::write(procfs.path().join("net/tcp"), tcp).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(line.split_whitespace())
        .arg("--procfs")
        .arg(procfs.path())
        .output()
        .unwrap()
}

fn real_table() -> String {
    fs::read_to_string(super::fixture().join("net/tcp")).unwrap()
}

#[test]
fn a_broken_line_costs_only_itself_and_is_told_once() {
    let table = real_table().replacen("0100587F:D97F", "junk", 1);
    let table = table.replacen("   5: 0100587F:D9FB", "   5: torn", 1);
    let output = with_tables(table.as_bytes(), "list -H");
    assert_eq!(text(&output.stdout).lines().count(), 26);
    let said = text(&output.stderr);
    assert!(said.contains("net/tcp, line 7: not a row of a TCP table, left out"), "{said}");
    assert_eq!(said.matches("not a row").count(), 1);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn odd_tables_are_read_as_far_as_they_go() {
    let unknown = real_table().replace(" 0B ", " 1F ").replace(" 09 ", " 0C ");
    let output = with_tables(unknown.as_bytes(), "list -H -s unknown(0x1f),SYN_RECV");
    let shown = text(&output.stdout);
    assert!(shown.contains(" UNKNOWN(0x1F) ") && shown.contains("127.0.0.1:34178"), "{shown}");
    for table in ["", "\n\n", "  sl  local_address rem_address"] {
        let output = with_tables(table.as_bytes(), "list");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""), "{table:?}");
    }
    let no_newline = real_table().trim_end().to_owned();
    assert_eq!(text(&with_tables(no_newline.as_bytes(), "list -H").stdout).lines().count(), 27);
    let output = with_tables(&vec![0xff; 200_000], "list");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn tables_that_vanish_end_the_run_and_no_socket() {
    let procfs = tempfile::tempdir().unwrap();
    fs::create_dir(procfs.path().join("net")).unwrap();
    fs::write(procfs.path().join("net/tcp"), real_table()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["-i", "10ms", "--procfs"])
        .arg(procfs.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    fs::remove_file(procfs.path().join("net/tcp")).unwrap();
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("net/tcp: No such file"), "{}", text(&output.stderr));
    assert!(!rest.contains("CLOSED"), "{rest}");
}

#[test]
fn a_procfs_without_tables_is_an_error_with_a_way_out() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .args(["list", "--procfs"])
        .arg(empty.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("net/tcp: ") && said.contains("/host/proc"), "{said}");
}

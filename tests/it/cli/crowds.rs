//! More sockets than are told of at a time: what is drawn or judged is nevertheless all of them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use tempfile::TempDir;

const SOCKETS: usize = 3000;

/// A procfs with so many established connections, all held by one process.
fn crowd() -> TempDir {
    let procfs = tempfile::tempdir().expect("a folder");
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    for number in 0..SOCKETS {
        let inode = number + 1;
        writeln!(
            table,
            "{number}: 0100007F:0050 0200007F:{inode:04X} 01 00000000:00000000 00:00000000 \
             00000000 0 0 {inode} 1 0000000000000000 20 4 30 10 -1"
        )
        .expect("a string takes it");
    }
    let home = procfs.path().join("7");
    fs::create_dir_all(home.join("fd")).expect("a folder");
    fs::write(home.join("comm"), "holder\n").expect("a file");
    let stat =
        format!("7 (holder) S 1 1 1 0 -1{} 20 0 1 0 50{}\n", " 0".repeat(10), " 0".repeat(30));
    fs::write(home.join("stat"), stat).expect("a file");
    for number in 0..SOCKETS {
        let descriptor = home.join("fd").join((number + 3).to_string());
        symlink(format!("socket:[{}]", number + 1), descriptor).expect("a link");
    }
    fs::create_dir(procfs.path().join("net")).expect("a folder");
    fs::write(procfs.path().join("net/tcp"), table).expect("a file");
    procfs
}

/// What a run prints, and what it says beside.
fn run(args: &[&str]) -> (String, String) {
    let procfs = crowd();
    let output = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
        .arg("--procfs")
        .arg(procfs.path())
        .args(args)
        .output()
        .expect("the program was built for this test");
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr))
}

#[test]
fn a_diagram_that_is_full_at_once_shows_all_sockets() {
    let (printed, said) = run(&["--view", "diagram", "-m", "1", "-j"]);
    assert!(printed.contains(&format!("\"ESTABLISHED\":{SOCKETS}")), "{printed}");
    assert!(said.contains(&format!("lives seen {SOCKETS} (still open {SOCKETS})")), "{said}");
}

#[test]
fn who_wants_a_few_records_has_seen_all_sockets() {
    let (printed, said) = run(&["-m", "3", "-j"]);
    assert_eq!(printed.lines().count(), 3);
    assert!(printed.contains("\"holder\""), "{printed}");
    assert!(said.contains(&format!("lives seen {SOCKETS} (still open {SOCKETS})")), "{said}");
}

#[test]
fn a_rule_is_held_against_all_sockets_of_a_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[[rule]]\nname = \"many\"\nstate = \"ESTABLISHED\"\nat_least = 5\n")
        .expect("a file");
    let rules = rules.to_str().expect("UTF-8");
    let (printed, _) = run(&["-j", "--rules", rules, "--for", "1ms"]);
    let alerts: Vec<&str> = printed.lines().filter(|line| line.contains("\"alert\"")).collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].contains(&format!("\"count\":{SOCKETS}")), "{}", alerts[0]);
    assert_eq!(printed.matches("\"present\"").count(), SOCKETS);
}

//! More sockets than are handled at a time: what is counted is nevertheless all of them.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::Outcome;
use std::fmt::Write as _;

const SOCKETS: usize = 3000;

/// So many are found by an index.
const SHARERS: u64 = 500;

/// Where `SO_REUSEPORT` sockets listen, all on one address, with these inodes.
fn listeners(inodes: std::ops::Range<u64>) -> String {
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    for inode in inodes {
        writeln!(
            table,
            "0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 {inode} \
             1 0000000000000000 100 0 0 10 0"
        )
        .expect("a string takes it");
    }
    table
}

/// A run on so many established connections, all held by one process.
fn run(args: &[&str]) -> Outcome {
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    for inode in 1..=SOCKETS {
        writeln!(
            table,
            "{inode}: 0100007F:0050 0200007F:{inode:04X} 01 00000000:00000000 00:00000000 \
             00000000 0 0 {inode} 1 0000000000000000 20 4 30 10 -1"
        )
        .expect("a string takes it");
    }
    let mut procfs = FakeProcfs::with_table(&table);
    procfs.process(7, "holder", 50, &(1..=SOCKETS as u64).collect::<Vec<_>>());
    procfs.run(args);
    let outcome = procfs.finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

fn assert_all_counted(outcome: &Outcome) {
    let all = "seen: 3,000 sockets (3,000 still there)";
    assert!(outcome.stderr.contains(all), "{}", outcome.stderr);
}

#[test]
fn a_diagram_of_one_poll_counts_all_sockets() {
    let outcome = run(&["--view", "diagram", "-m", "1", "-j"]);
    let count = format!("\"ESTABLISHED\":{SOCKETS}");
    assert!(outcome.stdout.contains(&count), "{}", outcome.stdout);
    assert_all_counted(&outcome);
}

#[test]
fn a_few_records_are_printed_after_a_whole_poll() {
    let outcome = run(&["-m", "3", "-j"]);
    assert_eq!(outcome.stdout.lines().count(), 3);
    assert!(outcome.stdout.contains("\"holder\""), "{}", outcome.stdout);
    assert_all_counted(&outcome);
}

#[test]
fn a_rule_counts_all_sockets_of_a_poll() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    let rule = "[[rule]]\nname = \"many\"\nstate = \"ESTABLISHED\"\nat_least = 5\n";
    std::fs::write(&rules, rule).expect("the folder is ours");
    let rules = rules.to_str().expect("UTF-8");
    let outcome = run(&["-j", "--rules", rules, "--for", "1ms"]);
    let lines = outcome.stdout.lines();
    let alerts: Vec<&str> = lines.filter(|line| line.contains("\"alert\"")).collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].contains(&format!("\"count\":{SOCKETS}")), "{}", alerts[0]);
    assert_eq!(outcome.stdout.matches("\"present\"").count(), SOCKETS);
}

#[test]
fn many_listeners_share_an_address() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(7, "holder", 50, &[1, SHARERS + 1]);
        procfs.watch(3, &["holder"]);
        // All of them are replaced by as many others.
        for first in [1, 1, SHARERS + 1, SHARERS + 1] {
            procfs.poll_table(&listeners(first..first + SHARERS));
        }
        let kinds = [procfs.event(), procfs.event(), procfs.event()].map(|event| event.event);
        assert_eq!(kinds, ["present", "closed", "opened"]);
        procfs.end();
    });
}

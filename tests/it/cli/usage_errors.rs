//! Wrong usage: one sentence on standard error that names the flag and says what to write, status 2.

use super::run;
use crate::support::program::{Program, command};

/// Command lines, and the sentence for each.
const MISTAKES: &[(&str, &str)] = &[
    ("list --no-such-flag", "there is no --no-such-flag; see tcplapse help list"),
    (
        "list --netns x",
        "--netns: there is no network namespace 'x'; write a name that ip netns list prints, a path, pid:N, \
         container:ID or all",
    ),
    ("list --formt json", "there is no --formt; did you mean --format?"),
    ("lsit --top 3", "there is no command 'lsit'; did you mean list?"),
    ("list -Z", "there is no -Z; see tcplapse help list"),
    ("list -j=3", "'=' cannot follow a flag that takes no value; leave it out"),
    ("--verison", "there is no --verison; did you mean --version?"),
    (
        "list --process nginx",
        "there is no --process; write the name of a process without a flag, as in tcplapse list nginx",
    ),
    (
        "watch --from FILE",
        "--from cannot be used with watch, which shows what happens now; for a recording use tcplapse \
         replay FILE",
    ),
    (
        "replay FILE --since -5m",
        "--since: '-5m' is not a time; write 14:03, 14:03:22.5, 2026-11-28T14:03 or RFC 3339",
    ),
    ("list --listen", "there is no --listen; did you mean --listening?"),
    (
        "wait -l -s ESTABLISHED",
        "--state and --listening leave no state to show; leave out one of them",
    ),
    (
        "list -l -s CLOSE_WAIT",
        "--state and --listening leave no state to show; leave out one of them",
    ),
    (
        "--utc --time epoch",
        "--utc has no effect without times by the clock (--time clock or rfc3339); leave it out",
    ),
    (
        "list --for 3s",
        "--for cannot be used with list, which takes one snapshot; leave it out, or use tcplapse watch",
    ),
    (
        "list -i",
        "-i cannot be used with list, which takes one snapshot; for what ss -i shows, write --tcp-info",
    ),
    (
        "list --view table",
        "--view cannot be used with list, which prints a table; for other views use tcplapse watch --view",
    ),
    (
        "list --time epoch",
        "--time cannot be used with list, which prints no times as text; leave it out",
    ),
    (
        "list --rules x.toml",
        "--rules cannot be used with list; leave it out, or use it with watch or replay",
    ),
    (
        "list --source trace",
        "--source trace follows transitions, of which list shows none; use --source netlink",
    ),
    (
        "list --source foo",
        "--source: 'foo' is not a valid value; write proc, netlink, trace or auto",
    ),
    ("list --format svg", "--format: 'svg' is not a valid value; write text, json or csv"),
    ("list -j --format csv", "--json cannot be used with --format; leave one of them out"),
    ("list --pid", "--pid needs a value; write --pid PID"),
    ("list --pid init", "--pid: 'init' is not a process id; write a number such as 812"),
    ("list --pid 0", "--pid: '0' is not a process id; write a number such as 812"),
    ("list --user no-such-user", "--user: there is no user 'no-such-user'; write a name or a uid"),
    (
        "list -s OPEN",
        "--state: 'OPEN' is not a TCP state; write LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT, CLOSED, or a group (connected, synchronized, bucket, big, all); ^STATE excludes one",
    ),
    ("list -s ESTABLISHT", "--state: 'ESTABLISHT' is not a TCP state; did you mean ESTABLISHED?"),
    ("list --pid -5", "--pid: '-5' is not a process id; write a number such as 812"),
    ("list -s LISTEN,", "--state: a state is missing; write a list such as LISTEN,CLOSE_WAIT"),
    ("list -s LISTEN^", "--state: 'LISTEN^' is not a TCP state; did you mean ^LISTEN?"),
    (
        "check --stuck CLOS_WAIT:60s",
        "--stuck: 'CLOS_WAIT' is not a TCP state; did you mean CLOSE_WAIT?",
    ),
    (
        "check --stuck 60s:CLOSE_WAIT",
        "--stuck: '60s:CLOSE_WAIT' has the states last; write CLOSE_WAIT:60s",
    ),
    (
        "check --max 1000:TIME_WAIT",
        "--max: '1000:TIME_WAIT' has the states last; write TIME_WAIT:1000",
    ),
    (
        "list --port 99999",
        "--port: '99999' is above 65535, the highest port; write one from 1 to 65535",
    ),
    (
        "list --local localhost:99999",
        "--local: '99999' is above 65535, the highest port; write one from 1 to 65535",
    ),
    (
        "list --remote :9000-8000",
        "--remote: '9000-8000' begins with the higher port; write 8000-9000",
    ),
    (
        "list --remote 2001:db8::/129",
        "--remote: '2001:db8::/129' has a prefix of more than 128 bits; write 2001:db8::/128 or less",
    ),
    (
        "list (",
        "PATTERN: '(' is not a valid regular expression (unclosed group); put \\ before characters that are meant literally",
    ),
    (
        "list --local 10.0.0.0/40",
        "--local: '10.0.0.0/40' has a prefix of more than 32 bits; write 10.0.0.0/32 or less",
    ),
    ("list --local 8080", "--local: '8080' has no colon; write :8080 for a port"),
    (
        "list --remote 10.0.0.1:nosuch",
        "--remote: '10.0.0.1:nosuch' is not a valid address; write 10.0.0.0/8, 192.0.2.7:443, :443, :8000-8999, [::1]:80, [2001:db8::/32]:443 or fe80::1%eth0",
    ),
    (
        "list --port nosuch",
        "--port: 'nosuch' is not a port or a known service; write 443, 8000-8999 or https",
    ),
    ("list --port 9-1", "--port: '9-1' begins with the higher port; write 1-9"),
    ("list -x", "--exact has no effect without a PATTERN; leave it out"),
    ("list -u", "only TCP sockets can be shown; leave out -u, -w, -S and --unix, or use ss"),
    ("list -c", "there is no -c; tcplapse watch is continuous without it"),
    ("list -m x", "--max-count: 'x' is not a number of records; write 10"),
    ("list -m -1", "--max-count: '-1' is not a number of records; write 10"),
    ("-i 10us", "--interval: '10us' is too short; write 1ms or longer"),
    (
        "-i -1s",
        "--interval: '-1s' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d",
    ),
    (
        "-i fast",
        "--interval: 'fast' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d",
    ),
    ("--for", "--for needs a value; write --for DUR"),
    (
        "--for --json",
        "--for: '--json' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d",
    ),
    ("--max-cpu 0", "--max-cpu: '0' is not a percentage from 0.1 to 100; write 25"),
    ("--max-cpu ten", "--max-cpu: 'ten' is not a percentage from 0.1 to 100; write 25"),
    ("--ring 1MiB", "--ring has no effect without --source trace; leave it out"),
    (
        "--ring 1GiB --source trace",
        "--ring: '1GiB' is out of range; write a size from 16KiB to 256MiB",
    ),
    (
        "--source netlink --procfs /x",
        "--procfs /x can be read by --source proc only; leave out one of them",
    ),
    (
        "--record -",
        "--record needs a file, since records are printed to standard output; write --record FILE",
    ),
    (
        "--ready-fd 1",
        "--ready-fd: '1' is not a usable file descriptor; write 2 (standard error) or higher",
    ),
    (
        "--ready-fd x",
        "--ready-fd: 'x' is not a usable file descriptor; write 2 (standard error) or higher",
    ),
    ("-e", "--extend has no effect without a table as text (--view table); leave it out"),
    ("--label host=a", "--label has no effect without --format json or csv; leave it out"),
    (
        "--view diagram --format svg --label host=a",
        "--label has no effect without --format json or csv; leave it out",
    ),
    ("list -j --label host", "--label: 'host' is not KEY=VALUE; write host=web1"),
    (
        "list -j --label 1st=a",
        "--label: '1st' is not a valid key; write letters, digits, '_', '.' and '-' only, and a letter or '_' first",
    ),
    (
        "list -j --label pid=a",
        "--label: records have a key 'pid' already; write another, such as label_pid",
    ),
    (
        "list -j --label a=b --label a=c",
        "--label: the key 'a' is given twice; leave one of them out",
    ),
    (
        "wait --label a=b",
        "--label cannot be used with wait; leave it out, or use it with watch, list, replay, run or check",
    ),
    (
        "export --listen 9713",
        "--listen: '9713' is not an address and a port; write 127.0.0.1:9713, [::1]:9713 or unix:PATH",
    ),
    (
        "export --textfile a.txt",
        "--textfile: 'a.txt' does not end with .prom, and node_exporter reads no others; write FILE.prom",
    ),
    ("export --limit 0", "--limit: '0' is not a number of groups from 1 to 10000; write 50"),
    (
        "export --by state,process",
        "--by state is no group besides the state; leave it out, or leave out the others",
    ),
    (
        "export --by remote",
        "--by: 'remote' is not a valid value; write process, unit, container, local-port or state",
    ),
    (
        "export --listen 127.0.0.1:0 --textfile a.prom",
        "--listen cannot be used with --textfile; leave one of them out",
    ),
    (
        "export -j",
        "-j cannot be used with export; leave it out, or use it with watch, list, replay, run or check",
    ),
    (
        "export --listen 192.0.2.1:9713",
        "cannot listen on 192.0.2.1:9713: Cannot assign requested address; write another address with --listen",
    ),
    ("--utc -j", "--utc has no effect without text; leave it out"),
    ("list -j --color always", "--color has no effect without text; leave it out"),
    ("explain --format svg --color always", "--color has no effect without text; leave it out"),
    (
        "--view diagram --time epoch",
        "--time has no effect without a view that prints times, such as timeline; leave it out",
    ),
    (
        "--view table --time elapsed",
        "--time has no effect without a view that prints times, such as timeline; leave it out",
    ),
    (
        "--view summary --utc",
        "--utc has no effect without a view that prints times, such as timeline; leave it out",
    ),
    (
        "replay FILE --view table --since 14:03",
        "--since has no effect without a view of what happened, such as events; leave it out",
    ),
    ("list -n -r", "--numeric and --resolve contradict each other; leave out one of them"),
    (
        "export --by state --limit 5",
        "--limit has no effect without groups, of which --by state makes none; leave it out",
    ),
    (
        "--format svg",
        "--format svg, dot and mermaid need --view diagram; add it, or use --format text",
    ),
    (
        "--view foo",
        "--view: 'foo' is not a valid value; write events, timeline, table, diagram, summary or top",
    ),
    ("--color red", "--color: 'red' is not a valid value; write auto, always or never"),
    (
        "--rules /no/such/file",
        "cannot read /no/such/file: No such file or directory; check the path",
    ),
    ("-i 1s -i 2s", "--interval is given twice; leave one out"),
    ("--exact=foo a", "--exact takes no value 'foo'; leave it out"),
    ("replay", "replay needs FILE; see tcplapse help replay"),
    ("replay --follow -", "standard input is always read as it comes; leave out --follow"),
    (
        "replay --for 1s x",
        "--for ends a replay that follows a growing file; add --follow, or leave it out",
    ),
    (
        "replay --interval 1s x",
        "--interval cannot be used with replay, which reads samples that were taken before; leave it out",
    ),
    ("run", "run needs a command after '--'; write tcplapse run -- COMMAND"),
    (
        "run --for 1s -- true",
        "--for cannot be used with run, which ends with its command; to end the wait after it, use --linger",
    ),
    ("run --view table -- true", "--view: 'table' is not a valid value; write timeline or summary"),
    (
        "run --procfs /x -- true",
        "--procfs cannot be used with run, which follows processes that it starts itself; leave it out",
    ),
    (
        "run --ready-fd 2 -- true",
        "--ready-fd cannot be used with run, which starts its command after the first poll; leave it out",
    ),
    (
        "wait --for 5s",
        "--for cannot be used with wait, which ends when its condition holds; to give up earlier, use --timeout",
    ),
    ("wait --until LISTEN", "--until: 'LISTEN' is not a condition; write 'any LISTEN'"),
    ("wait --until", "--until needs a value; write --until EXPR"),
    (
        "wait --until foo",
        "--until: unknown condition 'foo'; write any SET, none SET, all SET or 'count SET >= N'",
    ),
    (
        "wait --until count",
        "--until: the comparison after 'count' is missing; write count SET OP N, such as 'count ESTABLISHED >= 5'",
    ),
    (
        "wait --timeout soon",
        "--timeout: 'soon' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d",
    ),
    (
        "wait --view table",
        "--view cannot be used with wait; leave it out, or use it with watch, replay or run",
    ),
    (
        "wait -j",
        "-j cannot be used with wait; leave it out, or use it with watch, list, replay, run or check",
    ),
    (
        "check",
        "check needs a limit; write --stuck CLOSE_WAIT:60s, --max TIME_WAIT:1000, --ports 80% or --growing CLOSE_WAIT --for 10m",
    ),
    ("check --stuck CLOSE_WAIT", "--stuck: 'CLOSE_WAIT' is not STATE:AGE; write CLOSE_WAIT:60s"),
    (
        "check --stuck OPEN:60s",
        "--stuck: 'OPEN' is not a TCP state; write LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT, CLOSED, or a group (connected, synchronized, bucket, big, all); ^STATE excludes one",
    ),
    (
        "check --stuck CLOSE_WAIT:long",
        "--stuck: 'long' is not a valid duration; write 250ms, 1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d",
    ),
    (
        "check --max TIME_WAIT:many",
        "--max: 'TIME_WAIT:many' is not STATE:COUNT; write TIME_WAIT:1000",
    ),
    ("check --growing CLOSE_WAIT --for 0", "--growing needs a time to watch; add --for 10m"),
    ("check --growing CLOSE_WAIT", "--growing needs a time to watch; add --for 10m"),
    (
        "check --stuck CLOSE_WAIT:60s --for 5s",
        "--for 5s is shorter than the --stuck age 60s; leave it out, or make it longer",
    ),
    (
        "check --max all:1 --from x -i 1s",
        "--interval cannot be used with --from, since a recording is sampled already; leave it out",
    ),
    (
        "check --view table --max all:1",
        "--view cannot be used with check; leave it out, or use it with watch, replay or run",
    ),
    (
        "explain FOO",
        "'FOO' is not a TCP state; write one of CLOSED, LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED, CLOSE_WAIT, LAST_ACK, FIN_WAIT1, FIN_WAIT2, CLOSING, TIME_WAIT",
    ),
    ("explain A B C", "unexpected argument 'C'; see tcplapse help explain"),
    (
        "explain LISTEN --format svg",
        "--format is for the diagram; leave it out, or leave out the states",
    ),
    (
        "explain 0x55",
        "'0x55' is not a TCP state; write one of CLOSED, LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED, CLOSE_WAIT, LAST_ACK, FIN_WAIT1, FIN_WAIT2, CLOSING, TIME_WAIT",
    ),
    ("completions", "completions needs SHELL; see tcplapse help completions"),
    (
        "completions tcsh",
        "SHELL: 'tcsh' is not a valid value; write bash, elvish, fish, powershell or zsh",
    ),
    ("completions bash x", "unexpected argument 'x'; see tcplapse help completions"),
    ("help foo", "there is no command 'foo'; see tcplapse --help"),
    ("help list x", "help takes one command; write tcplapse help list or tcplapse list x"),
    (
        "help explain CLOSE_WAIT",
        "help takes one command; write tcplapse help explain or tcplapse explain CLOSE_WAIT",
    ),
    ("list --user -1", "--user: there is no user '-1'; write a name or a uid"),
    (
        "list --port 0",
        "--port: '0' includes 0, which stands for no port; write ports from 1 to 65535",
    ),
    ("--sort local", "--sort cannot be used with watch; leave it out, or use it with list"),
    ("version x", "unexpected argument 'x'; see tcplapse help version"),
];

/// What is printed on standard error; nothing is on standard output, and the status is 2.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let outcome = Program::spawn(command(args)).finish();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{args:?}");
    outcome.stderr
}

#[test]
fn every_mistake_is_one_sentence_that_says_what_to_write() {
    let is_of_feature = |line: &str, sentence: &str| {
        !cfg!(feature = "bpf") && sentence.contains("trace or auto")
            || !cfg!(feature = "tui") && sentence.contains("summary or top")
            || !cfg!(feature = "export") && line.starts_with("export ")
    };
    for (line, sentence) in MISTAKES {
        if is_of_feature(line, sentence) {
            continue;
        }
        let args: Vec<&str> = line.split(' ').collect();
        assert_eq!(refused(&args), format!("tcplapse: {sentence}\n"), "{line}");
    }
}

#[test]
fn what_was_typed_is_shown_without_its_control_characters() {
    for args in [["list", "(\x1b[2J"], ["list", "--port=\u{202e}1"], ["list", "--no\nflag"]] {
        let message = refused(&args);
        let end = message.strip_suffix('\n').expect("a line");
        assert!(!end.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message:?}");
    }
    assert!(
        refused(&["list", "(\x1b[2J"]).contains(r"'(\x1b[2J' is not a valid regular expression")
    );
}

#[test]
fn probable_slips_are_pointed_out_and_run() {
    for (line, hint) in [
        ("list 812", "did you mean --port 812 or --pid 812?"),
        ("list :443", "did you mean --port 443?"),
        ("list 10.0.0.1", "did you mean --local 10.0.0.1 or --remote 10.0.0.1?"),
        ("list CLOSE_WAIT", "did you mean --state CLOSE_WAIT?"),
        ("-i 1 ms --for 1ms", "write a time as one word, such as 100ms"),
        ("lists --for 1ms", "for the command write tcplapse list"),
        ("hlep --for 1ms", "for the command write tcplapse help"),
        ("list --remote ::1:80", "for port 80 write [::1]:80"),
        ("list -tulpn", "only TCP sockets are shown"),
    ] {
        let outcome = run(line);
        assert!(outcome.stderr.contains(hint), "{line}: {}", outcome.stderr);
        assert_ne!(outcome.code, Some(2), "{line}");
    }
}

#[test]
fn a_process_that_does_not_exist_is_named() {
    // Above any pid that Linux gives.
    for question in [
        &["list"][..],
        &["watch", "--for", "1ms"],
        &["check", "--max", "LISTEN:0"],
        &["wait", "--until", "none LISTEN"],
    ] {
        let outcome =
            Program::spawn(command(&[question, &["--pid", "2147483647"]].concat())).finish();
        assert!(outcome.stderr.contains("there is no process 2147483647"), "{outcome:?}");
        assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(2), 1), "{outcome:?}");
    }
    let outcome = run("list --pid 812,2147483647");
    assert!(outcome.stderr.contains("there is no process 2147483647"), "{outcome:?}");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_command_in_another_network_namespace_is_refused() {
    for (enter, command) in [
        ("ip netns exec blue", "curl -s host"),
        ("sudo -n /sbin/ip netns exec blue", "curl"),
        ("nsenter -t 812 -n", "curl -n"),
        ("unshare -rn", "sh -c true"),
    ] {
        let line = format!("{enter} {command}");
        let args: Vec<&str> = ["run", "--"].into_iter().chain(line.split(' ')).collect();
        let outcome = Program::spawn(super::command(&args)).finish();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        let instead = format!("{enter} tcplapse run -- {command}");
        assert!(outcome.stderr.contains(&instead), "{outcome:?}");
    }
}

#[test]
fn to_count_sockets_in_closed_is_refused() {
    for line in [
        "check --stuck CLOSED:1s",
        "check --max CLOSE:0",
        "check --growing closed",
        "wait --until none=CLOSED",
        "wait -s CLOSED",
    ] {
        let args: Vec<String> = line.split(' ').map(|word| word.replace('=', " ")).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = Program::spawn(command(&args)).finish();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("none of the kernel's tables"), "{outcome:?}");
    }
}

#[test]
fn the_directory_of_a_process_is_not_a_procfs() {
    let outcome = Program::spawn(command(&["list", "--procfs", "/proc/self"])).finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("is the directory of one process"), "{outcome:?}");
}

#[test]
fn quiet_runs_say_nothing_but_errors() {
    let outcome = run("list -q 812");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
    let outcome = run("watch -q client --for 10ms");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    assert!(refused(&["list", "-q", "--port", "x-y"]).starts_with("tcplapse: --port: "));
}

#[test]
fn help_and_version_are_commands_too() {
    let print = |args: &[&str]| Program::spawn(command(args)).finish();
    let version = format!("tcplapse {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["version"][..], &["--version"], &["-V"]] {
        assert_eq!(print(args).stdout, version);
    }
    assert_eq!(print(&["help"]).stdout, print(&["--help"]).stdout);
    let of_wait = print(&["help", "wait"]);
    assert_eq!(of_wait.stdout, print(&["wait", "--help"]).stdout);
    assert_eq!((of_wait.code, of_wait.stderr.as_str()), (Some(0), ""));
    let places = ["--until", "--state", "--interval"].map(|flag| of_wait.stdout.find(flag));
    assert!(places.is_sorted() && places[0].is_some(), "its own options come first");
    for foreign in ["--view", "--format", "--utc", "--rules", "--max-count"] {
        assert!(!of_wait.stdout.contains(foreign), "{foreign}");
    }
}

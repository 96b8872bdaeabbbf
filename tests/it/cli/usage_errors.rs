//! Wrong usage: one sentence on standard error that says what to write, status 2.

use super::run;

/// What is printed on standard error; nothing is on standard output, and the status is 2.
fn refused(line: &str) -> String {
    let outcome = run(line);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{line}");
    outcome.stderr
}

#[test]
fn wrong_values_are_named_with_what_to_write() {
    for (line, expected) in [
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
        let message = refused(line);
        let named = message.starts_with("tcplapse: ") && message.contains(expected);
        assert!(named, "{line}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    assert!(refused("list --no-such-flag").contains("--no-such-flag"));
}

#[test]
fn probable_slips_are_pointed_out_and_run() {
    let digits = run("list 812");
    assert!(digits.stderr.contains("--pid 812"), "{digits:?}");
    let slip = run("lists --for 1ms");
    assert!(slip.stderr.contains("tcplapse list"), "{slip:?}");
    assert_eq!(slip.code, Some(0));
}

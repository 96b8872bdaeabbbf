//! Kernels that have no sock_diag for TCP: what needs it says so, and nothing is called empty for it.

use crate::support::netns::isolated;
use crate::support::no_sock_diag::run_without_sock_diag;
use crate::support::sockets::{ANY_PORT, end, listener};

const WHAT: &str = "cannot query TCP sockets over netlink: No such file or directory";
const REMEDY: &str = "load the kernel's module tcp_diag (modprobe tcp_diag)";

/// Runs `body` with the port of a listener in a network namespace of the test's own.
fn with_listener(body: impl Fn(u16) + Send + Sync) {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        body(end(&server.local_addr()).port());
    });
}

#[test]
fn auto_reads_namespaces_by_procfs() {
    with_listener(|port| {
        let port = port.to_string();
        let args = ["list", "--netns", "all", "--source", "auto", "--port", &port];
        let Some(outcome) = run_without_sock_diag(&args) else { return };
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let message = format!("tcplapse: using --source proc: {WHAT}; {REMEDY}\n");
        assert!(outcome.stderr.contains(&message), "{outcome:?}");
    });
}

#[test]
fn netlink_is_refused_and_not_called_empty() {
    with_listener(|port| {
        let port = port.to_string();
        let all = ["list", "--netns", "all", "--source", "netlink", "--port", &port];
        for args in [&["list", "--source", "netlink", "--port", &port][..], &all] {
            let Some(outcome) = run_without_sock_diag(args) else { return };
            assert_eq!(outcome.code, Some(2), "{outcome:?}");
            let message = format!("tcplapse: {WHAT}; {REMEDY}, or use --source proc\n");
            assert_eq!(outcome.stderr, message);
        }
    });
}

#[test]
fn auto_says_once_what_is_lacking() {
    with_listener(|port| {
        let port = port.to_string();
        let args = ["watch", "--source", "auto", "--for", "1ms", "--port", &port];
        let Some(outcome) = run_without_sock_diag(&args) else { return };
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains("LISTEN (present)"), "{outcome:?}");
        assert!(outcome.stderr.contains("using --source proc: "), "{outcome:?}");
        assert_eq!(outcome.stderr.matches(REMEDY).count(), 1, "{outcome:?}");
        assert!(!outcome.stderr.contains("or use --source"), "{outcome:?}");
    });
}

#[test]
fn tcp_info_says_that_nothing_is_measured() {
    with_listener(|port| {
        let port = port.to_string();
        let own = ["list", "--tcp-info", "--port", &port];
        let all = ["list", "--tcp-info", "--netns", "all", "--port", &port];
        for args in [&own[..], &all] {
            let Some(outcome) = run_without_sock_diag(args) else { return };
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let message = format!("tcplapse: --tcp-info: nothing is measured: {WHAT}; {REMEDY}\n");
            assert!(outcome.stderr.contains(&message), "{outcome:?}");
            assert!(!outcome.stderr.contains("CAP_SYS_ADMIN"), "{outcome:?}");
        }
    });
}

//! A rule about connections that a server does not close.

use crate::support::actor::Actor;
use crate::support::netns::{is_unprivileged, isolated};
use crate::support::program::Program;
use crate::support::record::Alert;
use crate::support::require::{Feature, skip};

#[test]
fn an_alert_begins_with_a_leak_and_ends_with_it() {
    isolated(|| {
        if is_unprivileged() {
            return skip(Feature::Netns, "no rules are trusted where the owner of / has no number");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("rules.toml");
        let text = "[[rule]]\nname = 'leak'\nprocess = 'server'\nstate = 'CLOSE_WAIT'\n\
                    longer_than = '100ms'\n";
        std::fs::write(&rules, text).expect("the folder is ours");
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let rules = rules.to_str().expect("UTF-8");
        // No event matches: there are alerts alone.
        let mut watch = Program::watch(&["-i", "20ms", "-s", "CLOSING", "--rules", rules]);
        client.connect("c", "127.0.0.1:7000");
        let accepted = server.accept("l");
        client.order("close c");
        let alert = next_alert(&mut watch);
        assert_eq!(alert.summary(), "leak on 1");
        assert_eq!((alert.local_port, alert.remote_addr.to_string().as_str()), (7000, "127.0.0.1"));
        server.order(&format!("close {accepted}"));
        assert_eq!(next_alert(&mut watch).summary(), "leak over 0");
        watch.signal(nix::sys::signal::Signal::SIGTERM);
        let rest = watch.rest().concat();
        assert!(Alert::among(&rest).is_empty(), "{rest}");
    });
}

/// The next alert; a stalled machine may have lost readings before it.
fn next_alert(watch: &mut Program) -> Alert {
    loop {
        if let Some(alert) = Alert::among(&watch.line()).pop() {
            return alert;
        }
    }
}

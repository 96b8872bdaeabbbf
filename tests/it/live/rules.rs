//! Rules beside a server that closes late.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::Asked;
use crate::old_support::record::Alert;
use crate::old_support::wait::until;

#[test]
fn an_offence_begins_with_a_leak_and_is_over_with_it() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("rules.toml");
        let text = "[[rule]]\nname = 'leak'\nprocess = 'server'\nstate = 'CLOSE_WAIT'\n\
                    longer_than = '100ms'\n";
        std::fs::write(&rules, text).expect("it can be written");
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.tell("listen l 127.0.0.1:7000 8");
        let args = ["-j", "-i", "20ms", "--max-cpu", "100", "-s", "CLOSING", "-m", "2"];
        let rules = rules.to_str().expect("UTF-8");
        let mut watch = Asked::start(&[&args[..], &["--rules", rules]].concat());
        client.tell("connect c 127.0.0.1:0 127.0.0.1:7000");
        let accepted = || Some(server.tell("accept l")).filter(|name| !name.is_empty());
        let name = until("the connection", accepted);
        client.tell("close c");
        let line = watch.line();
        let alerts = Alert::among(&line);
        assert_eq!(alerts[0].told(), "leak on 1", "{line}");
        let worst = (alerts[0].local_port, alerts[0].remote_addr.to_string());
        assert_eq!(worst, (7000, "127.0.0.1".to_owned()));
        server.tell(&format!("close {name}"));
        let (status, rest, told) = watch.answer();
        assert_eq!(status, 0, "{told}");
        assert_eq!(Alert::among(&rest)[0].told(), "leak over 0");
    });
}

//! `wait` beside real sockets: it ends when they come and when they go.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::Asked;

#[test]
fn a_listener_that_appears_is_waited_for() {
    isolated(|| {
        let mut server = Actor::start("server");
        let mut waiting = Asked::start(&[
            "wait",
            "-l",
            "-i",
            "20ms",
            "--max-cpu",
            "100",
            "server",
            "--port",
            "7000",
        ]);
        let mut still = Asked::start(&[
            "wait",
            "-l",
            "-i",
            "20ms",
            "--max-cpu",
            "100",
            "server",
            "--port",
            "7001",
        ]);
        server.tell("listen l 127.0.0.1:7000 8");
        assert_eq!(waiting.answer().0, 0);
        assert!(still.goes_on(), "another port");
    });
}

#[test]
fn the_end_of_all_connections_is_waited_for() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.tell("listen l 127.0.0.1:7000 8");
        client.tell("connect c 127.0.0.1:0 127.0.0.1:7000");
        let name = server.tell("accept l");
        let open = ["wait", "-i", "20ms", "--max-cpu", "100", "--port", "7000", "--until"];
        let established = [&open[..], &["count ESTABLISHED = 2"]].concat();
        assert_eq!(Asked::start(&established).answer().0, 0);
        let mut none = Asked::start(&[&open[..], &["none ESTABLISHED,CLOSE_WAIT"]].concat());
        client.tell("close c");
        assert!(none.goes_on(), "the server has not closed");
        server.tell(&format!("close {name}"));
        assert_eq!(none.answer().0, 0);
    });
}

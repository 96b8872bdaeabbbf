//! `wait` beside real sockets: it ends when they come and when they go.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::list;
use crate::support::program::{Program, run};
use crate::support::wait::until;

const WAIT: [&str; 3] = ["wait", "-i", "20ms"];
/// Longer than a run needs for its first polls, which decide here: nothing changes meanwhile.
const SOON: [&str; 2] = ["--timeout", "200ms"];
const MET: Option<i32> = Some(0);
const TIMED_OUT: Option<i32> = Some(124);

#[test]
fn wait_ends_when_the_listener_appears() {
    isolated(|| {
        let mut server = Actor::start("server");
        let waiting = Program::polling(&[&WAIT[..], &["-l", "server", "--port", "7000"]].concat());
        server.order("listen l 127.0.0.1:7000 8");
        let outcome = waiting.finish();
        assert_eq!(outcome.code, MET, "{outcome:?}");
        let another_port = [&WAIT[..], &SOON, &["-l", "server", "--port", "7001"]].concat();
        let outcome = run(&another_port);
        assert_eq!(outcome.code, TIMED_OUT, "{outcome:?}");
    });
}

#[test]
fn wait_ends_when_all_connections_are_closed() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        client.connect("c", "127.0.0.1:7000");
        let accepted = server.accept("l");
        let connections = [&WAIT[..], &["--port", "7000", "--until"]].concat();
        let outcome = run(&[&connections[..], &["count ESTABLISHED = 2"]].concat());
        assert_eq!(outcome.code, MET, "{outcome:?}");
        let closed = [&connections[..], &["none ESTABLISHED,CLOSE_WAIT"]].concat();
        let mut waiting = Program::polling(&closed);
        client.order("close c");
        until("the FIN to arrive", || (list(&["-s", "CLOSE_WAIT"]).len() == 1).then_some(()));
        let outcome = run(&[&closed[..], &SOON].concat());
        assert_eq!(outcome.code, TIMED_OUT, "the server has not closed: {outcome:?}");
        assert!(waiting.is_running(), "{}", waiting.stderr());
        server.order(&format!("close {accepted}"));
        let outcome = waiting.finish();
        assert_eq!(outcome.code, MET, "{outcome:?}");
    });
}

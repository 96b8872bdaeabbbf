//! Filters that the kernel applies: `list` shows the same rows as where the program applies them to
//! all rows, which it does of a run that is recorded.

use crate::support::netns::isolated;
use crate::support::program::list;
use crate::support::record::Listed;
use crate::support::sockets::{ANY_PORT, connecting, end, listener, pair, reset_pair};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

/// What identifies a socket.
type Row = (String, SocketAddr, SocketAddr, String, Option<u64>, Option<u32>, Option<u32>);

fn rows(filter: &str, more: &[&str]) -> Vec<Row> {
    let args: Vec<&str> = filter.split_whitespace().collect();
    let keys = |row: Listed| {
        let (local, remote) = (row.local(), row.remote());
        (row.family, local, remote, row.state, row.inode, row.pid, row.backlog_limit)
    };
    let list = list(&[&["--source", "netlink"], &args[..], more].concat());
    list.into_iter().map(keys).collect()
}

#[test]
fn the_kernel_chooses_the_rows_that_the_program_would() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let server = listener(ANY_PORT, 64).expect("a port is free");
        let (established, half_closed) = (pair(&server, ANY_PORT), pair(&server, ANY_PORT));
        half_closed.0.shutdown(std::net::Shutdown::Write).expect("it is connected");
        let time_wait = pair(&server, ANY_PORT);
        drop(time_wait.0);
        drop(time_wait.1);
        let (gone, its_peer) = pair(&server, ANY_PORT);
        reset_pair(gone, its_peer);
        // Not accepted, and no room for the next one.
        let full = listener(ANY_PORT, 0).expect("a port is free");
        let waiting = TcpStream::connect(SocketAddr::from(end(&full.local_addr())));
        let blocked = connecting(ANY_PORT, end(&full.local_addr()));
        // v4-mapped, and IPv6 alone.
        let both = Socket::new(Domain::IPV6, Type::STREAM, None).expect("IPv6");
        both.set_only_v6(false).expect("new");
        both.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).expect("a port is free");
        both.listen(8).expect("it is bound");
        let port = both.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound").port();
        let mapped = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        let over_v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).expect("it listens");
        let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port is free");
        let ports = [end(&server.local_addr()).port(), end(&full.local_addr()).port(), port];
        let client = mapped.local_addr().expect("connected").port();
        let mut filters: Vec<String> = [
            "-4",
            "-6",
            "-l",
            "-s all",
            "-s SYN_RECV",
            "-s connected",
            "-s ^LISTEN",
            "-s TIME_WAIT",
            "-s CLOSE_WAIT,FIN_WAIT2",
            "-s LISTEN,ESTABLISHED -6",
            "--local 127.0.0.0/8",
            "--remote [::/0]",
            "--local [::1]",
            "--remote 0.0.0.0/0",
            "--local [::ffff:0:0/96]",
            "--remote *:*",
            "--port 1-65535",
            "--port 1",
        ]
        .map(str::to_owned)
        .to_vec();
        for port in ports {
            filters.extend([
                format!("--port {port}"),
                format!("--local :{port}"),
                format!("--remote :{port} -s ESTABLISHED,TIME_WAIT"),
                format!("--remote 127.0.0.1:{port} -4"),
                format!("--local 127.0.0.1:{port},[::1]:{port} --remote :{client}"),
            ]);
        }
        let mut states = BTreeSet::new();
        for (place, filter) in filters.iter().enumerate() {
            let chosen = rows(filter, &[]);
            // A file each: a run that is appended waits for the next second.
            let recording = folder.path().join(place.to_string());
            let all = rows(filter, &["--record", recording.to_str().expect("UTF-8")]);
            assert_eq!(chosen, all, "{filter}");
            states.extend(chosen.into_iter().map(|row| row.3));
        }
        let wanted = ["CLOSE_WAIT", "ESTABLISHED", "FIN_WAIT2", "LISTEN", "SYN_SENT", "TIME_WAIT"];
        assert!(wanted.iter().all(|state| states.contains(*state)), "{states:?}");
        drop((established, half_closed, waiting, blocked, over_v6, other));
    });
}

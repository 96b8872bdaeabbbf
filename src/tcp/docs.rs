//! The texts of `explain` about each state.
//!
//! Times are those of Linux with its defaults, measured on 6.18. How a socket gets into a state and
//! out of it is not written here: that is the table of edges.

use super::state::State;

/// The texts about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateDoc {
    /// The state in a few words.
    pub brief: &'static str,
    /// What it means for the program and the kernel.
    pub meaning: &'static str,
    /// Which side of a connection is in it.
    pub side: &'static str,
    /// How long it normally lasts, and what sets the limit.
    pub duration: &'static str,
    /// What it means if there are many sockets in it.
    pub many: &'static str,
    /// Commands for a closer look, each with what it shows.
    pub next: &'static [(&'static str, &'static str)],
    /// Where the state is specified.
    pub references: &'static str,
}

/// The texts about a state; `None` for a code that no kernel header names.
pub const fn of(state: State) -> Option<&'static StateDoc> {
    Some(match state {
        State::Closed => &CLOSED,
        State::Listen => &LISTEN,
        State::SynSent => &SYN_SENT,
        State::SynRecv => &SYN_RECV,
        State::Established => &ESTABLISHED,
        State::CloseWait => &CLOSE_WAIT,
        State::LastAck => &LAST_ACK,
        State::FinWait1 => &FIN_WAIT1,
        State::FinWait2 => &FIN_WAIT2,
        State::Closing => &CLOSING,
        State::TimeWait => &TIME_WAIT,
        State::Bound => &BOUND,
        State::Unknown(_) => return None,
    })
}

const CLOSED: StateDoc = StateDoc {
    brief: "no connection yet, or no longer one",
    meaning: "Every socket starts and ends here. The kernel's tables have no row for it, so netstat \
              never shows it. tcplapse prints CLOSED when a socket that existed is gone.",
    side: "Neither. There is no connection.",
    duration: "No limit. A socket on which neither listen() nor connect() was called costs its \
               program a descriptor and is in no table of /proc; sock_diag also lists it once it is bound.",
    many: "You cannot see any. Look at the state before: ESTABLISHED -> CLOSED is a reset, a timeout, \
           or a close whose steps fell between two polls.",
    next: &[
        (
            "tcplapse -s CLOSED",
            "every socket that closes, with its previous state and how it ended, if that is proven",
        ),
        ("tcplapse explain ESTABLISHED CLOSED", "every path by which a connection can end"),
    ],
    references: "RFC 9293, sections 3.3.2 and 3.10.7.1",
};

const BOUND: StateDoc = StateDoc {
    brief: "bound to a port, neither listening nor connected",
    meaning: "A program has called bind(), and not yet listen() or connect(). This is no state of TCP: \
              for the kernel the socket is in CLOSED. Nobody can connect to the port, and bind() by \
              another program fails with \"Address already in use\".",
    side: "Neither. There is no connection.",
    duration: "Until the program listens, connects, closes the socket or exits. There is no limit.",
    many: "Ports are taken and not used. A program may have forgotten them, or has failed between \
           bind() and listen().",
    next: &[(
        "tcplapse list -s bound --source netlink",
        "every bound socket and its process (Linux 6.8 or later)",
    )],
    references: "bind(2), ip(7)",
};

const LISTEN: StateDoc = StateDoc {
    brief: "waiting for connections",
    meaning: "A program has called listen(). The kernel now completes handshakes by itself and queues \
              the new connections until the program takes them with accept(). On Linux the listener \
              stays in LISTEN and every connection is a new socket; in the RFC the listener itself \
              becomes the connection.",
    side: "The passive side, usually the server, before any client connects.",
    duration: "Until the program closes it or exits. There is no limit.",
    many: "Several on one port are a group made with SO_REUSEPORT, which is normal. What matters is \
           the queue: RECV-Q of a listener is the number of connections that wait for accept(). If \
           it stays high, the program is too slow. The queue holds as many as listen() asked for, at \
           most net.core.somaxconn; further connections are ignored, or reset with \
           net.ipv4.tcp_abort_on_overflow.",
    next: &[
        (
            "tcplapse list -l",
            "which process listens on which address, and how many connections wait",
        ),
        ("tcplapse list -s SYN_RECV", "the connections whose handshake is not complete"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.10.1 and 3.10.7.2",
};

const SYN_SENT: StateDoc = StateDoc {
    brief: "connecting, no answer yet",
    meaning: "A program has called connect(). The kernel has sent a SYN and waits for the SYN+ACK.",
    side: "The active side, usually the client.",
    duration: "One round trip: about 50 microseconds between programs on one machine. Without an \
               answer the SYN is retransmitted for 134 seconds in all, as net.ipv4.tcp_syn_retries \
               (6) and since Linux 6.5 tcp_syn_linear_timeouts (4) say; then connect() fails with ETIMEDOUT. A reset ends it at once with \
               ECONNREFUSED.",
    many: "Nobody answers. A firewall drops the SYNs, the host is down, the address is wrong, or the \
           listener's queue is full, so that it ignores them. Refused connections never pile up: \
           they are gone at once.",
    next: &[
        (
            "tcplapse list -o -s SYN_SENT",
            "where they connect to, and how often the SYN was retransmitted",
        ),
        ("tcplapse -s SYN_SENT", "how each attempt ends"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.5 and 3.10.7.3",
};

const SYN_RECV: StateDoc = StateDoc {
    brief: "SYN received and answered; the last ACK of the handshake is missing",
    meaning: "A SYN has arrived, the SYN+ACK has been sent, and the ACK that completes the handshake \
              is missing. On Linux this is usually not a socket yet but a request that belongs to \
              the listener: it has no inode and no owner of its own. It is a full socket with TCP \
              Fast Open and in a simultaneous open.",
    side: "The passive side; both sides in a simultaneous open.",
    duration: "One round trip. If the ACK does not arrive, the SYN+ACK is retransmitted \
               net.ipv4.tcp_synack_retries times (5), for 64 seconds in all; then the request is \
               dropped.",
    many: "Clients that never complete the handshake: a SYN flood with forged addresses, or a network \
           that loses the SYN+ACKs. Or the listener's queue is full and the last ACK is ignored. The \
           listener's backlog and net.ipv4.tcp_max_syn_backlog limit their number; with \
           net.ipv4.tcp_syncookies the kernel can do without them.",
    next: &[
        (
            "tcplapse list -o -s SYN_RECV",
            "the clients, and how often the SYN+ACK was retransmitted",
        ),
        ("tcplapse list -l", "whether connections wait for accept()"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.5 and 3.10.7.4",
};

const ESTABLISHED: StateDoc = StateDoc {
    brief: "the connection is open, both sides can send",
    meaning: "The handshake is complete and neither side has closed. A server's socket is ESTABLISHED \
              before the program knows of it: until accept() it has no inode, and tcplapse names the \
              owner of the listener (^).",
    side: "Both sides.",
    duration: "As long as both sides want. An idle connection sends nothing, so a peer that vanished \
               is not noticed unless the program has set SO_KEEPALIVE: then the kernel probes after \
               net.ipv4.tcp_keepalive_time (two hours). Unacknowledged data is retransmitted \
               net.ipv4.tcp_retries2 times (15), for a quarter of an hour or more; TCP_USER_TIMEOUT \
               sets another limit.",
    many: "Load, or a connection pool. If the number only grows, the program does not close what it no \
           longer needs, or peers have vanished and nothing probes them. SEND-Q that stays high: the \
           peer does not read. RECV-Q that stays high: this program does not read.",
    next: &[
        ("tcplapse --view table -s ESTABLISHED", "the connections, longest first"),
        ("tcplapse list -o -s ESTABLISHED", "their queues and timers: retransmissions, keepalive"),
        ("tcplapse explain ESTABLISHED CLOSED", "every path by which one can end"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.8 and 3.10.7.4",
};

const CLOSE_WAIT: StateDoc = StateDoc {
    brief: "the peer has closed, this program has not",
    meaning: "The peer sends nothing more: its FIN has arrived and the kernel has acknowledged it. The \
              program can read what is left, then the end of the file; it can still send. What is \
              missing is its close(). RECV-Q of 1 without any data is that FIN.",
    side: "The passive closer: it has received the peer's FIN and not closed yet.",
    duration: "Microseconds, in a program that closes when it reads the end of the file. But nothing \
               limits it: there is no timer and no sysctl. It lasts until the program closes the \
               descriptor or exits, or until a reset arrives.",
    many: "A fault of the program that holds them, not of the network and not of the peer. It has lost \
           the descriptors, hangs, or waits for something else. They accumulate until the program \
           runs out of descriptors (EMFILE). The peer meanwhile is in FIN_WAIT2, or long gone.",
    next: &[
        (
            "tcplapse --view table -s CLOSE_WAIT",
            "which process holds them and for how long, longest first",
        ),
        ("tcplapse list -s CLOSE_WAIT", "a snapshot of them, with the bytes left unread"),
        ("ls -l /proc/PID/fd", "the descriptors that the program has not closed"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const LAST_ACK: StateDoc = StateDoc {
    brief: "both sides have closed, the peer first; the last ACK is missing",
    meaning: "The peer's FIN arrived first, this side has sent its own, and the ACK for it is missing. \
              Then the socket is gone: the side that closes second has no TIME_WAIT.",
    side: "The passive closer.",
    duration: "One round trip. Without an answer the FIN is retransmitted. A socket that no process \
               holds is dropped after net.ipv4.tcp_orphan_retries attempts (0 stands for 8), which \
               take 107 seconds or more.",
    many: "The peers vanish right after their FIN, or something in between forgets a connection as \
           soon as it sees the first FIN. They cost the kernel memory but no descriptors; \
           net.ipv4.tcp_max_orphans limits them.",
    next: &[
        ("tcplapse list -o -s LAST_ACK", "how often the FIN was retransmitted"),
        ("tcplapse -s LAST_ACK", "how they end, and which process owned them"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const FIN_WAIT1: StateDoc = StateDoc {
    brief: "this side has closed, the peer has not acknowledged it",
    meaning: "The program has called close() or shutdown(), or has exited. The FIN is sent after the \
              data that is still queued, and the ACK for it is missing. The state changes with the \
              call, even while the FIN still waits behind that data.",
    side: "The active closer: the side that closes first.",
    duration: "One round trip, some milliseconds more if the peer delays its ACK. Without an answer \
               the FIN is retransmitted; a socket that no process holds is dropped after \
               net.ipv4.tcp_orphan_retries attempts (0 stands for 8), which take 107 seconds or \
               more. If the peer does not read, the FIN cannot be sent: while the program holds the \
               descriptor, that has no limit.",
    many: "The peers are gone, or do not read what was sent before the close: see SEND-Q, where the \
           FIN counts as 1. They cost the kernel memory; net.ipv4.tcp_max_orphans limits those that \
           no process holds.",
    next: &[
        (
            "tcplapse list -o -s FIN_WAIT1",
            "what is not acknowledged, and how often it was retransmitted",
        ),
        ("tcplapse explain FIN_WAIT1 CLOSED", "every path by which it can end"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.4",
};

const FIN_WAIT2: StateDoc = StateDoc {
    brief: "this side has closed and waits for the peer to close",
    meaning: "This side's FIN is acknowledged: it sends nothing more. The peer can still send; it is in \
              CLOSE_WAIT until it closes.",
    side: "The active closer: the side that closed first.",
    duration: "After close() or exit, net.ipv4.tcp_fin_timeout (60 seconds; TCP_LINGER2 sets it for \
               one socket): the kernel keeps only a small record of the connection, without inode \
               and owner. After shutdown(), with the descriptor still open, there is no limit.",
    many: "The peers do not close: over there they are in CLOSE_WAIT, and the fault is theirs. Those \
           with an inode are held by a program here that waits for the peer without any limit.",
    next: &[
        ("tcplapse list -e -s FIN_WAIT2", "those with an inode are held by a program"),
        ("tcplapse list -s CLOSE_WAIT", "the peers' sockets, if they are on this machine"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6.1 and 3.10.4",
};

const CLOSING: StateDoc = StateDoc {
    brief: "both sides have closed at the same time",
    meaning: "The FINs have crossed: the peer's arrived before the ACK of ours. Only that ACK is \
              missing.",
    side: "Both sides, usually at the same time.",
    duration: "At most one round trip; if a segment is lost, until it is retransmitted, which takes 200 \
               milliseconds or more. A socket that no process holds is dropped after \
               net.ipv4.tcp_orphan_retries attempts (0 stands for 8).",
    many: "Even one is rare. Many of them mean that the network loses segments.",
    next: &[
        ("tcplapse list -o -s CLOSING", "how often the FIN was retransmitted"),
        ("tcplapse explain ESTABLISHED TIME_WAIT", "how it differs from the usual close"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const TIME_WAIT: StateDoc = StateDoc {
    brief: "closed properly; the 4-tuple is reserved for a minute",
    meaning: "Both sides have closed, this one first or both at once. The kernel keeps the 4-tuple \
              reserved so that it can repeat its last ACK, and so that a late segment is not taken \
              for one of the next connection with the same 4-tuple. The program has nothing to do \
              with it any more: the row has no inode and no owner. tcplapse remembers the owner (~).",
    side: "The active closer; both sides, if they closed at once.",
    duration: "60 seconds, with the timer's rounding up to 62. That is fixed in the kernel: no sysctl \
               changes it, and net.ipv4.tcp_fin_timeout is about FIN_WAIT2. The RFC asks for four \
               minutes. It ends early if a reset arrives (unless net.ipv4.tcp_rfc1337 is set), or if \
               the 4-tuple is reused: by a new connection from the peer, or by connect() as \
               net.ipv4.tcp_tw_reuse allows (2: between programs on one machine).",
    many: "Normal on the side that closes first: as many as it closes in a minute. They cost little. \
           It is a problem if one machine connects to the same address and port so often that it has \
           no local port left (net.ipv4.ip_local_port_range; connect() fails with EADDRNOTAVAIL). \
           Then keep connections open, or let the other side close first. Beyond \
           net.ipv4.tcp_max_tw_buckets the kernel does without TIME_WAIT.",
    next: &[
        ("tcplapse list -s TIME_WAIT", "their addresses and ports"),
        ("tcplapse -s TIME_WAIT", "which programs close first, and how often"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.8",
};

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
        State::Unknown(_) => return None,
    })
}

const CLOSED: StateDoc = StateDoc {
    brief: "not yet a connection, or no longer one",
    meaning: "Every life begins and ends here. It is not a state to look at: the kernel has no row \
              for it, so netstat never shows it. tcplapse writes CLOSED once a socket that was \
              there is gone.",
    side: "Neither. There is no connection.",
    duration: "Without limit. A socket that calls neither listen() nor connect() costs its program a \
            descriptor, and nobody sees it.",
    many: "There is none to see. But look at what came before: ESTABLISHED -> CLOSED is a reset, a \
           timeout, or a close whose steps fell between two looks.",
    next: &[
        (
            "tcplapse -s CLOSED",
            "every end, with what was before and how it ended, if that is proven",
        ),
        ("tcplapse explain ESTABLISHED CLOSED", "every way in which a connection can end"),
    ],
    references: "RFC 9293, sections 3.3.2 and 3.10.7.1",
};

const LISTEN: StateDoc = StateDoc {
    brief: "waiting for callers",
    meaning: "A program has called listen(). From now on the kernel answers callers by itself and \
              puts the finished connections into a queue, from which the program takes them with \
              accept(). On Linux the listener stays what it is, and every connection is a new \
              socket; in the RFC's picture the listener itself becomes the connection.",
    side: "The passive side, usually called the server, as long as nobody has called.",
    duration: "Until the program closes it, or ends. There is no limit.",
    many: "Several on one port are a group made with SO_REUSEPORT, and normal. What counts is the \
           queue: RECV-Q of a listener is the number of connections that wait for accept(). If it \
           stays high, the program is too slow. It holds as many as listen() asked for, and at most \
           net.core.somaxconn; what comes then is ignored, or reset with \
           net.ipv4.tcp_abort_on_overflow.",
    next: &[
        ("tcplapse list -l", "who listens where, and how many callers wait"),
        ("tcplapse list -s SYN_RECV", "the callers whose handshake is not finished"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.10.1 and 3.10.7.2",
};

const SYN_SENT: StateDoc = StateDoc {
    brief: "calling, without an answer so far",
    meaning: "A program has called connect(). The kernel has sent a SYN and waits for the SYN+ACK.",
    side: "The active side, usually called the client.",
    duration: "One round trip: about 50 microseconds between programs of one machine. Without an \
            answer the SYN is repeated net.ipv4.tcp_syn_retries times (6), for 134 seconds in all; \
            then connect() fails with ETIMEDOUT. A reset ends it at once, with ECONNREFUSED.",
    many: "Nobody answers. A firewall drops the calls, the host is down, the address is wrong, or \
           the listener's queue is full, so that it ignores them. Refused calls never pile up: they \
           are gone at once.",
    next: &[
        ("tcplapse list -o -s SYN_SENT", "whom they call, and how often the SYN was repeated"),
        ("tcplapse -s SYN_SENT", "how each call goes on"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.5 and 3.10.7.3",
};

const SYN_RECV: StateDoc = StateDoc {
    brief: "called and answered; the caller's last word is missing",
    meaning: "A SYN has come, the SYN+ACK has gone out, and the ACK that ends the handshake is \
              awaited. On Linux this is as a rule no socket yet but a request that belongs to the \
              listener: it has no inode and no owner of its own. It is a whole socket with TCP Fast \
              Open, and where both sides call each other at once.",
    side: "The passive side; both sides, if they call at once.",
    duration: "One round trip. If the ACK does not come, the SYN+ACK is repeated \
            net.ipv4.tcp_synack_retries times (5), for 64 seconds in all; then the request is \
            dropped.",
    many: "Callers that fall silent after their first word: a flood with forged addresses, or a \
           path that loses the answers. Or the listener's queue is full, and the last ACK is \
           ignored. The listener's backlog and net.ipv4.tcp_max_syn_backlog limit them; with \
           net.ipv4.tcp_syncookies the kernel can do without them.",
    next: &[
        ("tcplapse list -o -s SYN_RECV", "who calls, and how often the answer was repeated"),
        ("tcplapse list -l", "whether callers wait for accept()"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.5 and 3.10.7.4",
};

const ESTABLISHED: StateDoc = StateDoc {
    brief: "the connection is open, both sides may send",
    meaning: "The handshake is over, and nobody has closed. A server's end is ESTABLISHED before \
              its program knows: until accept() it has no inode, and tcplapse names the owner of \
              the listener (^).",
    side: "Both sides.",
    duration: "As long as both want. An idle connection sends nothing, so nobody notices that the \
            other side is gone, unless the program has set SO_KEEPALIVE: then the kernel asks after \
            net.ipv4.tcp_keepalive_time (two hours). Data that is not acknowledged is repeated \
            net.ipv4.tcp_retries2 times (15), for a quarter of an hour and more; TCP_USER_TIMEOUT \
            sets another limit.",
    many: "Load, or a pool of connections. If their number only grows, the program does not close \
           what it no longer needs, or the other sides are gone and nobody asks. SEND-Q that stays \
           high: the other side does not read. RECV-Q that stays high: this program does not read.",
    next: &[
        ("tcplapse --view table -s ESTABLISHED", "the connections, longest first"),
        ("tcplapse list -o -s ESTABLISHED", "their queues and timers: data sent again, keepalive"),
        ("tcplapse explain ESTABLISHED CLOSED", "every way in which one can end"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.8 and 3.10.7.4",
};

const CLOSE_WAIT: StateDoc = StateDoc {
    brief: "the other side has closed, this program has not",
    meaning: "The other side has said that it will send nothing more: its FIN has come, and the \
              kernel has acknowledged it. The program here reads what is left, then the end of the \
              file; it may still send. What is missing is its close(). RECV-Q of 1 without any data \
              is that FIN.",
    side: "The passive side of the close: the end that was told goodbye and has not answered.",
    duration: "Microseconds, in a program that closes when it reads the end of the file. But nothing \
            limits it: no timer and no sysctl. It lasts until the program closes the descriptor or \
            ends, or until a reset comes.",
    many: "A fault of the program that holds them, not of the network and not of the other side. It \
           has lost the descriptors, hangs, or waits for something else. They go on until the \
           program is out of descriptors (EMFILE). The other side meanwhile is in FIN_WAIT2, or \
           long gone.",
    next: &[
        ("tcplapse --view table -s CLOSE_WAIT", "whose they are and since when, longest first"),
        ("tcplapse list -s CLOSE_WAIT", "the same for one look, with the bytes left unread"),
        ("ls -l /proc/PID/fd", "the descriptors that the program has not closed"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const LAST_ACK: StateDoc = StateDoc {
    brief: "both sides have closed, the other one first; the last ACK is missing",
    meaning: "The other side's FIN came first, this side has sent its own, and the ACK of it is \
              awaited. Then the socket is gone: who closes second has no TIME_WAIT.",
    side: "The passive side of the close.",
    duration: "One round trip. Without an answer the FIN is repeated. A socket that no program holds \
            any more is given up after net.ipv4.tcp_orphan_retries attempts (0 stands for 8), which \
            take 107 seconds or more.",
    many: "The other sides vanish right behind their FIN, or something between forgets a connection \
           as soon as it sees the first FIN. They cost the kernel memory, but no descriptors; \
           net.ipv4.tcp_max_orphans limits them.",
    next: &[
        ("tcplapse list -o -s LAST_ACK", "how often the FIN was repeated"),
        ("tcplapse -s LAST_ACK", "how they end, and whose they were"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const FIN_WAIT1: StateDoc = StateDoc {
    brief: "this side has closed, the other has not confirmed it",
    meaning: "The program has called close() or shutdown(), or has ended. The FIN is sent behind \
              the data that is still to go, and the ACK of it is awaited. The state changes with \
              the call, even while the FIN still waits behind that data.",
    side: "The active side of the close: the end that closes first.",
    duration: "One round trip, some milliseconds more if the other side is slow with its ACK. Without \
            an answer the FIN is repeated; a socket that no program holds any more is given up \
            after net.ipv4.tcp_orphan_retries attempts (0 stands for 8), which take 107 seconds or \
            more. If the other side does not read, the FIN cannot be sent: while the program holds \
            the descriptor, that has no limit.",
    many: "The other sides are gone, or do not read what was sent before the close: see SEND-Q, \
           where the FIN counts 1. They cost the kernel memory; net.ipv4.tcp_max_orphans limits \
           those that no program holds.",
    next: &[
        ("tcplapse list -o -s FIN_WAIT1", "what is not acknowledged, and how often it was sent"),
        ("tcplapse explain FIN_WAIT1 CLOSED", "every way in which it can end"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.4",
};

const FIN_WAIT2: StateDoc = StateDoc {
    brief: "this side has closed, and waits for the other to close",
    meaning: "The FIN of this side is acknowledged: it sends nothing more. The other side may still \
              send; it is in CLOSE_WAIT until it closes.",
    side: "The active side of the close: the end that closed first.",
    duration: "After close() or exit, net.ipv4.tcp_fin_timeout (60 seconds; TCP_LINGER2 sets it for \
            one socket): the kernel keeps no more than a note of the connection, without inode and \
            owner. After shutdown(), with the descriptor still open, there is no limit.",
    many: "The other sides do not close: there they are in CLOSE_WAIT, and the fault is over there. \
           Those with an inode are held by a program here, which waits for the other side without \
           any limit.",
    next: &[
        ("tcplapse list -e -s FIN_WAIT2", "those with an inode are held by a program"),
        ("tcplapse list -s CLOSE_WAIT", "the other ends, if they are on this machine"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6.1 and 3.10.4",
};

const CLOSING: StateDoc = StateDoc {
    brief: "both sides have closed at the same moment",
    meaning: "The FINs have crossed: the other side's came before the ACK of ours. That ACK is all \
              that is missing.",
    side: "Both sides, as a rule at the same time.",
    duration: "At most one round trip; if a segment is lost, until it is repeated, which takes 200 \
            milliseconds or more. A socket that no program holds any more is given up after \
            net.ipv4.tcp_orphan_retries attempts (0 stands for 8).",
    many: "It is rare even to see one. Many of them mean that the way between loses segments.",
    next: &[
        ("tcplapse list -o -s CLOSING", "how often the FIN was repeated"),
        ("tcplapse explain ESTABLISHED TIME_WAIT", "how it differs from the usual close"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.7.4",
};

const TIME_WAIT: StateDoc = StateDoc {
    brief: "closed well; kept for a minute so that nothing is mixed up",
    meaning: "Both sides have closed, this one first or both at once. The kernel keeps the two ends \
              reserved, so that it can repeat its last ACK, and so that a late segment is not taken \
              for one of the next connection between the same ends. The program has nothing to do \
              with it any more: the row has no inode and no owner. tcplapse remembers whose it was \
              (~).",
    side: "The active side of the close; both sides, if they closed at once.",
    duration: "60 seconds, with the timer's rounding up to 62. That is fixed in the kernel: no sysctl \
            changes it, and net.ipv4.tcp_fin_timeout is about FIN_WAIT2. The RFC asks for four \
            minutes. It ends early if a reset comes (unless net.ipv4.tcp_rfc1337 is set), or if the \
            ends are used again: by a new caller, or by connect() as net.ipv4.tcp_tw_reuse allows \
            (2: between programs of one machine).",
    many: "Normal on the side that closes first: as many as it closes in a minute. They cost little. \
           It is a problem if one machine calls the same port so often that it has no port of its \
           own left (net.ipv4.ip_local_port_range; connect() fails with EADDRNOTAVAIL). Then keep \
           connections open, or let the other side close first. Beyond \
           net.ipv4.tcp_max_tw_buckets the kernel does without TIME_WAIT.",
    next: &[
        ("tcplapse list -s TIME_WAIT", "between which ends they are"),
        ("tcplapse -s TIME_WAIT", "which programs close first, and how often"),
    ],
    references: "RFC 9293, sections 3.3.2, 3.6 and 3.10.8",
};

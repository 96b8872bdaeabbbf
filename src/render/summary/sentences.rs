//! What is noteworthy in a run, as sentences.

use crate::model::counted::counted;
use crate::model::escape::one_word;
use crate::model::event::{Side, Verdict};
use crate::model::socket::Endpoint;
use crate::render::cell::{Names, duration, endpoint};
use crate::view::summary::findings::{FindingKind, FindingRecord};
use crate::view::summary::record::SummaryRecord;
use std::net::IpAddr;

/// Says what was found.
pub(crate) fn sentence(found: &FindingRecord) -> String {
    let count = found.count;
    let process = process(found);
    let oldest = found.oldest.map(duration).unwrap_or_default();
    match found.finding {
        FindingKind::GrowingCloseWait => format!(
            "CLOSE_WAIT of {process} grew from {} to {count} and never fell, the oldest is there \
             for {oldest}: the peers have closed, {process} has not (tcplapse explain CLOSE_WAIT)",
            found.part.unwrap_or_default()
        ),
        FindingKind::LongCloseWait => format!(
            "{} of {process} in CLOSE_WAIT for 10s or longer, the oldest for {oldest}: the peer \
             has closed, {process} has not (tcplapse explain CLOSE_WAIT)",
            counted(count, "socket")
        ),
        FindingKind::Ports => ports(found),
        FindingKind::AcceptQueue => format!(
            "accept queue of {process} at {} is full: {} for accept(), limit {}",
            local(found),
            if count == 1 {
                "1 connection waits".to_owned()
            } else {
                format!("{count} connections wait")
            },
            found.limit.unwrap_or_default()
        ),
        FindingKind::ListenOverflows => format!(
            "{} of handshakes dropped because an accept queue was full (ListenOverflows of this \
             network namespace)",
            counted(count, "segment")
        ),
        FindingKind::NoAnswer => {
            // A SYN that was retransmitted waits for a second at least, known or not.
            let waits = found.oldest.filter(|oldest| !oldest.is_zero());
            let waits =
                waits.map(|oldest| format!(", the longest for at least {}", duration(oldest)));
            format!(
                "{} of {process} to {} without an answer (SYN_SENT){}",
                counted(count, "connect"),
                remote(found),
                waits.unwrap_or_default()
            )
        }
        FindingKind::FailedConnects => format!(
            "{} of {process} to {} failed: {}",
            counted(count, "connect"),
            remote(found),
            reason(found.verdict.unwrap_or(Verdict::Unknown))
        ),
        FindingKind::Resets => {
            let by = match found.reset_by {
                Some(Side::Local) => " by this side",
                Some(Side::Remote) => " by the peer",
                Some(Side::Both) | None => "",
            };
            format!("{} of {process} reset{by}", counted(count, "connection"))
        }
    }
}

/// How the sockets of a group ended; `None` where it is not known of any.
pub(super) fn ends(row: &SummaryRecord) -> Option<String> {
    let closed = |(side, count): &(Side, u64)| match side {
        Side::Local => format!("{count} by this side first"),
        Side::Remote => format!("{count} by the peer first"),
        Side::Both => format!("{count} by both at once"),
    };
    let ended = |(verdict, count): &(Verdict, u64)| {
        let words = match verdict {
            // Who closed first says it.
            Verdict::LocalClose | Verdict::SimultaneousClose | Verdict::RemoteClose => return None,
            Verdict::Unknown => "without a proven end",
            Verdict::Reset => "reset",
            verdict => reason(*verdict),
        };
        Some(format!("{count} {words}"))
    };
    let mut ends: Vec<String> = row.closers.iter().map(closed).collect();
    ends.extend(row.verdicts.iter().filter_map(ended));
    if row.state.is_some() || ends.is_empty() {
        return None;
    }
    let names: Vec<String> =
        row.group.iter().map(|name| name.as_deref().map_or("?".to_owned(), one_word)).collect();
    let of = match names.as_slice() {
        [] => String::new(),
        names => format!("{}: ", names.join(" ")),
    };
    Some(format!("{of}{} closed: {}", row.closed, ends.join(", ")))
}

/// Why a connect() failed.
const fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Refused => "refused",
        Verdict::TimedOut => "timed out",
        Verdict::NoAnswer => "closed before the peer answered",
        Verdict::Unreachable => "unreachable",
        Verdict::NoPort => "no local port was free",
        Verdict::Reset => "reset",
        Verdict::NetnsGone => "network namespace gone",
        Verdict::Unknown
        | Verdict::LocalClose
        | Verdict::RemoteClose
        | Verdict::SimultaneousClose => {
            "refused, timed out or abandoned (--source trace knows which)"
        }
    }
}

fn ports(found: &FindingRecord) -> String {
    let waits = found.part.unwrap_or_default();
    let limit = found.limit.unwrap_or_default();
    let local = found.local_addr.map(|addr| addr.to_string()).unwrap_or_default();
    let assumed = if found.limit_assumed {
        "; the range is the kernel's default, a recording does not show the one that was set"
    } else {
        ""
    };
    format!(
        "{local} uses {} of {limit} local ports ({:.1} %) towards {}, {waits} of them in \
         TIME_WAIT{assumed}",
        found.count,
        found.percent.unwrap_or_default(),
        remote(found)
    )
}

/// The name of a process as one word.
fn process(found: &FindingRecord) -> String {
    found.process.as_deref().map_or_else(|| "an unknown process".to_owned(), one_word)
}

fn remote(found: &FindingRecord) -> String {
    end(found.remote_addr, found.remote_port)
}

fn local(found: &FindingRecord) -> String {
    end(found.local_addr, found.local_port)
}

fn end(addr: Option<IpAddr>, port: Option<u16>) -> String {
    let known = addr.zip(port);
    known.map_or_else(
        || "?".to_owned(),
        |(addr, port)| endpoint(Endpoint { addr, port }, &Names::default()),
    )
}

//! What the kernel remembers of the time before the first poll: how long a socket has been in its
//! state, and how long a connection has been idle.
//!
//! A time here is never larger than the truth. Three things prove one:
//!
//! * TIME_WAIT: its timer runs for `TCP_TIMEWAIT_LEN`, and whatever restarts it makes the proven time
//!   smaller (`tcp_timewait_state_process()`).
//! * FIN_WAIT2 of a full socket: the segment that acknowledged its FIN has set `tcpi_last_ack_recv`,
//!   or a later one has (`tcp_ack()`).
//! * CLOSE_WAIT: so has the segment with the peer's FIN, unless one that acknowledges more was sent after
//!   it and arrived before it. That does not show. It cannot be where no data was acknowledged. Else
//!   the FIN was under way for no longer than segments can be, or, on the loopback interface, for less
//!   time than after which it is repeated.
//!
//! Of FIN_WAIT2 as a mini-socket nothing is proven: its timer runs as long as its process chose
//! (`TCP_LINGER2`). The kernel counts in 32 bits of milliseconds and of jiffies, neither of which pass
//! while the machine sleeps: that, too, only makes a time smaller.

use super::client::SockDiag;
use super::tcp_info::DiagInfo;
use super::wire::StateMask;
use crate::model::socket::{AddressPair, Family};
use crate::model::socket_row::{KernelTimes, SocketRow, Timer};
use crate::settings::PollSettings;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use log::debug;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// `TCP_TIMEWAIT_LEN`, in milliseconds.
const TIME_WAIT: u32 = 60_000;
/// Times are counted in jiffies, of up to 10 ms, and timers are shown in 1/100 s.
const ROUNDING: u32 = 20;
/// `TCP_RTO_MIN`: FINs are not repeated sooner, unless the route says so.
const SHORTEST_RETRANSMIT_TIMEOUT: u32 = 200;
/// The kernel takes for granted that no segment of a connection is under way any more after TIME_WAIT.
const LONGEST_UNDER_WAY: u32 = TIME_WAIT;

/// Asks for these times with the first poll of a source.
#[derive(Debug)]
pub(in crate::source) struct KernelTimesQuery {
    /// The first poll is still to come.
    is_first: bool,
    /// Ask how long connections have been idle.
    idle: bool,
    /// The program that chooses the sockets; an empty one chooses all.
    program: Vec<u8>,
    /// Every TIME_WAIT lasts as long as the kernel has it.
    has_fixed_time_wait: bool,
}

/// The times of the sockets that `tcp_info` was dumped of: by what a table shows of them, too.
type TimesBySocket = HashMap<(AddressPair, u64, State), KernelTimes, RandomState>;

impl KernelTimesQuery {
    /// For a source that reads the sockets of the kernel whose procfs this is; the rows that matter
    /// are those that a program accepts, see `bytecode`.
    pub(in crate::source) fn new(procfs: &Path, settings: &PollSettings, program: &[u8]) -> Self {
        let setting = |name| fs::read_to_string(procfs.join("sys/net/ipv4").join(name)).ok();
        // The first shortens it by round-trip times (until Linux 4.12), the second is of kernels of
        // some vendors, whose value may have been another one a moment ago.
        let recycles = setting("tcp_tw_recycle").is_some_and(|value| value.trim() != "0");
        let has_fixed_time_wait = !recycles && setting("tcp_tw_timeout").is_none();
        let (idle, program) = (settings.idle, program.to_vec());
        Self { is_first: true, idle, program, has_fixed_time_wait }
    }

    /// Adds to the rows of the first poll what is proven; call it before the end of the poll is
    /// stamped. Without a client, only timers prove anything.
    pub(in crate::source) fn add(&mut self, rows: &mut [SocketRow], client: Option<&mut SockDiag>) {
        if !std::mem::replace(&mut self.is_first, false) {
            return;
        }
        if self.has_fixed_time_wait {
            rows.iter_mut().for_each(add_time_wait);
        }
        let Some(client) = client else { return };
        for family in [Family::Ipv4, Family::Ipv6] {
            let mut wanted = Vec::new();
            for row in rows.iter().filter(|row| row.addrs.family == family && !row.mini) {
                if self.asks_for(row.state) && !wanted.contains(&row.state) {
                    wanted.push(row.state);
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let found = match times(client, family, (StateMask::of(wanted), &self.program)) {
                Ok(found) => found,
                Err(error) => {
                    debug!("no times before the first poll: {error}");
                    continue;
                }
            };
            for row in rows.iter_mut().filter(|row| !row.mini) {
                if let Some(times) = found.get(&(row.addrs, row.inode, row.state)) {
                    row.details.times = *times;
                }
            }
        }
    }

    fn asks_for(&self, state: State) -> bool {
        match state {
            State::CloseWait | State::FinWait2 => true,
            State::Established => self.idle,
            _ => false,
        }
    }
}

fn add_time_wait(row: &mut SocketRow) {
    if row.mini && row.state == State::TimeWait && row.details.timer == Timer::TimeWait {
        let left = u32::try_from(row.details.timer_left.saturating_mul(10)).unwrap_or(u32::MAX);
        row.details.times.in_state = proven(TIME_WAIT, left.saturating_add(ROUNDING));
    }
}

/// A time less what may be wrong about it; `None` where nothing is left.
fn proven(time: u32, doubt: u32) -> Option<u32> {
    Some(time.saturating_sub(doubt)).filter(|time| *time > 0)
}

/// The times of the sockets in these states.
fn times(
    client: &mut SockDiag,
    family: Family,
    chosen: (StateMask, &[u8]),
) -> crate::error::Result<TimesBySocket> {
    let mut found = TimesBySocket::default();
    client.dump_infos(family, chosen, &mut |row, info| {
        // It may have gone on since the fixed part of the message was written.
        if info.state() == row.state {
            let new = times_of(info, row.addrs.remote.addr.is_loopback());
            let times = found.entry((row.addrs, row.inode, row.state)).or_insert(new);
            // Not accepted yet, two link-local sockets may differ in their interface alone.
            times.in_state = times.in_state.min(new.in_state);
            times.idle = times.idle.min(new.idle);
        }
    })?;
    Ok(found)
}

fn times_of(info: DiagInfo<'_>, is_loopback: bool) -> KernelTimes {
    let (in_state, idle) = match info.state() {
        State::FinWait2 => (proven(info.last_ack_received(), ROUNDING), None),
        State::CloseWait => {
            let under_way = match info.has_acknowledged_data() {
                false => 0,
                true if is_loopback => info.retransmit_timeout().max(SHORTEST_RETRANSMIT_TIMEOUT),
                true => LONGEST_UNDER_WAY,
            };
            (proven(info.last_ack_received(), under_way + ROUNDING), None)
        }
        State::Established => {
            let data = info.last_data_sent().min(info.last_data_received());
            // Data that comes too early counts only once what comes before it is there.
            let early = info.has_data_out_of_order().then(|| info.last_ack_received());
            (None, Some(early.map_or(data, |any| any.min(data))))
        }
        _ => (None, None),
    };
    KernelTimes { in_state, idle }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second since data was sent and received, half a second since the last acknowledgement, with a
    /// retransmission time-out of 0.3 s.
    fn payload(state: State) -> Vec<u8> {
        let mut bytes = vec![0; 232];
        bytes[0] = state.code();
        for (at, number) in [(8, 300_000_u32), (44, 1000), (52, 1000), (56, 500)] {
            bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    fn times(bytes: &[u8], is_loopback: bool) -> KernelTimes {
        times_of(DiagInfo::new(bytes).expect("it is long enough"), is_loopback)
    }

    #[test]
    fn a_fin_that_cannot_have_been_overtaken_was_the_last_segment_or_before_it() {
        let mut bytes = payload(State::CloseWait);
        // The handshake.
        bytes[120] = 1;
        assert_eq!(times(&bytes, false).in_state, Some(480));
        bytes[120] = 2;
        assert_eq!(times(&bytes, true).in_state, Some(180));
        assert_eq!(times(&bytes, false).in_state, None);
        bytes[56..60].copy_from_slice(&70_000_u32.to_ne_bytes());
        assert_eq!(times(&bytes, false).in_state, Some(9_980));
        // The kernel does not count.
        bytes.truncate(120);
        assert_eq!(times(&bytes, false).in_state, Some(9_980));
    }

    #[test]
    fn data_that_came_too_early_ends_idleness_like_an_acknowledgement() {
        let mut bytes = payload(State::Established);
        assert_eq!(times(&bytes, false).idle, Some(1000));
        bytes[224] = 1;
        assert_eq!(times(&bytes, false).idle, Some(500));
        bytes.truncate(224);
        assert_eq!(times(&bytes, false).idle, Some(500));
    }
}

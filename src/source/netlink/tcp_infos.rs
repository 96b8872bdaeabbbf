//! The `tcp_info` of all connections, where it is asked for.

use super::client::SockDiag;
use super::wire::StateMask;
use crate::error::Error;
use crate::model::socket::Family;
use crate::model::tcp_info::TcpInfos;
use crate::settings::PollSettings;
use crate::tcp::state::State;
use log::debug;

/// The states of full sockets with something to measure: no listeners, no requests, no TIME_WAIT.
const MEASURED: [State; 8] = [
    State::SynSent,
    State::SynRecv,
    State::Established,
    State::CloseWait,
    State::LastAck,
    State::FinWait1,
    State::FinWait2,
    State::Closing,
];

/// What to say where sock_diag cannot be asked for it.
pub(in crate::source) fn nothing_measured(why: &Error) -> String {
    format!("--tcp-info: nothing is measured: {}", why.lack())
}

/// Asks for it with each poll.
#[derive(Debug)]
pub(in crate::source) struct TcpInfoQuery {
    is_wanted: bool,
    /// The program that chooses the sockets, see `bytecode`.
    program: Vec<u8>,
    /// Of the last poll.
    found: Option<TcpInfos>,
}

impl TcpInfoQuery {
    /// Of the sockets that a program accepts.
    pub(in crate::source) fn new(settings: &PollSettings, program: &[u8]) -> Self {
        Self { is_wanted: settings.tcp_info, program: program.to_vec(), found: None }
    }

    /// Asks the kernel, if it is wanted.
    pub(in crate::source) fn read(&mut self, client: Option<&mut SockDiag>) {
        if !self.is_wanted {
            return;
        }
        let mut found = TcpInfos::default();
        if let Some(client) = client {
            let states = StateMask::of(MEASURED);
            for family in [Family::Ipv4, Family::Ipv6] {
                let dump = client.dump_infos(family, (states, &self.program), &mut |row, info| {
                    // It may have gone on since the fixed part of the message was written.
                    if info.state() == row.state {
                        found.add(row.addrs, row.inode, row.state, info.values());
                    }
                });
                if let Err(error) = dump {
                    debug!("no tcp_info: {error}");
                }
            }
        }
        self.found = Some(found);
    }

    /// What the last poll found; once.
    pub(in crate::source) fn take(&mut self) -> Option<TcpInfos> {
        self.found.take()
    }
}

//! What the tables of procfs lack, and sock_diag has of the same sockets.

use crate::model::reading::{LookupRequest, Reading};
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::settings::PollSettings;
use crate::source::netlink::bytecode::program;
use crate::source::netlink::client::SockDiag;
use crate::source::netlink::kernel_times::KernelTimesQuery;
use crate::source::netlink::listeners;
use crate::source::netlink::tcp_infos::TcpInfoQuery;
use std::path::Path;

/// Asks sock_diag, where the tables are of a network namespace that it can be asked in.
#[derive(Debug)]
pub(super) struct Additions {
    client: Option<SockDiag>,
    times: KernelTimesQuery,
    infos: TcpInfoQuery,
}

impl Additions {
    pub(super) fn new(
        client: Option<SockDiag>,
        procfs: &Path,
        wanted: &WantedRows,
        settings: &PollSettings,
    ) -> Self {
        Self {
            client,
            times: KernelTimesQuery::new(procfs, settings, &program(&wanted.addrs)),
            infos: TcpInfoQuery::new(settings, &program(&wanted.addrs)),
        }
    }

    /// Whether sockets can be looked up.
    pub(super) const fn has_client(&self) -> bool {
        self.client.is_some()
    }

    /// Adds to the rows of a poll what the tables lack.
    pub(super) fn add(&mut self, rows: &mut [SocketRow]) {
        listeners::add_what_tables_lack(rows, self.client.as_mut());
        self.times.add(rows, self.client.as_mut());
        self.infos.read(self.client.as_mut());
    }

    /// What the kernel measured of connections with the last rows, once.
    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.infos.take()
    }

    /// Looks sockets up; `None` where that is not possible.
    pub(super) fn lookup(
        &mut self,
        requests: &[LookupRequest],
        netns: Option<u64>,
    ) -> Option<Reading> {
        self.client.as_mut().and_then(|client| client.lookup(requests, netns))
    }
}

//! The `procfs` crate reads the same tables in its own way: an independent truth for our rows.

use super::cli::fixture;
use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpNetEntry};
use std::io::BufReader;
use tcplapse::reading::{Family, Observation};
use tcplapse::source::proc_row;

#[test]
fn our_rows_agree_with_the_procfs_crate() {
    for (name, family, rows) in [("tcp", Family::Ipv4, 27), ("tcp6", Family::Ipv6, 6)] {
        let table = std::fs::read_to_string(fixture().join("net").join(name)).unwrap();
        let ours: Vec<_> = table
            .lines()
            .skip(1)
            .map(|line| proc_row::parse(line.as_bytes(), family).expect(line))
            .collect();
        let reader = BufReader::new(table.as_bytes());
        let theirs = TcpNetEntries::from_buf_read(reader, procfs::current_system_info()).unwrap();
        assert_eq!((ours.len(), theirs.0.len()), (rows, rows));
        for (ours, theirs) in ours.iter().zip(&theirs.0) {
            assert_same(ours, theirs);
        }
    }
}

fn assert_same(ours: &Observation, theirs: &TcpNetEntry) {
    for (end, address) in
        [(ours.ends.local, theirs.local_address), (ours.ends.remote, theirs.remote_address)]
    {
        assert_eq!((end.addr, end.port), (address.ip().to_canonical(), address.port()));
    }
    assert_eq!(ours.state.code(), theirs.state.clone() as u8);
    assert_eq!((ours.inode, ours.uid), (theirs.inode, theirs.uid));
    assert_eq!((ours.rx_queue, ours.tx_queue), (theirs.rx_queue, theirs.tx_queue));
}

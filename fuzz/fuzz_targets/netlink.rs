//! Datagrams of sock_diag.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::model::reading::LookupRequest;
use tcplapse::testing::source::netlink::wire::{Message, NetlinkMessages, write_look_up};

fuzz_target!(|datagram: &[u8]| {
    let mut request = Vec::new();
    for (sequence, message) in NetlinkMessages::new(datagram) {
        let Message::Socket(body) = message else { continue };
        let _ = body.destroyed();
        if let Some(row) = body.row() {
            let (inode, cookie) = (row.inode, row.cookie);
            let question = LookupRequest { addrs: row.addrs, inode, cookie, ifindex: row.ifindex };
            write_look_up(&mut request, sequence, &question);
        }
    }
});

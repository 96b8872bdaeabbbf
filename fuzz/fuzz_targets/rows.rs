//! Tables of `/proc/net/tcp{,6}`, line by line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::model::socket::Family;
use tcplapse::testing::source::proc::row;

fuzz_target!(|table: &[u8]| {
    for line in table.split(|byte| *byte == b'\n') {
        for family in [Family::Ipv4, Family::Ipv6] {
            if let Some(row) = row::parse(line, family) {
                assert_eq!(row.addrs.family, family);
            }
        }
    }
});

//! Values that say which sockets: addresses, ports, states, conditions; and names from elsewhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::filter::addr::{AddrFilter, parse_ports};
use tcplapse::testing::model::escape::{escape, unescape};
use tcplapse::testing::rules::condition::Condition;
use tcplapse::testing::tcp::state::State;
use tcplapse::testing::tcp::state_set::StateSet;

fuzz_target!(|bytes: &[u8]| {
    let safe = escape(bytes);
    assert!(!safe.chars().any(char::is_control));
    assert_eq!(unescape(&safe).as_deref(), Some(bytes));
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = text.parse::<AddrFilter>();
    let _ = text.parse::<StateSet>();
    let _ = text.parse::<Condition>();
    let _ = unescape(text);
    assert!(parse_ports(text).ok().is_none_or(|ports| ports.start() <= ports.end()));
    if let Some(state) = State::from_name(text) {
        assert_eq!(State::from_name(&state.to_string()), Some(state));
    }
});

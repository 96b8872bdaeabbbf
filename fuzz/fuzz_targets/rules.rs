//! A file of rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::rules::parse::parse;

fuzz_target!(|text: &str| {
    let _ = parse(text).map_err(|error| error.to_string());
});

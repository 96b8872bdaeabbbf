//! A file of rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::rules::parse;

fuzz_target!(|text: &str| {
    match rules::parse(text) {
        Ok(rules) => assert!(rules.iter().all(|rule| !rule.conditions.is_empty())),
        Err(wrong) => assert!(!wrong.reason.contains('\n'), "one sentence"),
    }
});

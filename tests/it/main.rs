//! One integration binary: the program as its users and its judges see it.

mod architecture;
mod cli;
mod docs;
mod histories;
mod live;
mod oracle;
mod packaging;
mod scenarios;
#[allow(dead_code)] // shared with the other targets, each of which uses a part of it
#[path = "../support/mod.rs"]
mod support;
mod tty;

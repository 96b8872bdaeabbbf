//! One integration binary: the program as its users and its judges see it.

mod architecture;
mod cli;
mod docs;
mod histories;
mod live;
mod old_support;
mod oracle;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
mod tty;

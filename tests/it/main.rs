//! One integration binary: the program as its users and its judges see it.

mod architecture;
mod cli;
mod histories;
mod live;
mod man;
mod old_support;
mod oracle;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
mod tty;

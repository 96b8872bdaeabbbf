//! One integration binary: the program as its users and its judges see it.

mod cli;
mod histories;
mod house;
mod live;
mod man;
mod oracle;
mod scenarios;
mod support;
mod tty;

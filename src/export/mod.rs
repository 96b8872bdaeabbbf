//! Metrics of a run for Prometheus and those who read its formats.
//!
//! [`metrics`] counts what happened and measures what there is; [`exposition`] writes that as text;
//! [`server`] hands the text to scrapers, and [`textfile`] writes it to a file. What counts, measures
//! and understands requests is pure. How many series there can be is bounded by [`groups`].

mod connection;
pub(crate) mod exposition;
pub(crate) mod groups;
mod histogram;
mod http;
pub(crate) mod metrics;
mod ports;
pub(crate) mod published;
pub(crate) mod server;
mod sockets;
pub(crate) mod textfile;

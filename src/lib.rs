//! tcplapse watches the TCP sockets of programs change state. A source yields readings, the tracker
//! turns them into events, a view turns events into records, a renderer turns records into bytes.
//!
//! The layers, each of which imports only such as stand above it here:
//!
//! * [`tcp`]: what TCP allows on Linux: states, the table of edges, what lies between two states.
//! * [`model`]: plain data: instants, sockets, processes, readings, events. It imports `tcp` alone.
//! * [`recording`]: readings as lines of a file, and back.
//! * [`privileges`]: what this process lacks to see everything.
//! * [`error`]: every failure with its sentence. [`file_watch`]: changes of a file.
//!   [`trusted_path`]: files that nobody else can have put in place. [`signals`]: what
//!   ends a run or wakes it.
//! * [`debug_log`]: what `TCPLAPSE_LOG` shows. Every layer may write to it.
//! * [`filter`]: which sockets are wanted. [`values`]: values of flags and rules, parsed.
//! * [`tracker`]: readings to events.
//! * [`owner`]: which process holds a socket; only `owner::scan` looks at processes.
//! * [`rules`]: conditions on sockets: for `wait`, for the limits of `check`, for alerts.
//! * [`view`]: events and sockets as records.
//! * [`cli`], [`settings`]: the command line, and what it means once checked.
//! * [`source`]: reads the sockets of the kernel, or a recording. [`recorder`]: writes one.
//! * [`monitor`]: the pipeline that joins source, tracker, owners and filters.
//! * [`render`]: records as text, pictures, JSON, CSV.
//! * `export`: metrics for Prometheus. It can be left out (cargo feature `export`).
//! * [`output`]: writes records, frames and messages. [`command`]: the commands. [`program`]: picks one.
//!
//! Nothing is public but [`main`] and, for tests, benches and fuzz targets, what is in [`testing`].
//!
//! `tests/it/architecture.rs` holds the imports against the table of these layers. Time is data: a
//! source stamps its readings, nothing else asks the clock.

#[cfg(feature = "bpf")]
mod bpf;
mod cli;
mod command;
mod debug_log;
mod error;
#[cfg(feature = "export")]
mod export;
mod file_watch;
mod filter;
mod model;
mod monitor;
mod output;
mod owner;
mod privileges;
mod program;
mod recorder;
mod recording;
mod render;
mod rules;
mod settings;
mod signals;
mod source;
mod tcp;
pub mod testing;
mod tracker;
mod trusted_path;
#[cfg(feature = "tui")]
mod tui;
mod values;
mod view;

pub use program::main;

//! tcplapse: the film of a program's TCP sockets. Readings in, transitions out, bytes out.
//!
//! * [`tcp`]: what TCP allows on Linux: states, the table of edges, what lies between two states.
//! * [`reading`] → [`tracker`] → [`transition`]: what a source says, followed life by life
//!   (`life`), and what that proves.
//! * [`source`]: who reads the kernel, or a recording of it. [`owner`]: whose socket it is.
//! * [`recording`]: readings as lines of a file. [`coverage`]: how much of it all was seen.
//! * [`filter`], [`view`], [`render`]: which sockets, as what records, in which bytes.
//! * [`condition`], [`judgement`]: what `wait` waits for, what `check` finds wrong; [`rules`]:
//!   what gives an alert.
//! * [`monitor`]: the corridor that joins them. [`command`]: the commands, which alone write.
//! * [`cli`] → [`settings`]: flags, and what they mean once checked. [`stop`]: when a run ends.
//!
//! Only `source` and `owner::scan` touch the kernel, only `command` and `main` write, and time is
//! data: a source stamps its readings, nothing else asks the clock.

pub mod cli;
pub mod command;
pub mod error;
mod file_watch;
pub mod filter;
pub mod model;
pub mod monitor;
mod output;
pub mod owner;
pub mod recorder;
pub mod recording;
pub mod render;
pub mod rules;
pub mod settings;
pub mod signals;
pub mod source;
pub mod tcp;
pub mod tracker;
mod values;
pub mod view;

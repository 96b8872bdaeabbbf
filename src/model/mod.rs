//! Plain data that every layer knows. Nothing here reads, decides or prints; it imports `tcp` alone.

pub mod binding;
pub(crate) mod counted;
pub mod escape;
pub mod event;
pub(crate) mod growth;
pub(crate) mod json;
pub mod net_limits;
pub(crate) mod netns_name;
pub mod process;
pub mod process_tree;
pub mod reading;
pub mod socket;
pub mod socket_row;
pub mod tcp_info;
pub mod time;
pub mod wanted;
pub mod workload;

//! Plain data that every layer knows. Nothing here reads, decides or prints; it imports `tcp` alone.

pub(crate) mod binding;
pub(crate) mod counted;
pub(crate) mod escape;
pub(crate) mod event;
pub(crate) mod growth;
pub(crate) mod interface;
pub(crate) mod json;
pub(crate) mod net_limits;
pub(crate) mod netns_name;
pub(crate) mod process;
pub(crate) mod process_tree;
pub(crate) mod reading;
pub(crate) mod socket;
pub(crate) mod socket_row;
pub(crate) mod tcp_info;
pub(crate) mod time;
pub(crate) mod wanted;
pub(crate) mod workload;

//! Real sockets in network namespaces of the tests' own. Nothing here needs root where the kernel
//! lets any user make a namespace, except the kernel's trace and procfs mounts.

mod addrform;
mod ages;
mod bound;
mod check;
mod chosen_rows;
mod close;
mod dual_stack;
mod gap;
mod hidden_holders;
mod link_local;
mod mounts;
mod names;
mod namespaces;
mod netns;
mod no_sock_diag;
mod owners;
#[cfg(feature = "bpf")]
mod owners_bpf;
mod record;
mod reuse;
mod rules;
mod run;
mod sock_diag;
mod sources;
mod states;
mod tcp_info;
#[cfg(feature = "bpf")]
mod trace;
#[cfg(feature = "bpf")]
mod trace_ends;
#[cfg(feature = "bpf")]
mod trace_owners;
#[cfg(feature = "bpf")]
mod trace_pidns;
mod wait;

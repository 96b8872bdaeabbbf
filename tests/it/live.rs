//! Real sockets in network namespaces of the tests' own. Nothing here needs root where the kernel
//! lets anybody have a namespace.

mod actor;
mod check;
mod churn;
mod crowd;
mod mounts;
mod names;
mod owners;
mod pauses;
mod record;
mod reuse;
mod rules;
mod run;
mod sock_diag;
mod sources;
mod states;
mod story;
mod trace;
mod twins;
mod wait;

//! What TCP allows on Linux: states, legal edges, and what lies between two states.
//!
//! It imports nothing else of the crate, and every other layer may import it.

pub mod docs;
pub(crate) mod edge;
pub(crate) mod path;
pub(crate) mod state;
pub(crate) mod state_set;

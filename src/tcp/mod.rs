//! What TCP allows on Linux: states, legal edges, and what lies between two states.
//!
//! It imports nothing else of the crate, and every other layer may import it.

pub mod docs;
pub mod edge;
pub mod path;
pub mod state;
pub mod state_set;

//! What TCP allows on Linux: states, legal edges, and what lies between two states.
//!
//! Pure, and without any import of ours: everything else reads this room.

pub mod docs;
pub mod edge;
pub mod path;
pub mod state;
pub mod state_set;

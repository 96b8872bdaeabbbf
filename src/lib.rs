//! lib
pub mod cli;
pub mod command;
pub mod error;
pub mod filter;
mod life;
pub mod monitor;
pub mod owner;
pub mod reading;
pub mod render;
pub mod settings;
pub mod source;
pub mod stop;
pub mod tcp;
pub mod tracker;
pub mod transition;
pub mod view;

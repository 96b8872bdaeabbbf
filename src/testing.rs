//! What the integration tests, benches and fuzz targets use, under the paths that it has in the program:
//! nothing else is public, so that the compiler finds what is not used any more.
#![allow(missing_docs)] // Each is described where it is.

pub mod cli {
    pub use crate::cli::{Cli, Command, subcommand_first};
}
pub mod error {
    pub use crate::error::{Error, Result, UsageError};
}
pub mod filter {
    pub use crate::filter::{Filter, ProcessFilter};
    pub mod addr {
        pub use crate::filter::addr::{AddrFilter, parse_ports};
    }
}
pub mod model {
    pub mod escape {
        pub use crate::model::escape::{escape, unescape};
    }
    pub mod event {
        pub use crate::model::event::{
            EventKind, MonitorEvent, SocketEvent, SocketId, SocketStatus, TrackerEvent, Transition,
        };
    }
    pub mod process {
        pub use crate::model::process::{Caller, Holder, Process};
    }
    pub mod reading {
        pub use crate::model::reading::{
            AbortReason, DestroyEvents, DestroyedSocket, Interface, LookupRequest, LookupResult,
            Lookups, Lost, LostReason, OwnerUpdate, Reading, Snapshot, StateChange,
        };
    }
    pub mod socket {
        pub use crate::model::socket::{AddressPair, Endpoint, Family, NetnsId, Side};
    }
    pub mod socket_row {
        pub use crate::model::socket_row::{Details, SocketRow, Timer};
    }
    pub mod time {
        pub use crate::model::time::Stamp;
    }
    pub mod wanted {
        pub use crate::model::wanted::WantedRows;
    }
}
pub mod monitor {
    pub use crate::monitor::{Monitor, SocketOrder};
}
pub mod owner {
    pub mod recorded {
        pub use crate::owner::recorded::RecordedOwners;
    }
    pub mod scan {
        pub use crate::owner::scan::Scan;
    }
}
pub mod recording {
    pub use crate::recording::{Decoder, Encoder, Header};
}
pub mod render {
    pub use crate::render::Renderer;
    pub mod cell {
        pub use crate::render::cell::{Names, TimeFormat, TimeFormatter};
    }
    pub mod csv {
        pub use crate::render::csv::Csv;
    }
    pub mod events {
        pub use crate::render::events::EventsText;
    }
    pub mod json {
        pub use crate::render::json::Json;
    }
    pub mod socket_table {
        pub use crate::render::socket_table::TableOptions;
        pub mod list {
            pub use crate::render::socket_table::list::SocketList;
        }
    }
    pub mod style {
        pub use crate::render::style::Palette;
    }
}
pub mod rules {
    pub mod condition {
        pub use crate::rules::condition::Condition;
    }
    pub mod parse {
        pub use crate::rules::parse::parse;
    }
}
pub mod settings {
    pub use crate::settings::{PollSettings, Settings, check_replay};
    pub mod check {
        pub use crate::settings::check::CheckSettings;
    }
    #[cfg(feature = "export")]
    pub mod export {
        pub use crate::settings::export::ExportSettings;
    }
    pub mod list {
        pub use crate::settings::list::ListSettings;
    }
    pub mod run {
        pub use crate::settings::run::checked;
    }
    pub mod wait {
        pub use crate::settings::wait::WaitSettings;
    }
}
pub mod signals {
    pub use crate::signals::Signals;
}
pub mod source {
    pub use crate::source::Source;
    pub mod netlink {
        pub mod client {
            pub use crate::source::netlink::client::SockDiag;
        }
        pub mod destroy {
            pub use crate::source::netlink::destroy::DestroyListener;
        }
        pub mod wire {
            pub use crate::source::netlink::wire::{
                Message, NetlinkMessages, Selection, StateMask, write_dump, write_look_up,
            };
        }
    }
    pub mod proc {
        pub use crate::source::proc::{Proc, row};
    }
    #[cfg(feature = "bpf")]
    pub mod trace {
        pub use crate::source::trace::{Trace, TraceSettings, record};
        pub mod changes {
            pub use crate::source::trace::changes::Changes;
        }
        pub mod program {
            pub use crate::source::trace::program::{Programs, Scope};
        }
    }
}
pub mod tcp {
    pub use crate::tcp::docs;
    pub mod edge {
        pub use crate::tcp::edge::{Actor, Authority, EDGES, Edge};
    }
    pub mod path {
        pub use crate::tcp::path::{Proof, between};
    }
    pub mod state {
        pub use crate::tcp::state::State;
    }
    pub mod state_set {
        pub use crate::tcp::state_set::StateSet;
    }
}
pub mod tracker {
    pub use crate::tracker::{Collected, Tracker};
}
pub mod view {
    pub use crate::view::Record;
    pub mod diagram {
        pub use crate::view::diagram::Diagram;
    }
    pub mod event {
        pub use crate::view::event::EventRecord;
    }
    pub mod labels {
        pub use crate::view::labels::Labels;
    }
    pub mod life {
        pub use crate::view::life::LifeHistories;
    }
    pub mod pairing {
        pub use crate::view::pairing::Pairing;
    }
    pub mod schema {
        pub use crate::view::schema::schema;
    }
    pub mod socket {
        pub use crate::view::socket::SocketRecord;
    }
}

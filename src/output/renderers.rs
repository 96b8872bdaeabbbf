//! The options of renderers, made from the settings.

use super::tty;
use crate::cli::{FormatName, GroupName, TimeName};
use crate::model::time::Stamp;
use crate::render::TextOptions;
use crate::render::cell::{TimeFormat, TimeFormatter};
use crate::render::diagram::DiagramFormat;
use crate::render::socket_table::TableOptions;
use crate::settings::{OutputSettings, local_time};
use crate::view::group::GroupKey;
use jiff::Timestamp;
use jiff::civil::DateTime;

pub(super) fn table_options(output: &OutputSettings) -> TableOptions {
    TableOptions {
        palette: tty::palette(output.color),
        header: output.header,
        extended: output.extended,
        timers: output.timers,
        tcp_info: output.tcp_info,
    }
}

/// How the records of a view look on standard output.
pub(super) fn text_options(output: &OutputSettings) -> TextOptions {
    TextOptions {
        table: table_options(output),
        clock: clock(output),
        width: tty::width(),
        drawing: diagram_format(output.format),
    }
}

/// How `top` looks.
#[cfg(feature = "tui")]
pub(crate) fn top_look(output: &OutputSettings) -> crate::tui::Look {
    crate::tui::Look {
        color: tty::palette(output.color).on,
        unicode: tty::draws_unicode(),
        header: output.header,
        extended: output.extended,
        timers: output.timers,
        tcp_info: output.tcp_info,
        clock: clock(output),
    }
}

/// What sockets are grouped by.
pub(crate) const fn group_key(name: GroupName) -> GroupKey {
    match name {
        GroupName::Remote => GroupKey::Remote,
        GroupName::Process => GroupKey::Process,
        GroupName::LocalPort => GroupKey::LocalPort,
        GroupName::Unit => GroupKey::Unit,
        GroupName::Container => GroupKey::Container,
        GroupName::Pod => GroupKey::Pod,
        GroupName::State => GroupKey::State,
    }
}

/// The format of a diagram. Formats for scripts have renderers of their own: what is left is text.
const fn diagram_format(format: FormatName) -> DiagramFormat {
    match format {
        FormatName::Text | FormatName::Json | FormatName::Csv | FormatName::Html => {
            DiagramFormat::Text
        }
        FormatName::Svg => DiagramFormat::Svg,
        FormatName::Dot => DiagramFormat::Dot,
        FormatName::Mermaid => DiagramFormat::Mermaid,
    }
}

pub(super) fn clock(output: &OutputSettings) -> TimeFormatter {
    let zone = local_time::zone(output.utc);
    TimeFormatter { format: time_format(output.time), zone, start: None }
}

/// `2026-11-28 14:03:22`, for a message.
pub(crate) fn date_and_time(at: Stamp, output: &OutputSettings) -> String {
    date_time(at, output).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-28 14:03:22.123456`, for a message whose time is to be written as an argument.
pub(crate) fn exact_date_and_time(at: Stamp, output: &OutputSettings) -> String {
    date_time(at, output).strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
}

fn date_time(at: Stamp, output: &OutputSettings) -> DateTime {
    let at = Timestamp::from_microsecond(at.wall).unwrap_or_default();
    local_time::zone(output.utc).to_datetime(at)
}

const fn time_format(name: TimeName) -> TimeFormat {
    match name {
        TimeName::Clock => TimeFormat::Clock,
        TimeName::Rfc3339 => TimeFormat::Rfc3339,
        TimeName::Epoch => TimeFormat::Epoch,
        TimeName::Elapsed => TimeFormat::Elapsed,
    }
}

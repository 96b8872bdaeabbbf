//! Flags that would have no effect.

use super::{Result, format};
use crate::cli::{ColorName, FormatName, Options, SourceName, TimeName, ViewArgs};
use crate::error::UsageError;
use crate::model::reading::Interface;
use crate::view::ViewName;

const A_VIEW_WITH_TIMES: &str = "a view that prints times, such as timeline";

/// Refuses flags that would have no effect together with others.
pub(super) fn refuse(options: &Options) -> Result<()> {
    refuse_contradictions(options)?;
    let Options { filter, source, poll, info, view, table, text, time, .. } = options;
    let is_text = format(view) == FormatName::Text;
    let is_html = format(view) == FormatName::Html;
    let is_csv = format(view) == FormatName::Csv;
    let has_labels = is_csv || format(view) == FormatName::Json || view.rules.is_some();
    let has_clock = !matches!(time.time, Some(TimeName::Epoch | TimeName::Elapsed));
    let shown = view.view.traits();
    let has_columns = shown.has_columns && is_text;
    let prints_times = is_html || is_text && shown.has_times;
    let is_top = shown.is_interactive;
    let end = &options.end;
    for (given, has_effect, flag, needs) in [
        (!is_text, !is_top, "--format", "another view than top"),
        (view.rules.is_some(), !is_top, "--rules", "another view than top"),
        (end.count.max_count.is_some(), !is_top, "--max-count", "another view than top"),
        (end.count.max_count.is_some(), !is_html, "--max-count", "another format than html"),
        (info.tcp_info, shown.has_sockets, "--tcp-info", "--view events, timeline or table"),
        (filter.exact, !filter.patterns.is_empty(), "--exact", "a PATTERN"),
        (filter.full, !filter.patterns.is_empty(), "--full", "a PATTERN"),
        (poll.ring.is_some(), fills_ring(source.source), "--ring", "--source trace"),
        (table.extend, has_columns, "--extend", "a table as text (--view table)"),
        (table.timers, has_columns, "--timers", "a table as text (--view table)"),
        (text.resolve, is_text && shown.has_sockets, "--resolve", "text with addresses"),
        (!view.label.is_empty(), has_labels, "--label", "--format json or csv"),
        (text.no_header, is_csv || is_text && shown.has_header, "--no-header", "a table or CSV"),
        (text.color == ColorName::Always, is_text, "--color", "text"),
        (time.time.is_some(), is_text || is_html, "--time", "text"),
        (time.time.is_some(), prints_times, "--time", A_VIEW_WITH_TIMES),
        (time.utc, is_text || is_html || options.reads_times, "--utc", "text"),
        (time.utc, prints_times || options.reads_times, "--utc", A_VIEW_WITH_TIMES),
        (
            time.utc,
            has_clock || options.reads_times,
            "--utc",
            "times by the clock (--time clock or rfc3339)",
        ),
    ] {
        if given && !has_effect {
            return Err(UsageError::NoEffect { flag, needs });
        }
    }
    Ok(())
}

/// Refuses flags that contradict each other.
fn refuse_contradictions(options: &Options) -> Result<()> {
    let Options { source, info, view, text, .. } = options;
    drawings(view)?;
    if options.common.netstat.numeric && text.resolve {
        return Err(UsageError::NumbersAndNames);
    }
    if info.tcp_info && source.procfs.is_some() {
        return Err(UsageError::TcpInfoOfProcfs);
    }
    if info.tcp_info && options.record.record.is_some() {
        return Err(UsageError::TcpInfoRecorded);
    }
    if format(view) == FormatName::Html && view.view != ViewName::Events {
        return Err(UsageError::HtmlOfView);
    }
    Ok(())
}

/// Whether a source fills the ring of `--ring`; of `auto`, whether one does that it may choose.
fn fills_ring(source: SourceName) -> bool {
    let fills = |source: Interface| source.traits().yields_every_change;
    let may_fill = |source: Interface| fills(source) && source.traits().is_built_in;
    let any_may = || Interface::BEST_FIRST.into_iter().any(may_fill);
    source.interface().map_or_else(any_may, fills)
}

/// Refuses the formats that only the diagram has for other views.
fn drawings(view: &ViewArgs) -> Result<()> {
    let drawing = matches!(view.format, FormatName::Svg | FormatName::Dot | FormatName::Mermaid);
    if drawing && !view.view.traits().is_drawing {
        return Err(UsageError::OnlyDiagramIsDrawn);
    }
    Ok(())
}

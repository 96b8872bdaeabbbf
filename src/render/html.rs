//! The report of a run as one HTML file that needs no network and says everything without its script.
//!
//! Names of processes may be anything: in text and in attributes they are escaped, and the script reads
//! them from there. A Content-Security-Policy allows this style and this script alone, by their hashes.

use super::Renderer;
use super::cell::{Names, TimeFormatter, duration, held, local_end, owner, remote_end};
use super::diagram::{DiagramFormat, DiagramRenderer};
use super::style::Palette;
use super::summary::sentence;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::life::{Evidence, LifeRecord, LifeStep};
use crate::view::report::Report;
use crate::view::summary::record::SummaryRecord;
use std::fmt::Write as _;
use std::time::Duration;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
/// Their SHA-256 in base64, which a test makes again.
const STYLE_HASH: &str = "P0g29o9pw8NpJGlOzDCYDV8UBT9AcRcLGZFAgrlFWgQ=";
const SCRIPT_HASH: &str = "KTzDXWlzNbpuasvS3oSBAhZH6qR9U+glDfzBYgWNoOY=";
/// The width of a drawing in its own units.
const WIDTH: f64 = 1000.0;
/// So many instants of the counts are drawn.
const SAMPLES: u16 = 200;

/// Writes the report.
#[derive(Debug)]
pub(crate) struct HtmlReport {
    clock: TimeFormatter,
}

impl HtmlReport {
    /// `clock` writes the times.
    pub(crate) const fn new(clock: TimeFormatter) -> Self {
        Self { clock }
    }

    fn page(&mut self, report: &Report, records: &[Record]) -> String {
        let lives: Vec<&LifeRecord> = records
            .iter()
            .filter_map(|record| if let Record::Life(life) = record { Some(&**life) } else { None })
            .collect();
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
             'sha256-{STYLE_HASH}'; script-src 'sha256-{SCRIPT_HASH}'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>tcplapse report</title>\n<style>{STYLE}</style></head>\n<body>\n"
        );
        page += "<h1>TCP sockets</h1>\n";
        if let Some((start, end)) = report.span {
            let times = [start, end].map(|at| self.clock.write(at));
            let span = duration(end.since(start));
            let _ = writeln!(page, "<p>{} to {} ({span})</p>", text(&times[0]), text(&times[1]));
        }
        page += &findings(records);
        page += &summary(records);
        if let Some((start, end)) = report.span {
            page += &area(&lives, start, end);
            page += &self.lanes(&lives, start, end, report.left_out);
        }
        page += &diagram(records);
        let _ = writeln!(
            page,
            "<h2>How much was seen</h2>\n<p>{}</p>\n<p class=\"soft\">Made by tcplapse {}.</p>",
            text(&report.coverage),
            env!("CARGO_PKG_VERSION")
        );
        let _ = writeln!(page, "<script>{SCRIPT}</script>\n</body></html>");
        page
    }

    fn lanes(&mut self, lives: &[&LifeRecord], start: Stamp, end: Stamp, left_out: u64) -> String {
        let mut html = String::from(
            "<h2>Sockets</h2>\n<div class=\"tools\" id=\"tools\" hidden>\
             <input id=\"filter\" placeholder=\"filter: nginx close_wait :443\" \
             aria-label=\"filter\"> <span id=\"shown\"></span>\
             <button value=\"in\">zoom in</button><button value=\"out\">zoom out</button>\
             <button value=\"left\">earlier</button><button value=\"right\">later</button>\
             <button value=\"whole\">all</button></div>\n",
        );
        html += &legend();
        if left_out > 0 {
            let _ = writeln!(
                html,
                "<p>{left_out} more sockets have no lane; the summary counts them.</p>"
            );
        }
        for life in lives {
            html += &self.lane(life, start, end);
        }
        html
    }

    fn lane(&mut self, life: &LifeRecord, start: Stamp, end: Stamp) -> String {
        let names = Names::default();
        let name = format!(
            "{}  {} - {}",
            owner(&life.owner),
            local_end(&life.socket, &names),
            remote_end(&life.socket, &names)
        );
        let verdict = life.verdict.and_then(|verdict| serde_json::to_value(verdict).ok());
        let verdict = verdict.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        let mut words = format!("{name} {verdict}").to_lowercase();
        let mut drawn = String::new();
        let mut path = Vec::new();
        for (place, step) in life.steps.iter().enumerate() {
            let state = step.state.to_string();
            words = words + " " + &state.to_lowercase();
            if step.state != State::Closed {
                let next = life.steps[place + 1..].iter().find_map(|next| next.at);
                let until = next.unwrap_or_else(|| life.ended.unwrap_or(life.followed_until));
                drawn += &self.bar(step, until, (start, end));
            }
            path.push(match step.evidence {
                Evidence::Observed => state,
                Evidence::Certain => format!("[{state}]"),
                Evidence::Possible => format!("({state}?)"),
            });
        }
        let label = format!("{}: {}", name, path.join(" "));
        format!(
            "<div class=\"lane\" data-words=\"{}\"><span class=\"name\" title=\"{}\">{}</span>\
             <svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{}\">{drawn}</svg></div>\n",
            text(&words),
            text(&label),
            text(&name),
            text(&label)
        )
    }

    /// The bar of a step that lasts until then.
    fn bar(&mut self, step: &LifeStep, until: Stamp, (start, end): (Stamp, Stamp)) -> String {
        let (x, width, evidence) = match step.at {
            Some(at) => (x(at, start, end), x(until, start, end) - x(at, start, end), ""),
            // Somewhere before the next one that was observed.
            None => (x(until, start, end) - 3.0, 3.0, evidence(step.evidence)),
        };
        let when = step.at.map_or_else(|| "not observed".to_owned(), |at| self.clock.write(at));
        let held = step.held.map(duration).unwrap_or_default();
        let what = format!("{} {when} {held} {}", step.state, step.cause.unwrap_or_default());
        format!(
            "<rect class=\"{}{evidence}\" x=\"{:.3}\" y=\"0\" width=\"{:.3}\" \
             height=\"10\"><title>{}</title></rect>",
            class(step.state),
            x.max(0.0),
            width.max(0.3),
            text(what.trim())
        )
    }
}

impl Renderer for HtmlReport {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let report = records.iter().find_map(|record| {
            if let Record::Report(report) = record { Some(report) } else { None }
        });
        report.map_or_else(Vec::new, |report| self.page(report, records).into_bytes())
    }
}

/// Text for HTML and for the value of an attribute.
fn text(raw: &str) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for character in raw.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

/// The class of a state, which has its colour.
fn class(state: State) -> String {
    match state {
        State::Closed | State::Bound | State::Unknown(_) => "other".to_owned(),
        named => named.to_string().to_lowercase(),
    }
}

const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Observed => "",
        Evidence::Certain => " certain",
        Evidence::Possible => " possible",
    }
}

/// Where an instant is drawn.
fn x(at: Stamp, start: Stamp, end: Stamp) -> f64 {
    let whole = end.since(start).as_secs_f64();
    if whole <= 0.0 {
        return 0.0;
    }
    (at.since(start).as_secs_f64() / whole * WIDTH).clamp(0.0, WIDTH)
}

fn legend() -> String {
    let mut html = String::from("<p class=\"soft\">");
    for state in State::NAMED.into_iter().filter(|state| *state != State::Closed) {
        let _ = write!(html, "<span class=\"key {}\"></span>{state}", class(state));
    }
    html + "; pale: not observed, but certain; pale and dashed: possible</p>\n"
}

fn findings(records: &[Record]) -> String {
    let mut items = String::new();
    for record in records {
        if let Record::Finding(found) = record {
            let _ = writeln!(items, "<li>{}</li>", text(&sentence(found)));
        }
    }
    if items.is_empty() {
        return "<h2>Noteworthy</h2>\n<p>None was seen of what a summary looks for: growing CLOSE_WAIT, \
                local ports or accept queues that run out, SYNs without an answer; and, which only \
                --source trace shows for certain, failed connects and resets.</p>\n"
            .to_owned();
    }
    format!("<h2>Noteworthy</h2>\n<ul>\n{items}</ul>\n")
}

fn summary(records: &[Record]) -> String {
    let mut rows = String::new();
    for record in records {
        let Record::Summary(row) = record else { continue };
        let SummaryRecord { count, change, highest, opened, closed, .. } = **row;
        let time = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), duration);
        let names = row.group.iter().map(|name| name.as_deref().unwrap_or("?"));
        let group =
            if row.is_rest { "(others)".to_owned() } else { names.collect::<Vec<_>>().join(" ") };
        let state = row.state.map_or_else(|| "all".to_owned(), |state| state.to_string());
        let is_all = if row.state.is_none() { " class=\"all\"" } else { "" };
        let ends: Vec<String> = row
            .verdicts
            .iter()
            .filter_map(|(verdict, count)| {
                let name = serde_json::to_value(verdict).ok()?;
                Some(format!("{count} {}", name.as_str()?))
            })
            .collect();
        let _ = writeln!(
            rows,
            "<tr><td{is_all}>{}</td><td{is_all}>{state}</td><td>{count}</td><td>{change:+}</td>\
             <td>{highest}</td><td>{opened}</td><td>{closed}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>",
            text(&group),
            held(row.oldest, row.oldest_at_least),
            time(row.median),
            time(row.p95),
            text(&ends.join(", "))
        );
    }
    format!(
        "<h2>Summary</h2>\n<div class=\"wide\"><table><tr><th>group</th><th>state</th><th>now</th>\
         <th>change</th><th>most</th><th>opened</th><th>closed</th><th>oldest</th><th>median</th>\
         <th>95 %</th><th>ended</th></tr>\n{rows}</table></div>\n"
    )
}

/// The number of sockets in each state over time, of those that have a lane.
fn area(lives: &[&LifeRecord], start: Stamp, end: Stamp) -> String {
    let states: Vec<State> =
        State::NAMED.into_iter().filter(|state| *state != State::Closed).collect();
    let counts = sampled(lives, &states, (start, end));
    let total = |sample: usize| counts.iter().map(|row| row[sample]).sum::<u32>();
    let most = (0..=usize::from(SAMPLES)).map(total).max().unwrap_or_default().max(1);
    let mut below = vec![0_u32; usize::from(SAMPLES) + 1];
    let mut drawn = String::new();
    for (state, row) in states.iter().zip(&counts) {
        if row.iter().all(|count| *count == 0) {
            continue;
        }
        let above: Vec<u32> = below.iter().zip(row).map(|(below, count)| below + count).collect();
        let _ = write!(
            drawn,
            "<polygon class=\"{}\" points=\"{}\"><title>{state}</title></polygon>",
            class(*state),
            outline(&above, &below, most)
        );
        below = above;
    }
    format!(
        "<h2>States over time</h2>\n<div class=\"area\"><svg viewBox=\"0 0 1000 100\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"sockets in each state over time\">\
         {drawn}</svg></div>\n<p class=\"soft\">Up to {most} sockets at a time, of those below.</p>\n"
    )
}

/// How many sockets are in each of these states at each sample of a time.
fn sampled(lives: &[&LifeRecord], states: &[State], (start, end): (Stamp, Stamp)) -> Vec<Vec<u32>> {
    let samples = usize::from(SAMPLES) + 1;
    let mut counts = vec![vec![0_u32; samples]; states.len()];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let sample = |at: Stamp| (x(at, start, end) / WIDTH * f64::from(SAMPLES)).ceil() as usize;
    for life in lives {
        for (place, step) in life.steps.iter().enumerate() {
            let row = states.iter().position(|state| *state == step.state);
            let (Some(at), Some(row)) = (step.at, row) else { continue };
            let next = life.steps[place + 1..].iter().find_map(|next| next.at);
            let first = sample(at).min(samples);
            let last = next.or(life.ended).map_or(samples, sample).min(samples).max(first);
            for count in &mut counts[row][first..last] {
                *count += 1;
            }
        }
    }
    counts
}

/// The points of a polygon between two lines of counts, of which the highest may be `most`.
fn outline(above: &[u32], below: &[u32], most: u32) -> String {
    let y = |count: u32| 100.0 - f64::from(count) / f64::from(most) * 100.0;
    let x = |sample: usize| {
        let sample = u16::try_from(sample).unwrap_or(SAMPLES);
        WIDTH / f64::from(SAMPLES) * f64::from(sample)
    };
    let there_and_back = above.iter().enumerate().chain(below.iter().enumerate().rev());
    let points = there_and_back.map(|(sample, count)| format!("{:.1},{:.1}", x(sample), y(*count)));
    points.collect::<Vec<_>>().join(" ")
}

fn diagram(records: &[Record]) -> String {
    let is_diagram = |record: &&Record| matches!(record, Record::Diagram(_));
    let Some(record) = records.iter().find(is_diagram) else { return String::new() };
    let (palette, width) = (Palette { on: false }, 0);
    let mut renderer =
        DiagramRenderer { format: DiagramFormat::Text, palette, width: width.max(80) };
    let drawn = renderer.rows(std::slice::from_ref(record), &Names::default());
    format!(
        "<h2>Transitions</h2>\n<div class=\"wide\"><pre>{}</pre></div>\n",
        text(&String::from_utf8_lossy(&drawn))
    )
}

#[cfg(test)]
mod tests;

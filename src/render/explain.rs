//! `explain` as text: a state, or the paths from one state to another. What is legal comes from the
//! table of edges, what it means from `tcp::docs`.

use super::style::Palette;
use super::wrap::{highlight, wrap};
use crate::tcp::docs::{self, StateDoc};
use crate::tcp::edge::{Actor, Authority, EDGES, Edge, leaving};
use crate::tcp::path::{self, Between, Proof, between};
use crate::tcp::state::State;
use unicode_width::UnicodeWidthStr;

/// Longer lines are hard to read.
const WIDEST: usize = 100;
const INDENT: &str = "  ";

/// Text that is laid out for a width.
struct Page {
    palette: Palette,
    width: usize,
    text: String,
}

/// A state: what it means, how a socket gets into and out of it, how long it lasts, what to look at.
pub(crate) fn state(state: State, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let Some(doc) = docs::of(state) else {
        page.paragraph(&format!("{state} is a state code that Linux has no name for."), "");
        return page.text;
    };
    let StateDoc { brief, meaning, side, duration, many, next, references } = *doc;
    page.paragraph(&format!("{state}: {brief}"), "");
    page.section("Meaning", meaning);
    page.section("Which side", side);
    if state != State::Bound {
        let into: Vec<&Edge> = EDGES.iter().filter(|edge| edge.to == state).collect();
        page.edges("Entered from", &into, |edge| edge.from.to_string());
        let out: Vec<&Edge> = leaving(state).collect();
        page.edges("Leaves to", &out, |edge| edge.to.to_string());
    }
    page.section("Duration", duration);
    page.section("If there are many", many);
    page.heading("See also");
    for (command, shows) in next {
        page.line(&format!("{INDENT}{command}"));
        page.paragraph(shows, "      ");
    }
    page.section("References", references);
    page.text
}

/// Every legal path from one state to another, what they have in common, and the cause of each step.
pub(crate) fn paths(from: State, to: State, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let paths = path::paths(from, to);
    let count = match paths.len() {
        0 => return page.no_path(from, to),
        1 => "one path".to_owned(),
        more => format!("{more} paths"),
    };
    page.paragraph(&format!("{from} to {to}: {count}"), "");
    page.notes(from, to);
    page.heading(if paths.len() == 1 { "Path" } else { "Paths, shortest first" });
    let mut steps = Vec::new();
    for path in &paths {
        let stations = [&[from], path.as_slice(), &[to]].concat();
        let edges: Vec<&Edge> = stations.windows(2).filter_map(|pair| edge(pair)).collect();
        page.path(from, &edges);
        steps.extend(edges);
    }
    let used: Vec<&Edge> = EDGES.iter().filter(|edge| steps.contains(edge)).collect();
    page.edges("Cause of each step", &used, |edge| format!("{} to {}", edge.from, edge.to));
    page.text
}

fn edge(pair: &[State]) -> Option<&'static Edge> {
    leaving(pair[0]).find(|edge| edge.to == pair[1])
}

/// `A`, `A and B`, `A, B and C`, with `last` for the word before the last state.
fn list(states: &[State], last: &str) -> String {
    let names: Vec<String> = states.iter().map(State::to_string).collect();
    match names.split_last() {
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

impl Page {
    fn new(palette: Palette, width: usize) -> Self {
        Self { palette, width: width.min(WIDEST), text: String::new() }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str, indent: &str) {
        for line in wrap(text, self.width.saturating_sub(indent.len())) {
            let line = format!("{indent}{}", highlight(&line, self.palette));
            self.line(&line);
        }
    }

    fn heading(&mut self, title: &str) {
        let heading = self.palette.heading(title);
        self.line("");
        self.line(&heading);
    }

    fn section(&mut self, title: &str, text: &str) {
        self.heading(title);
        self.paragraph(text, INDENT);
    }

    /// Edges as a table: the states, the cause, the side.
    fn edges(&mut self, title: &str, edges: &[&Edge], name: impl Fn(&Edge) -> String) {
        self.heading(title);
        let widest = edges.iter().map(|edge| name(edge).width()).max().unwrap_or_default();
        let before = INDENT.len() + widest + 2;
        for edge in edges {
            let cause = format!("{} {}", edge.cause, side(edge));
            let name = name(edge);
            let blank = widest - name.width() + 2;
            let head = format!("{INDENT}{}{:blank$}", highlight(&name, self.palette), "");
            let lines = wrap(&cause, self.width.saturating_sub(before).max(20));
            for (i, line) in lines.iter().enumerate() {
                let head = if i == 0 { head.clone() } else { " ".repeat(before) };
                self.line(&format!("{head}{line}"));
            }
        }
    }

    /// One path on a line, or on several where it is long.
    fn path(&mut self, from: State, steps: &[&Edge]) {
        let mut line = format!("{INDENT}{from}");
        for edge in steps {
            let step = format!(" -> {}", edge.to);
            if line.width() + step.width() > self.width {
                let full = highlight(&line, self.palette);
                self.line(&full);
                line = INDENT.repeat(2);
            }
            line.push_str(&step);
        }
        let last = highlight(&line, self.palette);
        self.line(&last);
    }

    /// What all paths have in common, and what only some.
    fn notes(&mut self, from: State, to: State) {
        let Between { certain, possible } = between(from, to, Proof::default()).unwrap_or_default();
        self.line("");
        self.paragraph(&passed(&certain, &possible), INDENT);
        if from == State::Closed {
            self.paragraph("CLOSED as the old state: the socket did not exist before.", INDENT);
        }
        if to == State::Closed {
            self.paragraph("CLOSED as the new state: the socket is gone.", INDENT);
        }
    }

    fn no_path(mut self, from: State, to: State) -> String {
        if from == to {
            self.paragraph(
                &format!("{from} to {from}: no transition leads from a state to itself."),
                "",
            );
            self.line("");
            let text = format!("tcplapse explain {from} explains the state.");
            self.paragraph(&text, INDENT);
            return self.text;
        }
        self.paragraph(&format!("{from} to {to}: no legal path"), "");
        self.line("");
        if [from, to].contains(&State::Bound) {
            let text = "BOUND is no state of TCP. A bound socket that listens or connects is shown as a \
                        new one.";
            self.paragraph(text, INDENT);
            return self.text;
        }
        let reached = |wanted: &dyn Fn(State) -> bool| -> Vec<State> {
            State::NAMED.into_iter().filter(|state| wanted(*state)).collect()
        };
        let after = reached(&|state| !path::paths(from, state).is_empty());
        let before = reached(&|state| !path::paths(state, to).is_empty());
        self.paragraph(
            &format!(
                "From {from} a socket can only get to {}; {to} can only be reached from {}.",
                list(&after, "and"),
                list(&before, "and")
            ),
            INDENT,
        );
        self.line("");
        self.paragraph(
            "If both are observed with the same 4-tuple, one after the other, the 4-tuple was \
             reused: tcplapse reports that the first socket closed and that a new one opened.",
            INDENT,
        );
        self.text
    }
}

/// `(passive side, Linux)`.
fn side(edge: &Edge) -> String {
    let side = match edge.actor {
        Actor::Active => "active side",
        Actor::Passive => "passive side",
        Actor::Both => "both sides",
        Actor::Kernel => "kernel",
    };
    match edge.authority {
        Authority::Rfc9293 => format!("({side})"),
        Authority::Linux => format!("({side}, Linux only)"),
    }
}

fn passed(certain: &[State], possible: &[State]) -> String {
    match (certain, possible) {
        ([], []) => "One step: no state lies between.".to_owned(),
        ([], _) => format!(
            "No state is on every path; {} on some. If they are not observed, they are possible, \
             not certain.",
            list(possible, "and")
        ),
        (_, []) => format!("Certainly through {}: there is no other path.", list(certain, "and")),
        _ => format!(
            "Certainly through {} (on every path); possibly through {}.",
            list(certain, "and"),
            list(possible, "or")
        ),
    }
}

#[cfg(test)]
mod tests;

//! `--view timeline` as text: a block per life, with its owner, addresses and end, then a line per
//! step with a bar for the time in its state. The two sockets of a connection stand in two lanes.

use super::cell::{Names, TimeFormatter, duration, local_end, owner, owner_in, remote_end};
use super::style::{Palette, style_of};
use super::wording::{SideNames, process, remark, summary};
use super::wrap::wrap;
use super::{Renderer, alert_sentence, lost_sentence};
use crate::model::event::{Side, Verdict};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::Record;
use crate::view::life::{Evidence, LifeRecord, LifeStep};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

const INDENT: &str = "  ";
const GAP: &str = "  ";
/// The indent of the second line of a title.
const TITLE_INDENT: &str = "    ";
/// The columns from one lane to the next.
const LANE: usize = 4;
/// How long the longest bar of a block may be: in a pipe and at most, and at least.
const LONGEST_BAR: usize = 32;
const SHORTEST_BAR: usize = 6;
/// Text is not wrapped to fewer columns than this.
const NARROWEST: usize = 10;

/// Writes lives, losses and alerts as blocks of text.
#[derive(Debug)]
pub(crate) struct TimelineText {
    /// How times are written.
    pub(crate) clock: TimeFormatter,
    /// The colours.
    pub(crate) palette: Palette,
    /// The terminal's width; `None` in a pipe, where all is ASCII and a step is one line.
    pub(crate) width: Option<usize>,
}

/// The line of a step, before it is aligned.
struct StepLine<'a> {
    time: String,
    lane: usize,
    step: &'a LifeStep,
    state: String,
    held: String,
    cause: String,
    /// When the step was observed, or else the one after it.
    order: Stamp,
    /// The life in the first lane goes on beside this step of the second.
    beside: bool,
}

impl TimelineText {
    fn block(&mut self, life: &LifeRecord, names: &Names) -> String {
        let sides = sides(life, names);
        let mut text = self.head(life, &sides, names);
        let mut lines = self.steps(life, 0);
        if let Some(other) = &life.peer {
            lines.extend(self.steps(other, 1));
            lines.sort_by_key(|line| (line.order, line.lane));
            let over = life.ended.unwrap_or(life.followed_until);
            let began = lines.iter().find(|line| line.lane == 0).map(|line| line.order);
            for line in &mut lines {
                let open = life.ended.is_none() || line.order < over;
                line.beside = open && began.is_some_and(|began| began <= line.order);
            }
        }
        text += &self.aligned(&lines);
        for wording in remarks(life, &sides).into_iter().chain(measured(life, &sides)) {
            text += &wrapped(&wording, INDENT.len(), self.width);
        }
        text
    }

    fn head(&self, life: &LifeRecord, sides: &SideNames, names: &Names) -> String {
        let (local, remote) = (local_end(&life.socket, names), remote_end(&life.socket, names));
        let (opener, closer) = roles(life);
        let arrow = match opener {
            Some(Side::Local) => "->",
            Some(Side::Remote) => "<-",
            Some(Side::Both) => "<->",
            None => "--",
        };
        let listens = life.steps.iter().any(|step| step.state == State::Listen);
        let shown = life.peer.as_ref().map(|other| &other.owner);
        let other = shown.or(life.peer_owner.as_ref().filter(|peer| process(peer).is_some()));
        let other = other.map(|other| format!("{GAP}{}", owner(other)));
        let own = owner_in(&life.owner, &life.socket, life.netns_name.as_deref());
        let this = format!("{own}{GAP}{local}");
        let peer = format!("{arrow} {remote}{}", other.unwrap_or_default());
        let mut head = String::new();
        for line in self.title(this, (!listens).then_some(peer)) {
            head += &(self.palette.heading(&line) + "\n");
        }
        head + &wrapped(&summary(life, (opener, closer), sides), INDENT.len(), self.width)
    }

    /// Both sides of a connection on one line, or each on its own, and broken at blanks, where they do not
    /// fit.
    fn title(&self, this: String, peer: Option<String>) -> Vec<String> {
        let both = peer.as_ref().map_or_else(|| this.clone(), |peer| format!("{this} {peer}"));
        let Some(width) = self.width.filter(|width| both.width() > *width) else {
            return vec![both];
        };
        let room = width.saturating_sub(TITLE_INDENT.len()).max(NARROWEST);
        let lines = [Some(this), peer].into_iter().flatten().flat_map(|side| wrap(&side, room));
        let indented = |(place, line): (usize, String)| {
            if place == 0 { line } else { TITLE_INDENT.to_owned() + &line }
        };
        lines.enumerate().map(indented).collect()
    }

    fn steps<'a>(&mut self, life: &'a LifeRecord, lane: usize) -> Vec<StepLine<'a>> {
        let mut lines: Vec<StepLine<'_>> = Vec::with_capacity(life.steps.len());
        let mut order = life.followed_until;
        let is_impossible = |step: &LifeStep| {
            let is_possible = step.evidence == Evidence::Possible;
            is_possible && step.state == State::TimeWait && life.peer_has_not_closed()
        };
        let steps = life.steps.iter().enumerate().rev();
        for (i, step) in steps.filter(|(_, step)| !is_impossible(step)) {
            order = step.at.unwrap_or(order);
            let first = i == 0 && life.opened.is_none();
            let at_least = if first { ">=" } else { "" };
            let open = i + 1 == life.steps.len() && life.ended.is_none();
            let more = if open && !first { "+" } else { "" };
            let is_known = |held: &Duration| !(first && held.is_zero());
            let held = step
                .held
                .filter(is_known)
                .map(|held| format!("{at_least}{}{more}", duration(held)));
            let (time, state) = match (step.evidence, step.at) {
                (Evidence::Possible, _) => ("perhaps".to_owned(), format!("({}?)", step.state)),
                (Evidence::Observed, Some(at)) => (self.clock.write(at), step.state.to_string()),
                _ => ("unseen".to_owned(), format!("[{}]", step.state)),
            };
            lines.push(StepLine {
                time,
                lane,
                step,
                state,
                held: held.unwrap_or_default(),
                cause: match (first, life.matched_late) {
                    (true, true) => "before the owner was known",
                    (true, false) => "there at the first poll",
                    _ if step.state == State::Closed => {
                        end_cause(life).unwrap_or_else(|| cause(step))
                    }
                    _ => cause(step),
                }
                .to_owned(),
                order,
                beside: false,
            });
        }
        lines.reverse();
        lines
    }

    /// The lines in columns. The longest bar takes the room that there is.
    fn aligned(&self, lines: &[StepLine<'_>]) -> String {
        let widest =
            |text: &dyn Fn(&StepLine<'_>) -> usize| lines.iter().map(text).max().unwrap_or(0);
        let time = widest(&|line| line.time.width());
        let state = widest(&|line| line.lane * LANE + line.state.width());
        let held = widest(&|line| line.held.width());
        let cause = widest(&|line| line.cause.width());
        let fixed = INDENT.len() + time + state + held + 4 * GAP.len();
        let bar = self.width.map_or(LONGEST_BAR, |width| {
            width.saturating_sub(fixed + cause).clamp(SHORTEST_BAR, LONGEST_BAR)
        });
        let longest = lines.iter().filter_map(|line| line.step.held).max().unwrap_or_default();
        let share = |step: &LifeStep| {
            let held = step.held.unwrap_or_default().as_secs_f64();
            if longest.is_zero() { 0.0 } else { held / longest.as_secs_f64() }
        };
        let mut text = String::new();
        for line in lines {
            let lane = if line.lane == 0 {
                String::new()
            } else {
                format!("{:<LANE$}", if line.beside { self.rail() } else { "" })
            };
            let fill = " ".repeat(state - lane.width() - line.state.width());
            let columns = [
                format!("{INDENT}{:>time$}{GAP}", line.time),
                format!("{}{}{fill}{GAP}", self.palette.dim(&lane), self.painted(line)),
                format!("{:>held$}{GAP}", line.held),
                self.bar(share(line.step), bar, line.step.state),
                GAP.to_owned(),
            ];
            let before = columns.concat();
            let room = self.width.map(|width| width.saturating_sub(fixed + bar).max(NARROWEST));
            let mut causes = wrap(&line.cause, room.unwrap_or(usize::MAX)).into_iter();
            let first = before + &causes.next().unwrap_or_default();
            text += first.trim_end();
            text.push('\n');
            for more in causes {
                text.extend([&" ".repeat(fixed + bar), &more, "\n"]);
            }
        }
        text
    }

    fn painted(&self, line: &StepLine<'_>) -> String {
        match line.step.evidence {
            Evidence::Observed => self.palette.paint(style_of(line.step.state), &line.state),
            _ => self.palette.dim(&line.state),
        }
    }

    const fn rail(&self) -> &'static str {
        if self.width.is_some() { "│" } else { "|" }
    }

    /// A bar of this share of the width, filled up to it; in eighths of a column on a terminal.
    fn bar(&self, share: f64, width: usize, state: State) -> String {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        // a share is between 0 and 1, and no terminal is as wide as a mantissa
        let eighths = (share * width as f64 * 8.0).round() as usize;
        let bar = match self.width {
            _ if share <= 0.0 => String::new(),
            Some(_) => {
                let eighths = eighths.max(1);
                "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
            }
            None => "#".repeat(eighths.div_ceil(8).max(1)),
        };
        let fill = " ".repeat(width.saturating_sub(bar.width()));
        self.palette.paint(style_of(state), &bar) + &fill
    }
}

impl Renderer for TimelineText {
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8> {
        let mut text = String::new();
        for record in records {
            match record {
                Record::Life(life) => text += &(self.block(life, names) + "\n"),
                Record::Lost(lost) => {
                    let time = self.clock.write(lost.time);
                    text.extend(["LOST", GAP, &time, GAP, &lost_sentence(lost), "\n\n"]);
                }
                Record::Alert(alert) => {
                    let time = self.clock.write(alert.time);
                    text.extend(["ALERT", GAP, &time, GAP, &alert_sentence(alert), "\n\n"]);
                }
                _ => {}
            }
        }
        text.into_bytes()
    }

    fn message(&self, _: &Record) -> Option<String> {
        None
    }
}

/// Which side opened and which closed first; `None` where that is not proven. The other socket of the
/// connection may prove what this one does not.
fn roles(life: &LifeRecord) -> (Option<Side>, Option<Side>) {
    let other = life.peer.as_deref();
    let opener =
        life.roles.opener.or_else(|| other?.roles.opener.map(Side::seen_from_the_other_side));
    let closer =
        life.roles.closer.or_else(|| other?.roles.closer.map(Side::seen_from_the_other_side));
    (opener, closer)
}

/// The names of both sides: their owners where these are known, differ, and have been the same all the time, or
/// else their addresses; "this side" and "the peer" where nothing is known of the other socket.
fn sides(life: &LifeRecord, names: &Names) -> SideNames {
    let Some(other) = &life.peer else {
        let mut sides = SideNames::unnamed();
        let peer = life.peer_owner.as_ref().and_then(process);
        if let Some(peer) = peer.filter(|peer| process(&life.owner).as_ref() != Some(peer)) {
            sides.other = peer;
        }
        return sides;
    };
    let end = |life: &LifeRecord| local_end(&life.socket, names);
    let actor = |life: &LifeRecord| process(&life.owner).filter(|_| !life.changed_hands);
    match (actor(life), actor(other)) {
        (Some(this), Some(other)) if this != other => SideNames { this, other },
        _ => SideNames { this: end(life), other: end(other) },
    }
}

/// The sentences below the steps. Those about either side may say the same, so at most one of them
/// is taken.
fn remarks(life: &LifeRecord, sides: &SideNames) -> Vec<String> {
    let of_this = remark(life, sides);
    let of_other = life.peer.as_ref().and_then(|other| remark(other, &sides.swapped()));
    // The side that has not closed is the reason why the other one waits.
    let closed_last =
        |life: &LifeRecord| life.steps.iter().any(|step| step.state == State::CloseWait);
    let other_first = life.peer.as_deref().is_some_and(closed_last);
    let sentence = if other_first { of_other.or(of_this) } else { of_this.or(of_other) };
    let left_out = life.left_out;
    let many = (left_out > 0).then(|| format!("{left_out} steps after the first are omitted"));
    sentence.into_iter().chain(many).collect()
}

/// What the kernel last measured of each end that is shown, as ss -i writes it.
fn measured(life: &LifeRecord, sides: &SideNames) -> Vec<String> {
    let text = |life: &LifeRecord| life.tcp_info.as_ref().map(ToString::to_string);
    let of_end = |name: &str, life: &LifeRecord| {
        let text = text(life).filter(|text| !text.is_empty())?;
        Some(format!("last measured by {name}: {text}"))
    };
    let other = life.peer.as_ref().and_then(|other| of_end(&sides.other, other));
    of_end(&sides.this, life).into_iter().chain(other).collect()
}

/// The cause in the words of the table of edges, or what all causes have in common where several
/// edges lead to the state.
fn cause(step: &LifeStep) -> &'static str {
    match (step.cause, step.state) {
        (Some(cause), _) => cause,
        _ if step.evidence == Evidence::Possible => "",
        (None, State::Established) => "handshake complete",
        (None, State::TimeWait) => "received FIN and the ACK of ours",
        (None, State::SynRecv) => "received SYN, sent SYN+ACK",
        (None, _) => "",
    }
}

/// What closed a socket, where it is proven which of the causes in the table of edges it was.
const fn end_cause(life: &LifeRecord) -> Option<&'static str> {
    Some(match (life.verdict, life.reset_by) {
        (Some(Verdict::Refused), _) | (Some(Verdict::Reset), Some(Side::Remote)) => "received RST",
        (Some(Verdict::Reset), Some(Side::Local)) => "sent RST",
        (Some(Verdict::TimedOut), _) => "no answer",
        (Some(Verdict::NoAnswer), _) => "close()",
        _ => return None,
    })
}

/// Text in lines that fit the terminal, each with an indent.
fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROWEST));
    let margin = " ".repeat(indent);
    let mut lines = String::new();
    for line in wrap(text, room) {
        lines.extend([margin.as_str(), &line, "\n"]);
    }
    lines
}

#[cfg(test)]
mod tests;

//! The pictures in the README: a recording of two clients of a server that does not close the second
//! connection, replayed in the views that a page can show.

use super::{printed, root};
use crate::support::program::run;
#[cfg(feature = "tui")]
use crate::support::wait::until;
#[cfg(feature = "tui")]
use crate::tty::screen::Screen;
#[cfg(feature = "tui")]
use anstyle::{Ansi256Color, Color, Effects, Style};
use anstyle_svg::{Term, WIN10_CONSOLE};
#[cfg(feature = "tui")]
use std::fmt::Write as _;

fn recording() -> String {
    root().join("tests/fixtures/example.rec").display().to_string()
}

/// Text with the colours of a terminal as a picture.
fn drawn(text: &str) -> String {
    Term::new().palette(WIN10_CONSOLE).render_svg(text) + "\n"
}

/// The replay as plain text, and as a picture.
pub(super) fn example() -> (String, String) {
    let replay = |color| {
        let args = ["replay", &recording(), "--utc", "--color", color, "client|server"];
        printed(run(&args))
    };
    (replay("never"), drawn(&replay("always")))
}

/// The summary.
pub(super) fn summary() -> String {
    let args = ["replay", &recording(), "--view", "summary", "--color", "always"];
    drawn(&printed(run(&args)))
}

/// The page, without what needs its script and without the state diagram, in a drawing.
pub(super) fn report() -> String {
    let page = printed(run(&["replay", &recording(), "--format", "html", "--utc"]));
    let between = |from: &str, to: &str| {
        let rest = page.split_once(from).expect(from).1;
        rest.split_once(to).expect(to).0.to_owned()
    };
    let (style, body) = (between("<style>", "</style>"), between("<body>", "<h2>Transitions"));
    let (before, tools) = body.split_once("<div class=\"tools\"").expect("tools");
    let body = before.to_owned() + tools.split_once("</div>").expect("their end").1;
    let body = body.replace("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"980\">\
         <foreignObject width=\"1000\" height=\"980\"><body xmlns=\"http://www.w3.org/1999/xhtml\">\n\
         <style>{style}\nbody {{ margin: 0; padding: 1rem; min-height: 950px }}</style>\n{body}</body>\
         </foreignObject></svg>\n"
    )
}

/// The screen of `top`.
#[cfg(feature = "tui")]
pub(super) fn top() -> String {
    let (columns, rows) = (100, 26);
    let args = ["replay", &recording(), "--view", "top", "--utc", "--color", "always"];
    let (screen, program) = Screen::start_plain(columns, rows, &args);
    screen.until_written("event 11 of 11");
    // The socket that is leaked is selected: its timeline and its advice are at the bottom.
    screen.press("jjj");
    let shown = || {
        let written = screen.written();
        let is_whole = written.ends_with("\x1b[?2026l");
        is_whole.then(|| cells(&written, columns.into(), rows.into()))
    };
    let text = until("its advice", || shown().filter(|text| text.contains("CLOSE_WAIT: ")));
    screen.press("q");
    screen.assert_restored(program);
    drawn(&text)
}

/// What a terminal shows of which this was written: text at places, in styles.
#[cfg(feature = "tui")]
fn cells(written: &str, columns: usize, rows: usize) -> String {
    let mut grid = vec![vec![(' ', Style::new()); columns]; rows];
    let (mut row, mut column, mut style) = (0, 0, Style::new());
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character != '\x1b' {
            if let Some(cell) = grid.get_mut(row).and_then(|line: &mut Vec<_>| line.get_mut(column))
            {
                *cell = (character, style);
            }
            column += 1;
            continue;
        }
        let Some(sequence) = rest.strip_prefix('[') else { continue };
        let end = sequence.find(|c: char| ('@'..='~').contains(&c)).expect("a whole sequence");
        let numbers = sequence[..end].split(';').map(|number| number.parse().unwrap_or(0));
        let numbers: Vec<usize> = numbers.collect();
        rest = &sequence[end + 1..];
        match &sequence[end..=end] {
            "H" => (row, column) = (numbers[0].max(1) - 1, numbers.get(1).map_or(0, |x| x - 1)),
            "m" => style = styled(style, &numbers),
            _ => {}
        }
    }
    let mut text = String::new();
    for line in grid {
        for part in line.chunk_by(|(_, one), (_, next)| one == next) {
            let (characters, style) = (part.iter().map(|(character, _)| character), part[0].1);
            let characters: String = characters.collect();
            let _ = write!(text, "{style}{characters}{style:#}");
        }
        text.push('\n');
    }
    text
}

/// A style after the numbers of a sequence, as far as `top` uses them.
#[cfg(feature = "tui")]
fn styled(style: Style, numbers: &[usize]) -> Style {
    let without = |effects| style.effects(style.get_effects().remove(effects));
    match numbers {
        [38, 5, color, rest @ ..] => {
            let color = Ansi256Color(u8::try_from(*color).expect("a color")).into_ansi();
            styled(style.fg_color(color.map(Color::Ansi)), rest)
        }
        [first, rest @ ..] => styled(
            match first {
                0 => Style::new(),
                1 => style.bold(),
                2 => style.dimmed(),
                4 => style.underline(),
                7 => style.invert(),
                22 => without(Effects::BOLD | Effects::DIMMED),
                24 => without(Effects::UNDERLINE),
                27 => without(Effects::INVERT),
                39 => style.fg_color(None),
                _ => style,
            },
            rest,
        ),
        [] => style,
    }
}

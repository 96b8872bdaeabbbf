//! What the program costs beside others where there are many sockets: `cargo bench --bench at_scale`.
//!
//! Builds the sockets in namespaces of its own, held by processes that are this binary again, and
//! measures everything in one run, turn by turn, so that a busy machine is one for all.
//! It measures and does not judge: a figure that is missed is said to be, and the exit status is 0.

mod choice;
mod churn;
mod cost;
mod few;
mod holders;
#[path = "../../tests/support/loopback.rs"]
mod loopback;
mod many;
mod namespace;
mod report;
mod watched;

use choice::Choice;
use holders::Holders;
use report::Report;
use std::process::ExitCode;

/// The program that is measured.
const TCPLAPSE: &str = env!("CARGO_BIN_EXE_tcplapse");
/// How many times more sockets there are at last than at first.
const GROWTH: usize = 10;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(status) => status,
        Err(sentence) => {
            eprintln!("at_scale: {sentence}");
            ExitCode::from(2)
        }
    }
}

/// What this process is for: the first one prepares the namespace of the second, which measures
/// and starts all others.
fn run(words: &[&str]) -> Result<ExitCode, String> {
    match words {
        [namespace::ROLE, options @ ..] => measure(Choice::of(options)?)?,
        [holders::ROLE, rest @ ..] => holders::hold(rest)?,
        [churn::ROLE, rest @ ..] => churn::connect_and_close(rest)?,
        options if Choice::is_wanted(options) => {
            Choice::of(options)?;
            let status = namespace::run_inside(options)?;
            return Ok(status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .map_or(ExitCode::FAILURE, ExitCode::from));
        }
        _ => eprintln!("this is a bench: cargo bench --bench at_scale"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything, in the order in which the sockets become more.
fn measure(choice: Choice) -> Result<(), String> {
    namespace::furnish()?;
    let mut report = Report::default();
    let mut holders = Holders::default();
    holders.few()?;
    few::start(&mut report);
    few::trace(&mut report);
    holders.fill(choice.sockets / GROWTH)?;
    let before = many::costs(choice.rounds);
    holders.fill(choice.sockets)?;
    many::compare(&choice, &before, &mut report);
    print!("{}", report.text(&choice));
    Ok(())
}

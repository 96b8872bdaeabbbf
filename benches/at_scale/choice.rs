//! What the command line asks for.

/// Where cargo runs it as a bench; `cargo test --benches` does not say so.
const AS_A_BENCH: &str = "--bench";

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    /// So many sockets, at last.
    pub(crate) sockets: usize,
    /// Everything is measured so many times.
    pub(crate) rounds: usize,
}

impl Choice {
    /// The choice that these words make; `None` where nothing is to be measured.
    pub(crate) fn of(words: &[&str]) -> Result<Option<Self>, String> {
        let mut choice = Self { sockets: 100_000, rounds: 5 };
        let mut bench = false;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, least) = match *word {
                AS_A_BENCH => {
                    bench = true;
                    continue;
                }
                "--sockets" => (&mut choice.sockets, 1000),
                "--rounds" => (&mut choice.rounds, 1),
                other => {
                    return Err(format!("'{other}': only --sockets N and --rounds N are known"));
                }
            };
            let number = words.next().and_then(|number| number.parse().ok());
            let wrong = || format!("{word} takes a number from {least}");
            *option = number.filter(|number| *number >= least).ok_or_else(wrong)?;
        }
        Ok(bench.then_some(choice))
    }
}

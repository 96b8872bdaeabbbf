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
    /// Whether it is to measure at all.
    pub(crate) fn is_wanted(words: &[&str]) -> bool {
        words.contains(&AS_A_BENCH)
    }

    /// The choice that these words make.
    pub(crate) fn of(words: &[&str]) -> Result<Self, String> {
        let mut choice = Self { sockets: 100_000, rounds: 5 };
        let mut words = words.iter().filter(|word| **word != AS_A_BENCH);
        while let Some(word) = words.next() {
            let (option, least) = match *word {
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
        Ok(choice)
    }
}

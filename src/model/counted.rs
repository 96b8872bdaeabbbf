//! Numbers of things in sentences.

use std::fmt::Display;

/// `1 socket`, `2 sockets`: a number of things whose plural ends with "s".
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let texts = [0_u64, 1, 2].map(|number| counted(number, "socket"));
        assert_eq!(texts, ["0 sockets", "1 socket", "2 sockets"]);
    }
}

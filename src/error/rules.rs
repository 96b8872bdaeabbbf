//! A rules file that cannot be parsed.

use super::ValueError;
use std::fmt;
use std::path::PathBuf;

/// What is wrong in a rules file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, {error}", path.display())]
pub struct RuleFileError {
    /// The rules file.
    pub path: PathBuf,
    /// Where in it, and what.
    pub error: RuleError,
}

/// What is wrong in the text of a rules file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The name of the rule, where it is in one that has a name.
    pub rule: Option<String>,
    /// The key whose value is wrong, where it is one.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub cause: RuleCause,
}

/// `line 3, column 15, rule 'leak', longer_than: 'soon' is not a valid duration; ...`
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, rule, key, cause } = self;
        write!(f, "line {line}, column {column}")?;
        if let Some(rule) = rule {
            write!(f, ", rule '{rule}'")?;
        }
        if let Some(key) = key {
            write!(f, ", {key}")?;
        }
        write!(f, ": {cause}")
    }
}

/// Why a rule is refused. Texts are as they were written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleCause {
    /// It is not TOML, or a value has the wrong type: what the parser of TOML said.
    #[error("{0}; see tcplapse-rules(5)")]
    Toml(String),
    /// A key that does not exist.
    #[error("unknown key '{key}'; {}", suggestion(key, known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that exist.
        known: Vec<String>,
    },
    /// A key with a fixed list of values has another one.
    #[error("'{value}' is not a valid value; write one of {}", known.join(", "))]
    UnknownValue {
        /// The value.
        value: String,
        /// The values that exist.
        known: Vec<String>,
    },
    /// `rule` is not an array of tables.
    #[error("rule is not a list; write [[rule]], with two brackets")]
    NotAnArray,
    /// A rule without a name.
    #[error("the rule has no name; add name = \"leak\"")]
    NoName,
    /// A name that is empty or contains control characters.
    #[error("the name is empty or has control characters; write name = \"leak\"")]
    BadName,
    /// The rule above has the same name.
    #[error("there are two rules with this name; rename one of them")]
    DuplicateName,
    /// Nothing that would give an alert.
    #[error("no condition; add longer_than, at_least, growing_for, transition or verdict")]
    NoCondition,
    /// A key that takes one value.
    #[error("the value is not a string or a number; write one")]
    NotText,
    /// A key that takes one value or more.
    #[error("the value is not a string, a number or a list of these; write one of them")]
    NotTexts,
    /// A value that a flag would refuse as well.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// `at_least`
    #[error("'{0}' is not a positive number; write 5")]
    Count(String),
    /// `state = "CLOSED"` where sockets are counted.
    #[error(
        "a socket in CLOSED is in none of the kernel's tables, so that none can be counted; write \
         transition = \"all -> CLOSED\""
    )]
    CountsClosed,
    /// `state = "BOUND"`, or a transition from or to it.
    #[error("BOUND has no transitions and is not counted; leave it out")]
    Bound,
    /// `growing_for` without a length.
    #[error("the time is zero; write \"10m\"")]
    NoWindow,
    /// `transition`
    #[error("'{0}' is not a transition; write \"ESTABLISHED -> CLOSED\" or \"new -> SYN_SENT\"")]
    Transition(String),
}

/// The key that was probably meant, or else all keys.
fn suggestion(key: &str, known: &[String]) -> String {
    let distance = |name: &&String| strsim::damerau_levenshtein(name, key);
    match known.iter().min_by_key(distance).filter(|name| distance(name) <= 3) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the keys are {}", known.join(", ")),
    }
}

//! What clap says of a command line that it rejects, as one sentence in the form of all others:
//! what is wrong; what to do.

use super::{Cli, Defaults};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};
use std::ffi::OsString;
use std::fmt;

/// A command line that clap rejects, or that asks for help.
#[derive(Debug)]
pub(crate) struct Mistake {
    error: clap::Error,
    /// The command that was meant.
    command: String,
    defaults: Defaults,
    /// What was typed, without the name of the program.
    words: Vec<String>,
}

/// Flags that a command does not take for a reason, and what to do instead: the command, the flags,
/// the sentence.
const REASONS: [(&str, &[&str], &str); 11] = [
    ("list", &["-i"], "takes one snapshot; for what ss -i shows, write --tcp-info"),
    ("list", &["--for", "--interval", "--max-cpu", "--ring", "--ready-fd"], ONE_SNAPSHOT),
    ("list", &["--view"], "prints a table; for other views use tcplapse watch --view"),
    ("list", &["--time", "--utc"], "prints no times as text; leave it out"),
    ("watch", &["--from", "--at"], SHOWS_NOW),
    ("run", &["--from", "--at"], SHOWS_NOW),
    ("wait", &["--for"], "ends when its condition holds; to give up earlier, use --timeout"),
    ("run", &["--for"], "ends with its command; to end the wait after it, use --linger"),
    ("run", &["--procfs"], "follows processes that it starts itself; leave it out"),
    ("run", &["--ready-fd"], "starts its command after the first poll; leave it out"),
    ("replay", &SAMPLING, "reads samples that were taken before; leave it out"),
];
const SHOWS_NOW: &str = "shows what happens now; for a recording use tcplapse replay FILE";
const ONE_SNAPSHOT: &str = "takes one snapshot; leave it out, or use tcplapse watch";
const SAMPLING: [&str; 9] = [
    "--source",
    "--owners",
    "--procfs",
    "--interval",
    "-i",
    "--max-cpu",
    "--ring",
    "--ready-fd",
    "--record",
];

/// What people try for the process, whose name needs no flag.
const PROCESS_FLAGS: [&str; 5] = ["--process", "--name", "--comm", "--command", "--program"];

impl Mistake {
    /// `args` are the arguments that clap was given.
    pub(super) fn new(error: clap::Error, args: &[OsString]) -> Self {
        let first = args.get(1).and_then(|word| word.to_str()).unwrap_or_default();
        let commands = Cli::command();
        let mut known = commands.get_subcommands().map(Command::get_name);
        let command = known.find(|name| *name == first).unwrap_or("watch").to_owned();
        let words = args.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        Self { error, command, defaults: Defaults::default(), words }
    }

    /// This mistake on a command line some of whose arguments came from variables of the environment.
    pub(super) fn with(self, defaults: &Defaults) -> Self {
        Self { defaults: defaults.clone(), ..self }
    }

    /// The help that was asked for; `None` for a real mistake.
    pub(crate) fn help(&self) -> Option<&clap::Error> {
        (!self.error.use_stderr()).then_some(&self.error)
    }

    fn text(&self, kind: ContextKind) -> Option<&str> {
        match self.error.get(kind)? {
            ContextValue::String(text) => Some(text),
            ContextValue::Strings(texts) => texts.first().map(String::as_str),
            _ => None,
        }
    }

    /// The flag or the value's name that is wrong, without the value that clap adds.
    fn arg(&self) -> &str {
        let shown = self.text(ContextKind::InvalidArg).unwrap_or_default();
        let first = shown.split([' ', '=']).next().unwrap_or(shown);
        first.trim_matches(['<', '>', '[', ']', '.'])
    }

    fn unknown_flag(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flag, command) = (self.arg(), self.command.as_str());
        if !flag.starts_with('-') {
            return write!(f, "unexpected argument '{flag}'; see tcplapse help {command}");
        }
        let reason = REASONS.iter().find(|(of, flags, _)| *of == command && flags.contains(&flag));
        if let Some((_, _, reason)) = reason {
            return write!(f, "{flag} cannot be used with {command}, which {reason}");
        }
        if flag == "-" {
            return f.write_str("'=' cannot follow a flag that takes no value; leave it out");
        }
        if PROCESS_FLAGS.contains(&flag) {
            return write!(
                f,
                "there is no {flag}; write the name of a process without a flag, as in tcplapse \
                 {command} nginx"
            );
        }
        if flag == "-c" || flag == "--continuous" {
            return write!(f, "there is no {flag}; tcplapse watch is continuous without it");
        }
        self.similar_flag(f, flag)
    }

    /// Names the flag that was probably meant, or the commands that have it.
    fn similar_flag(&self, f: &mut fmt::Formatter<'_>, flag: &str) -> fmt::Result {
        let command = self.command.as_str();
        let mut cli = Cli::command();
        cli.build();
        let typed = flag.trim_start_matches('-');
        let flags = cli.get_subcommands().find(|known| known.get_name() == command);
        let longs = flags.into_iter().flat_map(Command::get_arguments).filter_map(Arg::get_long);
        let longs: Vec<&str> = longs.collect();
        let mut begun = longs.iter().filter(|long| typed.len() > 3 && long.starts_with(typed));
        if let (Some(long), None) = (begun.next(), begun.next()) {
            return write!(f, "there is no {flag}; did you mean --{long}?");
        }
        let others: Vec<&str> = cli
            .get_subcommands()
            .filter(|known| known.get_arguments().any(|arg| is_called(arg, flag)))
            .map(Command::get_name)
            .collect();
        let first = self.words.first().map_or("", String::as_str);
        let is_near = |name: &&&str| strsim::damerau_levenshtein(name, first) == 1;
        if let Some(meant) = others.iter().find(is_near) {
            return write!(f, "there is no command '{first}'; did you mean {meant}?");
        }
        if !others.is_empty() {
            let others = or(&others);
            return write!(
                f,
                "{flag} cannot be used with {command}; leave it out, or use it with {others}"
            );
        }
        let near = longs
            .into_iter()
            .chain(["help", "version"])
            .map(|long| (strsim::damerau_levenshtein(long, typed), long))
            .filter(|(distance, long)| *distance <= 2 && *distance < long.len())
            .min();
        match near {
            Some((_, long)) => write!(f, "there is no {flag}; did you mean --{long}?"),
            None => write!(f, "there is no {flag}; see tcplapse help {command}"),
        }
    }

    fn wrong_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (arg, value) = (self.arg(), self.text(ContextKind::InvalidValue).unwrap_or_default());
        if value.is_empty() {
            let shown = self.text(ContextKind::InvalidArg).unwrap_or_default();
            let plain = shown.replace(['<', '>'], "");
            return write!(f, "{arg} needs a value; write {plain}");
        }
        let arg = self.defaults.variable_of(arg).unwrap_or(arg);
        write!(f, "{arg}: '{value}' is not a valid value; ")?;
        match self.error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) if !values.is_empty() => {
                write!(f, "write {}", or(values))
            }
            _ => write!(f, "see tcplapse help {}", self.command),
        }
    }

    fn conflict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (arg, other) = (self.arg(), self.text(ContextKind::PriorArg).unwrap_or_default());
        let other = other.split([' ', '=']).next().unwrap_or(other);
        if arg == other || other.is_empty() {
            return write!(f, "{arg} is given twice; leave one out");
        }
        write!(f, "{arg} cannot be used with {other}; leave one of them out")
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (arg, command) = (self.arg(), self.command.as_str());
        let value = self.text(ContextKind::InvalidValue).unwrap_or_default();
        match self.error.kind() {
            ErrorKind::UnknownArgument => self.unknown_flag(f),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation => self.wrong_value(f),
            ErrorKind::ArgumentConflict => self.conflict(f),
            ErrorKind::TooManyValues if arg.starts_with('-') => {
                write!(f, "{arg} takes no value '{value}'; leave it out")
            }
            ErrorKind::TooManyValues => {
                write!(f, "unexpected argument '{value}'; see tcplapse help {command}")
            }
            ErrorKind::MissingRequiredArgument => {
                write!(f, "{command} needs {arg}; see tcplapse help {command}")
            }
            ErrorKind::InvalidSubcommand => {
                let name = self.text(ContextKind::InvalidSubcommand).unwrap_or_default();
                if let [help, command, rest @ ..] = self.words.as_slice()
                    && help == "help"
                    && !rest.is_empty()
                    && name != command
                {
                    let rest = rest.join(" ");
                    return write!(
                        f,
                        "help takes one command; write tcplapse help {command} or tcplapse {command} {rest}"
                    );
                }
                write!(f, "there is no command '{name}'; see tcplapse --help")
            }
            ErrorKind::InvalidUtf8 => {
                f.write_str("an argument is not valid UTF-8; only file names may be other bytes")
            }
            _ => write!(f, "wrong usage; see tcplapse help {command}"),
        }
    }
}

/// Whether a flag, with its dashes, is this argument.
fn is_called(arg: &Arg, flag: &str) -> bool {
    if let Some(long) = flag.strip_prefix("--") {
        return arg.get_long() == Some(long);
    }
    let short = flag.strip_prefix('-').and_then(|short| short.chars().next());
    short.is_some() && arg.get_short() == short
}

/// `a, b or c`
fn or(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", most.join(", "), last.as_ref())
        }
    }
}

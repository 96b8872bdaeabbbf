//! Commands that `run` cannot follow: they enter another network namespace, whose sockets are in no
//! table that is read here.

use crate::error::UsageError;
use std::ffi::OsString;

/// Programs that run the command behind their own options.
const WRAPPERS: [&str; 13] = [
    "chroot", "chrt", "doas", "env", "ionice", "nice", "nohup", "setsid", "stdbuf", "strace",
    "sudo", "taskset", "timeout",
];

/// Options of `ip` whose value is the next word.
const IP_OPTIONS_WITH_VALUE: [&str; 8] =
    ["-n", "-netns", "-f", "-family", "-b", "-batch", "-l", "-rc"];

/// A program that enters namespaces by options of its own.
struct Tool {
    name: &'static str,
    /// Options whose value is the next word.
    with_value: &'static [&'static str],
    /// Whether an option enters another network namespace.
    enters: fn(&str) -> bool,
}

const TOOLS: [Tool; 2] = [
    Tool {
        name: "nsenter",
        with_value: &["--net-socket", "--setgid", "--setuid", "--target", "-G", "-N", "-S", "-t"],
        enters: nsenter_enters,
    },
    Tool {
        name: "unshare",
        with_value: &[
            "--boottime",
            "--load-interp",
            "--map-group",
            "--map-groups",
            "--map-user",
            "--map-users",
            "--monotonic",
            "--propagation",
            "--root",
            "--setgid",
            "--setgroups",
            "--setuid",
            "--wd",
            "-G",
            "-R",
            "-S",
            "-l",
            "-w",
        ],
        enters: unshare_enters,
    },
];

/// Refuses a command that enters another network namespace, also behind the likes of sudo.
///
/// # Errors
/// [`UsageError::RunElsewhere`], with where tcplapse has to stand instead.
pub(super) fn refuse(command: &[OsString]) -> Result<(), UsageError> {
    let words: Vec<&str> = command.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let Some(end) = ip_netns_exec(&words).or_else(|| entered_by_option(&words)) else {
        return Ok(());
    };
    let (enter, command) = words.split_at(words.len().min(end));
    let command = if command.is_empty() { &["COMMAND"] } else { command };
    Err(UsageError::RunElsewhere { enter: enter.join(" "), command: command.join(" ") })
}

/// Where the command behind `ip netns exec NAME` begins.
fn ip_netns_exec(words: &[&str]) -> Option<usize> {
    let place = program(words, |name| name == "ip")?;
    let exec = words[place..].windows(2).position(|pair| pair == ["netns", "exec"])?;
    let are_options = words[place + 1..place + exec]
        .iter()
        .scan(false, |has_value, word| {
            let is_option = word.starts_with('-') || *has_value;
            *has_value = IP_OPTIONS_WITH_VALUE.contains(word);
            Some(is_option)
        })
        .all(|is_option| is_option);
    are_options.then_some(place + exec + 3)
}

/// The place of the program that is run, where it is one that `is_wanted`: the first word, or one
/// behind programs that run a command and their options.
fn program(words: &[&str], is_wanted: impl Fn(&str) -> bool) -> Option<usize> {
    for (place, word) in words.iter().enumerate() {
        let name = base_name(word);
        if is_wanted(name) {
            return Some(place);
        }
        let is_wrapper = WRAPPERS.contains(&name);
        // The value of an option cannot be distinguished from a program.
        let is_option = word.starts_with('-') || word.contains('=');
        let is_number = word.starts_with(|first: char| first.is_ascii_digit());
        if place == 0 && !is_wrapper {
            return None;
        }
        let is_value = place > 0 && words[place - 1].starts_with('-');
        if !(is_wrapper || is_option || is_number || is_value) {
            return None;
        }
    }
    None
}

/// Where the command behind `nsenter -n` or `unshare -n` begins.
fn entered_by_option(words: &[&str]) -> Option<usize> {
    let tool_of = |name: &str| TOOLS.iter().find(|tool| tool.name == name);
    let place = program(words, |name| tool_of(name).is_some())?;
    let tool = tool_of(base_name(words[place]))?;
    let (mut enters_net, mut at) = (false, place + 1);
    while let Some(word) = words.get(at).filter(|word| word.len() > 1 && word.starts_with('-')) {
        at += 1;
        if *word == "--" {
            break;
        }
        enters_net |= (tool.enters)(word);
        at += usize::from(tool.with_value.contains(word));
    }
    enters_net.then_some(at)
}

/// `-n`, `-nFILE`, `--net`, `--net=FILE`, `-N FD`, `-a`: options of one letter take what follows them
/// as the file of their namespace, so only -a, -e, -F and -Z may stand before others.
fn nsenter_enters(word: &str) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        return ["all", "net", "net-socket"].contains(&option_name(long));
    }
    let letters = word.trim_start_matches('-');
    letters.trim_start_matches(['e', 'F', 'Z']).starts_with(['n', 'N', 'a'])
}

/// `-n`, also among others as in `-rn`, `--net`, `--net=FILE`.
fn unshare_enters(word: &str) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        return option_name(long) == "net";
    }
    let takes_value = |letter: char| "RSGlw".contains(letter);
    word.chars().skip(1).take_while(|letter| !takes_value(*letter)).any(|letter| letter == 'n')
}

/// The name of a long option, without its value.
fn option_name(long: &str) -> &str {
    long.split('=').next().unwrap_or_default()
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What enters the namespace, and the command, where a command line is refused.
    fn refused(line: &str) -> Option<(String, String)> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        match refuse(&words) {
            Err(UsageError::RunElsewhere { enter, command }) => Some((enter, command)),
            _ => None,
        }
    }

    #[test]
    fn commands_that_enter_a_network_namespace_are_refused() {
        for (enter, command) in [
            ("ip netns exec blue", "curl -s host"),
            ("sudo -n /sbin/ip -n x netns exec blue", "curl"),
            ("sudo -u nobody env A=b ip -n x -6 netns exec blue", "curl"),
            ("nsenter -t 812 -n", "curl host"),
            ("sudo nsenter --target 812 --net", "curl"),
            ("nsenter -n/run/netns/blue", "curl"),
            ("nsenter --net=/run/netns/blue --", "curl -n"),
            ("timeout 5 /usr/bin/nsenter -t 812 -a", "curl"),
            ("nsenter -t 812 -Fn", "curl"),
            ("unshare -n", "curl"),
            ("unshare -rn", "curl"),
            ("unshare --map-root-user --net", "sh -c curl"),
            ("unshare --map-user 5 -S 3 -Un", "curl"),
        ] {
            let line = format!("{enter} {command}");
            assert_eq!(refused(&line), Some((enter.to_owned(), command.to_owned())), "{line}");
        }
        assert_eq!(refused("nsenter -n -t 812").expect("refused").1, "COMMAND");
    }

    #[test]
    fn other_commands_are_not() {
        for line in [
            "curl host",
            "ip netns list",
            "nsenter -t 812 -m curl -n",
            // The file of a mount namespace.
            "nsenter -t 812 -mn curl",
            "unshare -m curl -n",
            "unshare -w none -r curl",
            "man unshare -n",
            "grep -n nsenter -n",
            "ssh host ip netns exec blue true",
            "echo ip netns exec blue",
            "timeout 5 grep -c unshare -n FILE",
            "env grep nsenter -n FILE",
            "sudo -u nobody cat ip netns exec",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }
}

//! Completions in the shells themselves, as far as they are installed.

use crate::support::program::run;
use std::fs;
use std::process::Command;

/// What a shell prints when it runs a script in a folder with the completion script `c`; `None` where
/// there is no such shell.
fn in_shell(shell: &str, script: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let completions = run(&["completions", shell]).stdout;
    fs::write(folder.path().join("c"), completions).expect("the folder is ours");
    let mut command = Command::new(shell);
    command.arg("-c").arg(script).current_dir(folder.path()).env("HOME", folder.path());
    let output = command.output().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Lines, and a word that is offered to complete them.
const OFFERED: [(&str, &str); 10] = [
    ("tcplapse --view ", "timeline"),
    ("tcplapse --source ", "netlink"),
    ("tcplapse -s ", "CLOSE_WAIT"),
    ("tcplapse -4 --state ", "TIME_WAIT"),
    ("tcplapse list -s ", "LISTEN"),
    ("tcplapse explain ", "FIN_WAIT2"),
    ("tcplapse check --stuck ", "CLOSE_WAIT:60s"),
    ("tcplapse wait --until ", "none"),
    ("tcplapse completions ", "fish"),
    ("tcplapse ", "replay"),
];

#[test]
fn bash_completes_states_sources_and_views() {
    for (line, word) in OFFERED {
        let script = format!(
            "source ./c; words=({line}); COMP_WORDS=(\"${{words[@]}}\" ''); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _tcplapse tcplapse '' \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let Some(offered) = in_shell("bash", &script) else { return };
        assert!(offered.split_whitespace().any(|offer| offer == word), "{line}: {offered}");
    }
}

#[test]
fn fish_completes_states_sources_and_views() {
    for (line, word) in OFFERED {
        let Some(offered) = in_shell("fish", &format!("source ./c; complete -C '{line}'")) else {
            return;
        };
        let mut offers = offered.lines().filter_map(|line| line.split('\t').next());
        assert!(offers.any(|offer| offer == word), "{line}: {offered}");
        assert!(!offered.lines().any(|line| line == "c"), "no files: {offered}");
    }
}

/// What zsh offers: an interactive one, on a terminal of its own, prints each word instead of adding it.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty inner timeout --foreground -s KILL 60 zsh -f -i
zpty -w inner 'PROMPT=; autoload -Uz compinit; compinit -u -D; source ./c; compdef _tcplapse tcplapse'
zpty -w inner 'compadd() {
    if (( ${@[(I)-[OAD]]} )); then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -A hits "$@"; print -rl -- "OFFER:"${^hits}
}'
zpty -w inner 'comppostfuncs=(finish); finish() { print FINI""SHED }; bindkey "\t" complete-word; print REA""DY'
zpty -r -m inner started '*READY*'
zpty -w -n inner "$line"$'\t'
zpty -r -m inner offered '*FINISHED*'
print -r -- "$offered"
zpty -w inner $'\C-u'exit
"#;

#[test]
fn zsh_completes_states_sources_and_views() {
    for (line, word) in OFFERED {
        let script = format!("zsh -n ./c; line='{line}'\n{ZSH}");
        let Some(offered) = in_shell("zsh", &script) else { return };
        let offers = offered.split("OFFER:").skip(1);
        let mut offers = offers.filter_map(|rest| rest.split_whitespace().next());
        assert!(offers.any(|offer| offer == word), "{line}: {offered}");
    }
}

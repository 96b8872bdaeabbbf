//! What a package installs beside the program: units, alert rules, a dashboard, each tried with the
//! programs that read it.

mod databases;
mod dependencies;
#[cfg(feature = "export")]
mod prometheus;

use crate::support::require::{Feature, skip};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(packaging(file)).expect(file)
}

/// Runs another program; `None` where it is not installed.
fn other_program(feature: Feature, name: &str, args: &[&str]) -> Option<Output> {
    let output = Command::new(name).args(args).current_dir(packaging("prometheus")).output();
    if let Err(error) = &output {
        skip(feature, &format!("{name}: {error}"));
    }
    output.ok()
}

#[track_caller]
fn assert_succeeds(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
}

#[test]
fn units_are_hardened() {
    for unit in ["tcplapse-record.service", "tcplapse-export.service"] {
        let path = packaging(unit);
        let args = ["security", "--offline=true", "--no-pager", path.to_str().expect("UTF-8")];
        let Some(output) = other_program(Feature::Systemd, "systemd-analyze", &args) else {
            return;
        };
        assert_succeeds(&output);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.contains("Overall exposure level")).expect(&text);
        let level = line.split(": ").nth(1).and_then(|rest| rest.split(' ').next());
        let level: f64 = level.and_then(|level| level.parse().ok()).expect(line);
        assert!(level <= 2.0, "{line}");
    }
}

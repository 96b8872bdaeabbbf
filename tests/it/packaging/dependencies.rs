//! Every package of Cargo.lock that a Linux build uses: it builds with the Rust that we ask for, and its
//! licence and source are such as deny.toml allows. Only one toolchain is at hand: an older one cannot be
//! tried.

use serde_json::Value;
use std::process::Command;

struct Package {
    name: String,
    rust_version: Option<Vec<u32>>,
    license: String,
    source: Option<String>,
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().expect(version)).collect()
}

fn packages() -> Vec<Package> {
    let mut command = Command::new(env!("CARGO"));
    // Those of other systems were not downloaded by the build.
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.args(["metadata", "--locked", "--offline", "--format-version", "1"]);
    command.args(["--filter-platform", &host]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let package = |package: &Value| {
        let text = |key: &str| package[key].as_str().map(str::to_owned);
        Package {
            name: format!("{} {}", package["name"], package["version"]),
            rust_version: text("rust_version").map(|version| numbers(&version)),
            license: text("license").unwrap_or_default(),
            source: text("source"),
        }
    };
    metadata["packages"].as_array().expect("packages").iter().map(package).collect()
}

#[test]
fn no_package_needs_a_later_rust() {
    let ours = numbers(env!("CARGO_PKG_RUST_VERSION"));
    let packages = packages();
    assert!(packages.len() > 50);
    for Package { name, rust_version, .. } in packages {
        let is_enough = rust_version.as_ref().is_none_or(|needed| needed[..2] <= ours[..2]);
        assert!(is_enough, "{name} needs Rust {rust_version:?}");
    }
}

#[test]
fn licences_and_sources_are_allowed() {
    let rules: toml::Table = super::read("../deny.toml").parse().expect("TOML");
    let allowed = rules["licenses"]["allow"].as_array().expect("a list");
    let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed.as_str() == Some(name));
    // What has to be kept to is joined by AND, what may be chosen by OR; a slash is an old OR.
    let is_licensed = |license: &str| {
        license.split(" AND ").all(|part| {
            let choices = part.split(" OR ").flat_map(|part| part.split('/'));
            let name = |choice: &str| choice.trim_matches([' ', '(', ')']).to_owned();
            choices.map(name).any(|choice| is_allowed(choice.split(" WITH ").next().unwrap_or("")))
        })
    };
    for Package { name, license, source, .. } in packages() {
        assert!(is_licensed(&license), "{name}: {license}");
        let from_registry = |source: &str| source.starts_with("registry+");
        assert!(source.as_deref().is_none_or(from_registry), "{name}: {source:?}");
    }
}

#[test]
fn every_dependency_has_its_reason_in_contributing() {
    let manifest: toml::Table = super::read("../Cargo.toml").parse().expect("TOML");
    let text = super::read("../CONTRIBUTING.md");
    let tables = text.split("\n## ").find(|part| part.starts_with("Dependencies")).expect("a part");
    let rows = tables.lines().filter(|line| line.starts_with("| `"));
    let firsts = rows.filter_map(|row| row.split(" | ").next());
    let mut listed: Vec<&str> =
        firsts.flat_map(|cell| cell.trim_start_matches("| ").split(", ")).collect();
    let of = |kind: &str| manifest[kind].as_table().expect("dependencies").clone().into_iter();
    let all = of("dependencies").chain(of("dev-dependencies"));
    let mut used: Vec<String> = all.map(|(name, _)| format!("`{name}`")).collect();
    used.sort();
    used.dedup();
    listed.sort_unstable();
    assert_eq!(listed, used);
}

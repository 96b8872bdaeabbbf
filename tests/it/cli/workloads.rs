//! What owners run in, by the control groups and the files of runtimes in a made-up procfs.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::Program;
use serde_json::Value;
use std::fs;

const DOCKER: &str = "4f6d0ce3c1a0b4d2f8e9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6";
const KUBERNETES: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "2f48b1d2-7d4e-4f0a-9b57-6f9d3a1c0e21";

/// Three processes with a listener each: in a unit, in a container of docker, in a pod.
fn procfs() -> FakeProcfs {
    let row = |port: u16, inode: u32| {
        format!(
            "   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
             0 0 {inode} 1 0 100 0 0 10 0\n"
        )
    };
    let table = format!("  sl  local_address\n{}{}{}", row(80, 1), row(81, 2), row(82, 3));
    let procfs = FakeProcfs::with_table(table);
    let pod = UID.replace('-', "_");
    let slice = format!("kubepods.slice/kubepods-pod{pod}.slice/cri-containerd-{KUBERNETES}.scope");
    for (pid, inode, group) in [
        (10, 1, "system.slice/nginx.service"),
        (11, 2, &*format!("docker/{DOCKER}")),
        (12, 3, &slice),
    ] {
        procfs.process(pid, "server", 50, &[inode]);
        fs::write(procfs.file(&format!("{pid}/cgroup")), format!("0::/{group}\n")).expect("ours");
    }
    procfs
}

fn name_them(procfs: &FakeProcfs) {
    let log = format!("1/root/var/log/containers/web-0_shop_nginx-{KUBERNETES}.log");
    let docker = format!("1/root/var/lib/docker/containers/{DOCKER}/config.v2.json");
    for (path, text) in [(log, ""), (docker, r#"{"Name":"/db"}"#)] {
        let path = procfs.file(&path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        fs::write(path, text).expect("ours");
    }
}

/// The local ports that are listed, and the exit status with what is said.
fn ports(procfs: &FakeProcfs, args: &[&str]) -> (Vec<u64>, Option<i32>, String) {
    let args = [&["list", "-j"], args].concat();
    let outcome = Program::spawn(procfs.command(&args)).finish();
    let port = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        record["local_port"].as_u64().expect("a port")
    };
    (outcome.stdout.lines().map(port).collect(), outcome.code, outcome.messages())
}

#[test]
fn units_containers_and_pods_have_keys_and_a_column() {
    let procfs = procfs();
    name_them(&procfs);
    let outcome = Program::spawn(procfs.command(&["list", "-j"])).finish();
    let keys = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        ["unit", "container", "pod", "k8s_namespace"].map(|key| record[key].clone())
    };
    let found: Vec<_> = outcome.stdout.lines().map(keys).collect();
    let null = Value::Null;
    let scope = format!("cri-containerd-{KUBERNETES}.scope");
    let expected = [
        ["nginx.service".into(), null.clone(), null.clone(), null.clone()],
        [null.clone(), "db".into(), null.clone(), null],
        [scope.into(), "nginx".into(), "web-0".into(), "shop".into()],
    ];
    assert_eq!(found, expected);
    let outcome = Program::spawn(procfs.command(&["list", "-eH"])).finish();
    let last = |line: &str| line.split_whitespace().next_back().map(str::to_owned);
    let units: Vec<_> = outcome.stdout.lines().filter_map(last).collect();
    assert_eq!(units, ["nginx.service", "db", "shop/web-0"]);
}

#[test]
fn sockets_are_chosen_by_unit_container_and_pod() {
    let procfs = procfs();
    name_them(&procfs);
    for (args, expected) in [
        (&["--unit", "nginx"][..], &[80][..]),
        (&["--unit", "nginx.*,cri-*"], &[80, 82]),
        (&["--container", "db"], &[81]),
        (&["--container", "4f6d"], &[81]),
        (&["--pod", "web-0"], &[82]),
        (&["--pod", "shop/*", "--container", "nginx"], &[82]),
        (&["--unit", "ngin"], &[]),
        (&["--pod", "web"], &[]),
    ] {
        let (ports, code, messages) = ports(&procfs, args);
        assert_eq!(ports, expected, "{args:?}: {messages}");
        assert_eq!(code, Some(i32::from(expected.is_empty())), "{args:?}");
    }
}

#[test]
fn a_container_whose_name_is_not_found_is_no_all_clear() {
    let procfs = procfs();
    let (found, code, messages) = ports(&procfs, &["--container", "db"]);
    assert_eq!((found, code), (Vec::new(), Some(1)));
    assert!(messages.contains("2 sockets hidden"), "{messages}");
    assert_eq!(ports(&procfs, &["--container", "4f6d0ce3c1a0"]).0, [81]);
    assert_eq!(ports(&procfs, &["--pod", UID]).0, [82]);
    let check =
        procfs.command(&["check", "--max", "LISTEN:0", "--container", "db", "--for", "1ms"]);
    let outcome = Program::spawn(check).finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    // Root has every right: another name of it is what helps.
    let id = "may be of a container or pod whose name was not found; write its id, --container";
    if rustix::process::geteuid().is_root() {
        assert!(outcome.stderr.contains(id), "{outcome:?}");
        assert!(messages.contains(id), "{messages}");
    }
}

#[test]
fn sockets_are_counted_by_unit_container_and_pod() {
    let procfs = procfs();
    name_them(&procfs);
    for (key, name) in [("unit", "nginx.service"), ("container", "db"), ("pod", "shop/web-0")] {
        let args = ["check", "--by", key, "--max", "LISTEN:0", "--for", "1ms", "-i", "1ms"];
        let groups = Program::spawn(procfs.command(&args)).finish();
        assert_eq!(groups.code, Some(1), "{groups:?}");
        assert!(groups.stdout.contains(&format!("{name} ")), "{groups:?}");
        let args = ["--view", "summary", "--by", key, "--for", "10ms", "-i", "1ms"];
        let summary = Program::spawn(procfs.command(&args)).finish().stdout;
        let heading = key.to_uppercase();
        assert!(summary.starts_with(&heading), "{summary}");
        assert!(summary.contains(&format!("{name} ")), "{summary}");
    }
}

#[test]
fn rules_know_units() {
    let procfs = procfs();
    let rules = procfs.file("rules.toml");
    let text = "[[rule]]\nname = 'web'\nunit = 'nginx'\nat_least = 1\n";
    fs::write(&rules, text).expect("ours");
    let rules = rules.to_str().expect("UTF-8");
    let args = ["--for", "10ms", "-i", "1ms", "--view", "diagram", "--rules", rules];
    let outcome = Program::spawn(procfs.command(&args)).finish();
    assert!(outcome.messages().contains("alert web: 1 socket"), "{outcome:?}");
}

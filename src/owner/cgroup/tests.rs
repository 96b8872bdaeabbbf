use super::*;
use proptest::prelude::*;

const A: &str = "4f6d0ce3c1a0b4d2f8e9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6";
const B: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "2f48b1d2-7d4e-4f0a-9b57-6f9d3a1c0e21";

/// `UNIT CONTAINER POD`, `-` for each that is not named.
fn named(path: &str) -> String {
    let path = path.replace("UID_", &UID.replace('-', "_")).replace("ID2", B).replace("ID", A);
    let Workload { unit, container, pod } = parse(format!("0::{path}\n").as_bytes());
    let container = container.map(|it| it.name.or(it.id).unwrap_or_default());
    let pod = pod.map(|pod| pod.uid);
    let parts = [unit, container, pod].map(|part| part.unwrap_or_else(|| "-".to_owned()));
    parts.join(" ").replace(A, "ID").replace(B, "ID2").replace(UID, "UID")
}

#[test]
fn every_runtime_is_known_by_its_paths() {
    for (path, expected) in [
        ("/", "- - -"),
        ("/system.slice/nginx.service", "nginx.service - -"),
        ("/system.slice/_cpu.service", "cpu.service - -"),
        (r"/system.slice/my\x2dapp.service", "my-app.service - -"),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope - -"),
        ("/user.slice/user@1000.service/app.slice/web.service", "web.service - -"),
        ("/init.scope", "init.scope - -"),
        ("/system.slice/docker-ID.scope", "docker-ID.scope ID -"),
        ("/docker/ID", "- ID -"),
        ("/docker/ID/docker/ID2", "- ID2 -"),
        ("/system.slice/docker-ID.scope/system.slice/cron.service", "cron.service ID -"),
        ("/kubepods/burstable/podUID_/ID", "- ID UID"),
        (
            "/kubepods.slice/kubepods-podUID_.slice/cri-containerd-ID.scope",
            "cri-containerd-ID.scope ID UID",
        ),
        (
            "/kubepods.slice/x.slice/kubepods-besteffort-podUID_.slice/crio-ID.scope",
            "crio-ID.scope ID UID",
        ),
        (
            "/kubepods.slice/kubepods-podUID_.slice/crio-conmon-ID.scope",
            "crio-conmon-ID.scope - UID",
        ),
        (
            "/system.slice/containerd.service/kubepods-podUID_.slice:cri-containerd:ID",
            "containerd.service ID UID",
        ),
        ("/machine.slice/libpod-ID.scope/container", "libpod-ID.scope ID -"),
        ("/machine.slice/libpod-conmon-ID.scope", "libpod-conmon-ID.scope - -"),
        (
            "/user.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "libpod-ID.scope ID -",
        ),
        ("/web.service/libpod-payload-ID", "web.service ID -"),
        ("/machine.slice/machine-libpod_pod_ID2.slice/libpod-ID.scope", "libpod-ID.scope ID ID2"),
        ("/lxc/web", "- web -"),
        ("/lxc.payload.web/system.slice/cron.service", "cron.service web -"),
        ("/lxc.payload/web", "- web -"),
        ("/lxc.monitor.web", "- - -"),
        (r"/machine.slice/machine-my\x2dbox.scope/payload", "machine-my-box.scope my-box -"),
        ("/machine.slice/machine-box.scope/supervisor", "machine-box.scope - -"),
        ("/machine.slice/systemd-nspawn@box.service/payload/init.scope", "init.scope box -"),
        (r"/machine.slice/machine-qemu\x2d1\x2dvm.scope", "machine-qemu-1-vm.scope - -"),
        ("/system.slice/nginx.service (deleted)", "nginx.service - -"),
        ("/../../kubepods/podUID_/ID", "- ID UID"),
        ("/podcast/ID-not/pods", "- - -"),
        ("/.service/.scope", "- - -"),
    ] {
        assert_eq!(named(path), expected, "{path}");
    }
}

#[test]
fn of_several_hierarchies_that_of_systemd_counts_first() {
    let text = format!(
        "12:pids:/docker/{B}\n9:memory:/system.slice/other.service\n1:name=systemd:/docker/{A}\n0::/\n"
    );
    let found = parse(text.as_bytes());
    assert_eq!(found.container.and_then(|it| it.id).as_deref(), Some(A));
    assert_eq!(found.unit.as_deref(), Some("other.service"));
    assert_eq!(parse(b"0::/\n9:memory:/process_api/6e3e929ce86c1422\n"), Workload::default());
}

#[test]
fn hostile_names_are_escaped() {
    let found = parse(b"0::/lxc/\x1b[2J\\x1b\\xzz/a\xff.service\n");
    assert_eq!(found.container.and_then(|it| it.name).as_deref(), Some(r"\x1b[2J\x1b\\xzz"));
    assert_eq!(found.unit.as_deref(), Some("a\u{fffd}.service"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text: Vec<u8>, path in r"(/(pod|lxc|machine-|[a-f0-9:_-]{60,70}|\\x[0-9é]{0,3}|\.scope|\.slice)*){0,4}") {
        let _ = parse(&text);
        let _ = parse(format!("0::{path}").as_bytes());
    }
}

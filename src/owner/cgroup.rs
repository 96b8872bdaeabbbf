//! Understands `/proc/PID/cgroup`: the paths of control groups name units of systemd, containers and
//! pods. Pure.

use crate::model::escape::escape;
use crate::model::workload::{Container, Pod, Workload};

/// The ids of containers have so many hexadecimal digits.
const ID: usize = 64;

/// What a process with this `/proc/PID/cgroup` runs in. Of nested containers and units the innermost
/// counts. Names that only a runtime knows are missing.
pub(crate) fn parse(cgroup: &[u8]) -> Workload {
    let text = String::from_utf8_lossy(cgroup);
    // ID:CONTROLLERS:PATH. systemd knows the second version of control groups, and a hierarchy of its
    // own beside the first one; other hierarchies may have what these do not.
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        Some((!matches!(controllers, "" | "name=systemd"), fields.next()?))
    });
    let mut lines: Vec<(bool, &str)> = lines.collect();
    lines.sort_by_key(|(is_other, _)| *is_other);
    let mut found = Workload::default();
    for (_, path) in lines {
        let Workload { unit, container, pod } = of_path(path);
        // The unit, the container and the pod of one hierarchy belong together.
        if found.container.is_none() && container.is_some() {
            (found.container, found.pod) = (container, pod.or(found.pod.take()));
        } else {
            found.pod = found.pod.or(pod);
        }
        found.unit = found.unit.or(unit);
    }
    found
}

/// What the path of one control group names: the last match wins.
fn of_path(path: &str) -> Workload {
    let mut found = Workload::default();
    let mut parent = "";
    // The kernel marks a group that was removed under its processes.
    for part in path.strip_suffix(" (deleted)").unwrap_or(path).split('/') {
        // systemd puts a `_` before names that the kernel could take for files of its own.
        let name = part.strip_prefix('_').unwrap_or(part);
        for piece in name.split(':') {
            if let Some(pod) = pod(piece) {
                (found.pod, found.container) = (Some(pod), None);
            }
        }
        match container(name, parent) {
            Some(Membership::Inside(container)) => found.container = Some(container),
            Some(Membership::Beside) => found.container = None,
            None => {}
        }
        if [".service", ".scope"].iter().any(|kind| name.len() > kind.len() && name.ends_with(kind))
        {
            found.unit = Some(readable(name));
        }
        parent = name;
    }
    found
}

/// What a control group says of its processes.
enum Membership {
    /// They are in this container.
    Inside(Container),
    /// They look after a container, and are not in it.
    Beside,
}

fn container(name: &str, parent: &str) -> Option<Membership> {
    let named = |name: &str| {
        let name = Some(readable(name)).filter(|name| !name.is_empty());
        name.map(|name| Membership::Inside(Container { id: None, name: Some(name) }))
    };
    let is_nspawn =
        |name: &str| name.starts_with("machine-") || name.starts_with("systemd-nspawn@");
    match name {
        // systemd-nspawn's own process, and those of its container.
        "supervisor" if is_nspawn(parent) => return Some(Membership::Beside),
        "payload" if let Some(machine) = parent.strip_prefix("systemd-nspawn@") => {
            return named(machine.strip_suffix(".service")?);
        }
        _ => {}
    }
    if let Some((runtime, id)) = id_at_end(name.strip_suffix(".scope").unwrap_or(name)) {
        // conmon watches a container of CRI-O or podman.
        if runtime.contains("conmon") {
            return Some(Membership::Beside);
        }
        let container = Container { id: Some(id.to_owned()), name: None };
        return (!runtime.ends_with("libpod_pod_")).then_some(Membership::Inside(container));
    }
    if matches!(parent, "lxc" | "lxc.payload") {
        return named(name);
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return named(name);
    }
    let machine = name.strip_prefix("machine-")?.strip_suffix(".scope")?;
    // Virtual machines of libvirt have such scopes, too.
    if machine.starts_with(r"qemu\x2d") { None } else { named(machine) }
}

/// `docker-ID`, `cri-containerd-ID`, `system.slice:cri-containerd:ID`, or just the id: what stands
/// before it, and the id.
fn id_at_end(name: &str) -> Option<(&str, &str)> {
    let (runtime, id) = name.split_at_checked(name.len().checked_sub(ID)?)?;
    let is_hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_apart = runtime.is_empty() || runtime.ends_with(['-', ':', '_']);
    (is_hex && is_apart).then_some((runtime, id))
}

/// `podUID`, `kubepods-burstable-podUID.slice` with `_` for `-`, `machine-libpod_pod_ID.slice`.
fn pod(name: &str) -> Option<Pod> {
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let of_uid = |uid: &str| Pod { uid: uid.to_owned(), name: None, namespace: None };
    if let Some((before, id)) = id_at_end(name) {
        return before.ends_with("libpod_pod_").then(|| of_uid(id));
    }
    let uid = match name.rsplit_once("-pod") {
        Some((before, uid)) if before.starts_with("kubepods") => uid,
        _ => name.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    // A static pod has the hash of its manifest for a uid.
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let others = uid.len() - digits;
    let is_uid = digits == 32 && (others == 0 || others == uid.matches('-').count());
    is_uid.then(|| of_uid(&uid))
}

/// The name of a unit or a machine as its user writes it, safe to print: systemd writes some
/// characters as `\x2d`.
fn readable(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, escaped)) = rest.split_once(r"\x") {
        bytes.extend(plain.as_bytes());
        let byte = escaped.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(br"\x"),
        }
        rest = if byte.is_some() { &escaped[2..] } else { escaped };
    }
    bytes.extend(rest.as_bytes());
    escape(&bytes)
}

#[cfg(test)]
mod tests;

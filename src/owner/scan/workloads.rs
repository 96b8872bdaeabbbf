//! What processes run in, with the names that runtimes keep in files: no runtime is asked.

use super::entry_file::read_file;
use crate::model::escape::escape;
use crate::model::workload::{Container, Workload};
use crate::owner::cgroup;
use procfs::process::Process as ProcEntry;
use serde::Deserialize;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often (µs) names that were not found are looked for again: a runtime writes them after it has
/// started a process.
const RETRY_INTERVAL: u64 = 1_000_000;
/// No such file of a runtime is longer.
const LONGEST_FILE: u64 = 4 << 20;
/// No directory of logs has more entries that matter.
const MOST_NAMES: usize = 1 << 16;

/// The workloads of processes, each stored once.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    /// Where the files of runtimes are: below the root of process 1, or of this process.
    roots: Vec<PathBuf>,
    /// By the text of `/proc/PID/cgroup`.
    known: RefCell<HashMap<Vec<u8>, Known>>,
    /// How many there were after those without a process were dropped.
    kept: Cell<usize>,
    names: RefCell<WorkloadNames>,
    /// The end of the reading that is being processed (boot time, µs).
    now: Cell<u64>,
}

#[derive(Debug)]
struct Known {
    workload: Arc<Workload>,
    /// From then on names that are missing are looked for again; `None` if none is.
    retry_at: Option<u64>,
}

/// The names of containers and pods, by their ids.
#[derive(Debug, Default)]
struct WorkloadNames {
    /// Pod, namespace and container.
    containers: HashMap<String, [String; 3]>,
    /// Namespace and pod, by uid.
    pods: HashMap<String, [String; 2]>,
    podman: HashMap<String, String>,
    /// When they are read next (boot time, µs).
    read_at: u64,
}

impl Workloads {
    pub(super) fn new(procfs: &Path) -> Self {
        let roots = vec![procfs.join("1/root"), PathBuf::from("/")];
        Self { roots, ..Self::default() }
    }

    /// From now on a reading is processed that ended at this boot time (µs).
    pub(super) fn start_reading(&self, now: u64) {
        self.now.set(now);
    }

    /// What a process runs in; `None` if it is gone.
    pub(super) fn of(&self, entry: &ProcEntry) -> Option<Arc<Workload>> {
        let cgroup = read_file(entry, "cgroup").ok()?;
        let mut known = self.known.borrow_mut();
        let is_settled = |known: &&Known| known.retry_at.is_none_or(|at| self.now.get() < at);
        if let Some(known) = known.get(&cgroup).filter(is_settled) {
            return Some(Arc::clone(&known.workload));
        }
        let mut workload = cgroup::parse(&cgroup);
        let is_named = self.add_names(&mut workload);
        let retry_at = (!is_named).then(|| self.now.get().saturating_add(RETRY_INTERVAL));
        if known.len() > 2 * self.kept.get() + 64 {
            known.retain(|_, known| Arc::strong_count(&known.workload) > 1);
            self.kept.set(known.len());
        }
        // One that is as before stays the same for those who share it.
        let before = known.get(&cgroup).filter(|before| *before.workload == workload);
        let workload = before.map_or_else(|| Arc::new(workload), |it| Arc::clone(&it.workload));
        known.insert(cgroup, Known { workload: Arc::clone(&workload), retry_at });
        Some(workload)
    }

    /// Adds the names that files of runtimes have; whether none is missing.
    fn add_names(&self, workload: &mut Workload) -> bool {
        let Workload { container, pod, .. } = workload;
        let is_missing = |it: &Container| it.name.is_none();
        if pod.is_none() && !container.as_ref().is_some_and(is_missing) {
            return true;
        }
        let mut names = self.names.borrow_mut();
        if names.read_at <= self.now.get() {
            names.read(&self.roots);
            names.read_at = self.now.get().saturating_add(RETRY_INTERVAL);
        }
        if let Some(Container { id: Some(id), name }) = container {
            if let Some([of_pod, namespace, of_container]) = names.containers.get(id) {
                *name = Some(of_container.clone());
                if let Some(pod) = pod {
                    pod.name = Some(of_pod.clone());
                    pod.namespace = Some(namespace.clone());
                }
            } else {
                let docker = || self.roots.iter().find_map(|root| docker_name(root, id));
                *name = names.podman.get(id).cloned().or_else(docker);
            }
        }
        if let Some(pod) = pod.as_mut().filter(|pod| pod.name.is_none())
            && let Some([namespace, name]) = names.pods.get(&pod.uid)
        {
            (pod.namespace, pod.name) = (Some(namespace.clone()), Some(name.clone()));
        }
        !container.as_ref().is_some_and(is_missing)
            && pod.as_ref().is_none_or(|pod| pod.name.is_some())
    }
}

impl WorkloadNames {
    fn read(&mut self, roots: &[PathBuf]) {
        *self = Self::default();
        for root in roots {
            for name in file_names(&root.join("var/log/containers")) {
                if let Some((id, names)) = parse_log(&name) {
                    self.containers.insert(id.to_owned(), names);
                }
            }
            for name in file_names(&root.join("var/log/pods")) {
                if let Some((uid, names)) = parse_pod(&name) {
                    self.pods.insert(uid.to_owned(), names);
                }
            }
            let podman = root.join("var/lib/containers/storage/overlay-containers/containers.json");
            self.podman.extend(podman_names(&podman));
        }
    }
}

fn file_names(dir: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().take(MOST_NAMES);
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// `POD_NAMESPACE_CONTAINER-ID.log`, which kubelet makes: the id, and the three names. None of them
/// has a `_`.
fn parse_log(name: &str) -> Option<(&str, [String; 3])> {
    let (names, id) = name.strip_suffix(".log")?.rsplit_once('-')?;
    let mut names = names.splitn(3, '_').map(|name| escape(name.as_bytes()));
    let names = [names.next()?, names.next()?, names.next()?];
    (!id.is_empty() && names.iter().all(|name| !name.is_empty())).then_some((id, names))
}

/// `NAMESPACE_POD_UID`, which kubelet makes: the uid, and the two names.
fn parse_pod(name: &str) -> Option<(&str, [String; 2])> {
    let (names, uid) = name.rsplit_once('_')?;
    let (namespace, pod) = names.split_once('_')?;
    let names = [namespace, pod].map(|name| escape(name.as_bytes()));
    names.iter().all(|name| !name.is_empty()).then_some((uid, names))
}

/// What Docker calls a container.
fn docker_name(root: &Path, id: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Config {
        name: String,
    }
    let path = root.join("var/lib/docker/containers").join(id).join("config.v2.json");
    let Config { name } = serde_json::from_slice(&contents(&path)?).ok()?;
    let name = name.strip_prefix('/').unwrap_or(&name);
    (!name.is_empty()).then(|| escape(name.as_bytes()))
}

/// What podman calls its containers, by their ids.
fn podman_names(path: &Path) -> HashMap<String, String> {
    #[derive(Deserialize)]
    struct Stored {
        id: String,
        #[serde(default)]
        names: Vec<String>,
    }
    let text = contents(path).unwrap_or_default();
    let stored: Vec<Stored> = serde_json::from_slice(&text).unwrap_or_default();
    let named = stored.into_iter().filter_map(|Stored { id, names }| {
        let name = names.into_iter().next().filter(|name| !name.is_empty())?;
        Some((id, escape(name.as_bytes())))
    });
    named.collect()
}

/// The bytes of a regular file that is not too long.
fn contents(path: &Path) -> Option<Vec<u8>> {
    // A pipe in its place would block.
    let size = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    let mut bytes = Vec::new();
    let file = File::open(path).ok().filter(|_| size <= LONGEST_FILE)?;
    file.take(LONGEST_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f6d0ce3c1a0b4d2f8e9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6";
    const UID: &str = "2f48b1d2-7d4e-4f0a-9b57-6f9d3a1c0e21";

    /// A process in a procfs of its own, whose runtimes have these files.
    fn named(cgroup: &str, files: &[(&str, &str)]) -> Workload {
        let procfs = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = procfs.path().join(path);
            fs::create_dir_all(path.parent().expect("not the root")).expect("ours");
            fs::write(path, text).expect("ours");
        };
        write("7/cgroup", &format!("0::{cgroup}\n"));
        for (path, text) in files {
            write(&format!("1/root/var/{path}"), text);
        }
        let entry = ProcEntry::new_with_root(procfs.path().join("7")).expect("a process");
        let workload = Workloads::new(procfs.path()).of(&entry).expect("it was read");
        Arc::unwrap_or_clone(workload)
    }

    #[test]
    fn names_come_from_the_files_of_runtimes() {
        let kubernetes = format!("/kubepods/pod{UID}/{ID}");
        let log = format!("log/containers/web-0_shop_nginx-{ID}.log");
        let of_log = named(&kubernetes, &[(&log, "")]);
        assert_eq!(of_log.label().as_deref(), Some("shop/web-0"));
        assert_eq!(of_log.container.expect("one").label(), "nginx");
        let of_pod = named(&kubernetes, &[(&format!("log/pods/shop_web-0_{UID}/x"), "")]);
        assert_eq!(of_pod.label().as_deref(), Some("shop/web-0"));
        assert_eq!(of_pod.container.expect("one").label(), &ID[..12]);
        let config = format!("lib/docker/containers/{ID}/config.v2.json");
        let docker = format!("/system.slice/docker-{ID}.scope");
        let of_docker = named(&docker, &[(&config, "{\"ID\":\"x\",\"Name\":\"/w\\u001beb\"}")]);
        assert_eq!(of_docker.container.expect("one").label(), r"w\x1beb");
        let storage = "lib/containers/storage/overlay-containers/containers.json";
        let json = format!("[{{\"id\":\"{ID}\",\"names\":[\"db\"],\"x\":1}},{{\"id\":\"y\"}}]");
        let of_podman = named(&format!("/machine.slice/libpod-{ID}.scope"), &[(storage, &json)]);
        assert_eq!(of_podman.container.expect("one").label(), "db");
        let damaged = named(&docker, &[(&config, "{\"Name\":"), (storage, "[")]);
        assert_eq!(damaged.container.expect("one").label(), &ID[..12]);
    }

    #[test]
    fn other_files_among_the_logs_name_nothing() {
        for name in
            ["", ".log", "-.log", "_-.log", "a_b-c.log", "a_b_-x.log", "a_b_c.log", "a_b_c-.log"]
        {
            assert_eq!(parse_log(name), None, "{name}");
        }
        for name in ["", "_", "__", "a_b", "_a_b"] {
            assert_eq!(parse_pod(name), None, "{name}");
        }
    }
}

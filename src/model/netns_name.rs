//! What a network namespace is called by where it is mounted.

use std::path::Path;

/// What `ip netns` or docker calls the namespace that is mounted at a path; else the path.
pub(crate) fn mount_name(point: &Path) -> String {
    let is_folder = |folder: &str| point.parent() == Some(Path::new(folder));
    let known = ["/run/netns", "/var/run/netns", "/run/docker/netns", "/var/run/docker/netns"];
    let name = point.file_name().filter(|_| known.into_iter().any(is_folder));
    name.map_or_else(|| point.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}

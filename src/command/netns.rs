//! The network namespaces that `--netns` names, as processes and paths.

use crate::error::{NetnsError, Result};
use crate::owner::scan::Scan;
use crate::owner::scan::whereabouts::NetnsScope;
use crate::settings::Settings;
use crate::settings::netns::NetnsChoice;
use crate::source::netns::inode_of;

/// The same choices, with processes instead of containers.
///
/// # Errors
/// No process runs in a container.
pub(super) fn resolved(settings: &Settings) -> Result<Vec<NetnsChoice>> {
    let mut choices = Vec::new();
    for choice in &settings.netns {
        let NetnsChoice::Container(container) = choice else {
            choices.push(choice.clone());
            continue;
        };
        let pids = Scan::new(&settings.procfs).pids_in_container(container);
        if pids.is_empty() {
            return Err(NetnsError::NoContainer(container.to_string()).into());
        }
        choices.extend(pids.into_iter().map(NetnsChoice::Process));
    }
    Ok(choices)
}

/// The namespaces whose sockets are read.
///
/// # Errors
/// See [`resolved`].
pub(super) fn scope(settings: &Settings, scan: &Scan) -> Result<NetnsScope> {
    if settings.netns.is_empty() {
        return Ok(NetnsScope::Own);
    }
    let mut tables = Vec::new();
    for choice in resolved(settings)? {
        match &choice {
            NetnsChoice::All => return Ok(NetnsScope::All),
            NetnsChoice::Process(pid) => tables.extend(scan.table_of(*pid)),
            choice => {
                tables.extend(inode_of(choice).and_then(|it| scan.table_of_namespace(it)));
            }
        }
    }
    Ok(NetnsScope::Tables(tables))
}

//! The network namespaces that `--netns` names, as processes and paths.

use crate::error::{NetnsError, Result};
use crate::owner::scan::netns::{NetnsScope, pids_in_container, table_of, table_of_namespace};
use crate::owner::scan::process_files::ProcessFiles;
use crate::settings::Settings;
use crate::settings::netns::NetnsChoice;
use crate::source::netns::inode_of;

/// The network namespaces that are asked for, with the processes of containers instead of these.
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
        let pids = pids_in_container(container, &ProcessFiles::new(&settings.procfs));
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
pub(super) fn scope(settings: &Settings, processes: &ProcessFiles) -> Result<NetnsScope> {
    if settings.netns.is_empty() {
        return Ok(NetnsScope::Own);
    }
    let mut tables = Vec::new();
    for choice in resolved(settings)? {
        match &choice {
            NetnsChoice::All => return Ok(NetnsScope::All),
            NetnsChoice::Process(pid) => tables.extend(table_of(*pid, processes)),
            choice => {
                tables.extend(inode_of(choice).and_then(|it| table_of_namespace(it, processes)));
            }
        }
    }
    Ok(NetnsScope::Tables(tables))
}

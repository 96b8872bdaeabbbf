//! Opens the source that the settings name, or the best one.

#[cfg(feature = "bpf")]
mod by_events;
#[cfg(not(feature = "bpf"))]
#[path = "open_source/without_bpf.rs"]
mod by_events;

use super::netns;
use crate::cli::SourceName;
use crate::error::{Error, Result, UsageError};
use crate::output::messages;
use crate::settings::{OWN_PROCFS, Settings};
use crate::source::Source;
use crate::source::netlink::Netlink;
use crate::source::netns::{NamespacePolls, Namespaces};
use crate::source::proc::Proc;
use crate::tcp::state_set::StateSet;
use rustix::system::uname;
use std::path::Path;

/// Opens the source for polls one after the other.
///
/// # Errors
/// What the named source lacks; with `auto`, what the last choice lacks.
pub(super) fn open(settings: &Settings) -> Result<Box<dyn Source>> {
    if !settings.netns.is_empty() {
        return several(settings);
    }
    match settings.source {
        SourceName::Proc => proc(settings),
        SourceName::Netlink => netlink(settings),
        SourceName::Trace => by_events::open(settings),
        SourceName::Auto => best(settings),
    }
}

/// Opens the source for a single poll, for which kernel events are of no use.
///
/// # Errors
/// What the source lacks.
pub(super) fn open_for_one_poll(settings: &Settings) -> Result<Box<dyn Source>> {
    if !settings.netns.is_empty() {
        return several(settings);
    }
    let other_procfs = settings.procfs != Path::new(OWN_PROCFS);
    match settings.source {
        SourceName::Auto if other_procfs => proc(settings),
        SourceName::Auto => netlink(settings).or_else(|_| proc(settings)),
        SourceName::Trace => netlink(settings),
        _ => open(settings),
    }
}

fn best(settings: &Settings) -> Result<Box<dyn Source>> {
    if settings.procfs != Path::new(OWN_PROCFS) {
        messages::print(["using --source proc: no other source reads another procfs".to_owned()]);
        return proc(settings);
    }
    // What the better choices lack.
    let mut lacks = Vec::new();
    if cfg!(feature = "bpf") {
        match by_events::open(settings) {
            Ok(source) => {
                messages::print(["using --source trace".to_owned()]);
                return Ok(source);
            }
            Err(Error::Trace(why)) => lacks.push(why.to_string()),
            Err(error) => lacks.push(error.to_string()),
        }
    }
    let (name, source) = match netlink(settings) {
        Ok(source) => ("netlink", source),
        Err(error) => {
            lacks.push(error.to_string());
            ("proc", proc(settings)?)
        }
    };
    let colon = if lacks.is_empty() { "" } else { ": " };
    messages::print([format!("using --source {name}{colon}{}", lacks.join("; "))]);
    Ok(source)
}

/// Opens the source for several network namespaces.
fn several(settings: &Settings) -> Result<Box<dyn Source>> {
    let choices = netns::resolved(settings)?;
    let open = |by_netlink| -> Result<Box<dyn Source>> {
        let rows = (settings.wanted_rows(), settings.poll);
        let namespaces = Namespaces::open(&settings.procfs, &choices, rows, by_netlink)?;
        Ok(Box::new(NamespacePolls::new(namespaces)))
    };
    match settings.source {
        SourceName::Proc => open(false),
        SourceName::Netlink => open(true),
        SourceName::Trace => by_events::open_several(settings, &choices),
        SourceName::Auto => {
            let is_own = settings.procfs == Path::new(OWN_PROCFS);
            let netlink = is_own.then(|| open(true)).and_then(Result::ok);
            let name = if netlink.is_some() { "netlink" } else { "proc" };
            messages::print([format!("using --source {name}: --netns is given")]);
            netlink.map_or_else(|| open(false), Ok)
        }
    }
}

fn proc(settings: &Settings) -> Result<Box<dyn Source>> {
    let Settings { procfs, poll, .. } = settings;
    Ok(Box::new(Proc::open(procfs, &settings.wanted_rows(), *poll)?))
}

fn netlink(settings: &Settings) -> Result<Box<dyn Source>> {
    if settings.filter.states.as_ref().is_some_and(StateSet::names_bound) {
        knows_bound(&uname().release().to_string_lossy())?;
    }
    Ok(Box::new(Netlink::open(&settings.wanted_rows(), settings.poll)?))
}

/// Refuses to ask a kernel for BOUND that knows no such sockets: "none" would be no answer.
fn knows_bound(release: &str) -> Result<()> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    if version < (Some(6_u32), Some(8_u32)) {
        return Err(UsageError::BoundUnknown(release.to_owned()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_know_no_bound_sockets() {
        for release in ["6.8.0-31-generic", "6.18.44", "7.0", "10.1"] {
            assert!(knows_bound(release).is_ok(), "{release}");
        }
        for release in ["6.7.12", "5.14.0-503.el9", "3.10", "?"] {
            assert!(knows_bound(release).is_err(), "{release}");
        }
    }
}

//! What sockets are grouped by, and the bound on the number of groups: processes and ports come and
//! go, and every name that was ever a label stays in a database of metrics.

use crate::model::event::SocketRef;
use crate::model::process::Attribution;
use std::collections::HashMap;

/// The groups beyond the limit together.
const OTHER: &str = "other";
/// The process of a socket without a known owner.
const UNKNOWN: &str = "unknown";

/// A label that sockets are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupLabel {
    /// The name of the owning process.
    Process,
    /// The systemd service or scope that the owning process runs in.
    Unit,
    /// The container that it runs in.
    Container,
    /// The local port of a listener.
    Port,
    /// The local port; those that connect() chooses are one.
    LocalPort,
}

impl GroupLabel {
    const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Port => "port",
            Self::LocalPort => "local_port",
        }
    }

    fn value(self, socket: &SocketRef, owner: &Attribution, ports: &dyn Fn(u16) -> bool) -> String {
        let port = socket.addrs.local.port;
        let workload = owner.main.as_ref().and_then(|process| process.workload.as_deref());
        match self {
            Self::Process => {
                let name = owner.main.as_ref().and_then(|process| process.name());
                name.unwrap_or_else(|| UNKNOWN.to_owned())
            }
            // Nothing but an unknown owner is unknown: many processes run in no container.
            Self::Unit | Self::Container if owner.main.is_none() => UNKNOWN.to_owned(),
            Self::Unit => workload.and_then(|within| within.unit.clone()).unwrap_or_default(),
            Self::Container => {
                let container = workload.and_then(|within| within.container.as_ref());
                container.map(|container| container.label().to_owned()).unwrap_or_default()
            }
            Self::LocalPort if ports(port) => "ephemeral".to_owned(),
            Self::Port | Self::LocalPort => port.to_string(),
        }
    }
}

/// A group, as a place in the order in which groups came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId(usize);

/// All that have no name of their own.
const OTHERS: GroupId = GroupId(usize::MAX);

/// The groups so far. The first ones have names until the end of the run, all others share one.
#[derive(Debug)]
pub(crate) struct Groups {
    labels: Vec<GroupLabel>,
    limit: usize,
    known: HashMap<Vec<String>, GroupId>,
    /// The names of each group, in the order in which they came.
    names: Vec<Vec<String>>,
    /// There were more groups than the limit.
    has_other: bool,
}

impl Groups {
    /// At most so many groups that have names. Without labels all sockets are one group.
    pub(crate) fn new(labels: Vec<GroupLabel>, limit: usize) -> Self {
        let mut groups =
            Self { labels, limit, known: HashMap::new(), names: Vec::new(), has_other: false };
        if groups.labels.is_empty() {
            // It is there before its first socket.
            groups.add(Vec::new());
        }
        groups
    }

    /// The group of a socket with this owner. `ports`: whether connect() may choose a port.
    pub(crate) fn of(
        &mut self,
        socket: &SocketRef,
        owner: &Attribution,
        ports: &dyn Fn(u16) -> bool,
    ) -> GroupId {
        let value = |label: &GroupLabel| label.value(socket, owner, ports);
        let names: Vec<String> = self.labels.iter().map(value).collect();
        if let Some(known) = self.known.get(&names) {
            return *known;
        }
        // A process that is called so is one of the others: no two groups have the same labels.
        let is_other = !names.is_empty() && names.iter().all(|name| name == OTHER);
        if is_other || self.names.len() >= self.limit {
            self.has_other = true;
            return OTHERS;
        }
        self.add(names)
    }

    fn add(&mut self, names: Vec<String>) -> GroupId {
        let new = GroupId(self.names.len());
        self.known.insert(names.clone(), new);
        self.names.push(names);
        new
    }

    /// All groups that there were in this run.
    pub(crate) fn all(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.names.len()).map(GroupId).chain(self.has_other.then_some(OTHERS))
    }

    /// The labels of a group.
    pub(crate) fn labels(&self, group: GroupId) -> Vec<(&'static str, String)> {
        let names = self.names.get(group.0);
        let name = |place: usize| names.map_or(OTHER, |names| names[place].as_str()).to_owned();
        self.labels.iter().enumerate().map(|(place, label)| (label.name(), name(place))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::OwnerSource;
    use crate::model::workload::Workload;
    use crate::view::samples;
    use std::sync::Arc;

    fn group(groups: &mut Groups, name: &str, local: &str) -> Vec<(&'static str, String)> {
        let socket = samples::socket(1, local, "10.0.0.9:80");
        let owner = samples::owner(7, name, OwnerSource::Proven);
        let group = groups.of(&socket, &owner, &|port| port >= 32_768);
        groups.labels(group)
    }

    #[test]
    fn groups_beyond_the_limit_are_others_for_good() {
        let mut groups = Groups::new(vec![GroupLabel::Process], 2);
        for (name, label) in [("a", "a"), ("b", "b"), ("c", "other"), ("a", "a"), ("d", "other")] {
            assert_eq!(group(&mut groups, name, "10.0.0.1:80"), [("process", label.to_owned())]);
        }
        for number in 0..5000 {
            group(&mut groups, &format!("process{number}"), "10.0.0.1:80");
        }
        assert_eq!((groups.names.len(), groups.known.len()), (2, 2));
    }

    #[test]
    fn a_process_called_other_has_no_labels_of_another_group() {
        let mut groups = Groups::new(vec![GroupLabel::Process], 9);
        let socket = samples::socket(1, "10.0.0.1:80", "10.0.0.9:80");
        let owner = samples::owner(7, "other", OwnerSource::Proven);
        let of_process = groups.of(&socket, &owner, &|_| false);
        assert_eq!(of_process, OTHERS);
        assert_eq!(groups.all().collect::<Vec<_>>(), [OTHERS]);
    }

    #[test]
    fn ports_that_connect_chooses_are_one_group() {
        let mut groups = Groups::new(vec![GroupLabel::Process, GroupLabel::LocalPort], 9);
        for (local, port) in [("10.0.0.1:443", "443"), ("10.0.0.1:40000", "ephemeral")] {
            let expected = [("process", "a".to_owned()), ("local_port", port.to_owned())];
            assert_eq!(group(&mut groups, "a", local), expected);
        }
        let mut listeners = Groups::new(vec![GroupLabel::Port], 9);
        assert_eq!(group(&mut listeners, "a", "10.0.0.1:40000"), [("port", "40000".to_owned())]);
    }

    #[test]
    fn units_and_containers_are_labels() {
        let mut groups = Groups::new(vec![GroupLabel::Unit, GroupLabel::Container], 9);
        let socket = samples::socket(1, "10.0.0.1:443", "10.0.0.9:80");
        let mut process = samples::process(7, b"nginx");
        process.workload = Some(Arc::new(Workload {
            unit: Some("nginx.service".to_owned()),
            ..Workload::default()
        }));
        let mut owner = samples::owner(7, "nginx", OwnerSource::Proven);
        owner.main = Some(process.into());
        let group = groups.of(&socket, &owner, &|_| false);
        let labels = |unit: &str, container: &str| {
            vec![("unit", unit.to_owned()), ("container", container.to_owned())]
        };
        assert_eq!(groups.labels(group), labels("nginx.service", ""));
        owner.main = None;
        let group = groups.of(&socket, &owner, &|_| false);
        assert_eq!(groups.labels(group), labels("unknown", "unknown"));
    }

    #[test]
    fn without_labels_there_is_one_group() {
        let mut groups = Groups::new(Vec::new(), 1);
        assert_eq!(groups.all().count(), 1);
        assert_eq!(group(&mut groups, "a", "10.0.0.1:443"), []);
        assert_eq!(group(&mut groups, "b", "10.0.0.1:444"), []);
        assert_eq!(groups.names.len(), 1);
    }
}

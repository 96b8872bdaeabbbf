//! Filters by what a process runs in: `--unit`, `--container`, `--pod`.

use super::Match;
use crate::model::escape::escape;
use crate::model::workload::{Container, Pod, Workload};
use std::fmt;

/// Names that a user asks for; `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

/// Filters by the workload of a process. Different ones must all match, the values of one are
/// alternatives.
#[derive(Debug, Clone, Default)]
pub struct WorkloadFilter {
    /// By unit; `.service` may be left out.
    pub units: Vec<NamePattern>,
    /// By the name of the container, or the beginning of its id.
    pub containers: Vec<NamePattern>,
    /// By the name of the pod, by `NAMESPACE/NAME`, or by its uid.
    pub pods: Vec<NamePattern>,
}

/// So many digits stand for an id, and may not be a name.
const DIGITS_OF_ID: usize = 12;
/// The beginning of an id that is as long as this can be asked for.
const SHORTEST_ID: usize = 4;

/// As it was written, escaped.
impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NamePattern {
    /// The names that a text matches; `None` where it is empty.
    pub fn new(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(escape(text.as_bytes())))
    }

    /// Whether a name, which is escaped, matches.
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }

    /// Whether it is the beginning of an id.
    fn begins(&self, id: &str) -> bool {
        self.0.len() >= SHORTEST_ID && id.starts_with(&self.0)
    }

    /// Whether it can be nothing but an id.
    fn is_id(&self) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        self.0.len() >= DIGITS_OF_ID && self.0.bytes().all(is_digit)
    }
}

impl WorkloadFilter {
    /// Whatever a process runs in passes.
    pub const fn is_empty(&self) -> bool {
        self.units.is_empty() && self.containers.is_empty() && self.pods.is_empty()
    }

    /// Whether a process passes that runs in this; `None` if that was not read.
    pub fn matches(&self, workload: Option<&Workload>) -> Match {
        if self.is_empty() {
            return Match::Yes;
        }
        let Some(Workload { unit, container, pod }) = workload else { return Match::Unreadable };
        let unit = any(&self.units, unit.as_deref(), |pattern, unit| {
            let short = unit.strip_suffix(".service").unwrap_or(unit);
            Match::of(pattern.matches(unit) || pattern.matches(short))
        });
        let container = any(&self.containers, container.as_ref(), is_container);
        let pod = any(&self.pods, pod.as_ref(), is_pod);
        unit.and(container).and(pod)
    }

    /// Of a workload of which it is not known whether it passes, since a name was not found, what can be
    /// written instead of the name.
    pub(crate) fn unnamed(&self, workload: &Workload) -> Option<String> {
        if self.matches(Some(workload)) != Match::Unreadable {
            return None;
        }
        let Workload { container, pod, .. } = workload;
        let container =
            container.as_ref().filter(|it| it.name.is_none() && !self.containers.is_empty());
        let pod = pod.as_ref().filter(|it| it.name.is_none() && !self.pods.is_empty());
        container
            .map(|it| format!("--container {}", it.label()))
            .or_else(|| pod.map(|it| format!("--pod {}", it.label())))
    }
}

/// Whether one of the patterns matches; all is well without patterns.
fn any<T: ?Sized>(
    patterns: &[NamePattern],
    subject: Option<&T>,
    matches: impl Fn(&NamePattern, &T) -> Match,
) -> Match {
    if patterns.is_empty() {
        return Match::Yes;
    }
    let Some(subject) = subject else { return Match::No };
    patterns.iter().map(|pattern| matches(pattern, subject)).fold(Match::No, Match::or)
}

fn is_container(pattern: &NamePattern, Container { id, name }: &Container) -> Match {
    if id.as_ref().is_some_and(|id| pattern.begins(id)) {
        return Match::Yes;
    }
    match name {
        Some(name) => Match::of(pattern.matches(name)),
        // It may have this name.
        None if !pattern.is_id() => Match::Unreadable,
        None => Match::No,
    }
}

fn is_pod(pattern: &NamePattern, Pod { uid, name, namespace }: &Pod) -> Match {
    if pattern.0.len() >= DIGITS_OF_ID && pattern.begins(uid) {
        return Match::Yes;
    }
    let full =
        || namespace.as_ref().zip(name.as_ref()).map(|(space, name)| format!("{space}/{name}"));
    match name {
        Some(name) => {
            let is_full = full().is_some_and(|full| pattern.matches(&full));
            Match::of(pattern.matches(name) || is_full)
        }
        None if !pattern.is_id() => Match::Unreadable,
        None => Match::No,
    }
}

/// Whether a name matches, by going back to the last `*` alone: this takes no more steps than the
/// lengths multiplied.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while here < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last = Some((at, here));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[here] => {
                at += 1;
                here += 1;
            }
            _ => match last {
                Some((star, from)) => {
                    (at, here) = (star + 1, from + 1);
                    last = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(unit: &[&str], container: &[&str], pod: &[&str]) -> WorkloadFilter {
        let all = |texts: &[&str]| texts.iter().filter_map(|text| NamePattern::new(text)).collect();
        WorkloadFilter { units: all(unit), containers: all(container), pods: all(pod) }
    }

    #[test]
    fn names_match_as_a_whole_and_by_wildcards() {
        for (pattern, name) in [
            ("web", "web"),
            ("w*", "web"),
            ("*b", "web"),
            ("w?b", "web"),
            ("*", ""),
            ("a*b*c", "abxbc"),
        ] {
            assert!(glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in
            [("web", "web1"), ("eb", "web"), ("w?", "w"), ("a*b", "ab1"), ("", "a")]
        {
            assert!(!glob(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_known_may_match() {
        let id = Some("0123456789abcdef".repeat(4));
        let pod =
            Some(Pod { uid: "2f48b1d2-7d4e-4f0a-9b57-6f9d3a1c0e21".into(), ..Pod::default() });
        let container = Some(Container { id, name: None });
        let unknown = Workload { unit: Some("nginx.service".into()), container, pod };
        for (unit, container, pod, expected) in [
            (&["nginx"][..], &[][..], &[][..], Match::Yes),
            (&["nginx.service"], &[], &[], Match::Yes),
            (&["ngin"], &["0123"], &[], Match::No),
            (&[], &["0123"], &[], Match::Yes),
            (&[], &["0123456789ab"], &[], Match::Yes),
            (&[], &["web"], &[], Match::Unreadable),
            (&[], &["123456789abc"], &[], Match::No),
            (&[], &["web", "0123"], &[], Match::Yes),
            (&[], &[], &["2f48b1d2-7d4e"], Match::Yes),
            (&[], &[], &["default/web"], Match::Unreadable),
        ] {
            let found = filter(unit, container, pod).matches(Some(&unknown));
            assert_eq!(found, expected, "{unit:?} {container:?} {pod:?}");
        }
        assert_eq!(filter(&["x"], &[], &[]).matches(None), Match::Unreadable);
        assert_eq!(filter(&[], &["x"], &[]).matches(Some(&Workload::default())), Match::No);
        assert_eq!(filter(&[], &[], &[]).matches(None), Match::Yes);
    }
}

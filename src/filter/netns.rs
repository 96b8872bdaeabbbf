//! Filters by network namespace, as a rule or a reader of a recording writes them.

use super::workload::NamePattern;
use std::fmt;

/// A network namespace: its name, where `*` stands for any characters, or its inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsPattern(NamePattern);

impl NetnsPattern {
    /// The namespaces that a text matches; `None` where it is empty.
    pub fn new(text: &str) -> Option<Self> {
        NamePattern::new(text).map(Self)
    }

    /// Whether a namespace matches. `name` is escaped.
    pub fn matches(&self, inode: Option<u64>, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.0.matches(name))
            || inode.is_some_and(|inode| self.0.to_string() == inode.to_string())
    }
}

/// As it was written, escaped.
impl fmt::Display for NetnsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_known_by_name_or_inode() {
        let matches =
            |text: &str, inode, name| NetnsPattern::new(text).unwrap().matches(inode, name);
        assert!(matches("blue", None, Some("blue")) && matches("bl*", Some(7), Some("blue")));
        assert!(matches("7", Some(7), None) && matches("7", Some(7), Some("blue")));
        assert!(!matches("*", Some(7), None), "it has no name");
        assert!(!matches("blue", Some(7), Some("red")) && !matches("7", None, None));
        assert_eq!(NetnsPattern::new(""), None);
    }
}

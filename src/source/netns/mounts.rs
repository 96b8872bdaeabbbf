//! Understands `/proc/self/mountinfo`: which network namespaces are mounted, and so have a name.
//! Pure.

pub(super) use crate::model::netns_name::mount_name as name_of;
use std::path::PathBuf;

/// The namespaces that are mounted: the inode of each, with its mount point.
pub(super) fn parse(mountinfo: &str) -> impl Iterator<Item = (u64, PathBuf)> {
    mountinfo.lines().filter_map(|line| {
        // See proc_pid_mountinfo(5): optional fields end with a dash.
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let inode = root.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()?;
        after.starts_with("nsfs ").then(|| (inode, PathBuf::from(unescape(point))))
    })
}

/// Blanks, tabs, newlines and backslashes are written as octal numbers.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = escaped.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code.filter(u8::is_ascii) {
            plain.push(code.into());
            rest = &escaped[3..];
        } else {
            plain.push('\\');
            rest = escaped;
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn only_mounted_network_namespaces_are_found() {
        let text = "\
            22 1 0:20 / /proc rw,nosuid shared:5 - proc proc rw\n\
            77 29 0:4 net:[4026532281] /run/netns/blue\\040sky rw shared:99 - nsfs nsfs rw\n\
            78 29 0:4 mnt:[4026532282] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n\
            79 29 0:4 net:[4026532283] /run/docker/netns/0a1b rw master:1 shared:9 - nsfs nsfs rw\n\
            80 29 0:4 net:[x] /a rw - nsfs nsfs rw\n81 net:[1]\n\n - nsfs\n\
            82 29 0:5 net:[4026532284] /b rw - ext4 nsfs rw\n";
        let found: Vec<_> = parse(text).map(|(inode, at)| (inode, name_of(&at))).collect();
        assert_eq!(
            found,
            [(4_026_532_281, "blue sky".to_owned()), (4_026_532_283, "0a1b".to_owned())]
        );
        assert_eq!(name_of(Path::new("/somewhere/else")), "/somewhere/else");
        assert_eq!(unescape(r"a\134b\9\"), r"a\b\9\");
    }
}

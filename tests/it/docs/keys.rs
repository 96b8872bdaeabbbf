//! The keys of records and rules with their meaning, from the comments of the structs that are
//! serialised: what the code says of a key is what the manual says.

use super::read;

/// A key of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) meaning: String,
}

/// Where the keys of a record begin: the file, and the line after which they stand.
type Place = (&'static str, &'static str);

/// The types that records flatten, and the places of their keys.
const FLATTENED: [(&str, Place); 12] = [
    ("SocketRef", ("src/model/event.rs", "pub struct SocketRef {")),
    ("AddressPair", ("src/model/socket.rs", "pub(crate) struct AddressKeys {")),
    ("Ages", ("src/model/event.rs", "pub struct Ages {")),
    ("Attribution", ("src/model/process.rs", "pub struct Attribution {")),
    ("Option<Rc<Process>>", ("src/model/process.rs", "struct MainOwnerKeys<'a> {")),
    ("OwnerClues", ("src/model/event.rs", "pub struct OwnerClues {")),
    ("Roles", ("src/model/event.rs", "pub struct Roles {")),
    ("Details", ("src/model/socket_row.rs", "pub(crate) struct DetailKeys {")),
    ("Vec<SocketId>", ("src/model/event.rs", "struct ViolationKeys<'a> {")),
    ("MainWorkload", ("src/model/workload.rs", "struct WorkloadKeys<'a> {")),
    ("Binding", ("src/model/binding.rs", "pub(crate) struct BindingKeys {")),
    ("EdgeCounts", ("src/view/diagram.rs", "pub(crate) struct EdgeCounts {")),
];

/// The keys of a record, or of the rules file, in their order.
pub(super) fn of(record: &str) -> Vec<Key> {
    let place = match record {
        "event" => ("src/view/event.rs", "pub struct EventRecord {"),
        "life" => ("src/view/life/record.rs", "pub struct LifeRecord {"),
        "socket" => ("src/view/socket.rs", "pub struct SocketRecord {"),
        "diagram" => ("src/view/diagram.rs", "pub(super) struct DiagramKeys {"),
        "group" => ("src/view/group.rs", "pub struct GroupRecord {"),
        "summary" => ("src/view/summary/record.rs", "pub struct SummaryRecord {"),
        "finding" => ("src/view/summary/findings.rs", "pub struct FindingRecord {"),
        "ports" => ("src/view/port_usage.rs", "pub struct PortRecord {"),
        "edge" => ("src/view/diagram.rs", "pub(crate) struct EdgeRecord {"),
        "alert" => ("src/model/event.rs", "pub struct Alert {"),
        "lost" => ("src/view/mod.rs", "struct LostKeys<'r> {"),
        "tcp-info" => ("src/model/tcp_info.rs", "pub struct TcpInfo {"),
        "rule" => ("src/rules/parse.rs", "pub(crate) struct RuleTable {"),
        other => panic!("no record {other}"),
    };
    let key =
        |name: &str, meaning: &str| Key { name: name.to_owned(), meaning: meaning.to_owned() };
    let version = key("v", "1: the version of this schema.");
    let mut keys = match record {
        "edge" | "rule" | "tcp-info" => Vec::new(),
        "event" | "group" | "socket" => vec![version],
        named => vec![version, key("event", &format!("`{named}`."))],
    };
    keys.extend(at(place));
    keys
}

fn at((file, start): Place) -> Vec<Key> {
    let source = read(file);
    let body = source.split_once(start).unwrap_or_else(|| panic!("{file} has no {start}")).1;
    let (mut comment, mut attributes) = (Vec::new(), String::new());
    let mut keys = Vec::new();
    for line in body.lines().take_while(|line| *line != "}").map(str::trim) {
        if let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//")) {
            comment.push(text.trim());
        } else if line.starts_with("#[") {
            attributes.push_str(line);
        } else {
            let meaning = std::mem::take(&mut comment).join(" ");
            keys.extend(keys_of_line(line, &std::mem::take(&mut attributes), &meaning));
        }
    }
    assert!(!keys.is_empty(), "{start} has no keys");
    keys
}

/// The keys of a field, or of a call that serialises one; none of other lines.
fn keys_of_line(line: &str, attributes: &str, meaning: &str) -> Vec<Key> {
    let one = |name: &str| {
        assert!(!meaning.is_empty(), "{name} has no comment");
        vec![Key { name: name.to_owned(), meaning: meaning.to_owned() }]
    };
    if let Some((_, call)) = line.split_once("serialize_field(\"") {
        return one(call.split('"').next().unwrap_or_default());
    }
    let field = ["pub(crate) ", "pub "].iter().find_map(|seen| line.strip_prefix(seen));
    let Some((name, kind)) = field.unwrap_or(line).split_once(": ") else { return Vec::new() };
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name = name.bytes().all(in_name);
    let Some(kind) = kind.strip_suffix(',').filter(|_| is_name) else { return Vec::new() };
    if attributes.contains("skip)") {
        return Vec::new();
    }
    if attributes.contains("flatten") {
        // They are a section of their own.
        if kind == "Option<Box<TcpInfo>>" {
            return Vec::new();
        }
        // An alert shows the keys of a socket but its id, which is the first of `sockets`.
        if kind == "AlertSocket" {
            return at(("src/model/event.rs", "struct AlertSocketKeys {"));
        }
        let place = FLATTENED.iter().find(|(known, _)| *known == kind);
        return at(place.unwrap_or_else(|| panic!("{kind} is flattened")).1);
    }
    let renamed = attributes.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
    one(renamed.unwrap_or(name))
}

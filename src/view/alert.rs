//! An alert: a rule's offence begins or is over.

use super::SCHEMA;
use super::event::{Owner, Socket};
use crate::model::event::{Alert, AlertSocket, SocketId};
use crate::model::socket::Family;
use crate::model::time::Stamp;
use serde::{Serialize, Serializer};
use std::net::IpAddr;
use std::time::Duration;

/// What a rule has to tell. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct AlertRecord {
    pub v: u8,
    pub event: &'static str,
    pub time: Stamp,
    pub rule: String,
    pub active: bool,
    pub count: usize,
    pub sockets: Vec<SocketId>,
    #[serde(flatten, serialize_with = "place")]
    pub worst: Socket,
    /// Whose the worst one is; for text alone.
    #[serde(skip)]
    pub owner: Owner,
    /// How long it is, or was, in its state.
    #[serde(skip)]
    pub held: Option<Duration>,
    /// It may have been for longer.
    #[serde(skip)]
    pub held_at_least: bool,
}

impl AlertRecord {
    /// The record of an alert.
    pub fn new(alert: &Alert) -> Self {
        let AlertSocket { socket, ref owner, held, held_at_least } = alert.worst;
        Self {
            v: SCHEMA,
            event: "alert",
            time: alert.time,
            rule: alert.rule.clone(),
            active: alert.active,
            count: alert.sockets.len(),
            sockets: alert.sockets.clone(),
            worst: Socket::of(socket),
            owner: Owner::of(owner),
            held,
            held_at_least,
        }
    }

    /// The record as it is printed with `--format json`.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line =
            serde_json::to_vec(self).expect("strings, numbers and lists serialize into memory");
        line.push(b'\n');
        line
    }

    /// What it says, for people.
    pub fn sentence(&self) -> String {
        let sockets = if self.count == 1 { "socket" } else { "sockets" };
        match (self.active, self.count) {
            (true, count) => format!("{}: {count} {sockets}", self.rule),
            (false, 0) => format!("{} is over", self.rule),
            (false, count) => format!("{} is over: {count} {sockets} left", self.rule),
        }
    }
}

/// The keys of a socket but its id, which stands first among `sockets`.
fn place<S: Serializer>(socket: &Socket, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Place {
        netns: Option<u64>,
        family: Family,
        local_addr: IpAddr,
        local_port: u16,
        remote_addr: IpAddr,
        remote_port: u16,
    }
    let Socket { netns, family, local_addr, local_port, remote_addr, remote_port, .. } = *socket;
    Place { netns, family, local_addr, local_port, remote_addr, remote_port }.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::SocketRef;
    use crate::model::process::{Attribution, OwnerSource};
    use crate::model::socket::{AddressPair, Endpoint};

    #[test]
    fn an_alert_has_the_keys_of_the_schema() {
        let life = SocketId { run: 1, number: 1 };
        let end = Endpoint { addr: Family::Ipv4.unspecified(), port: 80 };
        let worst = AlertSocket {
            socket: SocketRef {
                id: life,
                netns: None,
                addrs: AddressPair { family: Family::Ipv4, local: end, remote: end },
            },
            owner: Attribution { main: None, holders: Vec::new(), source: OwnerSource::Unknown },
            held: None,
            held_at_least: false,
        };
        let (time, rule) = (Stamp::default(), "leak".to_owned());
        let alert = Alert { time, rule, active: true, sockets: vec![life], worst };
        assert_eq!(
            String::from_utf8(AlertRecord::new(&alert).line()).unwrap(),
            "{\"v\":1,\"event\":\"alert\",\"time\":\"1970-01-01T00:00:00.000000Z\",\"rule\":\"leak\",\
             \"active\":true,\"count\":1,\"sockets\":[\"00000001-1\"],\"netns\":null,\
             \"family\":\"ipv4\",\"local_addr\":\"0.0.0.0\",\"local_port\":80,\
             \"remote_addr\":\"0.0.0.0\",\"remote_port\":80}\n"
        );
    }
}

//! The programs by which the kernel chooses the sockets of a dump (`INET_DIAG_REQ_BYTECODE`). Pure.
//!
//! A program is a list of operations (`struct inet_diag_bc_op`: code, how many bytes to go on if the
//! condition holds, and if not), each with its data behind it. It accepts a socket when it arrives
//! exactly at its end; a jump to 4 bytes behind the end rejects (`inet_diag_bc_run()`). The kernel
//! refuses a program whose conditions do not lead on to the next operation where they hold
//! (`inet_diag_bc_audit()`). So conditions are joined as ss does it: each part goes on to its end
//! where it holds and to 4 bytes behind it where it does not, and joining moves the latter.

use crate::model::wanted::{AddressCondition, EndpointPattern};
use ipnet::IpNet;

const JUMP: u8 = 1;
/// An operation without data: code, `yes`, `no`.
const OPERATION: u8 = 4;
/// How far behind the end a jump rejects.
const REJECT: u16 = 4;
/// `AF_INET`, `AF_INET6` in `struct inet_diag_hostcond`.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
/// `inet_diag_hostcond.port`: any.
const ANY_PORT: i32 = -1;
/// A longer program takes the kernel more time than it saves.
const LONGEST: usize = 4096;

/// The codes of conditions on one end.
struct Codes {
    port_at_least: u8,
    port_at_most: u8,
    host: u8,
}

const LOCAL: Codes = Codes { port_at_least: 2, port_at_most: 3, host: 7 };
const REMOTE: Codes = Codes { port_at_least: 4, port_at_most: 5, host: 8 };

/// The program for a condition. It may accept more sockets; an empty one accepts all.
pub(crate) fn program(condition: &AddressCondition) -> Vec<u8> {
    compile(condition).unwrap_or_default()
}

/// `None` where the program would be too long.
fn compile(condition: &AddressCondition) -> Option<Vec<u8>> {
    let code = match condition {
        AddressCondition::Any => Vec::new(),
        AddressCondition::Local(endpoint) => of_endpoint(endpoint, &LOCAL)?,
        AddressCondition::Remote(endpoint) => of_endpoint(endpoint, &REMOTE)?,
        AddressCondition::All(all) => {
            all.iter().try_fold(Vec::new(), |code, part| both(code, compile(part)?))?
        }
        AddressCondition::OneOf(some) => {
            let mut parts = some.iter();
            let first = compile(parts.next()?)?;
            parts.try_fold(first, |code, part| either(code, compile(part)?))?
        }
    };
    (code.len() <= LONGEST).then_some(code)
}

fn of_endpoint(endpoint: &EndpointPattern, codes: &Codes) -> Option<Vec<u8>> {
    let mut code = endpoint.net.map_or_else(Vec::new, |net| of_net(net, codes.host));
    if let Some(ports) = &endpoint.ports {
        for (kind, port) in
            [(codes.port_at_least, ports.start()), (codes.port_at_most, ports.end())]
        {
            code = both(code, of_port(kind, *port))?;
        }
    }
    Some(code)
}

/// A comparison: the port is in the `no` of a second operation.
fn of_port(kind: u8, port: u16) -> Vec<u8> {
    let mut code = operation(kind, OPERATION * 2, u16::from(OPERATION) * 2 + REJECT);
    code.extend([0, 0]);
    code.extend(port.to_ne_bytes());
    code
}

/// A `struct inet_diag_hostcond`: family, length of the prefix, port, address. A v4 one matches
/// v4-mapped addresses, too.
fn of_net(net: IpNet, kind: u8) -> Vec<u8> {
    let (family, addr) = match net {
        IpNet::V4(net) => (IPV4, net.network().octets().to_vec()),
        IpNet::V6(net) => (IPV6, net.network().octets().to_vec()),
    };
    // An address has 4 or 16 bytes.
    let length = OPERATION + 8 + if family == IPV4 { 4 } else { 16 };
    let mut code = operation(kind, length, u16::from(length) + REJECT);
    code.extend([family, net.prefix_len(), 0, 0]); // padding
    code.extend(ANY_PORT.to_ne_bytes());
    code.extend(addr);
    code
}

fn operation(code: u8, yes: u8, no: u16) -> Vec<u8> {
    let [low, high] = no.to_ne_bytes();
    vec![code, yes, low, high]
}

/// A program that accepts where both do.
fn both(mut first: Vec<u8>, second: Vec<u8>) -> Option<Vec<u8>> {
    move_rejections(&mut first, second.len())?;
    first.extend(second);
    Some(first)
}

/// A program that accepts where one of the two does: behind the first, a jump over the second.
fn either(mut first: Vec<u8>, second: Vec<u8>) -> Option<Vec<u8>> {
    // What the first rejects arrives at the second as it is: 4 bytes behind the end.
    let over = u16::try_from(second.len()).ok()?.checked_add(u16::from(OPERATION))?;
    first.extend(operation(JUMP, OPERATION, over));
    first.extend(second);
    Some(first)
}

/// Moves the rejections of a program behind what is appended to it.
fn move_rejections(code: &mut [u8], appended: usize) -> Option<()> {
    let mut at = 0;
    while at < code.len() {
        let no = u16::from_ne_bytes([code[at + 2], code[at + 3]]);
        if at + usize::from(no) == code.len() + usize::from(REJECT) {
            let moved = no.checked_add(u16::try_from(appended).ok()?)?;
            code[at + 2..at + 4].copy_from_slice(&moved.to_ne_bytes());
        }
        at += usize::from(code[at + 1]);
    }
    Some(())
}

#[cfg(test)]
mod tests;

//! Figures of a network with many sockets: beside the peers, beside the tables, and how they grow.

use crate::choice::Choice;
use crate::cost::{self, Cost};
use crate::holders::FEW;
use crate::report::Report;
use crate::watched::Watched;
use crate::{GROWTH, TCPLAPSE};
use std::process::Stdio;

const LIST: &[&str] = &[TCPLAPSE, "list"];
const LIST_NETLINK: &[&str] = &[TCPLAPSE, "list", "--source", "netlink"];
const LIST_BPF: &[&str] = &[TCPLAPSE, "list", "--source", "netlink", "--owners", "bpf"];
const LIST_FEW: &[&str] = &[TCPLAPSE, "list", "-x", FEW];
const TABLES: &[&str] = &["cat", "/proc/net/tcp", "/proc/net/tcp6"];

/// A peer, and the most that `list` should cost of it: by /proc, and by netlink.
const PEERS: [(&[&str], f64, Option<f64>); 4] = [
    (&["ss", "-tanp"], 1.0 / 9.0, None),
    (&["netstat", "-tanp"], 1.0 / 9.0, None),
    (&["lsof", "-nP", "-iTCP"], 1.0 / 4.0, None),
    (&["somo", "--json"], 1.0 / 2.0, Some(1.0 / 3.0)),
];
/// A question about some sockets, and the same one to ss: the accepted ones of one of ten holders,
/// and of the one that holds few.
const QUESTIONS: [(&[&str], &[&str]); 2] = [
    (
        &[TCPLAPSE, "list", "--source", "netlink", "--local", "127.2.0.1:7000"],
        &["ss", "-tanp", "src", "127.2.0.1:7000"],
    ),
    (
        &[TCPLAPSE, "list", "--source", "netlink", "--local", "127.1.0.1:7000"],
        &["ss", "-tanp", "src", "127.1.0.1:7000"],
    ),
];
const MOST_OF_SS: f64 = 1.0;
const MOST_OF_TABLES_NAMED: f64 = 1.3;
/// The sources that poll, and the most that a poll should cost of reading the tables.
const POLLERS: [(&str, f64); 2] = [("proc", 1.25), ("netlink", 0.35)];
const MOST_MEMORY: u32 = 64;
/// Growth in line with the sockets, with room for the noise of both measurements.
const LINEAR: f64 = 1.1;

/// What grows with the sockets.
pub(crate) struct Costs {
    lists: Vec<Cost>,
    polls: Vec<Polls>,
}

/// What a watch costs while nothing happens.
struct Polls {
    poll: Cost,
    /// Reading the tables, in turn with it.
    tables: Cost,
    /// In bytes, the most it ever was and at the end.
    memory: Result<(u64, u64), String>,
}

/// What lists and polls cost with the sockets there are.
pub(crate) fn costs(rounds: usize) -> Costs {
    eprintln!("measuring lists and polls ...");
    Costs { lists: cost::least(rounds, &[LIST, LIST_NETLINK]), polls: polls(rounds) }
}

fn polls(rounds: usize) -> Vec<Polls> {
    POLLERS.iter().map(|(source, _)| polls_of(source, rounds)).collect()
}

fn polls_of(source: &str, rounds: usize) -> Polls {
    let mut tables = Err("no round".to_owned());
    let poll = Watched::start(source, &[], Stdio::null()).and_then(|mut watched| {
        watched.rest()?;
        let mut polls = Vec::new();
        for _ in 0..rounds {
            polls.push(watched.poll()?);
            let now = cost::once(TABLES)?;
            tables = tables.clone().map_or(Ok(now), |before| Ok(now.min(before)));
        }
        let least = polls.into_iter().min().ok_or("no round")?;
        Ok((least, watched.memory()))
    });
    match poll {
        Ok((poll, memory)) => Polls { poll: Ok(poll), tables, memory },
        Err(why) => Polls { poll: Err(why.clone()), tables, memory: Err(why) },
    }
}

/// Compares with peers, tables, and what it cost with fewer sockets.
pub(crate) fn compare(choice: &Choice, before: &Costs, report: &mut Report) {
    eprintln!("measuring beside the peers ...");
    let peers = PEERS.map(|(words, ..)| words);
    let commands = [&[LIST, LIST_NETLINK, LIST_BPF, LIST_FEW, TABLES], &peers[..]].concat();
    let all = cost::least(choice.rounds, &commands);
    let ([list, netlink, bpf, few, tables], peers) =
        all.split_first_chunk().expect("a cost of each command");
    let now = Costs { lists: vec![list.clone(), netlink.clone()], polls: polls(choice.rounds) };
    report.section("list: CPU time beside that of others");
    for ((words, by_proc, by_netlink), peer) in PEERS.iter().zip(peers) {
        let peer_name = words.join(" ");
        report.ratio(&format!("list / {peer_name}"), list, peer, Some(*by_proc));
        report.ratio(&format!("list --source netlink / {peer_name}"), netlink, peer, *by_netlink);
        report.ratio(&format!("list --source netlink --owners bpf / {peer_name}"), bpf, peer, None);
    }
    report.section("list NAME, which holds few of them: CPU time");
    let named = "list NAME / reading the tables";
    report.ratio(named, few, tables, Some(MOST_OF_TABLES_NAMED));
    report.ratio("list NAME / list", few, list, None);
    questions(choice, netlink, report);
    watching(&now, report);
    growth(before, &now, report);
}

/// Compares lists of some sockets with ss and with a list of all.
fn questions(choice: &Choice, all: &Cost, report: &mut Report) {
    report.section("list --source netlink of some sockets: CPU time");
    let commands = QUESTIONS.map(|(ours, of_ss)| [ours, of_ss]).concat();
    let costs = cost::least(choice.rounds, &commands);
    for ((ours, of_ss), costs) in QUESTIONS.iter().zip(costs.chunks_exact(2)) {
        let filter = ours[4..].join(" ");
        report.ratio(
            &format!("{filter} / {}", of_ss.join(" ")),
            &costs[0],
            &costs[1],
            Some(MOST_OF_SS),
        );
        report.ratio(&format!("{filter} / all"), &costs[0], all, None);
    }
}

fn watching(now: &Costs, report: &mut Report) {
    report.section("watch while nothing happens: CPU time of a poll, and resident memory");
    for ((source, most), polls) in POLLERS.iter().zip(&now.polls) {
        let what = format!("poll, {source} / reading the tables");
        report.ratio(&what, &polls.poll, &polls.tables, Some(*most));
    }
    for ((source, _), Polls { memory, .. }) in POLLERS.iter().zip(&now.polls) {
        let memory = |pick: fn((u64, u64)) -> u64| memory.clone().map(pick);
        let most = memory(|(most, _)| most);
        report.memory(&format!("memory, {source}, at most"), most, Some(MOST_MEMORY));
        report.memory(&format!("memory, {source}, at the end"), memory(|(_, end)| end), None);
    }
}

fn growth(before: &Costs, now: &Costs, report: &mut Report) {
    let times = f64::from(u32::try_from(GROWTH).unwrap_or(u32::MAX));
    report.section(&format!("{GROWTH} times the sockets: CPU time, {times} is linear"));
    let sources = POLLERS.iter().map(|(source, _)| source);
    let of = |costs: &Costs| -> Vec<(Cost, Cost)> {
        let polls = costs.polls.iter().map(|polls| polls.poll.clone());
        costs.lists.iter().cloned().zip(polls).collect()
    };
    for (source, (now, before)) in sources.zip(of(now).iter().zip(&of(before))) {
        for (what, now, before) in [("list", &now.0, &before.0), ("poll", &now.1, &before.1)] {
            let what = format!("{what}, {source}: all / a tenth of them");
            report.ratio(&what, now, before, Some(times * LINEAR));
        }
    }
}

use super::*;
use proptest::prelude::*;

fn fixture(name: &str) -> String {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/linux-6.18/trace");
    std::fs::read_to_string(format!("{dir}/{name}")).expect("it is there")
}

fn layout(tracepoint: Tracepoint) -> Layout {
    let named = |(known, _): &&(Tracepoint, &str)| *known == tracepoint;
    let (_, name) = TRACEPOINTS.iter().find(named).unwrap();
    let (_, event) = name.split_once('/').unwrap();
    let format = Format::parse(&fixture(&format!("{event}.format"))).unwrap();
    Layout::new(tracepoint, &format).unwrap()
}

/// The ring, the type and the body of every record that the kernel wrote.
fn records() -> Vec<(Option<Layout>, u32, Vec<u8>)> {
    let text = fixture("records");
    let record = |line: &str| {
        let [ring, kind, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        let body = (0..hex.len()).step_by(2).map(byte).collect();
        let tracepoint = TRACEPOINTS.iter().find(|(known, _)| format!("{known:?}") == *ring);
        (tracepoint.map(|(known, _)| layout(*known)), kind.parse().unwrap(), body)
    };
    text.lines().map(record).collect()
}

/// The events of the fixture, a line each.
#[cfg(target_endian = "little")]
fn story() -> Vec<String> {
    let told = records().into_iter().filter_map(|(layout, kind, body)| {
        match parse(kind, &body, layout.as_ref())? {
            Record::Event(event) => Some(line(&event)),
            Record::Lost(count) => Some(format!("lost {count}")),
        }
    });
    told.collect()
}

fn line(event: &Event) -> String {
    let end = |end: Endpoint| format!("{}:{}", end.addr, end.port);
    let what = match &event.what {
        What::Step { addrs, from, to, passive, .. } => {
            let way = if *passive { "child" } else { "" };
            format!("{} {} {from} {to} {way}", end(addrs.local), end(addrs.remote))
        }
        What::ResetReceived { .. } => "reset received".to_owned(),
        What::ResetSent { state, .. } => format!("reset sent in {state}"),
        What::Failed { addrs, errno } => format!("{} error {errno}", end(addrs.local)),
        What::Destroyed { .. } => "destroyed".to_owned(),
        What::Forked { parent } => format!("made by {parent}"),
        What::Named { comm } => format!("named {}", String::from_utf8_lossy(comm)),
        What::Entered { netns } => format!("in namespace {netns}"),
        What::Exited => "exited".to_owned(),
    };
    format!("{} {:?}: {what}", event.tid, event.context).trim_end().to_owned()
}

#[test]
#[cfg(target_endian = "little")]
fn the_kernel_s_records_are_understood() {
    let story = story();
    let (first, of_child) = (&story[..32], &story[story.len() - 4..]);
    assert_eq!(first.join("\n"), FIRST);
    // The listener on [::] shows its children's ends as they are on the wire.
    let of_listener = &story[32..38];
    assert_eq!(of_listener[0], "29227 Task: :::45389 :::0 CLOSED LISTEN");
    assert_eq!(
        of_listener[3],
        "29227 Interrupt: 127.0.0.1:45389 127.0.0.1:34944 CLOSED SYN_RECV child"
    );
    let expected = ["made by 29227", "in namespace 4026531833", "named true", "exited"];
    assert_eq!(of_child, expected.map(|what| format!("29294 Task: {what}")));
}

/// Until the listener is gone and a connect() is refused. The client sees 0 for its port first.
#[cfg(target_endian = "little")]
const FIRST: &str = "\
29227 Task: 127.0.0.1:35553 0.0.0.0:0 CLOSED LISTEN
29227 Task: 127.0.0.1:0 127.0.0.1:35553 CLOSED SYN_SENT
29227 Task: 127.0.0.1:56934 127.0.0.1:35553 SYN_SENT ESTABLISHED
29227 Interrupt: 127.0.0.1:35553 127.0.0.1:56934 CLOSED SYN_RECV child
29227 Interrupt: 127.0.0.1:35553 127.0.0.1:56934 SYN_RECV ESTABLISHED
29227 Task: 127.0.0.1:56934 127.0.0.1:35553 ESTABLISHED FIN_WAIT1
29227 Interrupt: 127.0.0.1:35553 127.0.0.1:56934 ESTABLISHED CLOSE_WAIT
29227 Task: 127.0.0.1:35553 127.0.0.1:56934 CLOSE_WAIT LAST_ACK
29227 Interrupt: 127.0.0.1:56934 127.0.0.1:35553 FIN_WAIT1 FIN_WAIT2
29227 Interrupt: 127.0.0.1:56934 127.0.0.1:35553 FIN_WAIT2 CLOSED
29227 Task: 127.0.0.1:35553 127.0.0.1:56934 LAST_ACK CLOSED
29227 Task: destroyed
29227 Masked: destroyed
29227 Task: 127.0.0.1:0 127.0.0.1:35553 CLOSED SYN_SENT
29227 Task: 127.0.0.1:56942 127.0.0.1:35553 SYN_SENT ESTABLISHED
29227 Interrupt: 127.0.0.1:35553 127.0.0.1:56942 CLOSED SYN_RECV child
29227 Interrupt: 127.0.0.1:35553 127.0.0.1:56942 SYN_RECV ESTABLISHED
29227 Task: 127.0.0.1:35553 127.0.0.1:56942 ESTABLISHED CLOSED
29227 Interrupt: reset received
29227 Interrupt: 127.0.0.1:56942 127.0.0.1:35553 ESTABLISHED CLOSED
29227 Interrupt: 127.0.0.1:56942 error 104
29227 Task: reset sent in CLOSED
29227 Masked: destroyed
29227 Masked: destroyed
29227 Task: 127.0.0.1:35553 0.0.0.0:0 LISTEN CLOSED
29227 Masked: destroyed
29227 Task: 127.0.0.1:0 127.0.0.1:35553 CLOSED SYN_SENT
29227 Interrupt: reset sent in UNKNOWN(0x00)
29227 Task: reset received
29227 Task: 127.0.0.1:56946 127.0.0.1:35553 SYN_SENT CLOSED
29227 Task: 127.0.0.1:56946 error 111
29227 Masked: destroyed";

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        kind in 0_u32..24,
        body in proptest::collection::vec(any::<u8>(), 0..160),
        tracepoint in 0..TRACEPOINTS.len(),
    ) {
        parse(kind, &body, Some(&layout(TRACEPOINTS[tracepoint].0)));
    }

    #[test]
    fn a_record_cut_short_or_damaged_does_not_make_it_panic(
        place in 0..records().len(),
        cut in 0_usize..200,
        damage in 0_usize..200,
        byte in any::<u8>(),
    ) {
        let (layout, kind, mut body) = records().swap_remove(place);
        if let Some(at) = body.get_mut(damage) {
            *at = byte;
        }
        body.truncate(cut);
        parse(kind, &body, layout.as_ref());
    }
}

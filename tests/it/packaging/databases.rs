//! The table and the queries for DuckDB and ClickHouse (as chdb), run on the events of a fleet: a
//! namespace for each machine.

use super::packaging;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::require::{Feature, skip};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints the results of each statement as a line of JSON. Arguments: the engine and the statements.
const SCRIPT: &str = r#"
import json, re, sys
engine, path = sys.argv[1:]
text = re.sub(r"--[^\n]*", "", open(path).read())
statements = [statement for statement in text.split(";") if statement.strip()]
if engine == "duckdb":
    import duckdb
    connection = duckdb.connect()
    for statement in statements:
        connection.execute(statement)
        names = [column[0] for column in connection.description]
        rows = connection.fetchall()
        print(json.dumps([dict(zip(names, row)) for row in rows], default=str))
else:
    from chdb import session
    connection = session.Session("data")
    for number, statement in enumerate(statements):
        answer = str(connection.query(statement, "JSONEachRow"))
        print(json.dumps([json.loads(line) for line in answer.splitlines()]))
        if number == 0:
            import glob
            lines = "".join(open(file).read() for file in sorted(glob.glob("events/*.jsonl")))
            settings = "SETTINGS date_time_input_format='best_effort', input_format_skip_unknown_fields=1"
            connection.query(f"INSERT INTO tcp_events {settings} FORMAT JSONEachRow {lines}")
    connection.close()
"#;

/// Python with a module; `None` where it is not installed.
fn python(module: &str) -> Option<String> {
    let python = std::env::var("TCPLAPSE_PYTHON").unwrap_or("python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        skip(Feature::Databases, &format!("{python} has no module {module}"));
        return None;
    }
    Some(python)
}

/// The results of each statement of a file.
fn results(python: &str, engine: &str, folder: &Path) -> Vec<Vec<Value>> {
    let file = match engine {
        "duckdb" => "databases/duckdb.sql",
        _ => "databases/clickhouse.sql",
    };
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, engine]).arg(packaging(file)).current_dir(folder);
    let outcome = Program::spawn(command).finish();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The events of a machine on which a program closes its connections, or leaks one of them.
fn write_events(folder: &Path, host: &str, leaks: bool) {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let label = format!("host={host}");
        let mut watch =
            Program::polling(&["watch", "-j", "--source", "netlink", "--label", &label]);
        let mut until = |keys: &str| while !watch.line().contains(keys) {};
        client.connect("c", "127.0.0.1:7000");
        let accepted = server.accept("l");
        until("\"to\":\"ESTABLISHED\"");
        client.order("close c");
        until("\"to\":\"CLOSE_WAIT\"");
        if !leaks {
            server.order(&format!("close {accepted}"));
            until("\"from\":\"CLOSE_WAIT\"");
        }
        let outcome = watch.stop();
        fs::write(folder.join(format!("events/{host}.jsonl")), outcome.stdout).expect("it is ours");
    });
}

#[test]
fn the_queries_find_who_leaks_in_a_fleet() {
    let engines = ["duckdb", "chdb"].map(|engine| Some((engine, python(engine)?)));
    if engines.iter().all(Option::is_none) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("events")).expect("it is ours");
    for (host, leaks) in [("web1", false), ("web2", true), ("web3", false)] {
        write_events(folder.path(), host, leaks);
    }
    for (engine, python) in engines.into_iter().flatten() {
        let results = results(&python, engine, folder.path());
        let [_, leaks, time_wait, times, lost] = &results[..] else { panic!("{results:?}") };
        let shown = |row: &Value| {
            let count = row["sockets"].as_str().map_or(row["sockets"].to_string(), str::to_owned);
            format!(
                "{} {} {count}",
                row["host"].as_str().unwrap(),
                row["process"].as_str().unwrap()
            )
        };
        let leaks: Vec<String> = leaks.iter().map(shown).collect();
        assert_eq!(leaks, ["web2 server 1"], "{engine}");
        assert_eq!(time_wait[0]["remote_addr"], "127.0.0.1", "{engine}: {time_wait:?}");
        for host in ["web1", "web2", "web3"] {
            assert!(times.iter().any(|row| row["host"] == host), "{engine}: {times:?}");
        }
        assert!(lost.is_empty(), "{engine}: {lost:?}");
    }
}

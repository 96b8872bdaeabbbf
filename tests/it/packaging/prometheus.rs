//! Prometheus and node_exporter, as Debian packages them: they read what `export` gives, and the alert
//! rules, the configuration and the dashboard work as they are shipped.

use super::{assert_succeeds, other_program, packaging, read};
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::require::Feature;
use crate::support::scrape::{connect, exporter, response};
use crate::support::wait::until_or;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

const PROMETHEUS: &str = "127.0.0.1:9090";
const NODE_EXPORTER: &str = "127.0.0.1:9100";

/// Runs promtool on files in `packaging/prometheus`; false where it is not installed.
fn promtool(args: &[&str]) -> bool {
    let output = other_program(Feature::Prometheus, "promtool", args);
    output.as_ref().inspect(|output| assert_succeeds(output)).is_some()
}

#[test]
fn the_configuration_and_the_rules_are_valid() {
    let _ = promtool(&["check", "config", "prometheus.yml"])
        && promtool(&["check", "rules", "tcplapse.rules.yml"])
        && promtool(&["test", "rules", "tcplapse.test.yml"]);
}

#[test]
fn names_and_types_of_metrics_are_as_recommended() {
    if other_program(Feature::Prometheus, "promtool", &["--version"]).is_none() {
        return;
    }
    let (program, address) = exporter(&[]);
    let (_, text) = response(connect(address), "GET /metrics HTTP/1.1\r\n\r\n");
    program.stop();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut check = command.stderr(Stdio::piped()).spawn().expect("it is installed");
    let mut stdin = check.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = check.wait_with_output().expect("it ends");
    assert_succeeds(&output);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// The queries of the dashboard, with values for the variables of Grafana.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana/tcplapse.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let queries = targets.map(|target| target["expr"].as_str().expect("a query"));
    let query = |query: &str| {
        let query = query.replace("$__rate_interval", "1m").replace("$__range", "1h");
        ["$job", "$instance", "$process"]
            .iter()
            .fold(query, |query, name| query.replace(name, ".*"))
    };
    queries.map(query).collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let page = fs::read_to_string(packaging("../man/text/tcplapse-metrics.5.md")).expect("a page");
    let mut asked = 0;
    for text in queries().into_iter().chain([read("prometheus/tcplapse.rules.yml")]) {
        for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if name.starts_with("tcplapse_") {
                let family = name.trim_end_matches("_bucket");
                assert!(page.contains(&format!("= {family}")), "{name}");
                asked += 1;
            }
        }
    }
    assert!(asked > 20, "{asked} metrics");
}

/// What Prometheus answers.
fn api(path: &str) -> Value {
    let address: SocketAddr = PROMETHEUS.parse().expect("an address");
    let request = format!("GET {path} HTTP/1.0\r\nHost: {PROMETHEUS}\r\n\r\n");
    let (_, body) = response(connect(address), &request);
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// The results of a query: labels and values.
fn query(query: &str) -> Vec<(Value, f64)> {
    let mut encoded = String::new();
    for byte in query.bytes() {
        write!(encoded, "%{byte:02X}").expect("a string takes all text");
    }
    let answer = api(&format!("/api/v1/query?query={encoded}"));
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    let results = answer["data"]["result"].as_array().expect("results").iter();
    let result = |result: &Value| {
        let value = result["value"][1].as_str().and_then(|value| value.parse().ok());
        (result["metric"].clone(), value.expect("a number"))
    };
    results.map(result).collect()
}

fn start(name: &str, args: &[&str]) -> Program {
    let mut command = Command::new(name);
    command.args(args);
    Program::spawn(command)
}

#[test]
fn a_leak_is_found_and_its_alert_fires() {
    for program in ["prometheus", "prometheus-node-exporter"] {
        if other_program(Feature::Prometheus, program, &["--version"]).is_none() {
            return;
        }
    }
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let (mut leaky, mut client) = (Actor::start("leaky"), Actor::start("client"));
        leaky.order("listen l 127.0.0.1:8080 9");
        client.connect("c", "127.0.0.1:8080");
        leaky.accept("l");
        let exporter = Program::polling(&["export", "--source", "netlink"]);
        let in_file = Program::polling(&["export", "--textfile", &path("tcplapse.prom")]);
        client.order("close c");
        let collector = [
            "--collector.disable-defaults",
            "--collector.textfile",
            &format!("--collector.textfile.directory={}", folder.path().display()),
            &format!("--web.listen-address={NODE_EXPORTER}"),
        ];
        let node = start("prometheus-node-exporter", &collector);
        // As shipped, but for the times: a test does not wait for minutes.
        let config = read("prometheus/prometheus.yml")
            .replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s");
        let config = config.replace("  # - job", "  - job").replace("  #   ", "    ");
        fs::write(path("prometheus.yml"), config).expect("it is ours");
        let rules = read("prometheus/tcplapse.rules.yml");
        let rules = rules.replace("> 300", "> 1").replace("for: 1m", "for: 0s");
        fs::write(path("tcplapse.rules.yml"), rules).expect("it is ours");
        let server = [
            &format!("--config.file={}", path("prometheus.yml")),
            &format!("--storage.tsdb.path={}", path("data")),
            &format!("--web.listen-address={PROMETHEUS}"),
            "--log.level=warn",
        ];
        let prometheus = start("prometheus", &server);
        let said = || format!("{}\n{}", prometheus.stderr(), node.stderr());
        let is_ready = || {
            let stream = TcpStream::connect(PROMETHEUS).ok()?;
            let (head, _) = response(stream, "GET /-/ready HTTP/1.0\r\n\r\n");
            head.split(' ').nth(1).is_some_and(|status| status == "200").then_some(())
        };
        until_or(is_ready, || format!("Prometheus to listen: {}", said()));

        let firing = || {
            let alerts = api("/api/v1/alerts");
            let alerts = alerts["data"]["alerts"].as_array().expect("alerts").iter();
            let mut firing = alerts.filter(|alert| alert["state"] == "firing");
            firing.find(|alert| alert["labels"]["job"] == "tcplapse").cloned()
        };
        let alert =
            until_or(firing, || format!("the alert: {}\n{}", api("/api/v1/targets"), said()));
        assert_eq!(alert["labels"]["alertname"], "TcpCloseWaitLeak", "{alert}");
        assert_eq!(alert["labels"]["process"], "leaky", "{alert}");
        for job in ["tcplapse", "node"] {
            let oldest = format!(
                "topk(1, tcplapse_oldest_seconds{{state=\"CLOSE_WAIT\",job=\"{job}\"}} > 0)"
            );
            let found = || query(&oldest).pop();
            let (labels, age) = until_or(found, || format!("the oldest by {job}; {}", said()));
            assert_eq!(labels["process"], "leaky", "{labels}");
            assert!(age > 0.0 && age < 600.0, "{age}");
        }
        for text in queries() {
            // Some have no result here; all are valid.
            query(&text);
        }
        let left = query("tcplapse_sockets{state=\"CLOSE_WAIT\",job=\"tcplapse\"} > 0");
        assert!(left.len() == 1 && (left[0].1 - 1.0).abs() < f64::EPSILON, "{left:?}");
        exporter.stop();
        in_file.stop();
    });
}

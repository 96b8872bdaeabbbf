//! A scraper of `tcplapse export`, and the series that it gets.

use super::program::Program;
use super::wait::LIMIT;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An exporter that has taken its first poll, and its address.
pub(crate) fn exporter(args: &[&str]) -> (Program, SocketAddr) {
    let program = Program::polling(&[&["export", "--listen", "127.0.0.1:0"], args].concat());
    let stderr = program.stderr();
    let url = stderr.split_once("serving metrics at http://").expect("its address").1;
    let address = url.split('/').next().and_then(|address| address.parse().ok());
    (program, address.expect("an address"))
}

/// A connection to an exporter, with a limit on every wait.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// What a server sends for a request until it closes: the head and the body.
pub(crate) fn response(mut stream: impl Read + Write, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text that ends");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// The metrics in the text format of Prometheus.
///
/// # Panics
/// If they are not served.
pub(crate) fn scrape(address: SocketAddr) -> Metrics {
    let (head, body) = response(connect(address), "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    Metrics::parse(&body)
}

/// Series with their values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metrics(pub(crate) BTreeMap<String, f64>);

impl Metrics {
    /// # Panics
    /// If a line is neither a comment nor a series with a value, or a series is there twice.
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "{text}");
        let mut series = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect(line);
            let twice = series.insert(name.to_owned(), value.parse().expect(line));
            assert!(twice.is_none(), "{name} is there twice");
        }
        Self(series)
    }

    /// The value of a series.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn get(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.0))
    }
}

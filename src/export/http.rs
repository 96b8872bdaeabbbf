//! The little of HTTP that a scraper needs: a request is understood, and answered with a head.

use super::exposition::TextFormat;
use httparse::{EMPTY_HEADER, Header, Status};

/// A longer head of a request is refused.
pub(crate) const MAX_REQUEST: usize = 8 << 10;
const MAX_HEADERS: usize = 64;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// The metrics; `body` is false for HEAD.
    Metrics { format: TextFormat, body: bool },
    /// The page at `/`.
    Index { body: bool },
    /// Something that there is not.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    /// There was no poll yet.
    NotReady,
}

impl Refusal {
    const fn status(self) -> &'static str {
        match self {
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::NotReady => "503 Service Unavailable",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Self::NotReady => "Retry-After: 1\r\n",
            _ => "",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::BadRequest => "This is not a request of HTTP/1.1.\n",
            Self::NotFound => "There is nothing here; the metrics are at /metrics.\n",
            Self::MethodNotAllowed => "Only GET and HEAD are served.\n",
            Self::TooLarge => "The request has too long a head.\n",
            Self::NotReady => "No poll is complete yet; ask again in a second.\n",
        }
    }
}

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>tcplapse</title>\n\
                     <p><a href=\"/metrics\">Metrics</a> of TCP sockets, by tcplapse export.</p></html>\n";

/// The request in these bytes; `None` as long as it is not complete.
pub(crate) fn request(bytes: &[u8]) -> Option<Request> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let refused = |refusal| Some(Request::Refused(refusal));
    match head.parse(bytes) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) if bytes.len() >= MAX_REQUEST => return refused(Refusal::TooLarge),
        Ok(Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => return refused(Refusal::TooLarge),
        Err(_) => return refused(Refusal::BadRequest),
    }
    let body = match head.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return refused(Refusal::MethodNotAllowed),
    };
    Some(match path(head.path.unwrap_or_default()) {
        "/metrics" => Request::Metrics { format: wanted_format(head.headers), body },
        "/" => Request::Index { body },
        _ => Request::Refused(Refusal::NotFound),
    })
}

/// The path of a target, which proxies may write with scheme and host (RFC 9112, section 3.2.2).
fn path(target: &str) -> &str {
    let target = target.split('?').next().unwrap_or_default();
    match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    }
}

/// The format that the client prefers by its header Accept; that of Prometheus if it has none.
fn wanted_format(headers: &[Header<'_>]) -> TextFormat {
    let accepts = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept"));
    let types = accepts.filter_map(|header| str::from_utf8(header.value).ok());
    let (mut open_metrics, mut plain) = (0.0, 0.0);
    for part in types.flat_map(|types| types.split(',')) {
        let mut parameters = part.split(';').map(str::trim);
        let name = parameters.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parameters.find_map(|parameter| parameter.strip_prefix("q="));
        let quality: f32 = quality.and_then(|text| text.parse().ok()).unwrap_or(1.0);
        let best = match name.as_str() {
            "application/openmetrics-text" => &mut open_metrics,
            "text/plain" => &mut plain,
            _ => continue,
        };
        *best = f32::max(*best, quality);
    }
    if open_metrics > 0.0 && open_metrics >= plain {
        TextFormat::OpenMetrics
    } else {
        TextFormat::Prometheus
    }
}

/// The head of the response with metrics of this length.
pub(crate) fn metrics_head(format: TextFormat, length: usize) -> Vec<u8> {
    head("200 OK", "", format.content_type(), length)
}

/// The response with the page at `/`.
pub(crate) fn index(body: bool) -> Vec<u8> {
    let mut response = head("200 OK", "", "text/html; charset=utf-8", INDEX.len());
    if body {
        response.extend(INDEX.as_bytes());
    }
    response
}

/// The response to a request that is refused.
pub(crate) fn refusal(refusal: Refusal) -> Vec<u8> {
    let sentence = refusal.sentence();
    let plain = "text/plain; charset=utf-8";
    let mut response = head(refusal.status(), refusal.header(), plain, sentence.len());
    response.extend(sentence.as_bytes());
    response
}

fn head(status: &str, header: &str, content_type: &str, length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Request> {
        request(text.replace('\n', "\r\n").as_bytes())
    }

    #[test]
    fn requests_are_understood() {
        let plain = |body| Some(Request::Metrics { format: TextFormat::Prometheus, body });
        assert_eq!(of("GET /metrics HTTP/1.1\nHost: a\n\n"), plain(true));
        assert_eq!(of("HEAD /metrics?x=1 HTTP/1.0\n\n"), plain(false));
        assert_eq!(of("GET http://a:9713/metrics HTTP/1.1\n\n"), plain(true));
        assert_eq!(of("GET http://a:9713 HTTP/1.1\n\n"), Some(Request::Index { body: true }));
        assert_eq!(of("GET / HTTP/1.1\n\n"), Some(Request::Index { body: true }));
        assert_eq!(of("GET /metrics HTTP/1.1\nHost: a\n"), None);
        assert_eq!(of(""), None);
        for (text, why) in [
            ("GET /metric HTTP/1.1\n\n", Refusal::NotFound),
            ("POST /metrics HTTP/1.1\n\n", Refusal::MethodNotAllowed),
            ("GET /metrics HTTP/3.9\n\n", Refusal::BadRequest),
            ("\u{16}\u{3}\u{1}", Refusal::BadRequest),
        ] {
            assert_eq!(of(text), Some(Request::Refused(why)), "{text}");
        }
    }

    #[test]
    fn long_heads_are_refused() {
        let many = format!("GET / HTTP/1.1\n{}\n", "a: b\n".repeat(MAX_HEADERS + 1));
        assert_eq!(of(&many), Some(Request::Refused(Refusal::TooLarge)));
        let long = format!("GET / HTTP/1.1\na: {}", "b".repeat(MAX_REQUEST));
        assert_eq!(of(&long), Some(Request::Refused(Refusal::TooLarge)));
    }

    #[test]
    fn the_client_chooses_the_format() {
        let format =
            |accept: &str| match of(&format!("GET /metrics HTTP/1.1\naccept: {accept}\n\n")) {
                Some(Request::Metrics { format, .. }) => format,
                other => panic!("{other:?}"),
            };
        // Prometheus 2.42, and 3.
        for accept in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;\
             version=1.0.0;q=0.3",
        ] {
            assert_eq!(format(accept), TextFormat::OpenMetrics, "{accept}");
        }
        for accept in ["*/*", "text/plain", "application/openmetrics-text;q=0", "text/html", ";q=,"]
        {
            assert_eq!(format(accept), TextFormat::Prometheus, "{accept}");
        }
    }

    #[test]
    fn a_response_says_how_long_it_is() {
        let response = String::from_utf8(refusal(Refusal::MethodNotAllowed)).expect("UTF-8");
        assert_eq!(
            response,
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Type: text/plain; \
             charset=utf-8\r\nContent-Length: 30\r\nConnection: close\r\n\r\nOnly GET and HEAD are \
             served.\n"
        );
        assert!(!index(false).ends_with(b">\n") && index(true).ends_with(b"</html>\n"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_are_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = request(&bytes);
            let mut begun = b"GET /metrics HTTP/1.1\r\n".to_vec();
            begun.extend(bytes);
            let _ = request(&begun);
        }
    }
}

//! Who may speak to this machine's pages: programs and people on it, and no web page from elsewhere.
//!
//! Any page in the operator's browser can send requests to a loopback address. So the name in `Host` must be this machine's
//! own (a name that was made to point here is refused: DNS rebinding), and a request that a browser says came from
//! another origin is refused, too. Programs like curl send no `Origin`.
//!
//! A link is not refused: whoever clicks on one in a message sees the page that it leads to, and no page can read what another one shows.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// Refuses what comes from elsewhere. `address`: what is listened on, with its port.
pub fn check(method: &Method, headers: &HeaderMap, address: &str) -> Result<(), (StatusCode, &'static str)> {
    let port = address.rsplit(':').next().unwrap_or_default();
    let own = [address.to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
    // Of several, another program on the way might have gone by another one.
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err((StatusCode::BAD_REQUEST, "a request names one host\n"));
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = |host: &str| own.iter().any(|one| one.eq_ignore_ascii_case(host));
    if !text(header::HOST).is_some_and(is_own) {
        return Err((StatusCode::MISDIRECTED_REQUEST, "this is not the address that is listened on\n"));
    }
    let is_own_origin =
        |origin: &HeaderValue| origin.to_str().ok().and_then(|o| o.strip_prefix("http://")).is_some_and(is_own);
    let is_own_site = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let is_all = |name: &str, value: &[u8]| {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek().is_some() && values.all(|one| one.as_bytes() == value)
    };
    let is_link =
        method == Method::GET && is_all("sec-fetch-mode", b"navigate") && is_all("sec-fetch-dest", b"document");
    let is_own_page = headers.get_all(header::ORIGIN).iter().all(is_own_origin)
        && (is_link || headers.get_all("sec-fetch-site").iter().all(is_own_site));
    if is_own_page { Ok(()) } else { Err((StatusCode::FORBIDDEN, "requests of other sites are refused\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&'static str, &str)]) -> Result<(), StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        check(&Method::GET, &headers, "127.0.0.1:8080").map_err(|(status, _)| status)
    }

    #[test]
    fn only_this_machine_is_let_in() {
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"] {
            assert_eq!(checked(&[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example:8080", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8080.evil.example", ""] {
            assert_eq!(checked(&[("host", host)]), Err(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        assert_eq!(checked(&[]), Err(StatusCode::MISDIRECTED_REQUEST));
        let own = ("host", "127.0.0.1:8080");
        for second in [own, ("host", "evil.example")] {
            assert_eq!(checked(&[own, second]), Err(StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn a_link_from_elsewhere_leads_to_a_page_and_to_nothing_else() {
        let link = [
            ("host", "127.0.0.1:8080"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(checked(&link), Ok(()));
        for (name, value) in [
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "iframe"),
            ("sec-fetch-dest", "image"),
            ("origin", "https://evil.example"),
        ] {
            let spoiled: Vec<_> = link.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]).collect();
            assert_eq!(checked(&spoiled), Err(StatusCode::FORBIDDEN), "{name}: {value}");
            let twice: Vec<_> = link.into_iter().chain([(name, value)]).collect();
            assert_eq!(checked(&twice), Err(StatusCode::FORBIDDEN), "{name}, a second one");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in link {
            headers.append(name, value.parse().unwrap());
        }
        let posted = check(&Method::POST, &headers, "127.0.0.1:8080");
        assert_eq!(posted.map_err(|(status, _)| status), Err(StatusCode::FORBIDDEN));
    }

    #[test]
    fn other_sites_are_refused() {
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(checked(&[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]), Ok(()));
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "https://127.0.0.1:8080"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(checked(&[host, (name, value)]), Err(StatusCode::FORBIDDEN), "{name}: {value}");
            let own = (name, if name == "origin" { "http://127.0.0.1:8080" } else { "same-origin" });
            assert_eq!(checked(&[host, own, (name, value)]), Err(StatusCode::FORBIDDEN), "{name}, a second one");
        }
    }
}

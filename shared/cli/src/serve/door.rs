//! Who may speak to this machine's pages: programs and people on it, and no web page from elsewhere.
//!
//! Any page in the operator's browser can send requests to a loopback address. So the name in `Host` must be this machine's
//! own (a name that was made to point here is refused: DNS rebinding), and a request that a browser says came from
//! another origin is refused, too. Programs like curl send no `Origin`.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

/// Refuses what comes from elsewhere. `address`: what is listened on, with its port.
pub fn check(headers: &HeaderMap, address: &str) -> Result<(), (StatusCode, &'static str)> {
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
    let is_own_page = headers.get_all(header::ORIGIN).iter().all(is_own_origin)
        && headers.get_all("sec-fetch-site").iter().all(is_own_site);
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
        check(&headers, "127.0.0.1:8080").map_err(|(status, _)| status)
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

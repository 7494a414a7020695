//! HTTP and HTTPS (RFC 9110): the whole file, or the rest of one that is here in part.

use std::io::{self, Read};

use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use super::{CHUNK, Halt, Opening, Outlet, Resume};
use crate::error::{Broken, harmless};
use crate::job::Limits;

/// How many redirects are followed: a mirror, and a server of files behind it.
const REDIRECTS: u32 = 5;

pub(super) fn send(uri: &Uri, resume: Option<&Resume>, limits: &Limits, outlet: &mut Outlet) -> Result<(), Halt> {
    let halt = |error| halt(error, limits);
    let mut request = agent(uri, limits).get(uri.clone());
    if let Some(Resume { from, validator }) = resume {
        // Without the second header, the rest of another version could come (RFC 9110, section 13.1.5).
        request = request.header("range", format!("bytes={from}-")).header("if-range", validator.as_str());
    }
    let response = request.call().map_err(halt)?;
    outlet.open(opening(&response, resume)?)?;
    let mut body = response.into_body().into_reader();
    loop {
        let mut data = vec![0; CHUNK];
        match body.read(&mut data) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                data.truncate(length);
                outlet.data(data)?;
            }
            Err(error) => return Err(halt(Error::from(error))),
        }
    }
}

fn agent(uri: &Uri, limits: &Limits) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let stall = Some(limits.stall);
    Agent::config_builder()
        // Whoever asked for encryption gets no file without it.
        .https_only(uri.scheme_str() == Some("https"))
        .tls_config(tls)
        .proxy(limits.proxy.clone())
        .http_status_as_error(false)
        .max_redirects(REDIRECTS)
        .timeout_resolve(stall)
        .timeout_connect(stall)
        .timeout_send_request(stall)
        .timeout_recv_response(stall)
        // For each read, and not for the whole: so that a thread that is left behind ends.
        .timeout_per_read(stall)
        .user_agent(concat!("flashline-fetch/", env!("CARGO_PKG_VERSION")))
        // The digest is that of the file, and not of what a server makes of it.
        .accept_encoding("identity")
        .build()
        .into()
}

/// What the server begins to send, or why that is not the file.
fn opening(response: &Response<Body>, resume: Option<&Resume>) -> Result<Opening, Broken> {
    match (response.status().as_u16(), resume) {
        (200, _) => Ok(Opening { from: 0, length: response.body().content_length(), validator: validator(response) }),
        (206, Some(resume)) => {
            let (from, length) = header(response, "content-range").and_then(part).ok_or(Broken::OtherPart)?;
            let opening = Opening { from, length, validator: Some(resume.validator.clone()) };
            if from == resume.from { Ok(opening) } else { Err(Broken::OtherPart) }
        }
        // The file is shorter than what is here of it.
        (206, None) | (416, Some(_)) => Err(Broken::OtherPart),
        (status, _) => Err(Broken::Status(status)),
    }
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// A strong entity tag, or else the time of the last change: a weak tag may stand for other bytes (RFC 9110, section 8.8.1).
fn validator(response: &Response<Body>) -> Option<String> {
    let tag = header(response, "etag").filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| header(response, "last-modified")).map(str::to_owned)
}

/// The first byte, and the length of the whole file if it is known: `bytes 100-199/200`.
fn part(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, length) = text.strip_prefix("bytes ")?.split_once('/')?;
    let from = range.split_once('-')?.0.parse().ok()?;
    Some((from, if length == "*" { None } else { Some(length.parse().ok()?) }))
}

fn halt(error: Error, limits: &Limits) -> Halt {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Halt::Disconnected,
        other => Halt::Broken(broken(other, limits)),
    }
}

fn broken(error: Error, limits: &Limits) -> Broken {
    match error {
        Error::RequireHttpsOnly(to) => Broken::Insecure { to: harmless(to.split('?').next().unwrap_or_default()) },
        Error::TooManyRedirects | Error::RedirectFailed => Broken::Redirects,
        Error::Timeout(_) => Broken::Stalled(limits.stall),
        other => Broken::Network(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asked_for_encryption_gets_no_file_without_it_and_a_signature_is_shown_nowhere() {
        let limits = Limits { proxy: None, ..Limits::default() };
        let only = |url: &str| agent(&url.parse().expect("a URL"), &limits).config().https_only();
        assert!(only("https://h.example/pi3.img") && !only("http://h.example/pi3.img"));
        let said = broken(Error::RequireHttpsOnly("http://mirror.example/pi3.img?sig=SECRET".to_owned()), &limits).to_string();
        assert!(said.contains("http://mirror.example/pi3.img, which is not encrypted") && !said.contains("SECRET"), "{said}");
    }

    #[test]
    fn the_part_that_a_server_sends_is_read_from_its_own_words() {
        assert_eq!(part("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(part("bytes 0-9/*"), Some((0, None)));
        for text in ["", "bytes */200", "items 1-2/3", "bytes 1/3", "bytes a-b/c", "bytes 1-2/x"] {
            assert_eq!(part(text), None, "{text}");
        }
    }
}

//! Where an image comes from: a URL, or a path on this PC (a disk, or a share that is mounted).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ureq::http::Uri;

use crate::error::harmless;

/// The file beside images that has their digests, as `sha256sum` writes it.
pub(crate) const SUMS: &str = "SHA256SUMS";

/// The place of a file or of a release directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// By HTTP or HTTPS.
    Http(Uri),
    /// On this PC.
    Path(PathBuf),
}

/// Why a text is no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotASource {
    #[error("{text:?} is no URL ({why}): write it as a browser shows it, a space as %20")]
    Url { text: String, why: String },
    #[error("{scheme}:// is not read: name an https:// URL, an http:// URL, or a path; a share must be mounted first")]
    Scheme { scheme: String },
    #[error(
        "the URL of {host} has a user or a password in it, which errors and the journal would show: use a server that needs none, or a share"
    )]
    Password { host: String },
    #[error("{text:?} is no path from the root, and no URL: write https://…, or a path that begins with /")]
    Relative { text: String },
}

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        let Some((scheme, _)) = text.split_once("://") else {
            let path = PathBuf::from(text);
            return if path.is_absolute() { Ok(Self::Path(path)) } else { Err(NotASource::Relative { text: text.to_owned() }) };
        };
        if !matches!(scheme, "http" | "https") {
            return Err(NotASource::Scheme { scheme: scheme.to_owned() });
        }
        let uri: Uri = text.parse().map_err(|why: ureq::http::uri::InvalidUri| {
            // The part behind a question mark may be a secret.
            NotASource::Url { text: text.split('?').next().unwrap_or_default().to_owned(), why: why.to_string() }
        })?;
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => Err(NotASource::Password { host: authority.host().to_owned() }),
            Some(_) => Ok(Self::Http(uri)),
            None => Err(NotASource::Url { text: uri.path().to_owned(), why: "it has no host".to_owned() }),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What stands behind a question mark may be a secret, as in signed links.
            Self::Http(uri) => {
                let scheme = uri.scheme_str().unwrap_or_default();
                let host = uri.authority().map_or("", ureq::http::uri::Authority::as_str);
                write!(f, "{scheme}://{host}{}{}", uri.path(), if uri.query().is_some() { "?…" } else { "" })
            }
            Self::Path(path) => f.write_str(&harmless(&path.display().to_string())),
        }
    }
}

impl Source {
    /// Is it read without encryption, so that anybody on the network can change it on its way?
    pub(crate) fn is_open_to_the_network(&self) -> bool {
        matches!(self, Self::Http(uri) if uri.scheme_str() != Some("https"))
    }

    /// Is it a release directory, and not a file? It says so by a / at its end: a share that hangs must not be asked here.
    pub(crate) fn is_directory(&self) -> bool {
        match self {
            Self::Http(uri) => uri.path().ends_with('/'),
            Self::Path(path) => path.as_os_str().as_encoded_bytes().ends_with(b"/"),
        }
    }

    /// The name of the file as it is written on a disk; `None` for a release directory, and for a name that is not UTF-8. It may still be
    /// no name for a file here: see [`crate::job::is_name`].
    pub(crate) fn file_name(&self) -> Option<String> {
        if self.is_directory() {
            return None;
        }
        match self {
            Self::Http(uri) => decoded(uri.path().rsplit('/').next()?),
            Self::Path(path) => path.file_name()?.to_str().map(str::to_owned),
        }
    }

    /// A file in this release directory.
    pub(crate) fn within(&self, name: &str) -> Self {
        match self {
            Self::Http(uri) => Self::with_path(uri, &format!("{}{}", uri.path(), encoded(name))),
            Self::Path(path) => Self::Path(path.join(name)),
        }
    }

    /// Another file in the directory of this file.
    pub(crate) fn beside(&self, name: &str) -> Self {
        match self {
            Self::Http(uri) => {
                let directory = uri.path().rsplit_once('/').map_or("", |(directory, _)| directory);
                Self::with_path(uri, &format!("{directory}/{}", encoded(name)))
            }
            Self::Path(path) => Self::Path(path.parent().unwrap_or(Path::new("/")).join(name)),
        }
    }

    fn with_path(uri: &Uri, path: &str) -> Self {
        let scheme = uri.scheme_str().unwrap_or_default();
        let host = uri.authority().map_or("", ureq::http::uri::Authority::as_str);
        // The name is encoded, and the rest is of a URL that was read.
        Self::Http(format!("{scheme}://{host}{path}").parse().unwrap_or_else(|_impossible| uri.clone()))
    }
}

/// A name as it stands in the path of a URL (RFC 3986, section 2.3).
fn encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// The name that stands in the path of a URL; `None` if it is not UTF-8. A % without two hexadecimal digits behind it stands for itself, as
/// for browsers.
fn decoded(segment: &str) -> Option<String> {
    let mut rest = segment.as_bytes();
    let mut name = Vec::new();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        name.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_file_has_the_name_that_its_url_stands_for_and_a_release_directory_has_none() {
        for (text, name) in [
            ("https://h.example/48/my%20pi3%2B.img?sig=a%20b", Some("my pi3+.img")),
            ("https://h.example/48/%C3%A4.img", Some("ä.img")),
            ("https://h.example/48/100%.img", Some("100%.img")),
            ("https://h.example/48/50%2", Some("50%2")),
            ("https://h.example/48/%2525", Some("%25")),
            ("https://h.example/48/%FF.img", None),
            ("https://h.example/48/", None),
            ("https://h.example", None),
            ("/mnt/48/my%20pi3.img", Some("my%20pi3.img")),
            ("/mnt/48/", None),
        ] {
            assert_eq!(source(text).file_name().as_deref(), name, "{text}");
        }
        let name = "my pi3+ä.img";
        assert_eq!(source("https://h.example/48/").within(name).file_name().as_deref(), Some(name), "as it was written into the URL");
    }

    #[test]
    fn a_url_and_a_path_are_taken_and_every_other_text_says_what_to_write() {
        let url = source("https://releases.example:8443/pi3/48/pi3.img.xz?sig=SECRET");
        assert_eq!(url.to_string(), "https://releases.example:8443/pi3/48/pi3.img.xz?…", "a signature is shown nowhere");
        assert_eq!(url.file_name().as_deref(), Some("pi3.img.xz"));
        assert_eq!(url.beside(SUMS).to_string(), "https://releases.example:8443/pi3/48/SHA256SUMS");
        let directory = source("http://releases.example/pi3/48/");
        assert!(directory.is_directory() && directory.is_open_to_the_network() && !url.is_open_to_the_network());
        assert_eq!(directory.within("pi 3.img").to_string(), "http://releases.example/pi3/48/pi%203.img");
        assert_eq!(source("/mnt/releases/pi3.img").beside(SUMS), Source::Path("/mnt/releases/SHA256SUMS".into()));
        for (text, says) in [
            ("pi3.img", "begins with /"),
            ("ftp://releases.example/pi3.img", "ftp:// is not read"),
            ("smb://server/pi3.img", "must be mounted"),
            ("https://ann:SECRET@releases.example/pi3.img", "a user or a password"),
            ("https://releases.example/pi 3.img?SECRET", "is no URL"),
            ("https:///pi3.img", "is no URL"),
        ] {
            let error = text.parse::<Source>().expect_err(text).to_string();
            assert!(error.contains(says) && !error.contains("SECRET"), "{text}: {error}");
        }
    }
}

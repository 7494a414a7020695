//! What a user relies on: an image is here whole and proven, or not at all, whatever the source does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::digest::{Algorithm, Digest, digest_of};
use crate::error::{Bytes, FetchError, sentence};
use crate::fetch::{Fetched, State, fetch, look};
use crate::job::{Job, Limits, Trust};
use crate::progress::Progress;
use crate::server::{Answer, Server};

/// Progress that nobody looks at.
struct Unseen;

impl Progress for Unseen {
    fn began(&mut self, _step: &'static str, _at: u64, _of: Option<u64>) {}
    fn is_at(&mut self, _byte: u64) {}
    fn remark(&mut self, _words: &str) {}
}

/// A file that repeats nowhere.
fn image() -> Vec<u8> {
    let mut bytes = vec![0; 300_000];
    blake3::Hasher::new().update(b"an image").finalize_xof().fill(&mut bytes);
    bytes
}

fn sha256(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

/// A directory for images, and a job for it.
struct Bench {
    directory: TempDir,
    job: Job,
}

impl Bench {
    fn new(source: &str, trust: Trust) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let limits = Limits {
            largest: Bytes(1 << 30),
            keep_free: Bytes(0),
            stall: Duration::from_secs(20),
            tries: 1,
            pause: Duration::ZERO,
            // The tests ask the loopback, whatever the environment says.
            proxy: None,
        };
        let source = source.parse().expect("a source");
        let job = Job { name: None, source, file: None, trust, directory: directory.path().to_owned(), limits };
        Self { directory, job }
    }

    /// For the image, from this server.
    fn of(server: &Server) -> Self {
        Self::new(&server.url("/48/pi3.img"), Trust::Digest(sha256(&image())))
    }

    fn fetch(&self) -> Result<Fetched, FetchError> {
        fetch(&self.job, &mut Unseen)
    }

    /// It is refused with these words, and nothing has a name.
    fn refused(&self, words: &[&str]) {
        let said = sentence(&self.fetch().expect_err(words[0]));
        for part in words {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!self.path().exists(), "it has its name: {said}");
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("pi3.img")
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join(".pi3.img.part")
    }

    /// The image is here, and read-only, and nothing else is left of it but its proof.
    fn is_whole(&self) {
        assert_eq!(fs::read(self.path()).expect("it is here"), image());
        assert_eq!(fs::metadata(self.path()).expect("it is here").permissions().mode() & 0o777, 0o444);
        let mut names: Vec<_> =
            fs::read_dir(self.directory.path()).expect("a directory").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, [".pi3.img.json", "pi3.img"]);
    }
}

fn begins(requests: &[String], number: usize) -> Option<&str> {
    requests[number].lines().find_map(|line| line.strip_prefix("range: "))
}

#[test]
fn an_image_comes_whole_is_read_only_and_is_not_fetched_again() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let mut bench = Bench::of(&server);
    let fetched = bench.fetch().expect("fetched");
    assert!(fetched.is_new && fetched.path == bench.path() && fetched.bytes == Bytes(300_000));
    bench.is_whole();
    assert!(!bench.fetch().expect("it is here").is_new);
    assert_eq!(server.requests().len(), 1, "what is here is asked for by nobody");
    // By the other function the file is read again, and still not fetched.
    bench.job.trust = Trust::Digest(digest_of(Algorithm::Blake3, &image()));
    assert!(!bench.fetch().expect("it is here").is_new);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_image_that_is_here_is_never_replaced_by_another_one_of_its_name() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let bench = Bench::of(&server);
    fs::write(bench.path(), b"the image of last week").expect("written");
    let said = sentence(&bench.fetch().expect_err("another image"));
    assert!(said.contains("is there already, and is another file") && said.contains("another `name`"), "{said}");
    assert_eq!(fs::read(bench.path()).expect("it is here"), b"the image of last week");
}

#[test]
fn a_transfer_that_broke_goes_on_from_its_end_in_the_next_run_and_in_the_same() {
    for tries in [1, 3] {
        let server = Server::start(|number, _| match number {
            0 => Answer::whole(&image(), "v1").cut(200_000),
            _ => Answer::rest(&image(), 100_000, "v1"),
        });
        let mut bench = Bench::of(&server);
        bench.job.limits.tries = tries;
        if tries == 1 {
            bench.refused(&["/48/pi3.img", "it ends at byte 100000 of 300000"]);
            assert_eq!(fs::metadata(bench.part()).expect("it stays").len(), 100_000);
        }
        bench.fetch().expect("the rest");
        bench.is_whole();
        let requests = server.requests();
        assert_eq!((requests.len(), begins(&requests, 0), begins(&requests, 1)), (2, None, Some("bytes=100000-")));
        assert!(requests[1].contains("if-range: \"v1\""), "of the same version only: {}", requests[1]);
    }
}

#[test]
fn a_server_that_ignores_the_range_or_has_another_version_is_read_from_the_beginning() {
    let server = Server::start(|number, _| match number {
        0 => Answer::whole(&image(), "v1").cut(200_000),
        _ => Answer::whole(&image(), "v2"),
    });
    let bench = Bench::of(&server);
    bench.refused(&["it ends at byte 100000"]);
    bench.fetch().expect("all of it");
    bench.is_whole();

    // One that names no version is not asked for a part.
    let server = Server::start(|number, _| {
        let whole = Answer::new("200 OK", &[("Content-Length", "300000".to_owned())], &image());
        if number == 0 { whole.cut(1) } else { whole }
    });
    let bench = Bench::of(&server);
    bench.refused(&["it ends at byte 299999"]);
    bench.fetch().expect("all of it");
    bench.is_whole();
    assert_eq!(begins(&server.requests(), 1), None);
}

#[test]
fn a_part_that_does_not_fit_what_follows_is_thrown_away_once_and_the_image_is_fetched_anew() {
    for answer in ["416 Range Not Satisfiable", "206 Partial Content"] {
        let server = Server::start(move |_, request| match request.contains("\nrange: ") {
            true => Answer::new(answer, &[("Content-Length", "0".to_owned())], b""),
            false => Answer::whole(&image(), "v1"),
        });
        let bench = Bench::of(&server);
        half(&bench, &image()[..1000]);
        bench.fetch().expect("anew");
        bench.is_whole();
    }
    // The bytes of before are wrong, as after a fault of the disk: only the digest shows it.
    let server = Server::start(|_, request| match request.contains("\nrange: ") {
        true => Answer::rest(&image(), 1000, "v1"),
        false => Answer::whole(&image(), "v1"),
    });
    let bench = Bench::of(&server);
    half(&bench, &[7; 1000]);
    bench.fetch().expect("anew");
    bench.is_whole();
    assert_eq!(server.requests().len(), 2);
}

/// Lays down a part, as a run that was killed leaves it.
fn half(bench: &Bench, bytes: &[u8]) {
    let Trust::Digest(digest) = bench.job.trust else { panic!("a digest") };
    fs::write(bench.part(), bytes).expect("written");
    let origin = serde_json::json!({ "source": bench.job.source.to_string(), "validator": "\"v1\"", "digest": digest.to_string() });
    fs::write(bench.directory.path().join(".pi3.img.part.json"), origin.to_string()).expect("written");
}

#[test]
fn a_part_that_is_whole_already_gets_its_name_without_a_request() {
    let server = Server::start(|_, _| Answer::new("500 Internal Server Error", &[], b""));
    let bench = Bench::of(&server);
    half(&bench, &image());
    bench.fetch().expect("it is here");
    bench.is_whole();
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn what_an_earlier_run_left_beside_an_image_that_is_here_is_removed_and_the_image_stays_as_it_is() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let bench = Bench::of(&server);
    bench.fetch().expect("fetched");
    half(&bench, &image());
    assert!(!bench.fetch().expect("it is here").is_new);
    bench.is_whole();

    // Where names are given in two steps, an end between them leaves both.
    fs::hard_link(bench.path(), bench.part()).expect("a second name");
    assert!(!bench.fetch().expect("it is here").is_new);
    bench.is_whole();
    assert_eq!(look(&bench.job).expect("it can be looked at").1, State::Here, "its proof is of what is here now");

    // A part that another process has is that one's.
    let other = crate::part::Part::open(bench.directory.path(), "pi3.img").expect("begun");
    assert!(!bench.fetch().expect("it is here").is_new);
    assert!(bench.part().exists());
    drop(other);
    assert!(!bench.fetch().expect("it is here").is_new);
    bench.is_whole();
    assert_eq!(server.requests().len(), 1);
}

/// Lays a read-only file down under the name of the image when the transfer begins.
struct Rival(PathBuf, Vec<u8>);

impl Progress for Rival {
    fn began(&mut self, step: &'static str, _at: u64, _of: Option<u64>) {
        if step == "fetching" {
            fs::write(&self.0, &self.1).expect("written");
            fs::set_permissions(&self.0, fs::Permissions::from_mode(0o444)).expect("it is ours");
        }
    }

    fn is_at(&mut self, _byte: u64) {}

    fn remark(&mut self, _words: &str) {}
}

#[test]
fn an_image_that_appears_while_it_is_fetched_is_here_and_the_part_goes() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let bench = Bench::of(&server);
    let fetched = fetch(&bench.job, &mut Rival(bench.path(), image())).expect("it is here");
    assert!(!fetched.is_new, "another one brought it");
    bench.is_whole();
}

#[test]
fn another_file_that_appears_while_an_image_is_fetched_stays_and_the_image_waits_for_its_name() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let bench = Bench::of(&server);
    let error = fetch(&bench.job, &mut Rival(bench.path(), b"another image".to_vec())).expect_err("another image");
    let said = sentence(&error);
    assert!(said.contains("is another file") && said.contains(&sha256(b"another image").to_string()), "{said}");
    assert_eq!(fs::read(bench.path()).expect("it stays"), b"another image");

    fs::remove_file(bench.path()).expect("removed");
    assert!(bench.fetch().expect("all of it is here").is_new);
    bench.is_whole();
    assert_eq!(server.requests().len(), 1, "nothing of it comes twice");
}

#[test]
fn an_image_with_another_digest_is_refused_by_both_and_nothing_of_it_stays() {
    let mut other = image();
    other[200_000] ^= 1;
    let (wanted, found) = (sha256(&image()).to_string(), sha256(&other).to_string());
    let server = Server::start(move |_, _| Answer::whole(&other, "v1"));
    let bench = Bench::of(&server);
    bench.refused(&["/48/pi3.img", &wanted, &found, "correct `digest`"]);
    assert!(!bench.part().exists());
}

#[test]
fn an_answer_that_is_no_file_is_told_with_its_number_and_cure() {
    for (status, says) in [
        ("404 Not Found", "the server answers 404: there is no such file: correct `source`"),
        ("500 Internal Server Error", "the server answers 500: it has trouble itself"),
        ("403 Forbidden", "the server answers 403: it wants a user"),
        ("204 No Content", "the server answers 204"),
    ] {
        let server = Server::start(move |_, _| Answer::new(status, &[("Content-Length", "0".to_owned())], b""));
        Bench::of(&server).refused(&[&server.url("/48/pi3.img"), says]);
    }
    // One that has trouble is asked again, one that has no such file is not.
    for (status, tries) in [("503 Service Unavailable", 3), ("404 Not Found", 1)] {
        let server = Server::start(move |_, _| Answer::new(status, &[("Content-Length", "0".to_owned())], b""));
        let mut bench = Bench::of(&server);
        bench.job.limits.tries = 3;
        bench.refused(&[&status[..3]]);
        assert_eq!(server.requests().len(), tries, "{status}");
    }
}

#[test]
fn a_redirect_is_followed_and_one_in_a_circle_is_not() {
    let server = Server::start(|_, request| match request.starts_with("get /48/pi3.img ") {
        true => Answer::new("302 Found", &[("Location", "/mirror/pi3.img".to_owned()), ("Content-Length", "0".to_owned())], b""),
        false => Answer::whole(&image(), "v1"),
    });
    let bench = Bench::of(&server);
    bench.fetch().expect("at its mirror");
    bench.is_whole();
    let server =
        Server::start(|_, _| Answer::new("302 Found", &[("Location", "/48/pi3.img".to_owned()), ("Content-Length", "0".to_owned())], b""));
    Bench::of(&server).refused(&["redirects again and again"]);
}

#[test]
fn a_server_that_stalls_is_given_up_after_the_configured_time_and_a_slow_one_is_not() {
    let server = Server::start(|number, _| match number {
        0 => Answer { hangs: true, ..Answer::whole(&image(), "v1").cut(200_000) },
        _ => Answer::rest(&image(), 100_000, "v1"),
    });
    let mut bench = Bench::of(&server);
    bench.job.limits.stall = Duration::from_millis(300);
    let began = Instant::now();
    bench.refused(&["nothing came for 300ms", "`stall_s`"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    bench.job.limits.stall = Duration::from_secs(20);
    bench.fetch().expect("it goes on");
    bench.is_whole();

    let silent = Server::start(|_, _| Answer { bytes: Vec::new(), hangs: true });
    let mut bench = Bench::of(&silent);
    bench.job.limits.stall = Duration::from_millis(300);
    bench.refused(&["nothing came for 300ms"]);
}

#[test]
fn more_than_the_limit_is_refused_before_and_while_it_comes() {
    let promised = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let endless = Server::start(|_, _| Answer::new("200 OK", &[], &image()));
    for server in [promised, endless] {
        let mut bench = Bench::of(&server);
        bench.job.limits.largest = Bytes(100_000);
        bench.refused(&["it has more than 100.00 kB", "`limit_gb`"]);
        assert!(fs::metadata(bench.part()).map_or(0, |part| part.len()) <= 100_000);
    }
}

#[test]
fn an_image_for_which_the_disk_has_no_room_is_refused_before_a_byte_is_written() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let mut bench = Bench::of(&server);
    bench.job.limits.keep_free = Bytes(u64::MAX / 2);
    bench.refused(&["free, and", "`keep_free_gb`", "remove images"]);
    assert_eq!(fs::metadata(bench.part()).expect("it was begun").len(), 0);
}

#[test]
fn an_image_whose_length_nobody_says_comes_whole_too() {
    let chunked = || {
        let image = image();
        let (first, second) = image.split_at(1000);
        let length = format!("{:x}\r\n", second.len());
        let parts: [&[u8]; 6] = [b"3e8\r\n", first, b"\r\n", length.as_bytes(), second, b"\r\n0\r\n\r\n"];
        let body = parts.concat();
        Answer::new("200 OK", &[("Transfer-Encoding", "chunked".to_owned())], &body)
    };
    let server = Server::start(move |_, _| chunked());
    let bench = Bench::of(&server);
    bench.fetch().expect("whole");
    bench.is_whole();
    // Cut before its last chunk, it is not whole.
    let server = Server::start(move |_, _| chunked().cut(5 + 1000));
    Bench::of(&server).refused(&["/48/pi3.img"]);
}

#[test]
fn an_image_from_a_share_comes_whole_and_what_is_not_there_or_no_file_is_told() {
    let share = tempfile::tempdir().expect("a directory");
    let source = share.path().join("pi3.img");
    fs::write(&source, image()).expect("written");
    let bench = Bench::new(&source.display().to_string(), Trust::Digest(sha256(&image())));
    bench.fetch().expect("copied");
    bench.is_whole();

    let gone = share.path().join("gone.img").display().to_string();
    let mut bench = Bench::new(&gone, Trust::Digest(sha256(&image())));
    bench.job.name = Some("pi3.img".to_owned());
    bench.refused(&["gone.img", "whether the share is mounted", "No such file"]);
    let mut bench = Bench::new(&share.path().display().to_string(), Trust::Digest(sha256(&image())));
    bench.job.name = Some("pi3.img".to_owned());
    bench.refused(&["it is no file"]);
}

#[test]
fn a_release_directory_says_the_digest_of_its_image_and_whoever_trusts_it_less_pins_the_list() {
    let share = tempfile::tempdir().expect("a directory");
    let list = format!("{}  pi3.img\n", &sha256(&image()).to_string()["sha256:".len()..]);
    fs::write(share.path().join("pi3.img"), image()).expect("written");
    fs::write(share.path().join("SHA256SUMS"), &list).expect("written");
    let directory = format!("{}/", share.path().display());
    for (source, trust) in [
        (directory.clone(), Trust::Sums(None)),
        (format!("{directory}pi3.img"), Trust::Sums(None)),
        (directory.clone(), Trust::Sums(Some(sha256(list.as_bytes())))),
    ] {
        let bench = Bench::new(&source, trust);
        bench.fetch().expect("copied");
        bench.is_whole();
    }
    Bench::new(&directory, Trust::Sums(Some(sha256(b"another list")))).refused(&["SHA256SUMS", "and not sha256:"]);
    Bench::new(&directory, Trust::Digest(sha256(&image()))).refused(&["is a release directory", "digest = \"SHA256SUMS\""]);
    fs::write(share.path().join("pi3.img"), b"another image").expect("written");
    Bench::new(&directory, Trust::Sums(None)).refused(&["the digest of", "and not sha256:"]);
    fs::remove_file(share.path().join("SHA256SUMS")).expect("removed");
    Bench::new(&directory, Trust::Sums(None)).refused(&["SHA256SUMS", "No such file"]);
}

#[test]
fn what_is_here_of_a_release_directory_is_looked_for_under_the_name_that_a_fetch_gives_it() {
    let share = tempfile::tempdir().expect("a directory");
    let list = |bytes: &[u8]| {
        let list = format!("{}  pi3.img\n", &sha256(bytes).to_string()["sha256:".len()..]);
        fs::write(share.path().join("SHA256SUMS"), list).expect("written");
    };
    fs::write(share.path().join("pi3.img"), image()).expect("written");
    list(&image());
    let mut bench = Bench::new(&format!("{}/", share.path().display()), Trust::Sums(None));
    let state = |bench: &Bench| look(&bench.job).expect("it can be looked at").1;
    assert_eq!(state(&bench), State::Missing);
    fs::write(bench.part(), &image()[..1000]).expect("written");
    assert_eq!(state(&bench), State::Part(1000));
    bench.fetch().expect("copied");
    assert_eq!(look(&bench.job).expect("it can be looked at"), (bench.path(), State::Here));
    list(b"the image of next week");
    assert_eq!(state(&bench), State::Unproven, "it is not the one that would be fetched now");

    fs::remove_file(share.path().join("SHA256SUMS")).expect("removed");
    let said = sentence(&look(&bench.job).expect_err("nobody knows which image it is"));
    assert!(said.contains("SHA256SUMS") && said.contains("No such file"), "{said}");
    list(&image());
    // A place that cannot be looked at is no place at which nothing is.
    bench.job.directory = bench.path();
    let said = sentence(&look(&bench.job).expect_err("it is no directory"));
    assert!(said.contains("looking at") && said.contains("Not a directory"), "{said}");
}

#[test]
fn a_list_that_ends_early_is_not_believed_and_the_error_says_how_far_it_came() {
    let list = format!("{}  pi3.img\n", &sha256(&image()).to_string()["sha256:".len()..]);
    let whole = list.len();
    let server = Server::start(move |_, _| Answer::whole(list.as_bytes(), "v1").cut(10));
    let bench = Bench::new(&server.url("/48/"), Trust::Sums(None));
    bench.refused(&["/48/SHA256SUMS", &format!("it ends at byte {} of {whole}", whole - 10)]);
}

#[test]
fn an_image_has_the_name_that_its_url_stands_for_unless_that_would_lead_out_of_the_directory() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let trust = || Trust::Digest(sha256(&image()));
    let bench = Bench::new(&server.url("/48/my%20pi3.img"), trust());
    assert_eq!(bench.fetch().expect("fetched").path, bench.directory.path().join("my pi3.img"));
    for encoded in ["..%2Fpi3.img", "%2E%2E", "%2Ehidden", "a%2Fb", "a%00b"] {
        let url = server.url(&format!("/48/{encoded}"));
        Bench::new(&url, trust()).refused(&["cannot be the name of a file here", &url]);
        let mut bench = Bench::new(&url, trust());
        bench.job.name = Some("pi3.img".to_owned());
        bench.fetch().expect("it has another name here");
        bench.is_whole();
    }
}

#[test]
fn two_processes_do_not_write_one_image() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    let bench = Bench::of(&server);
    let other = crate::part::Part::open(bench.directory.path(), "pi3.img").expect("begun");
    bench.refused(&["is being fetched by another process"]);
    drop(other);
    bench.fetch().expect("now");
    bench.is_whole();
}

#[test]
fn a_name_that_would_lead_out_of_the_directory_is_refused() {
    let server = Server::start(|_, _| Answer::whole(&image(), "v1"));
    for name in ["../pi3.img", ".pi3.img", "a/b", ""] {
        let mut bench = Bench::of(&server);
        bench.job.name = Some(name.to_owned());
        bench.refused(&["cannot be the name of a file here"]);
    }
    assert_eq!(server.requests().len(), 0);
}

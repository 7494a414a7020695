//! Tests of the control socket with good and bad clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::access::Rights;
use super::client::{Client, ClientError};
use super::server::Server;
use super::wire::{Reply, Request};
use super::{Denial, Incoming, IncomingRequest};
use crate::station::request::{Command, Target, Who};
use crate::station::restriction::Restriction;
use crate::station::sign::Sign;
use crate::station::view::{SlotView, View};

struct Station {
    _directory: tempfile::TempDir,
    socket: PathBuf,
    view: watch::Sender<View>,
    asked: mpsc::Receiver<Incoming>,
    server: Option<Server>,
}

fn admin(uid: u32, _gid: u32) -> (Who, Rights) {
    (Who { uid, name: "ann".to_owned() }, Rights::Change)
}

fn reader(uid: u32, _gid: u32) -> (Who, Rights) {
    (Who { uid, name: "bob".to_owned() }, Rights::Look)
}

fn stranger(uid: u32, _gid: u32) -> (Who, Rights) {
    (Who { uid, name: "eve".to_owned() }, Rights::None)
}

fn view_of(sign: &Sign) -> View {
    let slots = (0..32).map(|slot| SlotView { slot: format!("A{slot}"), model: "acme/box".into(), ..SlotView::of(sign.clone()) });
    View { station: "line 3".into(), slots: slots.collect(), ..View::default() }
}

impl Station {
    fn start(rights: super::access::Ask) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("run/control.sock");
        let (view, shown) = watch::channel(view_of(&Sign::Empty));
        let (ask, asked) = mpsc::channel(1);
        let server = Server::start(&socket, shown, ask, rights).expect("it listens");
        Self { _directory: directory, socket, view, asked, server: Some(server) }
    }

    fn client(&self) -> Client {
        Client::connect(&self.socket).expect("it answers")
    }

    fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream
    }

    fn still_answers(&self) {
        assert_eq!(self.client().status().expect("it still answers").slots.len(), 32);
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

#[test]
fn what_the_page_of_the_protocol_shows_is_what_is_spoken() {
    let page = include_str!("../../docs/integrator/protocol.md");
    let mut read = 0;
    for block in page.split("```json\n").skip(1).map(|rest| rest.split("```").next().expect("it ends")) {
        if block.contains("\"request\"") {
            for line in block.lines() {
                let request: Request = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
                let again: Request = serde_json::from_str(&serde_json::to_string(&request).expect("JSON")).expect("what we write we read");
                assert_eq!(request, again);
                read += 1;
            }
        } else {
            let reply: Reply = serde_json::from_str(block).unwrap_or_else(|error| panic!("{block}: {error}"));
            let value: serde_json::Value = serde_json::from_str(block).expect("JSON");
            assert_eq!(serde_json::to_value(&reply).expect("JSON"), value, "nothing of it is passed over");
            read += 1;
        }
    }
    assert_eq!(read, 17, "every example was read");
}

#[test]
fn a_watcher_sees_every_change_and_in_the_end_the_newest() {
    let station = Station::start(reader);
    let mut client = station.client();
    assert_eq!(client.watch().expect("a snapshot").slots[0].sign, "empty");
    for sign in [Sign::Preparing, Sign::Writing, Sign::ReadingBack] {
        station.view.send_replace(view_of(&sign));
    }
    let mut newest = client.next_status().expect("a change");
    while newest.slots[31].sign != "reading-back" {
        newest = client.next_status().expect("the newest comes");
    }
}

#[test]
fn what_is_asked_reaches_the_station_with_who_asked_and_its_answer_comes_back() {
    let mut station = Station::start(admin);
    let mut client = station.client();
    let asking = std::thread::spawn(move || client.ask(&Request::Disarm { slot: Some("A9".into()), model: None, reason: None }));
    let asked = station.asked.blocking_recv().expect("it is asked");
    assert_eq!(asked.by, Who { uid: nix::unistd::geteuid().as_raw(), name: "ann".to_owned() });
    assert_eq!(asked.what, IncomingRequest::Command(Command::Disarm { target: Target::Slot("A9".into()), reason: None }));
    let no = Denial { code: "no-such-slot".to_owned(), message: "there is no slot".to_owned() };
    asked.answer.send(Err(no)).expect("somebody waits");
    let answer = asking.join().expect("it returns");
    assert!(matches!(answer, Err(ClientError::Refused(error)) if error.code == "no-such-slot"));
}

#[test]
fn whoever_asks_while_the_log_cannot_be_written_hears_that_it_holds_and_is_not_written_down() {
    let mut station = Station::start(admin);
    let ask = |mut client: Client, request: Request| std::thread::spawn(move || client.ask(&request));
    let disarm = ask(station.client(), Request::Disarm { slot: Some("A9".into()), model: None, reason: None });
    let _waits = station.asked.blocking_recv().expect("it is asked");
    // A unit that hides the disks stops the station, too: that does not hide the fault of the log.
    station.view.send_modify(|view| view.restrictions = vec![Restriction::DisksHidden]);
    station.view.send_modify(|view| view.log_fault = Some("the flash log cannot be written: disk full".to_owned()));
    match disarm.join().expect("it returns") {
        Err(ClientError::Refused(error)) => {
            assert_eq!(error.code, "unwritten");
            assert!(error.message.starts_with("the change is in effect") && error.message.ends_with("disk full"), "{}", error.message);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_asks_when_the_log_cannot_be_written_already_hears_what_the_station_says_and_no_guess() {
    let mut station = Station::start(admin);
    station.view.send_modify(|view| view.log_fault = Some("the flash log cannot be written: disk full".to_owned()));
    let mut client = station.client();
    let asking = std::thread::spawn(move || client.ask(&Request::Disarm { slot: Some("A9".into()), model: None, reason: None }));
    let asked = station.asked.blocking_recv().expect("it is asked");
    // Longer than the time after which the station reports that an accepted change is not on disk.
    std::thread::sleep(Duration::from_secs(6));
    asked.answer.send(Err(Denial { code: "log-fault".to_owned(), message: "disk full".to_owned() })).expect("somebody waits");
    let answer = asking.join().expect("it returns");
    assert!(matches!(&answer, Err(ClientError::Refused(error)) if error.code == "log-fault"), "{answer:?}");
}

#[test]
fn whoever_may_only_look_changes_nothing_and_a_stranger_sees_nothing() {
    let mut station = Station::start(reader);
    let refused = station.client().ask(&Request::Reload {});
    assert!(
        matches!(refused, Err(ClientError::Refused(error)) if error.code == "not-allowed" && error.message.contains("flashline-admin"))
    );
    assert!(station.asked.try_recv().is_err(), "the station was not even asked");
    station.still_answers();
    let closed = Station::start(stranger);
    assert!(matches!(closed.client().status(), Err(ClientError::Refused(error)) if error.code == "not-allowed"));
}

#[test]
fn what_is_no_request_is_answered_and_what_never_ends_is_cut_off() {
    let station = Station::start(admin);
    let mut stream = station.raw();
    for bad in [
        "{}",
        "nonsense",
        "{\"request\":\"status\",\"also\":1}",
        "{\"request\":\"arm\"}",
        "{\"request\":\"disarm\",\"slot\":\"A1\",\"reason\":\"a\\nb\"}",
    ] {
        stream.write_all(format!("{bad}\n").as_bytes()).expect("it listens");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("it answers");
        assert!(line.contains("bad-request"), "{bad}: {line}");
    }
    let mut endless = station.raw();
    // The client may have disconnected before the whole answer was sent.
    let _cut = endless.write_all(&vec![b'a'; 1 << 20]);
    let mut rest = Vec::new();
    let _reset = endless.read_to_end(&mut rest);
    let said = String::from_utf8(rest).expect("text");
    assert!(said.contains("bad-request") && said.lines().count() == 1, "it is told once why it is hung up on: {said:?}");
    station.still_answers();
}

#[test]
fn a_thousand_connections_leave_room_for_nobody_else_only_as_long_as_they_stand() {
    let station = Station::start(admin);
    let many: Vec<UnixStream> = (0..1000).filter_map(|_| UnixStream::connect(&station.socket).ok()).collect();
    // The connections above the limit were closed.
    let mut open = 0;
    for mut stream in many {
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let mut said = String::new();
        match stream.read_to_string(&mut said) {
            Ok(_) => assert!(said.contains("\"busy\""), "it hears why it was not served: {said:?}"),
            Err(_) => open += 1,
        }
    }
    assert!(open <= 64, "{open} were served");
    let by = Instant::now() + Duration::from_secs(10);
    while Client::connect(&station.socket).and_then(|mut client| client.status()).is_err() {
        assert!(Instant::now() < by, "their places are free again");
    }
}

#[test]
fn a_client_hears_why_the_station_hung_up_even_where_that_was_before_it_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("control.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("it is made");
    let mut client = Client::connect(&socket).expect("it listens");
    let (mut served, _) = listener.accept().expect("a client");
    let mut no = serde_json::to_vec(&Reply::error("not-allowed", "not you")).expect("JSON");
    no.push(b'\n');
    served.write_all(&no).expect("room for a line");
    drop(served);
    match client.status() {
        Err(ClientError::Refused(error)) => assert_eq!(error.message, "not you"),
        other => panic!("{other:?}"),
    }
    // And where it said nothing, it is the station that is gone.
    let mut client = Client::connect(&socket).expect("it listens");
    drop(listener.accept().expect("a client"));
    assert!(matches!(client.status(), Err(ClientError::Broken { .. })));
}

#[test]
fn a_watcher_that_never_reads_is_dropped_and_the_others_see_everything() {
    let station = Station::start(reader);
    let mut deaf = station.raw();
    deaf.write_all(b"{\"request\":\"watch\"}\n").expect("it listens");
    let mut client = station.client();
    client.watch().expect("a snapshot");
    let by = Instant::now() + Duration::from_secs(60);
    let mut changes = 0;
    // More than any socket buffers, and longer than the station waits for a client.
    while changes < 100 {
        assert!(Instant::now() < by);
        let sign = if changes % 2 == 0 { Sign::Writing } else { Sign::ReadingBack };
        station.view.send_replace(view_of(&sign));
        client.next_status().expect("a change");
        changes += 1;
    }
    deaf.set_nonblocking(false).expect("it blocks");
    let mut read = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match deaf.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) => panic!("it was not hung up on after {read} bytes: {error}"),
        }
    }
    station.still_answers();
}

#[test]
fn a_socket_that_a_killed_station_left_is_replaced_and_a_living_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("it is made"));
    let (_view, shown) = watch::channel(View::default());
    let (ask, _asked) = mpsc::channel(1);
    let server = Server::start(&socket, shown.clone(), ask.clone(), admin).expect("nobody listens there");
    let second = Server::start(&socket, shown.clone(), ask.clone(), admin).expect_err("somebody does");
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
    Client::connect(&socket).expect("the first one still answers").status().expect("and says how it is");
    server.stop();
    assert!(!socket.exists(), "it tidies up");
    std::fs::write(&socket, "a file of somebody's").expect("written");
    Server::start(&socket, shown, ask, admin).expect_err("what is no socket is not removed");
    assert_eq!(std::fs::read_to_string(&socket).expect("it is there"), "a file of somebody's");
}

#[test]
fn a_station_that_decides_nothing_any_more_is_said_to_be_dead_and_one_that_only_has_no_news_is_not() {
    let station = Station::start(admin);
    let mut watcher = station.client();
    let first = watcher.watch().expect("it answers");
    station.view.send_modify(|_| ());
    assert_eq!(watcher.next_status().expect("the same again: it lives"), first);
    // From here on, no client sends anything.
    assert!(matches!(watcher.next_status(), Err(ClientError::Broken { .. })));
    match station.client().status() {
        Err(ClientError::Refused(error)) => assert_eq!(error.code, "hung"),
        other => panic!("{other:?}"),
    }
    station.view.send_modify(|_| ());
    std::thread::sleep(Duration::from_millis(300));
    station.still_answers();
}

mod cases {
    use super::*;

    #[test]
    fn who_is_in_the_admins_group_alone_gets_to_the_socket_and_a_stranger_hears_that_they_may_not_ask() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        let station = Station::start(stranger);
        assert_eq!(mode(&station.socket), 0o666, "no file has two groups: the station says itself who may ask");
        assert_eq!(mode(station.socket.parent().expect("a directory")), 0o755, "whatever the umask is");
        match station.client().status() {
            Err(ClientError::Refused(error)) => assert_eq!(error.code, "not-allowed"),
            other => panic!("{other:?}"),
        }
    }
}

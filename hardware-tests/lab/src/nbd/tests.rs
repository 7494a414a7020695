//! Tests of the server with a small client over its socket; no QEMU is needed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Server;
use super::export::Export;
use super::faults::{Beyond, Errno};
use super::request::Request;

const EPERM: u32 = 1;
const EIO: u32 = 5;
const ENOSPC: u32 = 28;
const LONG: Duration = Duration::from_secs(20);

/// The client side of the protocol, as far as a disk needs it.
struct Client {
    stream: UnixStream,
    size: u64,
    flags: u16,
    cookie: u64,
}

fn take<const N: usize>(stream: &mut UnixStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).expect("the server goes on");
    bytes
}

fn option(stream: &mut UnixStream, option: u32, payload: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let head = [&b"IHAVEOPT"[..], &option.to_be_bytes(), &length.to_be_bytes(), payload].concat();
    stream.write_all(&head).expect("the server listens");
    let mut replies = Vec::new();
    loop {
        assert_eq!(u64::from_be_bytes(take(stream)), 0x3_e889_0455_65a9);
        assert_eq!(u32::from_be_bytes(take(stream)), option);
        let kind = u32::from_be_bytes(take(stream));
        let length = u32::from_be_bytes(take(stream));
        let mut data = vec![0; usize::try_from(length).expect("short")];
        stream.read_exact(&mut data).expect("the reply is whole");
        replies.push((kind, data));
        // After information, more answers follow; an acknowledgement or an error is the last one.
        if kind != 3 {
            return replies;
        }
    }
}

fn greet(server: &Server) -> UnixStream {
    let mut stream = UnixStream::connect(server.socket()).expect("the server listens");
    assert_eq!(&take::<16>(&mut stream), b"NBDMAGICIHAVEOPT");
    let flags = u16::from_be_bytes(take(&mut stream));
    stream.write_all(&u32::from(flags).to_be_bytes()).expect("the server listens");
    stream
}

fn named(name: &str) -> Vec<u8> {
    let length = u32::try_from(name.len()).expect("a short name");
    [&length.to_be_bytes()[..], name.as_bytes(), &[0, 0]].concat()
}

impl Client {
    fn connect(server: &Server, name: &str) -> Self {
        let mut stream = greet(server);
        let replies = option(&mut stream, 7, &named(name));
        let (kind, info) = &replies[0];
        assert_eq!((*kind, &info[..2]), (3, &[0, 0][..]), "the first information is the export");
        let size = u64::from_be_bytes(info[2..10].try_into().expect("eight bytes"));
        let flags = u16::from_be_bytes(info[10..12].try_into().expect("two bytes"));
        assert_eq!(replies.last().map(|reply| reply.0), Some(1));
        Self { stream, size, flags, cookie: 0 }
    }

    fn request(&mut self, command: u16, flags: u16, offset: u64, length: usize, data: &[u8]) -> io::Result<u32> {
        self.cookie += 1;
        let length = u32::try_from(length).expect("a short request");
        let head = [
            &0x2560_9513_u32.to_be_bytes()[..],
            &flags.to_be_bytes(),
            &command.to_be_bytes(),
            &self.cookie.to_be_bytes(),
            &offset.to_be_bytes(),
            &length.to_be_bytes(),
            data,
        ]
        .concat();
        self.stream.write_all(&head)?;
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply)?;
        assert_eq!(reply[..4], 0x6744_6698_u32.to_be_bytes());
        assert_eq!(reply[8..], self.cookie.to_be_bytes(), "the answer is to this request");
        Ok(u32::from_be_bytes(reply[4..8].try_into().expect("four bytes")))
    }

    fn answer(status: u32) -> Result<(), u32> {
        if status == 0 { Ok(()) } else { Err(status) }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), u32> {
        Self::answer(self.request(1, 0, offset, data.len(), data).expect("an answer"))
    }

    fn write_forced(&mut self, offset: u64, data: &[u8]) -> Result<(), u32> {
        Self::answer(self.request(1, 1, offset, data.len(), data).expect("an answer"))
    }

    fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, u32> {
        Self::answer(self.request(0, 0, offset, length, &[]).expect("an answer"))?;
        let mut data = vec![0; length];
        self.stream.read_exact(&mut data).expect("the data follow");
        Ok(data)
    }

    fn flush(&mut self) -> Result<(), u32> {
        Self::answer(self.request(3, 0, 0, 0, &[]).expect("an answer"))
    }
}

/// A server with one card.
struct Bench {
    export: Arc<Export>,
    server: Server,
    _folder: TempDir,
}

impl Bench {
    fn new(size: u64) -> Self {
        Self::with(size, size, Beyond::Wraps, false)
    }

    fn with(size: u64, real: u64, beyond: Beyond, read_only: bool) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let server = Server::listen(&folder.path().join("nbd.sock")).expect("a socket");
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(real).expect("room");
        let export = Arc::new(Export::new(file, size, beyond, read_only).expect("a card"));
        server.offer(&export);
        Self { export, server, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::connect(&self.server, self.export.name())
    }
}

#[test]
fn options_are_answered_and_unknown_exports_refused() {
    let bench = Bench::new(1 << 20);
    let mut stream = greet(&bench.server);
    // QEMU requests STRUCTURED_REPLY first, and can work without it.
    assert_eq!(option(&mut stream, 8, &[]), [(0x8000_0001, vec![])]);
    assert_eq!(option(&mut stream, 7, &named("no such card")), [(0x8000_0006, vec![])]);
    assert_eq!(option(&mut stream, 7, &[0, 0]), [(0x8000_0003, vec![])], "a torn name is not a crash");
    assert_eq!(option(&mut stream, 6, &named(bench.export.name())).last(), Some(&(1, vec![])));
    assert_eq!(option(&mut stream, 2, &[]), [(1, vec![])]);

    let client = bench.client();
    assert_eq!(client.size, 1 << 20);
    assert_eq!(client.flags & 0b10, 0, "it can be written");
    assert_eq!(client.flags & 0b1100, 0b1100, "it can be flushed, and forced");
}

#[test]
fn what_is_written_is_read_counted_and_in_order() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    client.write(4096, b"hello").expect("a good card");
    assert_eq!(client.read(4096, 5).expect("a good card"), b"hello");
    assert_eq!(bench.export.counts().bytes_since_flush, 5);
    client.flush().expect("a good card");
    client.write_forced(0, &[1; 512]).expect("a good card");
    let counts = bench.export.counts();
    assert_eq!((counts.reads, counts.bytes_read), (1, 5));
    assert_eq!((counts.writes, counts.bytes_written, counts.longest_write), (2, 517, 512));
    assert_eq!((counts.flushes, counts.bytes_since_flush), (1, 0), "a forced write needs no flush");
    assert_eq!(
        bench.export.requests(),
        [
            Request::Write { offset: 4096, length: 5 },
            Request::Read { offset: 4096, length: 5 },
            Request::Flush,
            Request::Write { offset: 0, length: 512 },
        ]
    );
}

#[test]
fn several_cards_on_one_server_do_not_meet() {
    let bench = Bench::new(1 << 20);
    let file = tempfile::tempfile().expect("a temporary file");
    file.set_len(4096).expect("room");
    let other = Arc::new(Export::new(file, 4096, Beyond::Wraps, false).expect("a card"));
    bench.server.offer(&other);
    let (mut a, mut b) = (bench.client(), Client::connect(&bench.server, other.name()));
    assert_eq!((a.size, b.size), (1 << 20, 4096));
    a.write(0, b"A").expect("a good card");
    assert_eq!(b.read(0, 1).expect("a good card"), [0]);
    assert_eq!(other.counts().writes, 0);
}

#[test]
fn errors_strike_where_and_while_they_are_set() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    bench.export.faults(|faults| {
        faults.read_errors.push(512..1024);
        faults.write_errors.push(4096..4097);
    });
    assert_eq!(client.read(0, 512).map(drop), Ok(()));
    assert_eq!(client.read(0, 513).map(drop), Err(EIO));
    assert_eq!(client.read(1024, 512).map(drop), Ok(()));
    assert_eq!(client.write(0, &[1; 8192]), Err(EIO));
    assert_eq!(client.write(4097, &[1; 512]), Ok(()));
    assert_eq!(bench.export.counts().failed, 2);
    assert_eq!(bench.export.counts().writes, 1, "a failed write was not acknowledged");

    bench.export.faults(|faults| {
        faults.read_errors.clear();
        faults.write_errors.clear();
        faults.all_writes = Some(Errno::NO_SPACE);
    });
    assert_eq!(client.read(0, 4096).expect("no error any more"), [0; 4096], "the failed write changed nothing");
    assert_eq!(client.write(0, &[1]), Err(ENOSPC));
    bench.export.faults(|faults| {
        faults.all_writes = None;
        faults.all_flushes = Some(Errno::IO);
    });
    assert_eq!(client.write(0, &[1]), Ok(()));
    assert_eq!(client.flush(), Err(EIO));
}

#[test]
fn a_card_protects_itself_after_so_many_bytes() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    bench.export.faults(|faults| faults.read_only_after = Some(1024));
    assert_eq!(client.write(0, &[1; 1024]), Ok(()));
    assert_eq!(client.write(1024, &[1; 512]), Err(EPERM));
    assert_eq!(client.read(0, 512).map(|data| data[0]), Ok(1));

    let bench = Bench::with(4096, 4096, Beyond::Wraps, true);
    let mut client = bench.client();
    assert_eq!(client.flags & 0b10, 0b10, "it says it is read-only");
    assert_eq!(client.write(0, &[1]), Err(EPERM));
}

#[test]
fn nothing_lies_beyond_the_end() {
    let bench = Bench::new(4096);
    let mut client = bench.client();
    assert_eq!(client.write(4095, &[1, 1]), Err(ENOSPC));
    assert_eq!(client.read(u64::MAX, 1).map(drop), Err(EIO));
}

#[test]
fn a_card_stops_at_the_request_that_was_named_and_goes_on_as_if_nothing_had_been() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    let mut writes = 0;
    bench.export.stop_at(Box::new(move |request| {
        writes += u32::from(matches!(request, Request::Write { .. }));
        writes == 2
    }));
    client.write(0, &[1; 512]).expect("the first passes");
    client.read(0, 512).expect("reads pass");
    assert_eq!(bench.export.stopped(), None);
    thread::scope(|scope| {
        let second = scope.spawn(|| client.write(512, &[2; 512]));
        assert_eq!(bench.export.wait_stopped(LONG), Some(Request::Write { offset: 512, length: 512 }));
        assert_eq!(bench.export.counts().writes, 1, "it has not reached the card");
        bench.export.faults(|faults| faults.write_errors.push(512..1024));
        bench.export.go_on();
        assert_eq!(second.join().expect("no panic"), Err(EIO), "what strikes meanwhile strikes this request");
    });
    assert_eq!(client.write(2048, &[3; 512]), Ok(()), "it stops once");
}

#[test]
fn bits_flip_on_the_way_out_or_in() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    client.write(0, &[0; 1024]).expect("a good card");
    bench.export.faults(|faults| faults.flips_on_read = vec![(600, 0x81)]);
    assert_eq!(client.read(0, 600).expect("no error"), [0; 600]);
    assert_eq!(client.read(600, 2).expect("no error"), [0x81, 0]);
    bench.export.faults(|faults| faults.flips_on_read.clear());
    assert_eq!(client.read(600, 2).expect("no error"), [0, 0], "the medium was right");

    bench.export.faults(|faults| faults.flips_on_write = vec![(10, 1)]);
    client.write(8, &[0; 8]).expect("no error");
    bench.export.faults(|faults| faults.flips_on_write.clear());
    assert_eq!(client.read(8, 8).expect("no error"), [0, 0, 1, 0, 0, 0, 0, 0], "the medium is wrong");
}

#[test]
fn lost_writes_are_acknowledged() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    bench.export.faults(|faults| faults.stuck.push(512..1024));
    client.write(0, &[1; 512]).expect("acknowledged");
    client.write(512, &[1; 512]).expect("acknowledged");
    assert_eq!(client.read(0, 1024).expect("no error"), [[1; 512], [0; 512]].concat());
    bench.export.faults(|faults| faults.ignores_writes = true);
    client.write(0, &[2; 512]).expect("acknowledged");
    assert_eq!(client.read(0, 1).expect("no error"), [1]);
}

#[test]
fn a_card_that_lies_wraps_or_forgets() {
    let bench = Bench::with(1 << 20, 4096, Beyond::Wraps, false);
    let mut client = bench.client();
    assert_eq!(client.size, 1 << 20);
    let data: Vec<u8> = (0..=255).cycle().take(1024).collect();
    client.write((8 << 12) - 512, &data).expect("acknowledged");
    assert_eq!(client.read(4096 - 512, 512).expect("no error"), data[..512]);
    assert_eq!(client.read(0, 512).expect("no error"), data[512..], "the far write landed at the start");

    let bench = Bench::with(1 << 20, 4096, Beyond::Vanishes, false);
    let mut client = bench.client();
    client.write(4096 - 512, &data).expect("acknowledged");
    assert_eq!(client.read(4096 - 512, 1024).expect("no error"), [&data[..512], &[0; 512]].concat());
    assert_eq!(client.read(0, 512).expect("no error"), [0; 512]);
}

#[test]
fn only_what_was_flushed_survives_a_power_cut() {
    let cut = |keep: u8| {
        let bench = Bench::new(1 << 20);
        let mut client = bench.client();
        bench.export.faults(|faults| faults.volatile_cache = true);
        client.write(0, &[1; 512]).expect("a good card");
        client.flush().expect("a good card");
        client.write(4096, &[2; 64 << 10]).expect("a good card");
        client.write(4096 + 512, &[3; 512]).expect("a good card");
        assert_eq!(client.read(4096 + 511, 2).expect("a good card"), [2, 3], "what is cached is read");
        client.write_forced(1024, &[4; 512]).expect("a good card");
        let lost = bench.export.power_cut(keep, 9).expect("a file");
        assert_eq!(client.write(0, &[5; 512]), Err(EIO), "it has no power");
        assert_eq!(client.flush(), Err(EIO));
        bench.export.power_on();
        let head = client.read(0, 2048).expect("power again");
        assert_eq!((head[0], head[512], head[1024]), (1, 0, 4), "flushed and forced bytes are there");
        (lost, client.read(4096, 64 << 10).expect("power again"))
    };
    let cached = (64 << 10) + 512;
    assert_eq!(cut(0), (cached, vec![0; 64 << 10]));
    let (lost, kept) = cut(100);
    assert_eq!((lost, kept[0], kept[512], kept[1024]), (0, 2, 3, 2));
    let (lost, torn) = cut(50);
    assert!(lost > 0 && lost < cached && lost % 512 == 0);
    assert!(torn.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])), "sectors are whole");
    assert_eq!(cut(50), (lost, torn), "the same seed keeps the same sectors");
}

#[test]
fn a_card_hangs_until_it_is_released_or_dies() {
    let bench = Bench::new(1 << 20);
    let hung = |end: &dyn Fn(&Export)| {
        let mut client = bench.client();
        bench.export.faults(|faults| faults.hang = true);
        let (sender, answer) = mpsc::channel();
        let thread = thread::spawn(move || sender.send(client.write(0, &[1])));
        assert_eq!(answer.recv_timeout(Duration::from_millis(100)), Err(mpsc::RecvTimeoutError::Timeout));
        end(&bench.export);
        let answer = answer.recv_timeout(LONG).expect("an answer at last");
        thread.join().expect("the client ended").expect("the answer was received");
        answer
    };
    assert_eq!(hung(&|export| export.faults(|faults| faults.hang = false)), Ok(()));
    assert_eq!(hung(&Export::power_off), Err(EIO));
}

#[test]
fn a_slow_card_takes_its_time() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    bench.export.faults(|faults| faults.bytes_per_second = Some(1 << 20));
    let begun = Instant::now();
    for _ in 0..4 {
        client.write(0, &[1; 32 << 10]).expect("a good card");
    }
    assert!(begun.elapsed() >= Duration::from_millis(120), "128 KiB at 1 MiB/s take an eighth of a second");
    bench.export.faults(|faults| {
        faults.bytes_per_second = None;
        faults.delay = Duration::from_millis(30);
    });
    let begun = Instant::now();
    client.flush().expect("a good card");
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_connection_can_be_cut_and_made_again() {
    let bench = Bench::new(1 << 20);
    let mut client = bench.client();
    client.write(0, &[1]).expect("a good card");
    bench.export.disconnect();
    assert!(client.request(0, 0, 0, 1, &[]).is_err());
    assert_eq!(bench.client().read(0, 1), Ok(vec![1]));
    assert_eq!(bench.export.counts().connections, 2);
}

#[test]
fn waiting_for_a_number_of_bytes_ends_when_they_are_written() {
    let bench = Bench::new(1 << 20);
    let export = Arc::clone(&bench.export);
    let mut client = bench.client();
    let waiting = thread::spawn(move || export.wait_counts(LONG, |counts| counts.bytes_written >= 3));
    client.write(0, &[1; 3]).expect("a good card");
    assert!(waiting.join().expect("it ended"));
    assert!(!bench.export.wait_counts(Duration::from_millis(10), |counts| counts.bytes_written > 3));
}

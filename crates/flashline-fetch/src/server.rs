//! A server on the loopback for tests: it answers what the test says, byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is sent, and what the server does then.
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// The connection stays open, and nothing more comes.
    pub(crate) hangs: bool,
}

impl Answer {
    /// A status line with headers, and the body as it is.
    pub(crate) fn new(status: &str, headers: &[(&str, String)], body: &[u8]) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), hangs: false }
    }

    /// The whole file, with this entity tag.
    pub(crate) fn whole(body: &[u8], tag: &str) -> Self {
        Self::new("200 OK", &[("Content-Length", body.len().to_string()), ("ETag", format!("\"{tag}\""))], body)
    }

    /// The file from this byte on.
    pub(crate) fn rest(body: &[u8], from: usize, tag: &str) -> Self {
        let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
        let headers = [("Content-Length", (body.len() - from).to_string()), ("Content-Range", range), ("ETag", format!("\"{tag}\""))];
        Self::new("206 Partial Content", &headers, &body[from..])
    }

    /// The last bytes are not sent.
    pub(crate) fn cut(mut self, missing: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - missing);
        self
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request, counted from 0, with its text in small letters.
    pub(crate) fn start(answer: impl Fn(usize, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let request = request(&mut stream);
                let number = {
                    let mut heard = heard.lock().expect("no test panicked here");
                    heard.push(request.clone());
                    heard.len() - 1
                };
                let answer = answer(number, &request);
                // A client that has enough hangs up.
                let _hung_up = stream.write_all(&answer.bytes);
                if answer.hangs {
                    open.push(stream);
                }
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far, in small letters.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test panicked here").clone()
    }
}

/// A request up to its empty line, in small letters.
fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8_lossy(&text).to_ascii_lowercase()
}

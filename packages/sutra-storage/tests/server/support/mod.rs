//! A running server to talk to.

pub mod postgres;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use quickcheck::{Arbitrary, Gen};
use serde_json::{json, Value};
use temp_dir::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_storage_server_simple");
pub const TIMEOUT: Duration = Duration::from_secs(90);
/// The longest time that the README allows a stop to take.
pub const STOP: Duration = Duration::from_secs(5);

/// The warning that a server without a token logs.
pub const OPEN: &str = "no SUTRA_STORAGE_KEY: anyone who reaches the address may read and write";

/// A running server, killed when dropped.
pub struct Server {
    pub child: Child,
    pub stdout: BufReader<ChildStdout>,
    pub addr: SocketAddr,
    /// The fields of the lines that it logged before it listened, without [`OPEN`].
    pub warnings: Vec<Value>,
    /// Whether it logged [`OPEN`].
    pub open: bool,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::spawn(&mut command("127.0.0.1:0", data))
    }

    /// Starts `command`, which becomes the server, and waits until it listens.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut warnings: Vec<Value> = Vec::new();
        let log = loop {
            let mut line = String::new();
            assert_ne!(
                stdout.read_line(&mut line).unwrap(),
                0,
                "it ended: {warnings:?}"
            );
            let log: Value = serde_json::from_str(&line).unwrap();
            match log["fields"]["message"] == "listening" {
                true => break log,
                false => warnings.push(log["fields"].clone()),
            }
        };
        let before = warnings.len();
        warnings.retain(|fields| fields["message"] != OPEN);
        let open = warnings.len() < before;
        let addr = log["fields"]["addr"].as_str().unwrap().parse().unwrap();
        Self {
            child,
            stdout,
            addr,
            warnings,
            open,
        }
    }

    pub fn signal(&mut self, name: &str) -> ExitStatus {
        kill(self.child.id(), name);
        self.wait()
    }

    /// Waits until it has ended, [`TIMEOUT`] at most.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it runs on after {TIMEOUT:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    pub fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // The server may answer and close before it has read a body that is too large.
        let _ = stream.write_all(request.as_bytes());
        Answer::read(&mut stream)
    }

    /// Sends a request without a body.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        ))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path)
    }

    pub fn put_text(&self, path: &str, body: &str) -> Answer {
        self.with_body("PUT", path, "application/json", body)
    }

    pub fn with_body(&self, method: &str, path: &str, media: &str, body: &str) -> Answer {
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
             Content-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Posts a batch, and returns its results.
    pub fn batch(&self, body: &str) -> Vec<Value> {
        let answer = self.with_body("POST", "/batch", "application/x-ndjson", body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(
            answer.head.contains("content-type: application/x-ndjson"),
            "{}",
            answer.head
        );
        let lines = answer.body.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.put_text(path, &body.to_string())
    }

    pub fn put_concepts(&self, ids: &[&str]) {
        for id in ids {
            let answer = self.put(&format!("/concepts/{id}"), json!({ "text": id }));
            answer.is(201, json!({ "id": id, "text": id, "metadata": {} }));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Reads until the server closes the connection.
    pub fn read(stream: &mut TcpStream) -> Self {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Self::parse(answer).expect("no whole answer")
    }

    pub fn parse(answer: Vec<u8>) -> Option<Self> {
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some(Self {
            status: head[9..12].parse().unwrap(),
            head: head.to_lowercase() + "\r\n",
            body: body.to_owned(),
        })
    }

    /// Checks the status and the whole body.
    #[track_caller]
    pub fn is(&self, status: u16, body: Value) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.json(), body);
        assert!(
            self.head.contains("content-type: application/json"),
            "{}",
            self.head
        );
    }

    /// Checks the whole of an RFC 9457 answer.
    #[track_caller]
    pub fn is_problem(&self, status: u16, title: &str, detail: &str) {
        assert_eq!(
            self.json(),
            json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
        );
        assert_eq!(self.status, status);
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{}",
            self.head
        );
    }

    #[track_caller]
    pub fn is_bad_request(&self, detail: &str) {
        self.is_problem(400, "Bad Request", detail);
    }

    #[track_caller]
    pub fn is_not_found(&self, detail: &str) {
        self.is_problem(404, "Not Found", detail);
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }
}

/// Returns the command that runs the binary with this environment and no other.
pub fn command(addr: &str, data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .envs(postgres::variables(data))
        .env("SUTRA_STORAGE_ADDR", addr)
        .env("SUTRA_STORAGE_DATA", data);
    command
}

/// As [`command`], but always with a log, for tests of the data folder.
pub fn log_command(addr: &str, data: &Path) -> Command {
    let mut command = command(addr, data);
    command.env("SUTRA_STORAGE_BACKEND", "log");
    command
}

pub fn server() -> (Server, TempDir) {
    let folder = TempDir::new().unwrap();
    (Server::start(&folder.path().join("new/data")), folder)
}

/// Returns the line of a batch that puts a concept. Megabytes of them are quicker written than
/// serialized by an unoptimized program; `id` and `text` must need no escapes.
pub fn put_line(id: &str, text: &str) -> String {
    format!(r#"{{"op":"put_concept","id":"{id}","text":"{text}"}}"#)
}

/// Returns a source of values of at most this size, which is seeded by `g`.
pub fn sized(g: &mut Gen, size: usize) -> Gen {
    Gen::from_size_and_seed(size, u64::arbitrary(g))
}

/// Returns a size in `/proc/PID/status`, in bytes.
pub fn memory(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let (_, rest) = status.split_once(&format!("{name}:")).unwrap();
    let kibibytes: u64 = rest.split_whitespace().next().unwrap().parse().unwrap();
    kibibytes * 1024
}

/// Sends a signal to a process that this test started.
pub fn kill(pid: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[track_caller]
pub fn assert_output(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(output.status.code(), Some(code));
}

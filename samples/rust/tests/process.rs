//! The process that the image starts: it answers, is healthy, and ends with SIGTERM.

use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

fn free_port() -> String {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("an address").port().to_string()
}

fn is_healthy(port: &str) -> bool {
    let mut command = Command::new(PROGRAM);
    let checked = command.arg("healthcheck").env("SUTRA_PORT", port).output();
    checked.expect("a health check").status.success()
}

fn wait_until_healthy(port: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_healthy(port) {
        assert!(Instant::now() < end, "no answer on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ended(mut service: Child) -> ExitStatus {
    let kill = format!("kill -TERM {}", service.id());
    let done = Command::new("sh").args(["-c", &kill]).status();
    assert!(done.expect("a shell").success());
    service.wait().expect("an exit status")
}

#[test]
fn it_serves_until_sigterm() {
    let port = free_port();
    assert!(!is_healthy(&port));
    let mut command = Command::new(PROGRAM);
    let service = command.env("SUTRA_PORT", &port).spawn().expect("a service");
    wait_until_healthy(&port);
    assert!(ended(service).success());
}

#[test]
fn a_port_that_is_none_ends_it_with_2() {
    let output = Command::new(PROGRAM).env("SUTRA_PORT", "http").output();
    assert_eq!(output.expect("an end").status.code(), Some(2));
}

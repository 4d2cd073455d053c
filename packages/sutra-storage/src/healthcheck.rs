//! `storage_server_simple healthcheck`: asks a running server whether it is healthy.
//!
//! Written by hand over a blocking socket, since an HTTP client crate would be the largest part
//! of a binary that needs one request.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The longest wait for each of connecting, writing and reading.
const TIMEOUT: Duration = Duration::from_secs(2);
const STATUS_OK: &[u8; 12] = b"HTTP/1.1 200";

/// Returns the address at which this machine reaches a server that listens on `addr`.
///
/// Nobody can connect to "every address", so it becomes 127.0.0.1; also for `[::]`, which takes
/// IPv4 too, because a container often has no `::1`.
pub fn target(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()))
    } else {
        addr
    }
}

/// Asks `addr` for `/health`.
///
/// # Errors
/// Returns one line that says why the answer was not 200.
pub fn ask(addr: SocketAddr) -> Result<(), String> {
    let status = status_of(addr).map_err(|error| format!("http://{addr}/health: {error}"))?;
    if &status == STATUS_OK {
        Ok(())
    } else {
        let answer = String::from_utf8_lossy(&status);
        Err(format!("http://{addr}/health: answered {answer:?}"))
    }
}

/// Returns the answer's first bytes, version and status code, which the verdict needs.
fn status_of(addr: SocketAddr) -> io::Result<[u8; STATUS_OK.len()]> {
    let mut stream = TcpStream::connect_timeout(&addr, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut status = [0; STATUS_OK.len()];
    stream.read_exact(&mut status)?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one connection with `answer`; the thread ends with it.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
        });
        addr
    }

    #[test]
    fn every_address_becomes_loopback() {
        let target = |text: &str| target(text.parse().unwrap()).to_string();
        assert_eq!(target("0.0.0.0:50051"), "127.0.0.1:50051");
        assert_eq!(target("[::]:50051"), "127.0.0.1:50051");
        assert_eq!(target("10.1.2.3:50051"), "10.1.2.3:50051");
    }

    #[test]
    fn status_200_is_well() {
        assert_eq!(ask(server(b"HTTP/1.1 200 OK\r\n\r\n")), Ok(()));
    }

    #[test]
    fn another_status_is_not() {
        let addr = server(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert_eq!(
            ask(addr).unwrap_err(),
            format!("http://{addr}/health: answered \"HTTP/1.1 503\"")
        );
    }

    #[test]
    fn a_cut_answer_is_not() {
        assert!(ask(server(b"HTTP/1.1")).is_err());
    }
}

//! What the service answers, asked over a real connection.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;

use sample_service::{port, routes, PORT};

fn ask(path: &str) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = runtime.spawn(async move { axum::serve(listener, routes()).await });
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    server.abort();
    answer
}

#[test]
fn health_is_200() {
    assert!(ask("/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn hello_names_who_is_greeted() {
    assert!(ask("/hello/world").ends_with(r#"{"hello":"world"}"#));
}

#[test]
fn a_path_that_is_not_there_is_404() {
    assert!(ask("/nothing").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_port_is_a_number_from_1_to_65535() {
    assert_eq!(port(None), Some(PORT));
    assert_eq!(port(Some(OsStr::new("1"))), Some(1));
    assert_eq!(port(Some(OsStr::new("65535"))), Some(65535));
    for text in ["", "0", "65536", "http", "-1"] {
        assert_eq!(port(Some(OsStr::new(text))), None, "{text}");
    }
    assert_eq!(port(Some(OsStr::from_bytes(b"80\xff"))), None);
}

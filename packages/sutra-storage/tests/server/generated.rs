//! Generated requests: whatever is sent, no answer is 500 and the server goes on.

use quickcheck::{Arbitrary, Gen, QuickCheck};
use temp_dir::TempDir;

use crate::support::{server, sized, Server};

/// A text that is almost a line of a batch.
#[derive(Debug, Clone)]
struct NearlyALine {
    op: &'static str,
    pairs: Vec<Pair>,
}

/// A name, and what is written as its value.
#[derive(Debug, Clone)]
struct Pair(&'static str, String);

impl Arbitrary for Pair {
    fn arbitrary(g: &mut Gen) -> Self {
        let names = [
            "op", "id", "text", "metadata", "source", "target", "kind", "weight",
        ];
        let (quoted, cut) = (printable(g, 9), any_of(g, b"[{\",:0123456789", 9));
        let quoted = format!("\"{quoted}\"");
        let values = ["\"a\"", "0.5", "{}", "null", "1e999", &quoted, &cut];
        Self(
            g.choose(&names).unwrap(),
            (*g.choose(&values).unwrap()).to_owned(),
        )
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let name = self.0;
        Box::new(self.1.shrink().map(move |value| Self(name, value)))
    }
}

impl Arbitrary for NearlyALine {
    fn arbitrary(g: &mut Gen) -> Self {
        let ops = [
            "put_concept",
            "delete_concept",
            "put_association",
            "delete_association",
            "other",
        ];
        Self {
            op: g.choose(&ops).unwrap(),
            pairs: Vec::arbitrary(&mut sized(g, 6)),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let op = self.op;
        Box::new(self.pairs.shrink().map(move |pairs| Self { op, pairs }))
    }
}

impl NearlyALine {
    fn text(&self) -> String {
        let pairs = self.pairs.iter();
        let pairs = pairs.map(|Pair(name, value)| format!(",\"{name}\":{value}"));
        let pairs = pairs.collect::<Vec<_>>().concat();
        format!("{{\"op\":\"{}\"{pairs}}}", self.op).replace(['\n', '\r'], " ")
    }
}

/// Generates up to `most` characters that are no control characters.
fn printable(g: &mut Gen, most: usize) -> String {
    String::arbitrary(&mut sized(g, most + 1)).replace(char::is_control, "")
}

/// Generates up to `most` of these characters.
fn any_of(g: &mut Gen, characters: &[u8], most: usize) -> String {
    let length = usize::arbitrary(g) % (most + 1);
    (0..length)
        .map(|_| char::from(*g.choose(characters).unwrap()))
        .collect()
}

/// A request of any method, path, query, media type and body.
#[derive(Debug, Clone)]
struct AnyRequest {
    method: &'static str,
    path: String,
    media: &'static str,
    body: String,
}

impl Arbitrary for AnyRequest {
    fn arbitrary(g: &mut Gen) -> Self {
        let paths = [
            "/concepts",
            "/concepts/a",
            "/concepts/a/associations",
            "/associations",
            "/batch",
            "/stats",
        ];
        let queries = ["?after=", "?limit=", "?prefix=", "?source=", "?x="];
        let path = g.choose(&paths).unwrap();
        let path = match bool::arbitrary(g) {
            true => (*path).to_owned(),
            false => {
                let value = any_of(g, b"abcdefghijklmnopqrstuvwxyz0123456789%&=+", 12);
                format!("{path}{}{value}", g.choose(&queries).unwrap())
            }
        };
        Self {
            method: g
                .choose(&["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"])
                .unwrap(),
            path,
            media: g
                .choose(&["application/json", "application/x-ndjson", "x"])
                .unwrap(),
            body: match bool::arbitrary(g) {
                true => printable(g, 60),
                false => NearlyALine::arbitrary(g).text(),
            },
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let request = self.clone();
        Box::new(self.body.shrink().map(move |body| Self {
            body,
            ..request.clone()
        }))
    }
}

thread_local! {
    // A property is a function, which holds no server.
    static SERVER: (Server, TempDir) = server();
}

fn is_answered_below_500(request: AnyRequest) {
    let AnyRequest {
        method,
        path,
        media,
        body,
    } = request;
    let answer = SERVER.with(|(server, _)| server.with_body(method, &path, media, &body));
    assert!(answer.status < 500, "{} {}", answer.head, answer.body);
    if answer.status >= 400 && method != "HEAD" {
        let problem = answer
            .head
            .contains("content-type: application/problem+json");
        assert!(problem, "{}", answer.head);
    }
}

fn has_a_result_for_each_line(lines: Vec<NearlyALine>) {
    let texts: Vec<_> = lines.iter().map(NearlyALine::text).collect();
    let results = SERVER.with(|(server, _)| server.batch(&texts.join("\n")));
    let numbers: Vec<_> = results
        .iter()
        .map(|result| result["line"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
    for result in results {
        assert!(result["status"].as_u64().unwrap() < 500, "{result}");
    }
}

#[test]
fn nothing_that_is_sent_is_answered_500_or_ends_the_server() {
    let mut check = QuickCheck::new().tests(300);
    check.quickcheck(is_answered_below_500 as fn(AnyRequest));
    let mut check = QuickCheck::new().tests(100).rng(Gen::new(20));
    check.quickcheck(has_a_result_for_each_line as fn(Vec<NearlyALine>));
    SERVER.with(|(server, _)| assert_eq!(server.get("/health").status, 200));
}

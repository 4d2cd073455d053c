//! `POST /batch`: one change a line (NDJSON), one result a line.

use std::io::BufRead;
use std::iter;

use serde::Deserialize;
use serde_json::{json, Map, Value};

use crate::model::{Association, Concept, Id, Kind, Weight, MAX_BODY, MAX_TEXT};
use crate::problem::Problem;
use crate::store::op::{Key, Op};
use crate::store::{StoreError, Written};

/// The content type of a batch and of its results.
pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// The most bytes that a batch may have.
pub const MAX_BATCH: usize = 8 * 1024 * 1024;
/// The most lines that a batch may have.
pub const MAX_LINES: usize = 10_000;

/// A line that is not empty, and the change it asks for.
#[derive(Debug)]
pub struct Line {
    /// The line's number in the body, from 1.
    pub number: usize,
    pub op: Result<Op, Problem>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    PutConcept {
        id: Id,
        text: String,
        #[serde(default)]
        metadata: Map<String, Value>,
    },
    DeleteConcept {
        id: Id,
    },
    PutAssociation {
        source: Id,
        target: Id,
        kind: Kind,
        weight: Weight,
    },
    DeleteAssociation {
        source: Id,
        target: Id,
        kind: Kind,
    },
}

/// Reads the lines of a batch.
///
/// # Errors
/// There are more than [`MAX_LINES`].
pub fn lines(body: &[u8]) -> Result<Vec<Line>, Problem> {
    if split(body).count() > MAX_LINES {
        return Err(Problem::new(
            axum::http::StatusCode::PAYLOAD_TOO_LARGE,
            format!("body: must be at most {MAX_LINES} lines"),
        ));
    }
    Ok(split(body)
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| Line {
            number,
            op: op(line),
        })
        .collect())
}

/// Returns the lines of `rest`. The C library's `memchr` finds their ends, which
/// [`slice::split`](<[u8]>::split) would look for byte by byte.
fn split(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let start = rest;
        let length = rest.skip_until(b'\n').ok().filter(|length| *length > 0)?;
        let line = &start[..length];
        Some(line.strip_suffix(b"\n").unwrap_or(line))
    })
}

fn op(line: &[u8]) -> Result<Op, Problem> {
    if line.len() > MAX_BODY {
        return Err(Problem::too_large("line", MAX_BODY));
    }
    let change = serde_json::from_slice(line)
        .map_err(|error| Problem::bad_request(format!("line: {error}")))?;
    match change {
        Change::PutConcept { id, text, metadata } => put_concept(&Concept { id, text, metadata }),
        Change::DeleteConcept { id } => Ok(Op::DeleteConcept(id)),
        Change::PutAssociation {
            source,
            target,
            kind,
            weight,
        } => Ok(Op::PutAssociation(Association {
            source,
            target,
            kind,
            weight,
        })),
        Change::DeleteAssociation {
            source,
            target,
            kind,
        } => Ok(Op::DeleteAssociation(Key {
            source,
            target,
            kind,
        })),
    }
}

/// Returns the change that writes `concept`.
///
/// # Errors
/// Its text is too large.
pub fn put_concept(concept: &Concept) -> Result<Op, Problem> {
    if concept.text.len() > MAX_TEXT {
        return Err(Problem::too_large("text", MAX_TEXT));
    }
    // Strings, numbers and maps with string keys can always be written as JSON.
    let value = serde_json::to_vec(concept).map_err(|error| Problem::internal(&error))?;
    Ok(Op::PutConcept(concept.id.clone(), value.into()))
}

/// Returns the result of line `number`, with a line feed.
pub fn result(number: usize, outcome: Result<Written, Problem>) -> String {
    let result = match outcome {
        Ok(written) => json!({ "line": number, "status": written.status().as_u16() }),
        Err(problem) => {
            let mut result = problem.json();
            result["line"] = number.into();
            result
        }
    };
    format!("{result}\n")
}

/// Returns the outcomes of all `lines`, in order; `done` has those of the lines with a change.
pub fn results(
    lines: Vec<(usize, Option<Problem>)>,
    done: Vec<Result<Written, StoreError>>,
) -> String {
    let mut done = done.into_iter();
    let outcomes = lines.into_iter().map(|(number, problem)| {
        let outcome = match problem {
            Some(problem) => Err(problem),
            None => done
                .next()
                .unwrap_or(Err(StoreError::Stopping))
                .map_err(Problem::from),
        };
        result(number, outcome)
    });
    outcomes.collect()
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use quickcheck::{Gen, QuickCheck};

    use super::*;

    fn error(line: &str) -> String {
        op(line.as_bytes()).unwrap_err().detail
    }

    #[test]
    fn empty_lines_count_but_have_no_result() {
        let body = b"\n{\"op\":\"delete_concept\",\"id\":\"a\"}\r\n \n{}\n";
        let lines = lines(body).unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [2, 4]);
        let id = "a".to_owned().try_into().unwrap();
        assert_eq!(lines[0].op, Ok(Op::DeleteConcept(id)));
    }

    #[test]
    fn an_empty_body_has_no_lines() {
        assert!(lines(b"").unwrap().is_empty());
    }

    #[test]
    fn a_batch_has_at_most_10000_lines() {
        let most = "x\n".repeat(MAX_LINES);
        assert_eq!(lines(most.as_bytes()).unwrap().len(), MAX_LINES);
        let more = most + "\n";
        let problem = lines(more.as_bytes()).err().unwrap();
        assert_eq!(problem.detail, "body: must be at most 10000 lines");
        assert_eq!(problem.status, 413);
    }

    #[test]
    fn a_bad_line_says_why() {
        assert_eq!(error("{}"), "line: missing field `op` at line 1 column 2");
        assert_eq!(
            error(r#"{"op":"drop"}"#),
            "line: unknown variant `drop`, expected one of `put_concept`, `delete_concept`, \
             `put_association`, `delete_association` at line 1 column 12"
        );
        assert_eq!(
            error(r#"{"op":"delete_concept","id":"a","x":1}"#),
            "line: unknown field `x`, expected `id`"
        );
        assert_eq!(
            error(r#"{"op":"put_concept","id":"","text":""}"#),
            "line: must be 1 to 512 bytes, is 0"
        );
        let deep = format!(
            r#"{{"op":"put_concept","id":"a","text":"","metadata":{{"a":{}"#,
            "[".repeat(200)
        );
        assert_eq!(
            error(&deep),
            "line: recursion limit exceeded at line 1 column 181"
        );
    }

    #[test]
    fn a_line_has_at_most_the_bytes_of_a_body() {
        let text = " ".repeat(MAX_BODY + 1);
        assert_eq!(error(&text), "line: must be at most 524288 bytes");
        assert_ne!(error(&text[1..]), "line: must be at most 524288 bytes");
    }

    #[test]
    fn any_bytes_are_lines_each_with_a_change_or_a_reason() {
        fn property(pieces: Vec<Vec<u8>>) {
            let body = pieces.join(&b'\n');
            let lines = lines(&body).unwrap();
            let whole: Vec<_> = body.split(|byte| *byte == b'\n').collect();
            let full = |number: &usize| !whole[number - 1].trim_ascii().is_empty();
            let numbers: Vec<_> = (1..=whole.len()).filter(full).collect();
            assert_eq!(
                lines.iter().map(|line| line.number).collect::<Vec<_>>(),
                numbers
            );
            for line in lines {
                let status = line.op.err().map(|problem| problem.status);
                assert_eq!(status, Some(StatusCode::BAD_REQUEST));
            }
        }
        let mut check = QuickCheck::new().tests(256).rng(Gen::new(21));
        check.quickcheck(property as fn(Vec<Vec<u8>>));
    }
}

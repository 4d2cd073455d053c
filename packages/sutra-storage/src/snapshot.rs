//! A consistent copy of a running store: the part of its log that is on disk, and a mark.
//!
//! The log is only appended to, so bytes that are there now never change. If the log is rewritten
//! meanwhile, the old file stays open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// The number of bytes read at a time; a snapshot holds a few such pieces in memory.
const PIECE: usize = 256 * 1024;

/// A part of a file, and what follows it.
pub struct Snapshot {
    pub file: Arc<File>,
    /// How many bytes of the file to send.
    pub size: u64,
    pub end: Bytes,
}

/// A snapshot as the body of an answer.
pub struct Stream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Snapshot {
    /// Starts to read. Must be called within a runtime.
    pub fn stream(self) -> Stream {
        let (sender, pieces) = mpsc::channel(1);
        let left = self.size + self.end.len() as u64;
        tokio::task::spawn_blocking(move || {
            for piece in self.pieces() {
                if let Err(error) = &piece {
                    tracing::error!(%error, "cannot read store.log for a snapshot");
                }
                // Fails only if the client went away.
                if sender.blocking_send(piece).is_err() {
                    return;
                }
            }
        });
        Stream { pieces, left }
    }

    fn pieces(&self) -> impl Iterator<Item = io::Result<Bytes>> + use<'_> {
        let starts = (0..self.size).step_by(PIECE);
        let pieces = starts.map(|start| {
            let mut piece = vec![0; (self.size - start).min(PIECE as u64) as usize];
            self.file.read_exact_at(&mut piece, start)?;
            Ok(piece.into())
        });
        pieces.chain([Ok(self.end.clone())])
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        // The reader ends early only if it failed.
        let piece = ready!(self.pieces.poll_recv(context));
        let piece = piece.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

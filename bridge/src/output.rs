//! A guest's standard streams that are not its response: handed to C line by line.

use crate::ffi::weir_bytes_t;
use async_trait::async_trait;
use bytes::Bytes;
use std::ffi::{c_int, c_void};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

pub type OutputCallback = extern "C" fn(*mut c_void, c_int, weir_bytes_t);

pub const STDOUT: c_int = 1;
pub const STDERR: c_int = 2;

/// A line that is longer is handed over in pieces.
const LINE_MAX: usize = 8 * 1024;

/// `weir_output_callback_t` with its context. The header requires that the context suits every thread that polls.
#[derive(Clone, Copy)]
pub struct Sink {
    callback: Option<OutputCallback>,
    context: *mut c_void,
}

unsafe impl Send for Sink {}
unsafe impl Sync for Sink {}

impl Sink {
    pub fn new(callback: Option<OutputCallback>, context: *mut c_void) -> Sink {
        Sink { callback, context }
    }

    /// A stream of one call.
    pub fn stream(self, stream: c_int) -> SinkStream {
        SinkStream { sink: self, stream, lines: OnceLock::new() }
    }
}

/// What one call writes to a stream: it is handed over by whole lines, so that those of other calls do not come between
/// their pieces.
struct Lines {
    sink: Sink,
    stream: c_int,
    begun: Mutex<Vec<u8>>, // the line that has no end yet
}

impl Lines {
    fn put(&self, bytes: &[u8]) {
        let mut begun = self.begun.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let (whole, rest) = bytes.split_at(end);
        if begun.is_empty() {
            self.hand_over(whole);
        } else if !whole.is_empty() {
            begun.extend_from_slice(whole);
            self.hand_over(&std::mem::take(&mut *begun));
        }
        begun.extend_from_slice(rest);
        if begun.len() > LINE_MAX {
            self.hand_over(&std::mem::take(&mut *begun));
        }
    }

    fn hand_over(&self, bytes: &[u8]) {
        if let Some(callback) = self.sink.callback
            && !bytes.is_empty()
        {
            callback(self.sink.context, self.stream, weir_bytes_t::new(bytes));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let begun = std::mem::take(self.begun.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()));
        self.hand_over(&begun);
    }
}

/// A stream that a call may ask for, and mostly does not.
pub struct SinkStream {
    sink: Sink,
    stream: c_int,
    lines: OnceLock<Arc<Lines>>,
}

impl SinkStream {
    fn lines(&self) -> LineStream {
        let make = || Arc::new(Lines { sink: self.sink, stream: self.stream, begun: Mutex::default() });
        LineStream(self.lines.get_or_init(make).clone())
    }
}

impl IsTerminal for SinkStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for SinkStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.lines())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.lines())
    }
}

struct LineStream(Arc<Lines>);

impl AsyncWrite for LineStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.0.put(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

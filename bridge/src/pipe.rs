//! A bounded pipe of bytes between C and a guest, either way round: C feeds a request's body to the guest, or a WAGI
//! guest writes its response to C. Full means that the writer waits; that is all the back-pressure there is.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body::Frame;
use hyper::HeaderMap;
use std::future::poll_fn;
use std::mem::take;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_c_api::wasmtime::Error;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What a pipe holds before its writer has to wait.
pub const CAPACITY: usize = 64 * 1024;

#[derive(Default)]
struct State {
    buffered: BytesMut, // in one piece: many small ones would take far more memory than their bytes
    ended: bool,
    trailers: Option<HeaderMap>, // after the last byte
    aborted: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both ends of a pipe; clones share it.
#[derive(Clone, Default)]
pub struct Pipe(Arc<Mutex<State>>);

impl Pipe {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned state is still a whole one.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn space(&self) -> usize {
        let state = self.state();
        if state.reader_gone { usize::MAX } else { CAPACITY.saturating_sub(state.buffered.len()) }
    }

    /// Append bytes; the caller has looked at `space`.
    pub fn push(&self, bytes: Bytes) {
        let mut state = self.state();
        if bytes.is_empty() || state.reader_gone || state.ended {
            return;
        }
        if state.buffered.is_empty() {
            state.buffered = bytes.into(); // without a copy
        } else {
            state.buffered.extend_from_slice(&bytes);
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub fn end(&self, aborted: bool) {
        let mut state = self.state();
        state.ended = true;
        state.aborted |= aborted;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What follows the last byte; before `end`.
    pub fn set_trailers(&self, trailers: HeaderMap) {
        self.state().trailers = Some(trailers);
    }

    /// The writer goes away: what it did not end is broken off.
    pub fn abandon(&self) {
        let ended = self.state().ended;
        if !ended {
            self.end(true);
        }
    }

    /// Say who is to be woken when a full pipe has space again.
    pub fn set_writer(&self, writer: &Waker) {
        self.state().writer = Some(writer.clone());
    }

    pub fn close_reader(&self) {
        let mut state = self.state();
        state.reader_gone = true;
        state.buffered = BytesMut::new();
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Take at most `most` bytes: `None` when nothing is there now, an empty run at the end, an error when aborted.
    pub fn pop(&self, most: usize) -> Option<Result<Bytes, Aborted>> {
        let mut state = self.state();
        let size = state.buffered.len();
        if size == 0 {
            return match (state.ended, state.aborted) {
                (_, true) => Some(Err(Aborted)),
                (true, false) => Some(Ok(Bytes::new())),
                (false, false) => None,
            };
        }
        let bytes = if size <= most { take(&mut state.buffered) } else { state.buffered.split_to(most) };
        let was_full = size >= CAPACITY;
        let writer = if was_full { state.writer.clone() } else { None };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Some(Ok(bytes.freeze()))
    }

    fn poll_pop(&self, context: &mut Context<'_>, most: usize) -> Poll<Result<Bytes, Aborted>> {
        self.state().reader = Some(context.waker().clone());
        self.pop(most).map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.buffered.is_empty() || state.ended || state.aborted {
            return Poll::Ready(());
        }
        state.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.buffered.len() < CAPACITY || state.reader_gone {
            return Poll::Ready(());
        }
        state.writer = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The writer went away in the middle.
#[derive(Debug)]
pub struct Aborted;

impl Aborted {
    fn into_io(self) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the client went away")
    }
}

// ---- A request's body, as wasi:http reads it

pub struct PipeBody(pub Pipe);

impl http_body::Body for PipeBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>> {
        self.0.poll_pop(context, usize::MAX).map(|popped| match popped {
            Ok(bytes) if bytes.is_empty() => {
                self.0.state().trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))
            }
            Ok(bytes) => Some(Ok(Frame::data(bytes))),
            Err(Aborted) => Some(Err(wasmtime_wasi_http::Error::ConnectionTerminated)),
        })
    }
}

impl Drop for PipeBody {
    fn drop(&mut self) {
        self.0.close_reader();
    }
}

// ---- Standard input of a WAGI guest

pub struct PipeInput(pub Pipe);

impl IsTerminal for PipeInput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for PipeInput {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(PipeInput(self.0.clone()))
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(PipeInput(self.0.clone()))
    }
}

impl AsyncRead for PipeInput {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.poll_pop(context, buffer.remaining()).map(|popped| match popped {
            Ok(bytes) => {
                buffer.put_slice(&bytes);
                Ok(())
            }
            Err(aborted) => Err(aborted.into_io()),
        })
    }
}

#[async_trait]
impl Pollable for PipeInput {
    async fn ready(&mut self) {
        poll_fn(|context| self.0.poll_readable(context)).await
    }
}

#[async_trait]
impl InputStream for PipeInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match self.0.pop(size) {
            None => Ok(Bytes::new()),
            Some(Ok(bytes)) if bytes.is_empty() && size > 0 => Err(StreamError::Closed),
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(aborted)) => Err(StreamError::LastOperationFailed(Error::new(aborted.into_io()))),
        }
    }
}

// ---- Standard output of a WAGI guest

pub struct PipeOutput(pub Pipe);

impl IsTerminal for PipeOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for PipeOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(PipeOutput(self.0.clone()))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(PipeOutput(self.0.clone()))
    }
}

impl AsyncWrite for PipeOutput {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.0.poll_writable(context).map(|()| {
            let count = bytes.len().min(self.0.space());
            self.0.push(Bytes::copy_from_slice(&bytes[..count]));
            Ok(count)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for PipeOutput {
    async fn ready(&mut self) {
        poll_fn(|context| self.0.poll_writable(context)).await
    }
}

#[async_trait]
impl OutputStream for PipeOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(self.0.space().min(CAPACITY))
    }
}

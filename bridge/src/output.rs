//! A guest's standard streams that are not its response: handed to C as they are written.

use crate::ffi::weir_bytes_t;
use async_trait::async_trait;
use bytes::Bytes;
use std::ffi::{c_int, c_void};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

pub type OutputCallback = extern "C" fn(*mut c_void, c_int, weir_bytes_t);

pub const STDOUT: c_int = 1;
pub const STDERR: c_int = 2;

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

    pub fn stream(self, stream: c_int) -> SinkStream {
        SinkStream { sink: self, stream }
    }
}

#[derive(Clone, Copy)]
pub struct SinkStream {
    sink: Sink,
    stream: c_int,
}

impl SinkStream {
    fn put(&self, bytes: &[u8]) {
        if let Some(callback) = self.sink.callback
            && !bytes.is_empty()
        {
            callback(self.sink.context, self.stream, weir_bytes_t::new(bytes));
        }
    }
}

impl IsTerminal for SinkStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for SinkStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(*self)
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(*self)
    }
}

impl AsyncWrite for SinkStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.put(bytes);
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
impl Pollable for SinkStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for SinkStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

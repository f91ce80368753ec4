//! A guest's request to another component of its application, which C answers: C reads the request here and writes the
//! response. Both bodies are bounded: full means that the writer waits.

use crate::call::{CWaker, weir_waker_t};
use crate::ffi::{borrow, drop_guarded, guard, weir_bytes_t, weir_pair_t};
use crate::guest::append;
use crate::outbound::Sent;
use crate::pipe::{Pipe, PipeBody};
use bytes::Bytes;
use http_body::Body;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use std::ffi::c_int;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::sync::oneshot::{Receiver, Sender, channel};
use wasmtime_wasi_http::{Error, WasiBody};

type Answer = Sent<Response<PipeBody>>;

pub struct weir_outgoing_t {
    head: Parts,
    path_and_query: String,
    pairs: Vec<weir_pair_t>,
    has_body: bool,
    body: Option<WasiBody>,
    chunk: Bytes,
    state: c_int,
    answer: Option<Sender<Answer>>,
    response: Pipe,
    waker: Waker,
}

#[repr(C)]
pub struct weir_outgoing_head_t {
    method: weir_bytes_t,
    scheme: weir_bytes_t,
    authority: weir_bytes_t,
    path_and_query: weir_bytes_t,
    headers: *const weir_pair_t,
    header_count: usize,
    has_body: bool,
}

const LATER: c_int = 0;
const BYTES: c_int = 1;
const ENDED: c_int = 2;
const BROKEN: c_int = 3;

impl weir_outgoing_t {
    pub fn new(request: Request<WasiBody>) -> (weir_outgoing_t, Receiver<Answer>) {
        let (head, body) = request.into_parts();
        let pairs = head.headers.iter().map(|(name, value)| weir_pair_t {
            name: weir_bytes_t::new(name.as_str().as_bytes()),
            value: weir_bytes_t::new(value.as_bytes()),
        });
        let pairs = pairs.collect();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let path_and_query = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let (answer, answered) = channel();
        let has_body = !body.is_end_stream();
        let outgoing = weir_outgoing_t {
            head,
            path_and_query,
            pairs,
            has_body,
            body: Some(body),
            chunk: Bytes::new(),
            state: LATER,
            answer: Some(answer),
            response: Pipe::default(),
            waker: Waker::noop().clone(),
        };
        (outgoing, answered)
    }

    fn fill(&mut self) -> c_int {
        while self.chunk.is_empty() {
            let Some(body) = &mut self.body else {
                return self.state;
            };
            match Pin::new(body).poll_frame(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => return LATER,
                Poll::Ready(Some(Ok(frame))) => self.chunk = frame.into_data().unwrap_or_default(),
                Poll::Ready(end) => {
                    self.state = if end.is_none() { ENDED } else { BROKEN };
                    self.body = None;
                }
            }
        }
        BYTES
    }

    unsafe fn respond(&mut self, status: u16, headers: &[weir_pair_t]) -> bool {
        let mut response = Response::new(PipeBody(self.response.clone()));
        let Ok(status) = status.try_into() else {
            return false;
        };
        *response.status_mut() = status;
        if unsafe { append(response.headers_mut(), headers) }.is_err() {
            return false;
        }
        self.response.set_writer(&self.waker);
        self.answer.take().is_some_and(|answer| answer.send(Ok(response)).is_ok())
    }
}

/// Safety for all of these: `outgoing` is live, and only the thread that it was given to is here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_head(outgoing: *const weir_outgoing_t) -> weir_outgoing_head_t {
    let outgoing = unsafe { &*outgoing };
    let text = |text: Option<&str>| weir_bytes_t::new(text.unwrap_or_default().as_bytes());
    let uri = &outgoing.head.uri;
    weir_outgoing_head_t {
        method: text(Some(outgoing.head.method.as_str())),
        scheme: text(uri.scheme_str()),
        authority: text(uri.authority().map(|authority| authority.as_str())),
        path_and_query: text(Some(&outgoing.path_and_query)),
        headers: outgoing.pairs.as_ptr(),
        header_count: outgoing.pairs.len(),
        has_body: outgoing.has_body,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_watch(outgoing: *mut weir_outgoing_t, waker: weir_waker_t) {
    let outgoing = unsafe { &mut *outgoing };
    outgoing.waker = Waker::from(Arc::new(CWaker(waker)));
    if let Some(answer) = &mut outgoing.answer
        && answer.poll_closed(&mut Context::from_waker(&outgoing.waker)).is_ready()
    {
        outgoing.waker.wake_by_ref();
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_is_abandoned(outgoing: *const weir_outgoing_t) -> bool {
    let outgoing = unsafe { &*outgoing };
    match &outgoing.answer {
        Some(answer) => answer.is_closed(),
        None => outgoing.response.space() == usize::MAX,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_body(outgoing: *mut weir_outgoing_t, ret_bytes: *mut weir_bytes_t) -> c_int {
    let outgoing = unsafe { &mut *outgoing };
    let state = guard(|| outgoing.fill(), |_| BROKEN);
    unsafe { ret_bytes.write(weir_bytes_t::new(&outgoing.chunk)) };
    state
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_consume(outgoing: *mut weir_outgoing_t, size: usize) {
    let chunk = &mut unsafe { &mut *outgoing }.chunk;
    drop(chunk.split_to(size.min(chunk.len())));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_respond(
    outgoing: *mut weir_outgoing_t,
    status: u16,
    headers: *const weir_pair_t,
    header_count: usize,
) -> bool {
    let outgoing = unsafe { &mut *outgoing };
    guard(|| unsafe { outgoing.respond(status, borrow(headers, header_count)) }, |_| false)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_write(outgoing: *mut weir_outgoing_t, bytes: weir_bytes_t) -> usize {
    let outgoing = unsafe { &*outgoing };
    let bytes = unsafe { bytes.as_slice() };
    let count = bytes.len().min(outgoing.response.space());
    guard(|| outgoing.response.push(Bytes::copy_from_slice(&bytes[..count])), |_| ());
    count
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_write_end(outgoing: *mut weir_outgoing_t) {
    guard(|| unsafe { &*outgoing }.response.end(false), |_| ());
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_fail(outgoing: *mut weir_outgoing_t, failure: c_int) {
    let error = match failure {
        1 => Error::HttpRequestDenied,
        2 => Error::DestinationNotFound,
        3 => Error::LoopDetected,
        4 => Error::ConnectionLimitReached,
        5 => Error::HttpResponseTimeout,
        _ => Error::InternalError(None),
    };
    if let Some(answer) = unsafe { &mut *outgoing }.answer.take() {
        let _ = answer.send(Err(error)); // the guest may not wait for it any more
    }
}

/// What was not finished is broken off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_outgoing_free(own_outgoing: *mut weir_outgoing_t) {
    if !own_outgoing.is_null() {
        let outgoing = unsafe { Box::from_raw(own_outgoing) };
        guard(|| outgoing.response.abandon(), |_| ());
        drop_guarded(outgoing);
    }
}

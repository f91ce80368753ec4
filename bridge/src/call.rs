//! A call: one request to an instance, run by polling it on the thread that owns it.

use crate::engine::os_error;
use crate::ffi::{borrow, check_size, drop_guarded, guard, guard_result, one_line, weir_bytes_t, weir_pair_t};
use crate::guest::{Channels, End, Guest, Outcome, append, prepare, weir_call_request_t};
use crate::idle::Counted;
use crate::pipe::Pipe;
use crate::service::{weir_service_t, words};
use crate::threads::runtime;
use bytes::Bytes;
use http_body::Body;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use wasmtime_c_api::wasmtime::error::OutOfMemory;
use wasmtime_c_api::wasmtime::{Error, PoolConcurrencyLimitError, WasmBacktrace};
use wasmtime_c_api::wasmtime_error_t;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::WasiBody;

const PENDING: c_int = 0;
const ENDED: c_int = 1;
const FAILED: c_int = 2;

#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub enum FailureKind {
    None = 0,
    Instantiate = 1,
    Trap = 2,
    Exit = 3,
    NoResponse = 4,
    Panic = 5,
    Refused = 6,
    Run = 7,
}

type WakeCallback = extern "C" fn(*mut c_void);

#[repr(C)]
pub struct weir_waker_t {
    wake: WakeCallback,
    release: Option<WakeCallback>,
    context: *mut c_void,
}

/// The C waker as a Rust one; released when the last clone of it is gone.
pub struct CWaker(pub weir_waker_t);

// The header requires that `wake` and `release` may be called from any thread.
unsafe impl Send for CWaker {}
unsafe impl Sync for CWaker {}

impl Wake for CWaker {
    fn wake(self: Arc<Self>) {
        (self.0.wake)(self.0.context);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        (self.0.wake)(self.0.context);
    }
}

impl Drop for CWaker {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            release(self.0.context);
        }
    }
}

pub struct weir_call_t {
    guest: Option<Guest>,
    waker: Waker,
    channels: Channels,
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    is_head: bool,
    bodiless: bool, // HEAD, or a status without a body: what becomes of the body is nobody's concern
    body: Option<WasiBody>,
    chunks: VecDeque<Bytes>,
    trailers: Vec<(HeaderName, HeaderValue)>,
    body_ended: bool,
    state: c_int,
    failure: FailureKind,
    message: CString,
    _counted: Option<Counted>, // until its instance is gone
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_new(
    service: *const weir_service_t,
    request: *const weir_call_request_t,
    waker: weir_waker_t,
    ret_call: *mut *mut weir_call_t,
) -> *mut wasmtime_error_t {
    let waker = Waker::from(Arc::new(CWaker(waker)));
    guard_result(|| {
        let (service, request) = unsafe { (&*service, &*request) };
        check_size::<weir_call_request_t>(request.size)?;
        let feed = request.has_body.then(Pipe::default);
        if let Some(feed) = &feed {
            feed.set_writer(&waker);
        }
        let mut channels = Channels { feed, ..Channels::default() };
        let counted = service.instances.count();
        let guest = unsafe { prepare(service, request, &mut channels)? };
        let call = weir_call_t {
            guest: Some(guest),
            waker,
            channels,
            status: 0,
            headers: Vec::new(),
            is_head: unsafe { request.method.as_slice() } == b"HEAD",
            bodiless: false,
            body: None,
            chunks: VecDeque::new(),
            trailers: Vec::new(),
            body_ended: false,
            state: PENDING,
            failure: FailureKind::None,
            message: CString::default(),
            _counted: counted,
        };
        let call = Box::into_raw(Box::new(call));
        unsafe { *ret_call = call };
        Ok(())
    })
}

impl weir_call_t {
    fn note(&mut self, kind: FailureKind, message: &str) {
        self.failure = kind;
        self.message = CString::new(one_line(message)).unwrap_or_default();
    }

    fn fail(&mut self, kind: FailureKind, message: &str) {
        self.note(kind, message);
        self.state = FAILED;
    }

    fn poll(&mut self) -> c_int {
        // Again where its response was over with what it had just given: it need not wake anybody for that.
        while self.state == PENDING && self.poll_once() && self.tell_end() {}
        self.state
    }

    /// Tell a guest that waits for it of the end of its response's body; whether it was news.
    fn tell_end(&self) -> bool {
        let over = self.guest.as_ref().and(self.channels.over.as_ref());
        over.is_some_and(|over| {
            (self.body_ended || self.status != 0 && self.body.is_none()) && !over.swap(true, SeqCst)
        })
    }

    /// Run the guest; whether it goes on.
    fn poll_once(&mut self) -> bool {
        let Some(mut guest) = self.guest.take() else {
            return false;
        };
        let polled = match runtime() {
            Ok(runtime) => {
                let _entered = runtime.enter();
                let waker = self.waker.clone();
                // Taken out of `self` meanwhile: a guest that panics is not polled again.
                guard(|| Ok(guest.as_mut().poll(&mut Context::from_waker(&waker))), Err)
            }
            Err(error) => Err(error.to_string()),
        };
        match polled {
            Ok(Poll::Pending) => {
                self.guest = Some(guest);
                self.receive();
                return true;
            }
            Ok(Poll::Ready(end)) => {
                drop_guarded(guest);
                self.receive();
                if self.state == PENDING {
                    self.conclude(end);
                }
            }
            Err(panic) => {
                drop_guarded(guest);
                self.fail(FailureKind::Panic, &panic);
            }
        }
        false
    }

    /// Take over the response when the guest has set it, and what there is of its body.
    fn receive(&mut self) {
        if self.status == 0 {
            let response = self.channels.response.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
            match response {
                Some(Ok(response)) => {
                    let (parts, body) = response.into_parts();
                    self.status = parts.status.as_u16();
                    self.bodiless = self.is_head || matches!(self.status, 204 | 304);
                    self.headers = pairs_of(&parts.headers);
                    self.body = Some(body);
                }
                Some(Err(code)) => {
                    self.fail(FailureKind::NoResponse, &format!("the guest answered with the error {code}"));
                }
                None => {}
            }
        }
        self.fill();
    }

    /// Fetch the next chunk of the body if none is waiting, and one more for a guest that waits for the end of all. What
    /// else the guest waits for is told to it by the channels.
    fn fill(&mut self) {
        let wanted = if self.channels.over.is_some() { 2 } else { 1 };
        while self.chunks.len() < wanted && self.take_chunk() {}
    }

    /// The same for C, which may find the end of the body so.
    fn fill_and_tell(&mut self) {
        self.fill();
        if self.tell_end() {
            self.waker.wake_by_ref();
        }
    }

    /// Move one chunk over; false when there is none to be had now.
    fn take_chunk(&mut self) -> bool {
        if self.body_ended {
            return false;
        }
        if let Some(document) = &self.channels.document {
            match document.pop(usize::MAX) {
                Some(Ok(bytes)) if bytes.is_empty() => self.body_ended = true,
                Some(Ok(bytes)) => self.chunks.push_back(bytes),
                Some(Err(_)) | None => return false,
            }
            return true;
        }
        let Some(body) = &mut self.body else {
            return false;
        };
        match Pin::new(body).poll_frame(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => false,
            Poll::Ready(None) => {
                self.body_ended = true;
                true
            }
            Poll::Ready(Some(Ok(frame))) => {
                match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => self.chunks.push_back(bytes),
                    Err(frame) => self.trailers = frame.trailers_ref().map(pairs_of).unwrap_or_default(),
                }
                true
            }
            Poll::Ready(Some(Err(_))) if self.bodiless => {
                self.body = None;
                false
            }
            Poll::Ready(Some(Err(error))) => {
                self.body = None;
                self.fail(FailureKind::Trap, &format!("the guest broke off its response: {error}"));
                false
            }
        }
    }

    /// The guest is over: say how it ended, and whether its response is whole.
    fn conclude(&mut self, end: End) {
        if let Some(document) = &self.channels.document {
            document.end(false);
        }
        let End { outcome, kept } = end;
        match outcome {
            Outcome::Instantiated => self.state = ENDED,
            Outcome::Panicked(words) => self.fail(FailureKind::Panic, &words),
            Outcome::ReturnedError => {
                self.note(FailureKind::Run, "its run function returned an error");
                self.state = ENDED;
            }
            Outcome::Returned if self.channels.document.is_some() || self.status != 0 => self.state = ENDED,
            Outcome::Returned => {
                self.fail(FailureKind::NoResponse, "the guest returned without setting its response");
            }
            Outcome::NotInstantiated(error) | Outcome::Failed(error) if self.status == 0 && is_refusal(&error) => {
                self.fail(FailureKind::Refused, &words(&error));
            }
            Outcome::NotInstantiated(error) => {
                self.fail(FailureKind::Instantiate, &words(&error));
            }
            Outcome::Failed(error) | Outcome::FailedShared(error) => {
                let (kind, message) = match error.downcast_ref::<I32Exit>() {
                    Some(exit) => (FailureKind::Exit, format!("the guest exited with status {}", exit.0)),
                    None => (FailureKind::Trap, words(&error)),
                };
                self.note(kind, &message);
                // The channel holds a few chunks at most.
                while self.channels.document.is_none() && self.state == PENDING && self.take_chunk() {}
                let whole = self.channels.document.is_none() && self.status != 0 && (self.body_ended || self.bodiless);
                self.state = if whole { ENDED } else { FAILED };
            }
        }
        if kept.is_some() {
            drop_guarded(kept);
        }
        self.fill();
    }
}

/// Whether the pool or the system had no more to give, for an instance or for the stack that its guest would run on. What
/// fails while the guest's code runs carries a backtrace, whatever the reason.
fn is_refusal(error: &Error) -> bool {
    error.downcast_ref::<WasmBacktrace>().is_none()
        && (error.is::<PoolConcurrencyLimitError>() || error.is::<OutOfMemory>() || os_error(error) != 0)
}

fn pairs_of(map: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn pair_at(pairs: &[(HeaderName, HeaderValue)], index: usize) -> weir_pair_t {
    match pairs.get(index) {
        Some((name, value)) => weir_pair_t {
            name: weir_bytes_t::new(name.as_str().as_bytes()),
            value: weir_bytes_t::new(value.as_bytes()),
        },
        None => weir_pair_t { name: weir_bytes_t::EMPTY, value: weir_bytes_t::EMPTY },
    }
}

// ---- For C

/// Safety for all of these: `call` is live, and only the thread that owns it is here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_poll(call: *mut weir_call_t) -> c_int {
    let call = unsafe { &mut *call };
    let polled = guard(|| Ok(call.poll()), Err);
    polled.unwrap_or_else(|panic: String| {
        call.fail(FailureKind::Panic, &panic);
        FAILED
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_status(call: *const weir_call_t) -> u16 {
    unsafe { (*call).status }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_header_count(call: *const weir_call_t) -> usize {
    unsafe { &*call }.headers.len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_header(call: *const weir_call_t, index: usize) -> weir_pair_t {
    pair_at(&unsafe { &*call }.headers, index)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_body(call: *mut weir_call_t) -> weir_bytes_t {
    let call = unsafe { &mut *call };
    guard(|| call.fill_and_tell(), |_| ());
    call.chunks.front().map_or(weir_bytes_t::EMPTY, |chunk| weir_bytes_t::new(chunk))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_consume(call: *mut weir_call_t, size: usize) {
    let call = unsafe { &mut *call };
    let consume = || {
        if let Some(front) = call.chunks.front_mut() {
            if size < front.len() {
                drop(front.split_to(size));
            } else {
                call.chunks.pop_front();
            }
        }
        call.fill_and_tell();
    };
    guard(consume, |_| ());
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_body_ended(call: *const weir_call_t) -> bool {
    let call = unsafe { &*call };
    call.body_ended && call.chunks.is_empty()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_trailer_count(call: *const weir_call_t) -> usize {
    unsafe { &*call }.trailers.len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_trailer(call: *const weir_call_t, index: usize) -> weir_pair_t {
    pair_at(&unsafe { &*call }.trailers, index)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_feed(call: *mut weir_call_t, bytes: weir_bytes_t) -> usize {
    let call = unsafe { &mut *call };
    let bytes = unsafe { bytes.as_slice() };
    let fed = || {
        let Some(feed) = &call.channels.feed else {
            return 0;
        };
        let count = bytes.len().min(feed.space());
        if feed.space() != usize::MAX {
            feed.push(Bytes::copy_from_slice(&bytes[..count]));
        }
        count
    };
    guard(fed, |_| 0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_feed_end(call: *mut weir_call_t, aborted: bool) {
    let call = unsafe { &mut *call };
    if let Some(feed) = &call.channels.feed {
        guard(|| feed.end(aborted), |_| ());
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_feed_trailers(
    call: *mut weir_call_t,
    pairs: *const weir_pair_t,
    count: usize,
) -> bool {
    let call = unsafe { &mut *call };
    let feed = || {
        let mut trailers = HeaderMap::new();
        let fits = unsafe { append(&mut trailers, borrow(pairs, count)) }.is_ok();
        if let (true, Some(feed)) = (fits, &call.channels.feed) {
            feed.set_trailers(trailers);
        }
        fits
    };
    guard(feed, |_| false)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_failure(call: *const weir_call_t, ret_message: *mut *const c_char) -> FailureKind {
    let call = unsafe { &*call };
    if !ret_message.is_null() {
        unsafe { *ret_message = call.message.as_ptr() };
    }
    call.failure
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_reuses_instance(call: *const weir_call_t) -> bool {
    unsafe { &*call }.channels.is_reused
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_call_free(own_call: *mut weir_call_t) {
    if own_call.is_null() {
        return;
    }
    let entered = runtime().map(|runtime| runtime.enter());
    drop_guarded(unsafe { Box::from_raw(own_call) });
    drop(entered);
}

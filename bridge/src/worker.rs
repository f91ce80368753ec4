//! Workers: instances that handle several requests of wasi:http/handler@0.3, one after another and at once. A worker is
//! driven by the calls that are on it, all of one thread; between them it is idle, and a call of any thread may take it.

use crate::ffi::guard;
use crate::guest::{Channels, End, Guest, Outcome, Response, end_of};
use crate::idle::Instances;
use crate::outbound::{Caller, Callers};
use crate::service::{ComponentState, words};
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};
use hyper::header::HeaderMap;
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;
use wasmtime_c_api::wasmtime::{AsContextMut, Error, Result, Store, format_err};
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// How instances are reused: each gets values of its own between the two, both included.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_reuse_t {
    pub max_instances: usize,
    requests: [u32; 2],
    concurrent_requests: [u32; 2],
    idle_milliseconds: [u32; 2],
}

fn between([least, most]: [u32; 2]) -> u32 {
    if most <= least {
        return least;
    }
    let random = RandomState::new().hash_one(0) as u32;
    least + random % (most - least).saturating_add(1)
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request on its way into a worker's instance.
pub struct Incoming {
    pub request: hyper::Request<WasiBody>,
    pub caller: Caller,
    pub added: HeaderMap,
}

type Answer = Result<hyper::Response<WasiBody>>;

/// A call that is on a worker.
struct Seat {
    call: u64,
    waker: Waker,
    runs: bool, // its request has not been handled to its end
}

/// How a worker's instance came to its end. The first call that asks gets the error itself.
enum Failure {
    NotInstantiated(Option<Error>, String),
    Failed(Option<Error>, String),
    Panicked(String),
}

struct State {
    inbox: VecDeque<(u64, Incoming, oneshot::Sender<Answer>)>,
    inbox_waker: Option<Waker>,
    seats: Vec<Seat>,
    calls: u64,      // so far
    is_idle: bool,   // nothing runs that an instance is kept for
    is_ready: bool,  // the guest takes another request now
    is_closed: bool, // it takes none ever
    thread: ThreadId,
    failure: Option<Failure>,
}

/// What the calls, the instance and whoever wakes it have in common.
struct Shared {
    notified: AtomicBool, // there is something to do
    polling: AtomicBool,
    state: Mutex<State>,
    callers: Arc<Callers>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.notified.swap(true, SeqCst) && !self.polling.load(SeqCst) {
            self.wake_driver();
        }
    }
}

impl Shared {
    fn wake_driver(&self) {
        let waker = lock(&self.state).seats.first().map(|seat| seat.waker.clone());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next request, if the instance takes one now.
    fn next(&self, is_ready: bool, waker: &Waker) -> Option<(u64, Incoming, oneshot::Sender<Answer>)> {
        let mut state = lock(&self.state);
        state.is_ready = is_ready;
        let next = if is_ready { state.inbox.pop_front() } else { None };
        if next.is_none() {
            state.inbox_waker = Some(waker.clone());
        }
        next
    }

    fn finish(&self, call: u64) {
        if let Some(seat) = lock(&self.state).seats.iter_mut().find(|seat| seat.call == call) {
            seat.runs = false;
        }
    }
}

type Work = Pin<Box<dyn Future<Output = (std::result::Result<(), Failure>, Box<Store<ComponentState>>)> + Send>>;

pub struct Worker {
    pub service: usize, // a number of its own
    shared: Arc<Shared>,
    work: Mutex<Option<Work>>,
    store: Mutex<Option<Box<Store<ComponentState>>>>, // of an instance that failed
    most_requests: u64,
    most_concurrent: usize,
    pub idle: Duration,
}

impl Worker {
    /// Nothing of it runs before a call drives it.
    pub fn new(
        service: usize,
        handler: ServicePre<ComponentState>,
        mut store: Box<Store<ComponentState>>,
        reuse: &weir_reuse_t,
    ) -> Arc<Worker> {
        let callers = Arc::new(Callers::default());
        store.data_mut().hooks.callers = Some(callers.clone());
        let shared = Arc::new(Shared {
            notified: AtomicBool::new(true),
            polling: AtomicBool::new(false),
            state: Mutex::new(State {
                inbox: VecDeque::new(),
                inbox_waker: None,
                seats: Vec::new(),
                calls: 0,
                is_idle: false,
                is_ready: false,
                is_closed: false,
                thread: thread::current().id(),
                failure: None,
            }),
            callers,
        });
        Arc::new(Worker {
            service,
            work: Mutex::new(Some(Box::pin(work(handler, store, shared.clone())))),
            shared,
            store: Mutex::new(None),
            most_requests: u64::from(between(reuse.requests)),
            most_concurrent: between(reuse.concurrent_requests) as usize,
            idle: Duration::from_millis(between(reuse.idle_milliseconds).into()),
        })
    }

    pub fn is_of(&self, thread: ThreadId) -> bool {
        lock(&self.shared.state).thread == thread
    }

    /// Whether a call of this thread may join those that are on it. One that has something to do already would have it
    /// wait.
    pub fn may_join(&self) -> bool {
        let state = lock(&self.shared.state);
        state.thread == thread::current().id()
            && state.is_ready
            && !state.is_closed
            && state.failure.is_none()
            && state.calls < self.most_requests
            && state.seats.len() < self.most_concurrent
            && !self.shared.notified.load(SeqCst)
    }

    /// Put a call on it.
    pub fn attach(self: Arc<Worker>, incoming: Incoming, workers: Arc<Workers>, channels: &mut Channels) -> Guest {
        let (sender, receiver) = oneshot::channel();
        let call = {
            let mut state = lock(&self.shared.state);
            state.calls += 1;
            state.is_idle = false;
            state.thread = thread::current().id();
            let call = state.calls;
            channels.is_reused = call > 1;
            state.seats.push(Seat { call, waker: Waker::noop().clone(), runs: true });
            state.inbox.push_back((call, incoming, sender));
            // Before it is woken, so that no call is: this one will drive it.
            self.shared.notified.store(true, SeqCst);
            let waker = state.inbox_waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
            call
        };
        let over = channels.watch_body();
        let response = channels.response.clone();
        let ride = Ride { worker: self, call, workers };
        Box::pin(ride.run(receiver, response, over))
    }

    /// Let the instance run, if there is something for it to do.
    fn drive(&self) {
        let shared = &self.shared;
        let Some(mut work) = lock(&self.work).take() else {
            return;
        };
        if !shared.notified.swap(false, SeqCst) {
            *lock(&self.work) = Some(work);
            return;
        }
        shared.polling.store(true, SeqCst);
        let waker = Waker::from(shared.clone());
        let polled = guard(|| Ok(work.as_mut().poll(&mut Context::from_waker(&waker))), Err);
        shared.polling.store(false, SeqCst);
        match polled {
            Ok(Poll::Pending) => {
                *lock(&self.work) = Some(work);
                if shared.notified.load(SeqCst) {
                    shared.wake_driver();
                }
                return;
            }
            Ok(Poll::Ready((ended, store))) => {
                *lock(&self.store) = Some(store);
                let mut state = lock(&shared.state);
                state.is_closed = true;
                state.failure = ended.err();
            }
            Err(panic) => {
                let mut state = lock(&shared.state);
                state.is_closed = true;
                state.failure = Some(Failure::Panicked(panic));
            }
        }
        // All of them have to know.
        let wakers: Vec<Waker> = lock(&shared.state).seats.iter().map(|seat| seat.waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How it failed, for one of its calls.
    fn failure(&self) -> Option<Outcome> {
        let mut state = lock(&self.shared.state);
        let is_first = state.calls == 1;
        let own = |error: &mut Option<Error>, words: &str| {
            error.take().unwrap_or_else(|| format_err!("{words} (on an instance that several requests shared)"))
        };
        Some(match state.failure.as_mut()? {
            Failure::NotInstantiated(error, words) => Outcome::NotInstantiated(own(error, words)),
            // What was refused is tried again, but never a request that the guest may have seen.
            Failure::Failed(error, words) if is_first => Outcome::Failed(own(error, words)),
            Failure::Failed(error, words) => Outcome::FailedShared(own(error, words)),
            Failure::Panicked(words) => Outcome::Panicked(words.clone()),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        lock(&self.shared.state).inbox_waker = None; // which leads back to what it is in
    }
}

/// The instance: take requests and handle them, until one fails.
async fn work(
    handler: ServicePre<ComponentState>,
    mut store: Box<Store<ComponentState>>,
    shared: Arc<Shared>,
) -> (std::result::Result<(), Failure>, Box<Store<ComponentState>>) {
    let service = match handler.instantiate_async(&mut *store).await {
        Ok(service) => service,
        Err(error) => {
            let words = words(&error);
            return (Err(Failure::NotInstantiated(Some(error), words)), store);
        }
    };
    let function = *service.wasi_http_handler().func_handle().func();
    let proxy = Proxy::P3(service);
    let handled = store.run_concurrent(async |accessor| -> Result<()> {
        let mut running = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                match running.poll_next_unpin(context) {
                    Poll::Ready(Some(Ok(call))) => {
                        shared.finish(call);
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                let is_ready = accessor.poll_ready_for_concurrent_call(function, context).is_ready();
                let Some((call, incoming, sender)) = shared.next(is_ready, context.waker()) else {
                    break;
                };
                let Incoming { request, caller, added } = incoming;
                let prepared = accessor.with(|mut store| {
                    store.as_context_mut().set_epoch_deadline(1); // its own time slice, not what is left of another's
                    Prepared::new(store.as_context_mut(), &proxy, request, ComponentState::http, sender)
                })?;
                if let Prepared::P3 { call: task, .. } = &prepared {
                    shared.callers.add(task.task(), call, caller, added);
                }
                running.push(async move {
                    prepared.run(accessor, pending()).await?;
                    Ok::<u64, Error>(call)
                });
            }
            let is_idle = running.is_empty() && accessor.poll_no_interesting_tasks(context).is_ready();
            lock(&shared.state).is_idle = is_idle;
            Poll::Pending
        })
        .await
    });
    let ended = handled.await.and_then(|ended| ended);
    let ended = ended.map_err(|error| {
        let words = words(&error);
        Failure::Failed(Some(error), words)
    });
    (ended, store)
}

/// A call on its worker, from its request to the end of its response. Dropped before, its request goes on alone: then
/// the worker takes no others.
struct Ride {
    worker: Arc<Worker>,
    call: u64,
    workers: Arc<Workers>,
}

impl Ride {
    async fn run(
        self,
        mut receiver: oneshot::Receiver<Answer>,
        response: Arc<Mutex<Option<Response>>>,
        over: Arc<AtomicBool>,
    ) -> End {
        let mut answered = false;
        poll_fn(|context| {
            self.sit(context.waker());
            self.worker.drive();
            if !answered && let Poll::Ready(Ok(answer)) = Pin::new(&mut receiver).poll(context) {
                answered = true;
                match answer.map_err(Error::downcast::<ErrorCode>) {
                    Ok(given) => *lock(&response) = Some(Ok(given)),
                    Err(Ok(code)) => {
                        *lock(&response) = Some(Err(format!("{code:?}")));
                        over.store(true, SeqCst);
                    }
                    Err(Err(error)) => return Poll::Ready(end_of(Outcome::Failed(error), self.worker.clone())),
                }
            }
            if let Some(outcome) = self.worker.failure() {
                return Poll::Ready(end_of(outcome, self.worker.clone()));
            }
            if answered && over.load(SeqCst) && self.may_leave() {
                return Poll::Ready(Outcome::Returned.into());
            }
            Poll::Pending
        })
        .await
    }

    fn sit(&self, waker: &Waker) {
        let mut state = lock(&self.worker.shared.state);
        if let Some(seat) = state.seats.iter_mut().find(|seat| seat.call == self.call) {
            seat.waker.clone_from(waker);
        }
    }

    /// What a guest does after its responses keeps one call with it.
    fn may_leave(&self) -> bool {
        let state = lock(&self.worker.shared.state);
        let runs = state.seats.iter().any(|seat| seat.call == self.call && seat.runs);
        !runs && (state.is_idle || state.seats.len() > 1)
    }
}

impl Drop for Ride {
    fn drop(&mut self) {
        let shared = &self.worker.shared;
        shared.callers.remove(self.call);
        let mut state = lock(&shared.state);
        let before = state.inbox.len();
        state.inbox.retain(|(call, ..)| *call != self.call);
        let waited = state.inbox.len() < before; // its request never reached the guest
        if let Some(place) = state.seats.iter().position(|seat| seat.call == self.call) {
            let seat = state.seats.remove(place);
            state.is_closed |= seat.runs && !waited;
        }
        let is_last = state.seats.is_empty();
        let is_good = state.is_idle && !state.is_closed && state.calls < self.worker.most_requests;
        drop(state);
        if is_last {
            self.workers.leave(&self.worker, is_good);
        } else if shared.notified.load(SeqCst) {
            shared.wake_driver();
        }
    }
}

/// The workers of one service.
pub struct Workers {
    service: usize,
    reuse: weir_reuse_t,
    busy: Mutex<Vec<Arc<Worker>>>,
    instances: Arc<Instances>,
}

impl Workers {
    pub fn new(reuse: weir_reuse_t, instances: Arc<Instances>) -> Workers {
        static SERVICES: AtomicUsize = AtomicUsize::new(0);
        Workers { service: SERVICES.fetch_add(1, SeqCst), reuse, busy: Mutex::default(), instances }
    }

    /// A worker for one more call: one that is idle, or has room, or else a new one.
    pub fn find(
        &self,
        handler: &ServicePre<ComponentState>,
        store: impl FnOnce() -> Result<Box<Store<ComponentState>>>,
    ) -> Result<Arc<Worker>> {
        let worker = match self.instances.take(self.service) {
            Some(worker) => worker,
            None => {
                // A guest may hold the others up while one waits: as long as there is room each has its own instance.
                if self.instances.are_scarce()
                    && let Some(worker) = lock(&self.busy).iter().find(|worker| worker.may_join())
                {
                    return Ok(worker.clone());
                }
                self.instances.make_room();
                Worker::new(self.service, handler.clone(), store()?, &self.reuse)
            }
        };
        if worker.most_concurrent > 1 {
            lock(&self.busy).push(worker.clone());
        }
        Ok(worker)
    }

    /// The last call has left a worker.
    fn leave(&self, worker: &Arc<Worker>, is_good: bool) {
        lock(&self.busy).retain(|other| !Arc::ptr_eq(other, worker));
        if is_good {
            self.instances.keep(worker.clone());
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.instances.forget(self.service);
    }
}

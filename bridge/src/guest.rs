//! Guests: a fresh instance each, whose entry is called with a request, and what comes of it.

use crate::ffi::{borrow, weir_bytes_t, weir_pair_t};
use crate::host::HostInstance;
use crate::outbound::{Caller, Outbound};
use crate::output::{STDERR, STDOUT};
use crate::pipe::{Pipe, PipeBody, PipeInput, PipeOutput};
use crate::service::{ComponentState, Linked, ModuleState, store, weir_service_t};
use crate::worker::{Incoming, Workers};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use std::any::Any;
use std::ffi::c_void;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use wasmtime_c_api::wasmtime::component::ResourceTable;
use wasmtime_c_api::wasmtime::error::Context as _;
use wasmtime_c_api::wasmtime::{Engine, Error, InstancePre, Result, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiBody, WasiHttpCtx, WasiHttpView};

/// What one instance may hold of the host at once: requests, sockets, streams, headers and the like, all together.
const RESOURCES_MAX: usize = 16 * 1024;

#[repr(C)]
pub struct weir_call_request_t {
    pub size: usize,
    pub method: weir_bytes_t,
    scheme: weir_bytes_t,
    authority: weir_bytes_t,
    path_and_query: weir_bytes_t,
    headers: *const weir_pair_t,
    header_count: usize,
    pub has_body: bool,
    arguments: *const weir_bytes_t,
    argument_count: usize,
    environment: *const weir_pair_t,
    environment_count: usize,
    instance_only: bool,
    caller: *mut c_void,
    added_headers: *const weir_pair_t,
    added_header_count: usize,
}

/// A guest's response, or the error in place of one, in words.
pub type Response = std::result::Result<hyper::Response<WasiBody>, String>;

/// How a guest came to its end.
pub enum Outcome {
    Returned,
    ReturnedError, // of wasi:cli/run
    Instantiated,  // which was all that was asked for
    NotInstantiated(Error),
    Failed(Error),
    FailedShared(Error), // by what another request on its instance did, it may be
    Panicked(String),
}

impl Outcome {
    /// A program's: it may have exited well.
    fn of_failure(error: Error) -> Outcome {
        match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => Outcome::Returned,
            _ => Outcome::Failed(error),
        }
    }
}

fn component_store(
    service: &weir_service_t,
    engine: &Engine,
    mut wasi: WasiCtxBuilder,
    hooks: Outbound,
) -> Store<ComponentState> {
    service.settings.reach.configure(&mut wasi, None);
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES_MAX);
    let state = ComponentState {
        wasi: wasi.build(),
        http: WasiHttpCtx::new(),
        hooks,
        table,
        limits: service.settings.limits(),
        host: HostInstance::default(),
    };
    store(engine, state, |state| &mut state.limits)
}

/// The store of a guest that handles requests itself: what it writes to its standard streams is logged.
fn handler_store(service: &weir_service_t, engine: &Engine, hooks: Outbound) -> Result<Box<Store<ComponentState>>> {
    let settings = &service.settings;
    let mut wasi = settings.wasi()?;
    wasi.stdout(settings.sink.stream(STDOUT)).stderr(settings.sink.stream(STDERR));
    Ok(Box::new(component_store(service, engine, wasi, hooks)))
}

/// What each request of a guest's is given in addition.
unsafe fn added(request: &weir_call_request_t) -> Result<HeaderMap> {
    let mut added = HeaderMap::new();
    unsafe { append(&mut added, borrow(request.added_headers, request.added_header_count))? };
    Ok(added)
}

unsafe fn hooks(service: &weir_service_t, request: &weir_call_request_t) -> Result<Outbound> {
    Ok(service.settings.reach.hooks(Caller(request.caller), unsafe { added(request)? }))
}

/// A guest's end. After a failure what has a component's store is kept until it is known whether its response was
/// complete: to drop the store ends an unfinished body just as if it were finished.
pub struct End {
    pub outcome: Outcome,
    pub kept: Option<Box<dyn Any + Send>>,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> End {
        End { outcome, kept: None }
    }
}

/// A guest's instance, or its end when there is none or it is `all` that was asked for.
async fn instance<T>(made: impl Future<Output = Result<T>>, all: bool) -> std::result::Result<T, Outcome> {
    let instance = made.await.map_err(Outcome::NotInstantiated)?;
    if all { Err(Outcome::Instantiated) } else { Ok(instance) }
}

/// A guest's end, with what has its store.
pub fn end_of(outcome: Outcome, kept: impl Send + 'static) -> End {
    End { outcome, kept: Some(Box::new(kept)) }
}

pub type Guest = Pin<Box<dyn Future<Output = End> + Send>>;

/// What connects a guest with its call.
#[derive(Default)]
pub struct Channels {
    pub feed: Option<Pipe>, // the request's body
    pub response: Arc<Mutex<Option<Response>>>,
    pub document: Option<Pipe>,        // a program's standard output
    pub is_reused: bool,               // its instance was made for another call
    pub over: Option<Arc<AtomicBool>>, // set with the end of the response's body, for a guest that waits for it
}

impl Channels {
    /// For a guest that waits until its response's body is over.
    pub fn watch_body(&mut self) -> Arc<AtomicBool> {
        self.over.get_or_insert_default().clone()
    }
}

/// Prepare a guest; nothing of it runs before it is polled.
pub unsafe fn prepare(
    service: &weir_service_t,
    request: &weir_call_request_t,
    channels: &mut Channels,
) -> Result<Guest> {
    if !matches!(service.linked, Linked::Handler(..)) {
        service.instances.make_room();
    }
    match &service.linked {
        Linked::Component(proxy) => unsafe { component(service, proxy, request, channels) },
        Linked::Handler(handler, workers) => unsafe { self::handler(service, handler, workers, request, channels) },
        Linked::Command(command) => unsafe { self::command(service, command, request, channels) },
        Linked::Module(module) => unsafe { self::module(service, module, request, channels) },
    }
}

unsafe fn component(
    service: &weir_service_t,
    proxy: &ProxyPre<ComponentState>,
    request: &weir_call_request_t,
    channels: &Channels,
) -> Result<Guest> {
    let head = unsafe { read_head(request)? };
    let mut store = handler_store(service, proxy.engine(), unsafe { hooks(service, request)? })?;
    let instance_only = request.instance_only;
    let request = match &channels.feed {
        Some(feed) => {
            store.data_mut().http().new_incoming_request(Scheme::Http, head.map(|()| PipeBody(feed.clone())))?
        }
        None => store.data_mut().http().new_incoming_request(Scheme::Http, head.map(|()| empty()))?,
    };
    let slot = channels.response.clone();
    let outparam = store.data_mut().http().new_response_outparam_from_callback(move |response| {
        put(&slot, response.map_err(|code| format!("{code:?}")));
    })?;
    let proxy = proxy.clone();
    Ok(Box::pin(async move {
        let instance = match instance(proxy.instantiate_async(&mut *store), instance_only).await {
            Ok(instance) => instance,
            Err(outcome) => return outcome.into(),
        };
        let handler = instance.wasi_http_incoming_handler();
        match handler.call_handle(&mut *store, request, outparam).await {
            Ok(()) => Outcome::Returned.into(),
            Err(error) => end_of(Outcome::Failed(error), store),
        }
    }))
}

fn empty() -> impl http_body::Body<Data = Bytes, Error = wasmtime_wasi_http::Error> {
    Empty::<Bytes>::new().map_err(|never| match never {})
}

fn put(slot: &Mutex<Option<Response>>, response: Response) {
    *slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(response);
}

/// A component that exports wasi:http/handler@0.3.x: its function is async, and what it has begun goes on after it has
/// returned its response.
unsafe fn handler(
    service: &weir_service_t,
    handler: &ServicePre<ComponentState>,
    workers: &Arc<Workers>,
    request: &weir_call_request_t,
    channels: &mut Channels,
) -> Result<Guest> {
    let store =
        || handler_store(service, handler.engine(), service.settings.reach.hooks(Caller::NONE, HeaderMap::new()));
    if request.instance_only {
        let (mut store, handler) = (store()?, handler.clone());
        return Ok(Box::pin(async move {
            match instance(handler.instantiate_async(&mut *store), true).await {
                Ok(_) => Outcome::Instantiated.into(),
                Err(outcome) => outcome.into(),
            }
        }));
    }
    let head = unsafe { read_head(request)? };
    let body = match &channels.feed {
        Some(feed) => PipeBody(feed.clone()).boxed_unsync(),
        None => empty().boxed_unsync(),
    };
    let incoming =
        Incoming { request: head.map(|()| body), caller: Caller(request.caller), added: unsafe { added(request)? } };
    let worker = workers.find(handler, store)?;
    Ok(worker.attach(incoming, workers.clone(), channels))
}

/// WASI for a guest that answers through CGI: its request in arguments, environment and standard input, its response
/// on standard output.
unsafe fn cgi(
    service: &weir_service_t,
    request: &weir_call_request_t,
    channels: &mut Channels,
) -> Result<WasiCtxBuilder> {
    let settings = &service.settings;
    let document = Pipe::default();
    channels.document = Some(document.clone());
    let mut wasi = settings.wasi()?;
    wasi.stdout(PipeOutput(document)).stderr(settings.sink.stream(STDERR));
    if let Some(feed) = &channels.feed {
        wasi.stdin(PipeInput(feed.clone()));
    }
    for argument in unsafe { borrow(request.arguments, request.argument_count) } {
        wasi.arg(unsafe { argument.as_text("an argument")? });
    }
    for pair in unsafe { borrow(request.environment, request.environment_count) } {
        let (name, value) =
            unsafe { (pair.name.as_text("a variable's name")?, pair.value.as_text("a variable's value")?) };
        wasi.env(name, value);
    }
    Ok(wasi)
}

unsafe fn command(
    service: &weir_service_t,
    command: &CommandPre<ComponentState>,
    request: &weir_call_request_t,
    channels: &mut Channels,
) -> Result<Guest> {
    let wasi = unsafe { cgi(service, request, channels)? };
    let mut store = component_store(service, command.engine(), wasi, unsafe { hooks(service, request)? });
    let command = command.clone();
    let instance_only = request.instance_only;
    Ok(Box::pin(async move {
        let instance = match instance(command.instantiate_async(&mut store), instance_only).await {
            Ok(instance) => instance,
            Err(outcome) => return outcome.into(),
        };
        match instance.wasi_cli_run().call_run(&mut store).await {
            Ok(Ok(())) => Outcome::Returned.into(),
            Ok(Err(())) => Outcome::ReturnedError.into(),
            Err(error) => Outcome::of_failure(error).into(),
        }
    }))
}

unsafe fn module(
    service: &weir_service_t,
    module: &InstancePre<ModuleState>,
    request: &weir_call_request_t,
    channels: &mut Channels,
) -> Result<Guest> {
    let mut wasi = unsafe { cgi(service, request, channels)? };
    let settings = &service.settings;
    let state = ModuleState { wasi: wasi.build_p1(), limits: settings.limits() };
    let mut store = store(module.module().engine(), state, |state| &mut state.limits);
    let module = module.clone();
    let instance_only = request.instance_only;
    Ok(Box::pin(async move {
        let started = async {
            let instance = module.instantiate_async(&mut store).await?;
            instance.get_typed_func::<(), ()>(&mut store, "_start")
        };
        let start = match instance(started, instance_only).await {
            Ok(start) => start,
            Err(outcome) => return outcome.into(),
        };
        match start.call_async(&mut store, ()).await {
            Ok(()) => Outcome::Returned.into(),
            Err(error) => Outcome::of_failure(error).into(),
        }
    }))
}

/// What weir adds to a request, and a parser of names would allocate.
static OWN_NAMES: [HeaderName; 7] = [
    HeaderName::from_static("spin-path-info"),
    HeaderName::from_static("spin-full-url"),
    HeaderName::from_static("spin-matched-route"),
    HeaderName::from_static("spin-base-path"),
    HeaderName::from_static("spin-raw-component-route"),
    HeaderName::from_static("spin-component-route"),
    HeaderName::from_static("spin-client-addr"),
];

fn header_name(bytes: &[u8]) -> Result<HeaderName> {
    match OWN_NAMES.iter().find(|name| name.as_str().as_bytes() == bytes) {
        Some(name) => Ok(name.clone()),
        None => HeaderName::from_bytes(bytes).context("a header's name cannot be passed on"),
    }
}

pub unsafe fn append(map: &mut HeaderMap, pairs: &[weir_pair_t]) -> Result<()> {
    // All values lie in one buffer.
    let values = || pairs.iter().map(|pair| unsafe { pair.value.as_slice() });
    let mut buffer = BytesMut::with_capacity(values().map(<[u8]>::len).sum());
    values().for_each(|value| buffer.extend_from_slice(value));
    let mut buffer = buffer.freeze();
    map.reserve(pairs.len());
    for pair in pairs {
        let (name, size) = unsafe { (header_name(pair.name.as_slice())?, pair.value.as_slice().len()) };
        let value = HeaderValue::from_maybe_shared(buffer.split_to(size));
        map.append(name, value.context("a header's value cannot be passed on")?);
    }
    Ok(())
}

unsafe fn read_head(request: &weir_call_request_t) -> Result<hyper::Request<()>> {
    let (method, scheme, authority, path) = unsafe {
        (
            request.method.as_slice(),
            request.scheme.as_slice(),
            request.authority.as_slice(),
            request.path_and_query.as_slice(),
        )
    };
    let uri = hyper::Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
    let mut head = hyper::Request::new(());
    *head.method_mut() = hyper::Method::from_bytes(method).context("the method cannot be passed on")?;
    *head.uri_mut() = uri.context("the target cannot be passed on")?;
    let pairs = unsafe { borrow(request.headers, request.header_count) };
    unsafe { append(head.headers_mut(), pairs)? };
    Ok(head)
}

//! What guests may reach: their requests over HTTP, to the network or to other components of the application, and
//! their sockets. C decides (`weir_outbound_policy_t`); without a policy everything is denied.

use crate::client::{self, Limited, Origin, TimeLimits, explain};
use crate::ffi::{check_size, one_line};
use crate::outgoing::weir_outgoing_t;
use crate::service::ComponentState;
use crate::threads::runtime;
use crate::worker::lock;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response, Uri};
use std::ffi::{CString, c_char, c_int, c_void};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_c_api::wasmtime::component::{GuestTaskId, Linker, Resource};
use wasmtime_c_api::wasmtime::{AsContextMut, Result, StoreContextMut};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::http::client::HostWithStore as _;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttp, WasiHttpHooks, WasiHttpView};

const NETWORK: c_int = 1;
const IN_PROCESS: c_int = 2;

const ADDRESS_HTTP: c_int = 1;

/// As in Spin, but that to connect takes half a minute at most.
const DEFAULTS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(30),
    first_byte: Duration::from_secs(600),
    between_bytes: Duration::from_secs(600),
};

/// The host that stands for the guest's own application, in requests whose URL has none (as in Spin).
const SELF_HOST: &str = "self.alt";

#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_outbound_policy_t {
    size: usize,
    context: *mut c_void,
    may_connect: bool,
    may_look_up: extern "C" fn(*mut c_void, *const c_char) -> bool,
    decide: extern "C" fn(*mut c_void, *const c_char, *const c_char, c_int, *const c_char) -> c_int,
    address_is_allowed: extern "C" fn(*mut c_void, *const c_void, u32, c_int) -> bool,
    begin: Option<extern "C" fn(*mut c_void, *mut c_void, *mut weir_outgoing_t)>,
    failed: Option<extern "C" fn(*mut c_void, *const c_char, *const c_char)>,
    release: Option<extern "C" fn(*mut c_void)>,
}

/// A policy, released with the last who asks it.
struct Policy(weir_outbound_policy_t);

// The header says which of its functions are called from which threads.
unsafe impl Send for Policy {}
unsafe impl Sync for Policy {}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            release(self.0.context);
        }
    }
}

impl Policy {
    fn allows(&self, address: &SocketAddr, usage: c_int) -> bool {
        let address = socket2::SockAddr::from(*address);
        (self.0.address_is_allowed)(self.0.context, address.as_ptr().cast(), address.len() as u32, usage)
    }

    fn may_look_up(&self, name: &str) -> bool {
        CString::new(name).is_ok_and(|name| (self.0.may_look_up)(self.0.context, name.as_ptr()))
    }

    fn report(&self, destination: &str, error: &Error) {
        if let Some(failed) = self.0.failed {
            let text = |text: &str| CString::new(one_line(text)).unwrap_or_default();
            failed(self.0.context, text(destination).as_ptr(), text(&explain(error)).as_ptr());
        }
    }
}

/// What a service's guests may reach.
#[derive(Clone, Default)]
pub struct Reach {
    policy: Option<Arc<Policy>>,
}

impl Reach {
    /// Safety: NULL, or a policy as the header wants it. It is released only on success.
    pub unsafe fn new(policy: *const weir_outbound_policy_t) -> Result<Reach> {
        if policy.is_null() {
            return Ok(Reach::default());
        }
        check_size::<weir_outbound_policy_t>(unsafe { (*policy).size })?;
        Ok(Reach { policy: Some(Arc::new(Policy(unsafe { *policy }))) })
    }

    /// The sockets of one instance, or the one socket that `permit` is for.
    pub fn configure(&self, wasi: &mut WasiCtxBuilder, permit: Option<OwnedSemaphorePermit>) {
        let policy = self.policy.clone().filter(|policy| policy.0.may_connect);
        let may = policy.is_some();
        wasi.allow_tcp(may).allow_udp(may).allow_ip_name_lookup(may);
        let Some(policy) = policy else {
            return;
        };
        wasi.socket_addr_check(move |address, usage| {
            let _ = &permit; // each socket keeps this function
            let usage = match usage {
                SocketAddrUse::TcpBind => 2,
                SocketAddrUse::TcpListen => 3,
                SocketAddrUse::TcpAccept => 4,
                SocketAddrUse::TcpConnect => 5,
                SocketAddrUse::UdpBind => 6,
                SocketAddrUse::UdpSend => 7,
                SocketAddrUse::UdpReceive => 8,
            };
            Box::pin(std::future::ready(policy.allows(&address, usage)))
        });
    }

    /// Whether guests may look this name up.
    pub fn may_look_up(&self, name: &str) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.may_look_up(name))
    }

    /// The requests of one call. `caller` and `added` are what C gave with it.
    pub fn hooks(&self, caller: Caller, added: HeaderMap) -> Outbound {
        Outbound { reach: self.clone(), caller, added, callers: None }
    }
}

/// What C knows a call by, to be handed back on the thread that polls it.
#[derive(Clone, Copy)]
pub struct Caller(pub *mut c_void);

unsafe impl Send for Caller {}

impl Caller {
    pub const NONE: Caller = Caller(std::ptr::null_mut());
}

pub struct Outbound {
    pub reach: Reach,
    caller: Caller,
    added: HeaderMap, // all of them to a request that has none of the same name
    pub callers: Option<Arc<Callers>>,
}

struct Entered {
    task: GuestTaskId,
    call: u64,
    caller: Caller,
    added: HeaderMap,
}

/// The calls that share an instance, by the guest's task that each has begun.
#[derive(Default)]
pub struct Callers(Mutex<Vec<Entered>>);

impl Callers {
    pub fn add(&self, task: GuestTaskId, call: u64, caller: Caller, added: HeaderMap) {
        lock(&self.0).push(Entered { task, call, caller, added });
    }

    pub fn remove(&self, call: u64) {
        lock(&self.0).retain(|entered| entered.call != call);
    }
}

/// Before a guest's request, find out for which of the calls on its instance it is.
fn attribute(store: &mut StoreContextMut<'_, ComponentState>) -> Result<()> {
    let Some(callers) = store.data().hooks.callers.clone() else {
        return Ok(());
    };
    let task = store.async_call_stack()?.last();
    let entered = lock(&callers.0);
    let found = entered.iter().find(|entered| Some(entered.task) == task);
    let hooks = &mut store.data_mut().hooks;
    hooks.caller = found.map_or(Caller::NONE, |entered| entered.caller);
    hooks.added = found.map(|entered| entered.added.clone()).unwrap_or_default();
    Ok(())
}

pub type Sent<T> = std::result::Result<T, Error>;
type Work = Box<dyn Future<Output = Sent<()>> + Send>;
type Sending = Box<dyn Future<Output = Sent<(Response<WasiBody>, Work)>> + Send>;

fn nothing() -> Work {
    Box::new(std::future::ready(Ok(())))
}

impl Outbound {
    fn decide(&self, uri: &Uri) -> Sent<(Arc<Policy>, c_int)> {
        let policy = self.reach.policy.clone().ok_or(Error::HttpRequestDenied)?;
        Origin::of(uri)?;
        let text =
            |text: Option<&str>| CString::new(text.unwrap_or_default()).map_err(|_| Error::HttpRequestUriInvalid);
        let (scheme, host, path) = (text(uri.scheme_str())?, text(uri.host())?, text(Some(uri.path()))?);
        let port = uri.port_u16().map_or(-1, c_int::from);
        let raw = &policy.0;
        let way = (raw.decide)(raw.context, scheme.as_ptr(), host.as_ptr(), port, path.as_ptr());
        Ok((policy, way))
    }

    fn send(&self, request: Request<WasiBody>, limits: TimeLimits) -> Sent<Sending> {
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid); // that is for proxies
        }
        let (policy, way) = self.decide(request.uri())?;
        match (way, policy.0.begin) {
            (NETWORK, _) => Ok(Box::new(async move {
                let uri = request.uri();
                let destination = format!(
                    "{}://{}",
                    uri.scheme_str().unwrap_or_default(),
                    uri.authority().map_or("", |a| a.as_str())
                );
                let check = policy.clone();
                let sent = client::send(request, limits, &move |address| check.allows(address, ADDRESS_HTTP)).await;
                let response = sent.inspect_err(|error| policy.report(&destination, error))?;
                Ok((response.map(BodyExt::boxed_unsync), nothing()))
            })),
            // Where the call is over there is nothing that its guest's request could be a part of.
            (IN_PROCESS, Some(begin)) if self.callers.is_none() || !self.caller.0.is_null() => {
                let (outgoing, answered) = weir_outgoing_t::new(request);
                begin(policy.0.context, self.caller.0, Box::into_raw(Box::new(outgoing)));
                Ok(Box::new(async move {
                    let answer = tokio::time::timeout(limits.first_byte, answered).await;
                    let response = match answer {
                        Err(_) => return Err(Error::ConnectionReadTimeout),
                        Ok(Err(_)) => return Err(Error::ConnectionTerminated),
                        Ok(Ok(response)) => response?,
                    };
                    let limited = |body| Limited::new(body, limits.between_bytes).boxed_unsync();
                    Ok((response.map(limited), nothing()))
                }))
            }
            _ => Err(Error::HttpRequestDenied),
        }
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(&mut self, request: Request<WasiBody>, options: Option<RequestOptions>, _: Work) -> Sending {
        let mut request = request.map(|body| Drained(Some(body)).boxed_unsync());
        if !self.added.keys().any(|name| request.headers().contains_key(name)) {
            request.headers_mut().extend(self.added.clone());
        }
        let limits = TimeLimits {
            connect: options.and_then(|options| options.connect_timeout).unwrap_or(DEFAULTS.connect),
            first_byte: options.and_then(|options| options.first_byte_timeout).unwrap_or(DEFAULTS.first_byte),
            between_bytes: options.and_then(|options| options.between_bytes_timeout).unwrap_or(DEFAULTS.between_bytes),
        };
        self.send(request, limits).unwrap_or_else(|error| Box::new(std::future::ready(Err(error))))
    }

    // With the one chunk that is being written and the one in the channel this bounds what a body holds here.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
    }
}

/// A request's body. What of it nobody wants is read all the same: the guest's stream stays open until the guest has
/// ended it, where an early end (of a GET that has no body, of a request that failed) looks like a failure to SDKs.
struct Drained(Option<WasiBody>);

impl Body for Drained {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Sent<Frame<Bytes>>>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(mut rest), Ok(runtime)) = (rest, runtime()) {
            // Until the guest ends it, at the latest with its instance.
            runtime.spawn(async move { while let Some(Ok(_)) = rest.frame().await {} });
        }
    }
}

// ---- wasi:http, with requests that name no host

/// A component's way out. Wasmtime takes no request without an authority, so one is put in. It has no host in requests of
/// Spin's SDK for Python, whose authority is ":443" (as in Spin's crates/factor-outbound-http/src/wasi.rs).
fn handle(
    mut store: StoreContextMut<'_, ComponentState>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> Result<(std::result::Result<Resource<HostFutureIncomingResponse>, ErrorCode>,)> {
    attribute(&mut store)?;
    let mut http = store.data_mut().http();
    let authority = &mut http.table.get_mut(&request)?.authority;
    if authority.as_ref().is_none_or(|authority| authority.is_empty() || authority.starts_with(':')) {
        *authority = Some(SELF_HOST.to_string());
    }
    match outgoing_handler::Host::handle(&mut http, request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

pub fn add_to_linker(linker: &mut Linker<ComponentState>) -> Result<()> {
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", handle)?;
    types::add_to_linker::<_, WasiHttp>(linker, &LinkOptions::default().into(), ComponentState::http)
}

pub fn add_to_linker_p3(linker: &mut Linker<ComponentState>) -> Result<()> {
    linker.instance("wasi:http/client@0.3.0")?.func_wrap_concurrent(
        "send",
        |accessor, (request,): (Resource<p3::Request>,)| {
            Box::pin(async move {
                accessor.with(|mut store| attribute(&mut store.as_context_mut()))?;
                let accessor = accessor.with_getter::<WasiHttp>(ComponentState::http);
                // Its first step asks `send_request`, before anything else can run.
                match WasiHttp::send(&accessor, request).await {
                    Ok(response) => Ok((Ok(response),)),
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )
}

//! Compiled code, and a service: a guest whose code is loaded, linked and ready to be instantiated for each call.

use crate::engine;
use crate::ffi::{borrow, drop_guarded, guard_result, weir_bytes_t, weir_pair_t};
use crate::inspect::{COMPONENT, MODULE};
use crate::output::{OutputCallback, Sink};
use crate::threads;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use wasmparser::Parser;
use wasmtime_c_api::wasmtime::component::{Component, Linker as ComponentLinker, ResourceTable};
use wasmtime_c_api::wasmtime::{
    self, CodeBuilder, Engine, Error, InstancePre, Linker, Module, Precompiled, Result, Store, StoreLimits,
    StoreLimitsBuilder, format_err,
};
use wasmtime_c_api::{wasm_byte_vec_t, wasm_engine_t, wasmtime_error_t};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::{RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

/// What stands behind the store of a component's instance.
pub struct ComponentState {
    pub wasi: WasiCtx,
    pub http: WasiHttpCtx,
    pub hooks: Outbound,
    pub table: ResourceTable,
    pub limits: StoreLimits,
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for ComponentState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// What stands behind the store of a module's instance.
pub struct ModuleState {
    pub wasi: WasiP1Ctx,
    pub limits: StoreLimits,
}

/// The policy for requests that guests make: none is allowed.
pub struct Outbound;

type Sent<T> = std::result::Result<T, wasmtime_wasi_http::Error>;
type Work = Box<dyn Future<Output = Sent<()>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        _: hyper::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Work,
    ) -> Box<dyn Future<Output = Sent<(hyper::Response<WasiBody>, Work)>> + Send> {
        Box::new(std::future::ready(Err(wasmtime_wasi_http::Error::HttpRequestDenied)))
    }

    // With the one chunk that is being written and the one in the channel this bounds what a response holds here.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
    }
}

/// What every call of a service shares.
#[derive(Clone)]
pub struct Settings {
    environment: Vec<(String, String)>,
    pub sink: Sink,
    max_memory_bytes: u64,
}

impl Settings {
    pub fn limits(&self) -> StoreLimits {
        let builder = StoreLimitsBuilder::new();
        match usize::try_from(self.max_memory_bytes) {
            Ok(0) | Err(_) => builder.build(),
            Ok(most) => builder.memory_size(most).build(),
        }
    }

    /// WASI for one instance: this service's environment, no files, no network, standard streams as given by the caller.
    pub fn wasi(&self) -> WasiCtxBuilder {
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment);
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        builder
    }
}

/// A guest of either kind, linked.
#[derive(Clone)]
pub enum Linked {
    Component(ProxyPre<ComponentState>),
    Module(InstancePre<ModuleState>),
}

pub struct weir_service_t {
    pub linked: Linked,
    pub settings: Settings,
}

#[repr(C)]
pub struct weir_service_settings_t {
    size: usize,
    environment: *const weir_pair_t,
    environment_count: usize,
    output: Option<OutputCallback>,
    output_context: *mut c_void,
    max_memory_bytes: u64,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_code_compile(
    engine: *const wasm_engine_t,
    wasm: weir_bytes_t,
    ret_code: *mut wasm_byte_vec_t,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        let bytes = unsafe { wasm.as_slice() };
        threads::compilers()?;
        let mut builder = CodeBuilder::new(unsafe { engine::view(engine) });
        builder.wasm_binary(bytes, None)?;
        let code = if Parser::is_component(bytes) {
            builder.compile_component_serialized()?
        } else {
            builder.compile_module_serialized()?
        };
        unsafe { ret_code.write(code.into()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_new_from_file(
    engine: *const wasm_engine_t,
    path: *const c_char,
    settings: *const weir_service_settings_t,
    ret_service: *mut *mut weir_service_t,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        let engine = unsafe { engine::view(engine) };
        let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
        let linked = match Engine::detect_precompiled_file(path)? {
            Some(Precompiled::Component) => link_component(&unsafe { Component::deserialize_file(engine, path)? })?,
            Some(Precompiled::Module) => link_module(&unsafe { Module::deserialize_file(engine, path)? })?,
            None => return Err(format_err!("not code that Wasmtime has compiled")),
        };
        unsafe { finish(linked, settings, ret_service) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_new_from_bytes(
    engine: *const wasm_engine_t,
    code: weir_bytes_t,
    settings: *const weir_service_settings_t,
    ret_service: *mut *mut weir_service_t,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        let (engine, code) = unsafe { (engine::view(engine), code.as_slice()) };
        let linked = match Engine::detect_precompiled(code) {
            Some(Precompiled::Component) => link_component(&unsafe { Component::deserialize(engine, code)? })?,
            Some(Precompiled::Module) => link_module(&unsafe { Module::deserialize(engine, code)? })?,
            None => return Err(format_err!("not code that Wasmtime has compiled")),
        };
        unsafe { finish(linked, settings, ret_service) }
    })
}

unsafe fn finish(
    linked: Linked,
    settings: *const weir_service_settings_t,
    ret_service: *mut *mut weir_service_t,
) -> Result<()> {
    threads::runtime()?;
    let settings = unsafe { read_settings(&*settings)? };
    unsafe { *ret_service = Box::into_raw(Box::new(weir_service_t { linked, settings })) };
    Ok(())
}

unsafe fn read_settings(settings: &weir_service_settings_t) -> Result<Settings> {
    if settings.size != size_of::<weir_service_settings_t>() {
        return Err(format_err!(
            "weir_service_settings_t has {} bytes here, not {}",
            size_of::<weir_service_settings_t>(),
            settings.size
        ));
    }
    let environment = unsafe { read_environment(settings.environment, settings.environment_count)? };
    Ok(Settings {
        environment,
        sink: Sink::new(settings.output, settings.output_context),
        max_memory_bytes: settings.max_memory_bytes,
    })
}

unsafe fn read_environment(first: *const weir_pair_t, count: usize) -> Result<Vec<(String, String)>> {
    unsafe { borrow(first, count) }
        .iter()
        .map(|pair| unsafe {
            let name = pair.name.as_text("the name of an environment variable")?;
            let value = pair.value.as_text("the value of an environment variable")?;
            Ok((name.to_string(), value.to_string()))
        })
        .collect()
}

fn link_component(component: &Component) -> Result<Linked> {
    let mut linker = ComponentLinker::<ComponentState>::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(Linked::Component(ProxyPre::new(linker.instantiate_pre(component)?)?))
}

fn link_module(module: &Module) -> Result<Linked> {
    let mut linker = Linker::<ModuleState>::new(module.engine());
    p1::add_to_linker_async(&mut linker, |state| &mut state.wasi)?;
    Ok(Linked::Module(linker.instantiate_pre(module)?))
}

/// A store whose guest gives its thread back at every tick of the engine's epoch.
pub fn store<T: 'static>(engine: &Engine, state: T, limits: fn(&mut T) -> &mut StoreLimits) -> Store<T> {
    let mut store = Store::new(engine, state);
    store.limiter(move |state| limits(state) as &mut dyn wasmtime::ResourceLimiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_kind(service: *const weir_service_t) -> c_int {
    match unsafe { &(*service).linked } {
        Linked::Component(_) => COMPONENT,
        Linked::Module(_) => MODULE,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_free(own_service: *mut weir_service_t) {
    if !own_service.is_null() {
        drop_guarded(unsafe { Box::from_raw(own_service) });
    }
}

/// An error's own words, without the backtrace that Wasmtime puts around a trap.
pub fn words(error: &Error) -> String {
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{error:#}"),
    }
}

//! Compiled code, and a service: a guest whose code is loaded, linked and ready to be instantiated for each call.

use crate::engine;
use crate::ffi::{borrow, check_size, drop_guarded, guard_result, weir_bytes_t, weir_pair_t};
use crate::host::{self, Host, HostInstance, weir_host_t};
use crate::idle::{self, Instances};
use crate::imports::{self, Missing, MissingCallback};
use crate::outbound::{self, Outbound, Reach, weir_outbound_policy_t};
use crate::output::{OutputCallback, Sink};
use crate::sockets;
use crate::threads;
use crate::variables::{self, Variables};
use crate::worker::{Workers, weir_reuse_t};
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmparser::Parser;
use wasmtime_c_api::wasmtime::component::{Component, Linker as ComponentLinker, ResourceTable};
use wasmtime_c_api::wasmtime::error::Context as _;
use wasmtime_c_api::wasmtime::{
    self, CodeBuilder, Engine, Error, InstancePre, Linker, Module, Precompiled, ResourceLimiter, Result, Store,
    WasmBacktrace, format_err,
};
use wasmtime_c_api::{wasm_byte_vec_t, wasm_engine_t, wasmtime_error_t};
use wasmtime_wasi::filesystem::FsPerms;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What stands behind the store of a component's instance.
pub struct ComponentState {
    pub wasi: WasiCtx,
    pub http: WasiHttpCtx,
    pub hooks: Outbound,
    pub table: ResourceTable,
    pub limits: Limits,
    pub host: HostInstance,
}

/// What tables may hold together where memories may hold more, in bytes.
const TABLES_MAX: usize = 64 << 20;

/// Something that grows in several places, and may not grow beyond a sum. What was allowed and then could not be had
/// stays counted: Wasmtime tells of failures that it never asked about, too, so taking back would forget what is there.
#[derive(Default)]
struct Sum {
    most: usize,
    used: usize,
}

impl Sum {
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let more = desired - current;
        let allowed = more <= self.most - self.used && maximum.is_none_or(|maximum| desired <= maximum);
        self.used += if allowed { more } else { 0 };
        Ok(allowed)
    }
}

/// What an instance may hold in all its memories together, and in all its tables. Wasmtime's own bounds each by itself.
pub struct Limits {
    memories: Sum,
    tables: Sum,
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.memories.grow(current, desired, maximum)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.tables.grow(current, desired, maximum)
    }
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
    pub limits: Limits,
}

/// A directory of the host as guests see it.
struct Mount {
    host_path: PathBuf,
    guest_path: String,
    permissions: FsPerms,
}

/// What every call of a service shares.
pub struct Settings {
    environment: Vec<(String, String)>,
    mounts: Vec<Mount>,
    variables: Variables,
    pub sink: Sink,
    max_memory_bytes: u64,
    pub reach: Reach,
}

impl Settings {
    pub fn limits(&self) -> Limits {
        let given = usize::try_from(self.max_memory_bytes).ok().filter(|most| *most > 0);
        let most = given.unwrap_or(usize::MAX);
        Limits {
            memories: Sum { most, ..Sum::default() },
            tables: Sum { most: most.min(TABLES_MAX) / size_of::<usize>(), ..Sum::default() },
        }
    }

    /// WASI for one instance: this service's environment and files, standard streams as given by the caller.
    pub fn wasi(&self) -> Result<WasiCtxBuilder> {
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment);
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false); // unless `reach` says so
        for mount in &self.mounts {
            builder
                .preopened_dir(&mount.host_path, &mount.guest_path, mount.permissions)
                .with_context(|| format!("the directory {:?} cannot be opened", mount.host_path))?;
        }
        Ok(builder)
    }
}

/// A guest of any kind, linked.
pub enum Linked {
    Component(ProxyPre<ComponentState>),               // wasi:http/incoming-handler@0.2
    Handler(ServicePre<ComponentState>, Arc<Workers>), // wasi:http/handler@0.3
    Command(CommandPre<ComponentState>),
    Module(InstancePre<ModuleState>),
}

pub struct weir_service_t {
    pub linked: Linked,
    pub settings: Settings,
    pub instances: Arc<Instances>, // its engine's
}

#[repr(C)]
pub struct weir_service_settings_t {
    size: usize,
    environment: *const weir_pair_t,
    environment_count: usize,
    output: Option<OutputCallback>,
    output_context: *mut c_void,
    max_memory_bytes: u64,
    command: bool,
    mounts: *const weir_mount_t,
    mount_count: usize,
    variables: *const weir_pair_t,
    variable_count: usize,
    trap_unknown_imports: bool,
    unknown_import: Option<MissingCallback>,
    unknown_import_context: *mut c_void,
    outbound: *const weir_outbound_policy_t,
    reuse: weir_reuse_t,
    host: *const weir_host_t,
}

#[repr(C)]
pub struct weir_mount_t {
    host_path: *const c_char,
    guest_path: *const c_char,
    writable: bool,
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
        let code = match Engine::detect_precompiled_file(path)? {
            Some(Precompiled::Component) => Code::Component(unsafe { Component::deserialize_file(engine, path)? }),
            Some(Precompiled::Module) => Code::Module(unsafe { Module::deserialize_file(engine, path)? }),
            None => return Err(format_err!("not code that Wasmtime has compiled")),
        };
        unsafe { finish(&code, settings, ret_service) }
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
        let code = match Engine::detect_precompiled(code) {
            Some(Precompiled::Component) => Code::Component(unsafe { Component::deserialize(engine, code)? }),
            Some(Precompiled::Module) => Code::Module(unsafe { Module::deserialize(engine, code)? }),
            None => return Err(format_err!("not code that Wasmtime has compiled")),
        };
        unsafe { finish(&code, settings, ret_service) }
    })
}

enum Code {
    Component(Component),
    Module(Module),
}

impl Code {
    fn engine(&self) -> &Engine {
        match self {
            Code::Component(component) => component.engine(),
            Code::Module(module) => module.engine(),
        }
    }
}

unsafe fn finish(
    code: &Code,
    settings: *const weir_service_settings_t,
    ret_service: *mut *mut weir_service_t,
) -> Result<()> {
    threads::runtime()?;
    let given = unsafe { &*settings };
    let mut settings = unsafe { read_settings(given)? };
    settings.wasi()?; // whether its files are there is known now
    let missing = Missing {
        all: given.trap_unknown_imports,
        callback: given.unknown_import,
        context: given.unknown_import_context,
    };
    let instances = idle::of(code.engine(), given.reuse.max_instances);
    let host = unsafe { Host::new(given.host)? };
    let linked = match code {
        Code::Component(component) => {
            let mut linker = linker(component.engine(), &settings.variables)?;
            if let Some(host) = &host {
                unsafe { host::add_to_linker(&mut linker, host)? };
            }
            link_component(linker, component, given.command, &missing, &given.reuse, &instances)?
        }
        Code::Module(module) => link_module(module, &missing)?,
    };
    // Last: from here on the policy, and what the host provides, are the service's to release.
    settings.reach = unsafe { Reach::new(given.outbound)? };
    if let Some(host) = host {
        host.take_over();
    }
    unsafe { *ret_service = Box::into_raw(Box::new(weir_service_t { linked, settings, instances })) };
    Ok(())
}

unsafe fn read_settings(settings: &weir_service_settings_t) -> Result<Settings> {
    check_size::<weir_service_settings_t>(settings.size)?;
    let (environment, variables, mounts) = unsafe {
        (
            read_pairs(settings.environment, settings.environment_count, "an environment variable")?,
            read_pairs(settings.variables, settings.variable_count, "a variable")?,
            borrow(settings.mounts, settings.mount_count),
        )
    };
    let mounts = mounts.iter().map(|mount| unsafe { read_mount(mount) });
    Ok(Settings {
        environment,
        mounts: mounts.collect::<Result<_>>()?,
        variables: Arc::new(variables),
        sink: Sink::new(settings.output, settings.output_context),
        max_memory_bytes: settings.max_memory_bytes,
        reach: Reach::default(),
    })
}

unsafe fn read_mount(mount: &weir_mount_t) -> Result<Mount> {
    let (host_path, guest_path) = unsafe { (CStr::from_ptr(mount.host_path), CStr::from_ptr(mount.guest_path)) };
    Ok(Mount {
        host_path: PathBuf::from(OsStr::from_bytes(host_path.to_bytes())),
        guest_path: guest_path.to_str().context("the path of a directory in the guest")?.to_string(),
        permissions: if mount.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly },
    })
}

unsafe fn read_pairs(first: *const weir_pair_t, count: usize, of: &str) -> Result<Vec<(String, String)>> {
    unsafe { borrow(first, count) }
        .iter()
        .map(|pair| unsafe {
            let name = pair.name.as_text(&format!("the name of {of}"))?;
            let value = pair.value.as_text(&format!("the value of {of}"))?;
            Ok((name.to_string(), value.to_string()))
        })
        .collect()
}

/// What all components are provided with.
fn linker(engine: &Engine, variables: &Variables) -> Result<ComponentLinker<ComponentState>> {
    let mut linker = ComponentLinker::<ComponentState>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    outbound::add_to_linker(&mut linker)?;
    let concurrent = engine.get_concurrency_support();
    if concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        p3::add_to_linker(&mut linker)?;
    }
    linker.allow_shadowing(true);
    sockets::add_to_linker(&mut linker)?;
    if concurrent {
        sockets::add_to_linker_p3(&mut linker)?;
        outbound::add_to_linker_p3(&mut linker)?;
    }
    linker.allow_shadowing(false);
    variables::add_to_linker(&mut linker, variables)?;
    Ok(linker)
}

fn link_component(
    mut linker: ComponentLinker<ComponentState>,
    component: &Component,
    command: bool,
    missing: &Missing,
    reuse: &weir_reuse_t,
    instances: &Arc<Instances>,
) -> Result<Linked> {
    let linked = imports::link_component(&mut linker, component, missing)?;
    let handles = |name: &str| component.get_export_index(None, name).is_some();
    Ok(if command {
        Linked::Command(CommandPre::new(linked)?)
    } else if handles("wasi:http/handler@0.3.0") {
        instances.reuse();
        Linked::Handler(ServicePre::new(linked)?, Arc::new(Workers::new(*reuse, instances.clone())))
    } else {
        Linked::Component(ProxyPre::new(linked)?)
    })
}

fn link_module(module: &Module, missing: &Missing) -> Result<Linked> {
    let mut linker = Linker::<ModuleState>::new(module.engine());
    p1::add_to_linker_async(&mut linker, |state| &mut state.wasi)?;
    Ok(Linked::Module(imports::link_module(&mut linker, module, missing)?))
}

/// A store whose guest gives its thread back at every tick of the engine's epoch.
pub fn store<T: 'static>(engine: &Engine, state: T, limits: fn(&mut T) -> &mut Limits) -> Store<T> {
    let mut store = Store::new(engine, state);
    store.limiter(move |state| limits(state) as &mut dyn ResourceLimiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_is_command(service: *const weir_service_t) -> bool {
    !matches!(unsafe { &(*service).linked }, Linked::Component(_) | Linked::Handler(..))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_service_free(own_service: *mut weir_service_t) {
    if !own_service.is_null() {
        drop_guarded(unsafe { Box::from_raw(own_service) });
    }
}

/// An error's own words, without the backtrace that Wasmtime puts around what ends a guest.
pub fn words(error: &Error) -> String {
    if let Some(trap) = error.downcast_ref::<wasmtime::Trap>() {
        return trap.to_string();
    }
    let skipped = usize::from(error.is::<WasmBacktrace>());
    error.chain().skip(skipped).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

//! Functions that C provides to guests beyond WASI: each is called with values, and answered once, by any thread.
//! Contracts are C's; here their values are turned into Wasmtime's, and back, by the types that they have there.

use crate::ffi::{borrow, check_size, guard, one_line};
use crate::service::ComponentState;
use crate::values::{Arguments, BucketError, ContractError, Lowering, StoreError, Value, weir_value_t};
use futures::channel::oneshot;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use wasmtime_c_api::wasmtime::component::types::ComponentFunc;
use wasmtime_c_api::wasmtime::component::{Access, Linker, LinkerInstance, ResourceDynamic, ResourceType, Val};
use wasmtime_c_api::wasmtime::error::Context as _;
use wasmtime_c_api::wasmtime::{AsContextMut, Result, StoreContextMut, format_err};

/// How many calls of one instance C may have at once.
const CALLS_MAX: u32 = 1024;

type CallCallback =
    extern "C" fn(*mut c_void, *mut c_void, *mut weir_host_call_t, arguments: *const weir_value_t, count: usize);

/// What a function's types are, where they are known: a byte of a list costs some 40 ns and 40 bytes otherwise.
#[repr(C)]
#[allow(dead_code)] // C makes them
#[derive(Clone, Copy, PartialEq)]
pub enum weir_host_shape_t {
    Any = 0,
    GetBytes = 1,
    SetBytes = 2,
}

#[repr(C)]
pub struct weir_host_function_t {
    name: *const c_char,
    is_async: bool,
    call: CallCallback,
    shape: weir_host_shape_t,
}

#[repr(C)]
pub struct weir_host_resource_t {
    name: *const c_char,
    drop: extern "C" fn(*mut c_void, u32),
}

#[repr(C)]
pub struct weir_host_interface_t {
    name: *const c_char,
    functions: *const weir_host_function_t,
    function_count: usize,
    resources: *const weir_host_resource_t,
    resource_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_host_t {
    size: usize,
    interfaces: *const weir_host_interface_t,
    interface_count: usize,
    context: *mut c_void,
    new_instance: extern "C" fn(*mut c_void) -> *mut c_void,
    free_instance: extern "C" fn(*mut c_void),
    release: Option<extern "C" fn(*mut c_void)>,
}

/// What C provides, released with the last who uses it, once it was taken over.
pub struct Host(weir_host_t, AtomicBool);

// The header requires of C that these may be used from any thread.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(release) = self.0.release
            && self.1.load(Relaxed)
        {
            release(self.0.context);
        }
    }
}

impl Host {
    /// Safety: NULL, or what the header wants.
    pub unsafe fn new(host: *const weir_host_t) -> Result<Option<Arc<Host>>> {
        if host.is_null() {
            return Ok(None);
        }
        check_size::<weir_host_t>(unsafe { (*host).size })?;
        Ok(Some(Arc::new(Host(unsafe { *host }, AtomicBool::new(false)))))
    }

    /// From now on it is released here.
    pub fn take_over(&self) {
        self.1.store(true, Relaxed);
    }
}

/// What C keeps for an instance, made with the first call.
#[derive(Default)]
pub struct HostInstance(Option<Kept>);

struct Kept {
    host: Arc<Host>,
    instance: *mut c_void,
    calls: Arc<AtomicU32>, // under way
}

// The header requires of C that an instance may be used from any thread; one at a time has it.
unsafe impl Send for HostInstance {}

impl HostInstance {
    fn get(&mut self, host: &Arc<Host>) -> Result<&Kept> {
        if self.0.is_none() {
            let instance = (host.0.new_instance)(host.0.context);
            if instance.is_null() {
                return Err(format_err!("memory ran out for what the host keeps for it"));
            }
            self.0 = Some(Kept { host: host.clone(), instance, calls: Arc::default() });
        }
        self.0.as_ref().context("no instance")
    }
}

impl Drop for HostInstance {
    fn drop(&mut self) {
        if let Some(kept) = self.0.take() {
            (kept.host.0.free_instance)(kept.instance);
        }
    }
}

// ---- Calls

/// A call that C has not answered yet.
pub struct weir_host_call_t(oneshot::Sender<Answer>);

type Answer = std::result::Result<Value, String>;

/// A call that the guest waits for.
struct Awaited {
    receiver: oneshot::Receiver<Answer>,
    calls: Arc<AtomicU32>,
}

impl Awaited {
    async fn answer(mut self) -> Answer {
        let answer = (&mut self.receiver).await;
        answer.unwrap_or_else(|_| Err("the host gave no answer".to_string()))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.calls.fetch_sub(1, Relaxed);
    }
}

/// A function as it is linked.
struct Function {
    host: Arc<Host>,
    call: CallCallback,
    name: String,
    resources: Vec<(ResourceType, u32)>, // of its interface: what Wasmtime calls them, and we
}

impl Function {
    fn begin(&self, mut store: StoreContextMut<'_, ComponentState>, parameters: &[Val]) -> Result<Awaited> {
        let mut arguments = Arguments::default();
        let values = parameters.iter().map(|val| arguments.value(val, &mut store)).collect::<Result<Vec<_>>>();
        self.begin_with(store, &values.with_context(|| format!("calling {}", self.name))?)
    }

    fn begin_with(&self, mut store: StoreContextMut<'_, ComponentState>, values: &[weir_value_t]) -> Result<Awaited> {
        let kept = store.data_mut().host.get(&self.host)?;
        if kept.calls.fetch_add(1, Relaxed) >= CALLS_MAX {
            kept.calls.fetch_sub(1, Relaxed);
            return Err(format_err!("it called {} while {CALLS_MAX} calls of the host are under way", self.name));
        }
        let (sender, receiver) = oneshot::channel();
        let awaited = Awaited { receiver, calls: kept.calls.clone() };
        let call = Box::into_raw(Box::new(weir_host_call_t(sender)));
        (self.call)(self.host.0.context, kept.instance, call, values.as_ptr(), values.len());
        Ok(awaited)
    }

    /// The answer of a function whose types are known.
    fn end_with<T, E: ContractError>(
        &self,
        answer: Answer,
        payload: fn(Value) -> Result<T>,
    ) -> Result<(std::result::Result<T, E>,)> {
        let ended = match answer {
            Ok(Value::Result(Ok(value))) => payload(*value).map(Ok),
            Ok(Value::Result(Err(error))) => E::from_value(*error).map(Err),
            Ok(_) => Err(format_err!("the host answered with a value of another type")),
            Err(why) => Err(format_err!("{why}")),
        };
        Ok((ended.with_context(|| format!("answering {}", self.name))?,))
    }

    fn end(
        &self,
        mut store: StoreContextMut<'_, ComponentState>,
        kind: &ComponentFunc,
        answer: Answer,
        results: &mut [Val],
    ) -> Result<()> {
        let value = answer.map_err(|why| format_err!("{}: {why}", self.name))?;
        match (results, kind.results().next()) {
            ([], None) => Ok(()),
            ([result], Some(kind)) => {
                let mut lowering = Lowering { store: &mut store, resources: &self.resources };
                *result = value.to_val(&kind, &mut lowering).with_context(|| format!("answering {}", self.name))?;
                Ok(())
            }
            _ => Err(format_err!("it imports {} as of another type", self.name)),
        }
    }
}

/// Copy an answer of C's; a panic in between becomes the answer.
fn send(call: weir_host_call_t, answer: impl FnOnce() -> Answer) {
    let answer = guard(answer, Err);
    _ = call.0.send(answer); // or the guest is gone
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_host_call_answer(own_call: *mut weir_host_call_t, result: *const weir_value_t) {
    let call = unsafe { *Box::from_raw(own_call) };
    send(call, || Ok(if result.is_null() { Value::None } else { unsafe { Value::copy(&*result) } }));
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_host_call_trap(own_call: *mut weir_host_call_t, why: *const c_char) {
    let call = unsafe { *Box::from_raw(own_call) };
    send(call, || Err(one_line(&unsafe { CStr::from_ptr(why) }.to_string_lossy())));
}

// ---- Linking

/// Safety: its interfaces are as the header wants them.
pub unsafe fn add_to_linker(linker: &mut Linker<ComponentState>, host: &Arc<Host>) -> Result<()> {
    static RESOURCES: AtomicU32 = AtomicU32::new(1);
    let interfaces = unsafe { borrow(host.0.interfaces, host.0.interface_count) };
    let concurrent = linker.engine().get_concurrency_support();
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().context("a name");
    // An interface may use the resources of those before it.
    let mut resources = Vec::new();
    for interface in interfaces {
        let interface_name = text(interface.name)?;
        let mut instance = linker.instance(interface_name)?;
        let is_wasi = interface_name.starts_with("wasi:");
        for resource in unsafe { borrow(interface.resources, interface.resource_count) } {
            let number = RESOURCES.fetch_add(1, Relaxed);
            let drop = resource.drop;
            resources.push((ResourceType::host_dynamic(number), number));
            instance.resource(text(resource.name)?, ResourceType::host_dynamic(number), move |store, number| {
                if let Some(kept) = &store.data().host.0 {
                    drop(kept.instance, number);
                }
                Ok(())
            })?;
        }
        for function in unsafe { borrow(interface.functions, interface.function_count) } {
            let name = text(function.name)?;
            let linked = Arc::new(Function {
                host: host.clone(),
                call: function.call,
                name: format!("{interface_name}#{name}"),
                resources: resources.clone(),
            });
            if function.is_async && !concurrent {
                continue;
            }
            match function.shape {
                weir_host_shape_t::Any => add_any(&mut instance, name, function.is_async, linked)?,
                shape if is_wasi => add_typed::<BucketError>(&mut instance, name, function.is_async, shape, linked)?,
                shape => add_typed::<StoreError>(&mut instance, name, function.is_async, shape, linked)?,
            }
        }
    }
    Ok(())
}

/// Link a function whose types are what a component says.
fn add_any(
    instance: &mut LinkerInstance<'_, ComponentState>,
    name: &str,
    is_async: bool,
    linked: Arc<Function>,
) -> Result<()> {
    if is_async {
        return instance.func_new_concurrent(name, move |accessor, kind, parameters, results| {
            let linked = linked.clone();
            Box::pin(async move {
                let begun = accessor.with(|mut access| linked.begin(access.as_context_mut(), parameters))?;
                let answer = begun.answer().await;
                accessor.with(|mut access| linked.end(access.as_context_mut(), &kind, answer, results))
            })
        });
    }
    instance.func_new_async(name, move |mut store, kind, parameters, results| {
        let linked = linked.clone();
        Box::new(async move {
            let begun = linked.begin(store.as_context_mut(), parameters)?;
            let answer = begun.answer().await;
            linked.end(store, &kind, answer, results)
        })
    })
}

type Key = (ResourceDynamic, String);
type KeyAndBytes = (ResourceDynamic, String, Vec<u8>);

fn get_arguments((resource, key): &Key) -> [weir_value_t; 2] {
    [weir_value_t::integer(resource.rep().into()), weir_value_t::text(key)]
}

fn set_arguments((resource, key, bytes): &KeyAndBytes) -> [weir_value_t; 3] {
    [weir_value_t::integer(resource.rep().into()), weir_value_t::text(key), weir_value_t::bytes(bytes)]
}

/// Link a function whose types are known, with the error of its contract.
fn add_typed<E: ContractError>(
    instance: &mut LinkerInstance<'_, ComponentState>,
    name: &str,
    is_async: bool,
    shape: weir_host_shape_t,
    linked: Arc<Function>,
) -> Result<()> {
    match (shape, is_async) {
        (weir_host_shape_t::SetBytes, false) => instance.func_wrap_async(name, move |store, given: KeyAndBytes| {
            let linked = linked.clone();
            Box::new(async move {
                let begun = linked.begin_with(store, &set_arguments(&given))?;
                let answer = begun.answer().await;
                linked.end_with::<_, E>(answer, |_| Ok(()))
            })
        }),
        (weir_host_shape_t::SetBytes, true) => {
            instance.func_wrap_concurrent(name, move |accessor, given: KeyAndBytes| {
                let linked = linked.clone();
                Box::pin(async move {
                    let begin = |mut access: Access<'_, ComponentState>| {
                        linked.begin_with(access.as_context_mut(), &set_arguments(&given))
                    };
                    let answer = accessor.with(begin)?.answer().await;
                    linked.end_with::<_, E>(answer, |_| Ok(()))
                })
            })
        }
        (_, false) => instance.func_wrap_async(name, move |store, given: Key| {
            let linked = linked.clone();
            Box::new(async move {
                let begun = linked.begin_with(store, &get_arguments(&given))?;
                let answer = begun.answer().await;
                linked.end_with::<_, E>(answer, Value::into_optional_bytes)
            })
        }),
        (_, true) => instance.func_wrap_concurrent(name, move |accessor, given: Key| {
            let linked = linked.clone();
            Box::pin(async move {
                let begin = |mut access: Access<'_, ComponentState>| {
                    linked.begin_with(access.as_context_mut(), &get_arguments(&given))
                };
                let answer = accessor.with(begin)?.answer().await;
                linked.end_with::<_, E>(answer, Value::into_optional_bytes)
            })
        }),
    }
}

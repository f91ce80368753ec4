//! The threads that the bridge needs: one drives timers and sockets, some compile, and those of C run guests. What the
//! system refuses of them is an error in words, although Tokio and Wasmtime panic.

use crate::ffi::{guard, one_line};
use std::cell::Cell;
use std::ffi::{CString, c_char};
use std::panic::PanicHookInfo;
use std::sync::{Mutex, OnceLock, PoisonError};
use tokio::runtime::{Builder, Runtime};
use wasmtime_c_api::wasmtime::{Engine, Result, format_err};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

#[unsafe(no_mangle)]
pub extern "C" fn weir_bridge_tell_panics(tell: extern "C" fn(line: *const c_char)) {
    let hook = move |panic: &PanicHookInfo<'_>| {
        if !IS_QUIET.get() {
            let line = CString::new(one_line(&panic.to_string())).unwrap_or_default();
            tell(line.as_ptr());
        }
    };
    guard(|| std::panic::set_hook(Box::new(hook)), |_| ());
}

/// Start threads; a panic on this one is not reported but becomes the error.
fn start<T>(what: &str, body: impl FnOnce() -> std::result::Result<T, String>) -> Result<T> {
    IS_QUIET.set(true);
    let started = guard(body, Err);
    IS_QUIET.set(false);
    // Tokio puts words of its own before the system's.
    started.map_err(|text| format_err!("{what} could not be started: {}", text.rsplit("thread: ").next().unwrap_or("")))
}

/// The runtime that drives timers and sockets; calls are polled elsewhere, on the threads that own them. It is made
/// with the first service, so that a process that only makes engines keeps one thread.
pub fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    made(&RUNTIME, "the thread for timers and sockets", "weir-timers", 16)
}

/// The one that looks names up for guests' sockets, so that a resolver that hangs holds up no file.
pub fn lookups() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    made(&RUNTIME, "the thread for looking names up", "weir-lookups", 8)
}

fn made(
    cell: &'static OnceLock<Runtime>,
    what: &str,
    name: &'static str,
    blocking_threads: usize,
) -> Result<&'static Runtime> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = if cell.get().is_none() { Some(MAKING.lock().unwrap_or_else(PoisonError::into_inner)) } else { None };
    if let Some(runtime) = cell.get() {
        return Ok(runtime);
    }
    let made = start(what, || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(blocking_threads).enable_all();
        builder.thread_name(name).thread_stack_size(512 * 1024);
        builder.build().map_err(|error| error.to_string())
    })?;
    Ok(cell.get_or_init(|| made))
}

/// Start the threads that compile, once; Wasmtime would do it itself, and panic. What is refused once stays refused:
/// their pool can be made but once in a process.
pub fn compilers() -> Result<()> {
    static POOL: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let build = || rayon::ThreadPoolBuilder::new().build_global().map_err(|error| error.to_string());
    start("the threads for compiling", || POOL.get_or_init(build).clone())
}

#[unsafe(no_mangle)]
pub extern "C" fn weir_thread_prepare() -> bool {
    let prepare = || {
        Engine::tls_eager_initialize();
        Ok(())
    };
    start("handlers of signals", prepare).is_ok()
}

//! Engines that say no instead of ending the process, and the pool's knobs and figures that the C API leaves out.

use crate::ffi::{drop_guarded, guard, guard_result};
use std::ffi::c_int;
use std::hash::{DefaultHasher, Hash, Hasher};
use wasmtime_c_api::wasmtime::{Config, Enabled, Engine, Error, PoolingAllocationConfig};
use wasmtime_c_api::{wasm_config_t, wasm_engine_t, wasmtime_error_t, wasmtime_pooling_allocation_config_t};

// The C API keeps these fields to itself, but each type is `repr(C)` with this one field (wasmtime-c-api-impl 48.0.8,
// src/engine.rs and src/config.rs), and the dependency is pinned to that very version.
const _: () = assert!(size_of::<wasm_engine_t>() == size_of::<Engine>());
const _: () = assert!(size_of::<wasm_config_t>() == size_of::<Config>());
const _: () = assert!(size_of::<wasmtime_pooling_allocation_config_t>() == size_of::<PoolingAllocationConfig>());

/// Safety: `engine` is a live engine of the C API for `'a`.
pub unsafe fn view<'a>(engine: *const wasm_engine_t) -> &'a Engine {
    unsafe { &*engine.cast::<Engine>() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_engine_new(
    take_config: *mut wasm_config_t,
    ret_engine: *mut *mut wasm_engine_t,
    ret_errno: *mut c_int,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        if !ret_errno.is_null() {
            unsafe { *ret_errno = 0 };
        }
        let config = unsafe { Box::from_raw(take_config) };
        let config: &Config = unsafe { &*(&raw const *config).cast::<Config>() };
        match Engine::new(config) {
            Ok(engine) => {
                let engine = Box::into_raw(Box::new(engine)).cast::<wasm_engine_t>();
                unsafe { *ret_engine = engine };
                Ok(())
            }
            Err(error) => {
                if !ret_errno.is_null() {
                    unsafe { *ret_errno = os_error(&error) };
                }
                Err(error)
            }
        }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_engine_delete(own_engine: *mut wasm_engine_t) {
    if !own_engine.is_null() {
        drop_guarded(unsafe { Box::from_raw(own_engine.cast::<Engine>()) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_engine_code_hash(engine: *const wasm_engine_t) -> u64 {
    let mut hasher = DefaultHasher::new();
    guard(|| unsafe { view(engine) }.precompile_compatibility_hash().hash(&mut hasher), |_| ());
    hasher.finish()
}

/// The errno that an error goes back to, or 0. Wasmtime reports it as `std::io::Error` in some places and as rustix's
/// own type in others; both print it alike, so the text is the common ground.
pub fn os_error(error: &Error) -> c_int {
    let text = format!("{error:?}");
    let number = text.rsplit_once("(os error ").map(|(_, rest)| rest.split(')').next().unwrap_or("")).unwrap_or("");
    number.parse().unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_pooling_config_pagemap_scan_set(
    config: *mut wasmtime_pooling_allocation_config_t,
    enable: bool,
) {
    let config = unsafe { &mut *config.cast::<PoolingAllocationConfig>() };
    guard(|| _ = config.pagemap_scan(if enable { Enabled::Yes } else { Enabled::No }), |_| ());
}

#[repr(C)]
pub struct weir_pool_metrics_t {
    core_instances: u64,
    component_instances: u64,
    memories: u64,
    tables: u64,
    stacks: u64,
    unused_warm_memories: u64,
    unused_memory_bytes_resident: u64,
    unused_warm_tables: u64,
    unused_table_bytes_resident: u64,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_engine_pool_metrics(
    engine: *const wasm_engine_t,
    ret_metrics: *mut weir_pool_metrics_t,
) -> bool {
    guard(
        || {
            let Some(metrics) = unsafe { view(engine) }.pooling_allocator_metrics() else {
                return false;
            };
            let figures = weir_pool_metrics_t {
                core_instances: metrics.core_instances(),
                component_instances: metrics.component_instances(),
                memories: metrics.memories() as u64,
                tables: metrics.tables() as u64,
                stacks: metrics.stacks() as u64,
                unused_warm_memories: metrics.unused_warm_memories().into(),
                unused_memory_bytes_resident: metrics.unused_memory_bytes_resident() as u64,
                unused_warm_tables: metrics.unused_warm_tables().into(),
                unused_table_bytes_resident: metrics.unused_table_bytes_resident() as u64,
            };
            unsafe { ret_metrics.write(figures) };
            true
        },
        |_| false,
    )
}

//! Core modules made components: those that carry the types of a component (wit-bindgen writes them), with Wasmtime's own
//! adapter from WASI preview 1 to 0.2.

use crate::ffi::{guard_result, weir_bytes_t};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmtime_c_api::wasmtime::format_err;
use wasmtime_c_api::{wasm_byte_vec_t, wasmtime_error_t};
use wit_component::ComponentEncoder;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_guest_componentize(
    module: weir_bytes_t,
    ret_component: *mut wasm_byte_vec_t,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        let module = unsafe { module.as_slice() };
        let encoded = ComponentEncoder::default()
            .validate(true)
            .module(module)
            .and_then(|it| it.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER))
            .and_then(|mut it| it.encode())
            .map_err(|error| format_err!("{error:#}"))?;
        unsafe { ret_component.write(encoded.into()) };
        Ok(())
    })
}

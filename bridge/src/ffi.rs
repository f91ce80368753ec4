//! What crosses the border to C: borrowed bytes, owned text, errors, and the guard that no panic passes.

use sha2::{Digest, Sha256};
use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmtime_c_api::wasmtime::{Error, Result, format_err};
use wasmtime_c_api::wasmtime_error_t;

/// `weir_bytes_t`: a borrowed run of bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_bytes_t {
    pub data: *const c_char,
    pub size: usize,
}

impl weir_bytes_t {
    pub const EMPTY: weir_bytes_t = weir_bytes_t { data: std::ptr::null(), size: 0 };

    pub fn new(bytes: &[u8]) -> weir_bytes_t {
        weir_bytes_t { data: bytes.as_ptr().cast(), size: bytes.len() }
    }

    /// Safety: `data` and `size` describe memory that stays readable and unchanged for `'a`.
    pub unsafe fn as_slice<'a>(self) -> &'a [u8] {
        unsafe { borrow(self.data.cast(), self.size) }
    }

    /// Safety: as for `as_slice`.
    pub unsafe fn as_text<'a>(self, what: &str) -> Result<&'a str> {
        std::str::from_utf8(unsafe { self.as_slice() }).map_err(|_| format_err!("{what} is not UTF-8"))
    }
}

/// `weir_pair_t`: a borrowed name and value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_pair_t {
    pub name: weir_bytes_t,
    pub value: weir_bytes_t,
}

/// A C array as a slice. Safety: `count` elements stay readable and unchanged for `'a`; NULL only with count 0.
pub unsafe fn borrow<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if count == 0 || first.is_null() {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// Whether C means the same structure: `size` is what it has of it.
pub fn check_size<T>(size: usize) -> Result<()> {
    if size == size_of::<T>() {
        return Ok(());
    }
    Err(format_err!("{} has {} bytes here, not {size}", std::any::type_name::<T>(), size_of::<T>()))
}

/// Run `body`; a panic in it becomes `fallback(what it said)`.
pub fn guard<T>(body: impl FnOnce() -> T, fallback: impl FnOnce(String) -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => fallback(panic_text(payload)),
    }
}

/// Drop a value whose destructor may panic. The payload of a panic is forgotten rather than dropped: it could panic too.
pub fn drop_guarded<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        std::mem::forget(payload);
    }
}

fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_string(),
        None => match payload.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "no message".to_string(),
        },
    };
    std::mem::forget(payload);
    format!("the bridge panicked: {text}")
}

/// Run a fallible body for C: NULL on success, else an error that C owns.
pub fn guard_result(body: impl FnOnce() -> Result<()>) -> *mut wasmtime_error_t {
    match guard(body, |text| Err(Error::msg(text))) {
        Ok(()) => std::ptr::null_mut(),
        Err(error) => Box::into_raw(Box::new(wasmtime_error_t::from(error))),
    }
}

/// Text for C, to be freed with `weir_bridge_text_free`. A NUL in it ends it.
pub fn into_text(text: impl Into<Vec<u8>>) -> *mut c_char {
    let mut bytes: Vec<u8> = text.into();
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    CString::new(bytes).unwrap_or_default().into_raw()
}

/// One line of a bounded length from any text: line breaks and other control characters are made visible.
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 2000;
    let mut line = String::with_capacity(text.len().min(LONGEST));
    let mut pieces = text.lines().map(str::trim).filter(|piece| !piece.is_empty());
    if let Some(first) = pieces.next() {
        line.push_str(first);
    }
    for piece in pieces {
        line.push_str("; ");
        line.push_str(piece);
    }
    if line.chars().any(char::is_control) {
        line = line
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .collect();
    }
    if line.len() > LONGEST {
        let mut end = LONGEST;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_bridge_text_free(own_text: *mut c_char) {
    if !own_text.is_null() {
        drop(unsafe { CString::from_raw(own_text) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_sha256(bytes: weir_bytes_t, ret_digest: *mut [u8; 32]) {
    unsafe { *ret_digest = Sha256::digest(bytes.as_slice()).into() };
}

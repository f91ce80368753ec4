//! Posting to a server that the operator names, for those who tell it of what happened. Its connections are no guest's:
//! they count against no bound of theirs, and none is kept.

use crate::client::{Origin, authorities, explain, look_up, open, tls_settings};
use crate::ffi::{borrow, check_size, guard, into_text, one_line, weir_bytes_t, weir_pair_t};
use crate::guest::append;
use crate::threads::runtime;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Uri};
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wasmtime_c_api::wasm_byte_vec_t;

#[repr(C)]
pub struct weir_post_t {
    size: usize,
    url: *const c_char,
    authorities: *const c_char,
    headers: *const weir_pair_t,
    header_count: usize,
    body: weir_bytes_t,
    timeout_milliseconds: u64,
    answer_bytes_max: usize,
}

#[repr(C)]
pub struct weir_post_answer_t {
    status: u16,
    retry_after: *mut c_char,
    body: wasm_byte_vec_t,
}

async fn post(given: &weir_post_t, until: Instant) -> Result<weir_post_answer_t, String> {
    let url = unsafe { CStr::from_ptr(given.url) }.to_string_lossy();
    let uri = Uri::try_from(&*url).map_err(|error| error.to_string())?;
    let path = unsafe { given.authorities.as_ref() }.map(|first| unsafe { CStr::from_ptr(first) });
    let tls = || path.map_or_else(tls_settings, |path| authorities("", OsStr::from_bytes(path.to_bytes())));
    let body = Bytes::copy_from_slice(unsafe { given.body.as_slice() });
    let mut request = Request::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *request.method_mut() = Method::POST;
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(target).map_err(|error| error.to_string())?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority).map_err(|error| error.to_string())?);
    let headers = unsafe { borrow(given.headers, given.header_count) };
    unsafe { append(request.headers_mut(), headers) }.map_err(|error| error.to_string())?;
    let why = |error| explain(&error);
    let origin = Origin::of(&uri).map_err(why)?;
    let addresses = look_up(&origin.host, origin.port).await.filter(|found| !found.is_empty());
    let addresses = addresses.ok_or("the host's name could not be resolved")?;
    let (mut sender, _) = open(&origin, &addresses, until, tls, ()).await.map_err(why)?;
    let response = sender.send_request(request).await.map_err(|error| why(error.into()))?;
    let retry_after = response.headers().get(RETRY_AFTER).map(|value| value.as_bytes().to_vec());
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), given.answer_bytes_max).collect().await;
    let body = body.map_or_else(|_| Vec::new(), |body| body.to_bytes().to_vec());
    Ok(weir_post_answer_t { status, retry_after: retry_after.map_or(null_mut(), into_text), body: body.into() })
}

/// On the caller's thread; the one for timers and sockets wakes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_post(
    given: *const weir_post_t,
    ret_answer: *mut weir_post_answer_t,
    ret_message: *mut *mut c_char,
) -> bool {
    let given = unsafe { &*given };
    let posted = guard(
        || {
            check_size::<weir_post_t>(given.size).map_err(|error| error.to_string())?;
            runtime().map_err(|error| error.to_string())?.block_on(async {
                let until = Instant::now() + Duration::from_millis(given.timeout_milliseconds);
                let late = |_| format!("no answer within {} ms", given.timeout_milliseconds);
                timeout_at(until, post(given, until)).await.map_err(late)?
            })
        },
        Err,
    );
    match posted {
        Ok(answer) => unsafe { ret_answer.write(answer) },
        Err(why) => {
            unsafe { ret_message.write(into_text(one_line(&why))) };
            return false;
        }
    }
    true
}

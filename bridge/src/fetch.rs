//! Fetching a file that a manifest names by URL, before anything is served.

use crate::client::{Limited, TimeLimits, explain, no_body, send};
use crate::ffi::{guard, into_text, one_line};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response, Uri};
use std::ffi::{CStr, c_char};
use std::time::Duration;
use wasmtime_c_api::wasm_byte_vec_t;

const REDIRECTS_MAX: usize = 5;
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(30),
    first_byte: Duration::from_secs(60),
    between_bytes: Duration::from_secs(30),
};
const WHOLE_LIMIT: Duration = Duration::from_secs(600);

fn parse(text: &str) -> Result<Uri, String> {
    let uri = Uri::try_from(text.split('#').next().unwrap_or_default()).map_err(|error| error.to_string())?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        _ => Err("a URL begins with https:// or http://".to_string()),
    }
}

/// Where a Location leads from `base` (RFC 3986, section 5.2, without removing dots).
fn follow(base: &Uri, location: &HeaderValue) -> Result<Uri, String> {
    let location = location.to_str().map_err(|_| "the server redirects to what is no URL")?;
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let next = if location.contains("://") {
        parse(location)
    } else if location.starts_with("//") {
        parse(&format!("{scheme}:{location}"))
    } else if location.starts_with('/') {
        parse(&format!("{scheme}://{authority}{location}"))
    } else {
        let folder = base.path().rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
        parse(&format!("{scheme}://{authority}{folder}/{location}"))
    };
    // A Location may hold a secret: nothing of it is shown but a host.
    let next = next.map_err(|why| format!("the server redirects to a URL that weir does not follow: {why}"))?;
    let host = next.host().unwrap_or_default();
    if scheme == "https" && next.scheme_str() != Some("https") {
        return Err(format!("the server redirects from https to http://{host}"));
    }
    if next.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!("the server redirects to {host} with a user name, which weir does not send"));
    }
    Ok(next)
}

async fn request(uri: &Uri) -> Result<Response<Limited<Incoming>>, String> {
    let mut request = Request::new(no_body());
    *request.uri_mut() = uri.clone();
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority).map_err(|error| error.to_string())?);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("weir"));
    send(request, LIMITS, &|_| true).await.map_err(|error| explain(&error))
}

async fn fetch(url: &str, max_bytes: usize) -> Result<Vec<u8>, String> {
    let mut uri = parse(url)?;
    for _ in 0..=REDIRECTS_MAX {
        let response = request(&uri).await?;
        let status = response.status();
        if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            let location = response.headers().get(LOCATION).ok_or("the server redirects to nowhere")?;
            uri = follow(&uri, location)?;
            continue;
        }
        if status.as_u16() != 200 {
            return Err(format!("the server answered with status {status}"));
        }
        let mut body = response.into_body();
        let too_large = || format!("it is larger than {max_bytes} bytes");
        if body.size_hint().lower() > max_bytes as u64 {
            return Err(too_large()); // as its Content-Length says
        }
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| explain(&error))?.into_data() {
                if data.len() > max_bytes - bytes.len() {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
        return Ok(bytes);
    }
    Err(format!("the server redirects more than {REDIRECTS_MAX} times"))
}

/// In a runtime of its own that ends with it: afterwards the process has the threads that it had before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_fetch(
    url: *const c_char,
    max_bytes: usize,
    ret_bytes: *mut wasm_byte_vec_t,
    ret_message: *mut *mut c_char,
) -> bool {
    let url = unsafe { CStr::from_ptr(url) }.to_string_lossy();
    let fetched = guard(
        || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(1)
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let late = |_| format!("it was not there after {} seconds", WHOLE_LIMIT.as_secs());
                tokio::time::timeout(WHOLE_LIMIT, fetch(&url, max_bytes)).await.map_err(late)?
            })
        },
        Err,
    );
    match fetched {
        Ok(bytes) => {
            unsafe { ret_bytes.write(bytes.into()) };
            true
        }
        Err(why) => {
            unsafe { ret_message.write(into_text(one_line(&why))) };
            false
        }
    }
}

//! The heads of HTTP/1 messages, parsed by httparse. What it lets pass and weir does not is checked in src/http/head.c.

use crate::ffi::{guard, weir_bytes_t, weir_pair_t};
use httparse::{Error, Header, Request, Status};
use std::ffi::c_int;
use std::mem::MaybeUninit;

const FIELDS_MAX: usize = 256; // WEIR_HEAD_FIELDS_MAX

const WHOLE: c_int = 0;
const PARTIAL: c_int = 1;
const MALFORMED: c_int = 2;
const VERSION: c_int = 3;
const TOO_MANY: c_int = 4;

#[repr(C)]
pub struct weir_parsed_head_t {
    size: usize,
    method: weir_bytes_t,
    target: weir_bytes_t,
    minor: u8,
    field_count: usize,
}

fn report(parsed: Result<Status<usize>, Error>) -> Result<usize, c_int> {
    match parsed {
        Ok(Status::Complete(size)) => Ok(size),
        Ok(Status::Partial) => Err(PARTIAL),
        Err(Error::Version) => Err(VERSION),
        Err(Error::TooManyHeaders) => Err(TOO_MANY),
        Err(_) => Err(MALFORMED),
    }
}

unsafe fn hand_over(fields: &[Header<'_>], ret_fields: *mut weir_pair_t) -> usize {
    for (index, field) in fields.iter().enumerate() {
        let pair =
            weir_pair_t { name: weir_bytes_t::new(field.name.as_bytes()), value: weir_bytes_t::new(field.value) };
        unsafe { ret_fields.add(index).write(pair) };
    }
    fields.len()
}

/// Safety: `text` stays as long as what is stored; there is room for FIELDS_MAX fields.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_head_parse_request(
    text: weir_bytes_t,
    ret_head: *mut weir_parsed_head_t,
    ret_fields: *mut weir_pair_t,
) -> c_int {
    let parse = || unsafe {
        let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
        let mut request = Request::new(&mut []);
        let size = report(request.parse_with_uninit_headers(text.as_slice(), &mut room))?;
        let bytes = |part: Option<&str>| weir_bytes_t::new(part.unwrap_or_default().as_bytes());
        let (method, target) = (bytes(request.method), bytes(request.path));
        let field_count = hand_over(request.headers, ret_fields);
        *ret_head = weir_parsed_head_t { size, method, target, minor: request.version.unwrap_or(0), field_count };
        Ok(WHOLE)
    };
    guard(parse, |_| Err(MALFORMED)).unwrap_or_else(|state| state)
}

/// Safety: as for `weir_head_parse_request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_head_parse_fields(
    text: weir_bytes_t,
    ret_size: *mut usize,
    ret_fields: *mut weir_pair_t,
    ret_count: *mut usize,
) -> c_int {
    let parse = || unsafe {
        let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let (size, fields) = match httparse::parse_headers(text.as_slice(), &mut room) {
            Ok(Status::Complete(parsed)) => parsed,
            Ok(Status::Partial) => return Err(PARTIAL),
            Err(error) => return report(Err(error)).map(|_| WHOLE),
        };
        *ret_count = hand_over(fields, ret_fields);
        *ret_size = size;
        Ok(WHOLE)
    };
    guard(parse, |_| Err(MALFORMED)).unwrap_or_else(|state| state)
}

//! The bridge: Wasmtime's own C API, re-exported as it is, and beside it the functions of
//! `include/weir_bridge.h`, where each one's contract stands.
//!
//! `engine` makes engines that can be refused; `document` reads TOML; `inspect` reads a wasm file without compiling it,
//! `componentize` makes a module a component, `fetch` gets one from a URL; `service` is a guest ready to be called, with
//! what `imports`, `variables`, `host` (with `values`) and `outbound` give it; `guest` is one instance of it, `call` one request on that,
//! with `pipe` and `output` for its streams, `worker` an instance that several share, and `idle` those that none is on;
//! `client` sends its requests to the network, `outgoing` hands those that stay in the process to C; `post` tells others
//! what happened; `head` parses the heads of requests, `tls` is between a client's socket and C; `threads` are what all
//! of them run on. `written_pages` answers one system call of Wasmtime's.

#![allow(non_camel_case_types)]
#![deny(unsafe_op_in_unsafe_fn)]

pub use wasmtime_c_api::*;

mod call;
mod client;
mod componentize;
mod document;
mod engine;
mod fetch;
mod ffi;
mod guest;
mod head;
mod host;
mod idle;
mod imports;
mod inspect;
mod outbound;
mod outgoing;
mod output;
mod pipe;
mod post;
mod service;
mod sockets;
mod threads;
mod tls;
mod values;
mod variables;
mod worker;
mod written_pages;

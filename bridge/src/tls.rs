//! TLS for the server: rustls between a socket that does not block and C.

use crate::ffi::{guard, into_text, one_line, weir_bytes_t};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, ServerConfig, ServerConnection};
use std::ffi::{c_char, c_int};
use std::io::{ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::TcpStream;
use std::os::fd::FromRawFd;
use std::sync::Arc;

const LATER: isize = -1;
const BROKEN: isize = -2;

/// What is encrypted and not sent yet, at most; beyond it C has to keep what it has.
const UNSENT_BYTES: usize = 64 * 1024;

pub struct weir_tls_config_t(Arc<ServerConfig>);
pub struct weir_tls_t(ServerConnection);

/// Which of the two files a configuration failed for.
#[repr(C)]
pub enum Culprit {
    Certificate,
    Key,
    Both,
}

fn configure(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, (Culprit, String)> {
    let of_certificate = |error: String| (Culprit::Certificate, format!("the certificate cannot be used: {error}"));
    let of_key = |error: String| (Culprit::Key, format!("the key cannot be used: {error}"));
    let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| of_certificate(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| of_key(error.to_string()))?;
    let provider = default_provider();
    provider.key_provider.load_private_key(key.clone_key()).map_err(|error| of_key(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => (Culprit::Both, error.to_string()),
            other => of_certificate(other.to_string()),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_config_new(
    certificates: weir_bytes_t,
    key: weir_bytes_t,
    ret_culprit: *mut Culprit,
    ret_message: *mut *mut c_char,
) -> *mut weir_tls_config_t {
    let made = || unsafe { configure(certificates.as_slice(), key.as_slice()) };
    match guard(made, |panic| Err((Culprit::Both, panic))) {
        Ok(config) => Box::into_raw(Box::new(weir_tls_config_t(Arc::new(config)))),
        Err((culprit, message)) => {
            unsafe {
                *ret_culprit = culprit;
                *ret_message = into_text(one_line(&message));
            }
            std::ptr::null_mut()
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_config_free(own_config: *mut weir_tls_config_t) {
    if !own_config.is_null() {
        drop(unsafe { Box::from_raw(own_config) });
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_new(config: *const weir_tls_config_t) -> *mut weir_tls_t {
    let begin = || {
        let mut tls = ServerConnection::new(unsafe { &*config }.0.clone()).ok()?;
        tls.set_buffer_limit(Some(UNSENT_BYTES));
        Some(Box::into_raw(Box::new(weir_tls_t(tls))))
    };
    guard(begin, |_| None).unwrap_or(std::ptr::null_mut())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_free(own_tls: *mut weir_tls_t) {
    if !own_tls.is_null() {
        drop(unsafe { Box::from_raw(own_tls) });
    }
}

impl weir_tls_t {
    fn receive(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> isize {
        loop {
            match self.0.reader().read(buffer) {
                Ok(size) => return size as isize,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return 0, // it ended without saying so: what frames a message tells whether it is whole
            }
            match self.0.read_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return LATER,
                Err(_) => return BROKEN,
            }
            let processed = self.0.process_new_packets().is_ok();
            if self.flush(socket) == BROKEN || !processed {
                return BROKEN;
            }
        }
    }

    fn flush(&mut self, socket: &mut TcpStream) -> isize {
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return LATER,
                Err(_) => return BROKEN,
            }
        }
        0
    }
}

/// Run with a socket that stays C's. Safety: `tls` is live and only this thread is here; the socket is open.
unsafe fn with(
    tls: *mut weir_tls_t,
    socket: c_int,
    body: impl FnOnce(&mut weir_tls_t, &mut TcpStream) -> isize,
) -> isize {
    let mut socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(socket) });
    guard(|| body(unsafe { &mut *tls }, &mut socket), |_| BROKEN)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_receive(tls: *mut weir_tls_t, socket: c_int, buffer: *mut u8, size: usize) -> isize {
    unsafe { with(tls, socket, |tls, socket| tls.receive(socket, std::slice::from_raw_parts_mut(buffer, size))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_write(tls: *mut weir_tls_t, bytes: weir_bytes_t) -> usize {
    guard(|| unsafe { (*tls).0.writer().write(bytes.as_slice()).unwrap_or(0) }, |_| 0)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_flush(tls: *mut weir_tls_t, socket: c_int) -> isize {
    unsafe { with(tls, socket, weir_tls_t::flush) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_tls_finish(tls: *mut weir_tls_t, socket: c_int) {
    let finish = |tls: &mut weir_tls_t, socket: &mut TcpStream| {
        tls.0.send_close_notify();
        tls.flush(socket)
    };
    unsafe { with(tls, socket, finish) };
}

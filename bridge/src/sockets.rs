//! wasi:sockets of both versions: as many sockets as may be, and names looked up without the threads that files need. To
//! which addresses they may connect the policy says (outbound.rs).

use crate::client::bounds;
use crate::service::ComponentState;
use crate::threads::lookups;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use wasmtime_c_api::wasmtime::component::{Linker, Resource};
use wasmtime_c_api::wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p2::Network;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::Host as _;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{self as name_lookup, HostWithStore as _};
use wasmtime_wasi::p3::bindings::sockets::types;
use wasmtime_wasi::p3::sockets::SocketError;
use wasmtime_wasi::sockets::{TcpSocket, UdpSocket, WasiSockets, WasiSocketsCtx, WasiSocketsCtxView, WasiSocketsView};
use wasmtime_wasi::{TrappableError, WasiCtxBuilder};

impl ComponentState {
    /// What Wasmtime makes a socket from, which is then counted as long as there is that socket. None: too many.
    fn next_socket(&self) -> Option<WasiSocketsCtx> {
        let permit = bounds().sockets.clone().try_acquire_owned().ok()?;
        let mut wasi = WasiCtxBuilder::new();
        self.hooks.reach.configure(&mut wasi, Some(permit));
        Some(wasi.build().sockets().clone())
    }
}

type Answer<T, E> = Result<(std::result::Result<Resource<T>, E>,)>;

fn answer<T: 'static, E: StdError + Send + Sync + 'static>(
    made: std::result::Result<Resource<T>, TrappableError<E>>,
) -> Answer<T, E> {
    match made {
        Ok(made) => Ok((Ok(made),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

pub fn add_to_linker(linker: &mut Linker<ComponentState>) -> Result<()> {
    linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, ComponentState>, (family,): (IpAddressFamily,)| {
            let state = store.data_mut();
            let Some(mut ctx) = state.next_socket() else {
                return answer(Err(ErrorCode::NewSocketLimit.into()));
            };
            answer(WasiSocketsCtxView { ctx: &mut ctx, table: &mut state.table }.create_tcp_socket(family))
        },
    )?;
    linker.instance("wasi:sockets/udp-create-socket@0.2.12")?.func_wrap_async(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, ComponentState>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                let state = store.data_mut();
                let Some(mut ctx) = state.next_socket() else {
                    return answer(Err(ErrorCode::NewSocketLimit.into()));
                };
                answer(WasiSocketsCtxView { ctx: &mut ctx, table: &mut state.table }.create_udp_socket(family).await)
            })
        },
    )?;
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, ComponentState>, (network, name): (Resource<Network>, String)| {
            let state = store.data_mut();
            if !state.hooks.reach.may_look_up(&name) {
                return answer(Err(ErrorCode::AccessDenied.into()));
            }
            let _entered = lookups()?.enter();
            answer(state.sockets().resolve_addresses(network, name))
        },
    )
}

// ---- WASI 0.3

fn too_many() -> SocketError {
    types::ErrorCode::Other(Some("too many sockets".to_string())).into()
}

pub fn add_to_linker_p3(linker: &mut Linker<ComponentState>) -> Result<()> {
    let mut sockets = linker.instance("wasi:sockets/types@0.3.0")?;
    sockets.func_wrap(
        "[static]tcp-socket.create",
        |mut store: StoreContextMut<'_, ComponentState>,
         (family,): (types::IpAddressFamily,)|
         -> Answer<TcpSocket, _> {
            let state = store.data_mut();
            let Some(mut ctx) = state.next_socket() else {
                return answer(Err(too_many()));
            };
            let mut view = WasiSocketsCtxView { ctx: &mut ctx, table: &mut state.table };
            answer(types::HostTcpSocket::create(&mut view, family))
        },
    )?;
    sockets.func_wrap_async(
        "[static]udp-socket.create",
        |mut store: StoreContextMut<'_, ComponentState>, (family,): (types::IpAddressFamily,)| {
            Box::new(async move {
                let state = store.data_mut();
                let Some(mut ctx) = state.next_socket() else {
                    return answer::<UdpSocket, _>(Err(too_many()));
                };
                let mut view = WasiSocketsCtxView { ctx: &mut ctx, table: &mut state.table };
                answer(types::HostUdpSocket::create(&mut view, family).await)
            })
        },
    )?;
    linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?.func_wrap_concurrent(
        "resolve-addresses",
        |accessor, (name,): (String,)| {
            Box::pin(async move {
                let may = accessor.with(|mut store| store.data_mut().hooks.reach.may_look_up(&name));
                if !may {
                    return Ok((Err(name_lookup::ErrorCode::AccessDenied),));
                }
                let accessor = accessor.with_getter::<WasiSockets>(ComponentState::sockets);
                let mut found = pin!(WasiSockets::resolve_addresses(&accessor, name));
                let found = poll_fn(|context| {
                    let _entered = lookups()?.enter();
                    found.as_mut().poll(context)
                });
                Ok((found.await?,))
            })
        },
    )
}

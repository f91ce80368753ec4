//! Linking where something is missing: SDKs import more than their guests use, so what belongs to Spin's platform or to
//! WASI, and is not there, traps when it is called.

use crate::ffi::weir_bytes_t;
use std::ffi::c_void;
use std::future::ready;
use wasmtime_c_api::wasmtime::component::types::{ComponentExtern, ComponentItem};
use wasmtime_c_api::wasmtime::component::{Component, InstancePre as ComponentPre, Linker as ComponentLinker};
use wasmtime_c_api::wasmtime::component::{LinkerInstance, ResourceType};
use wasmtime_c_api::wasmtime::{
    Engine, Error, ExternType, InstancePre, Linker, Module, Result, UnknownImportError, format_err,
};

pub type MissingCallback = extern "C" fn(*mut c_void, weir_bytes_t);

/// What to do about imports that nothing provides.
pub struct Missing {
    pub all: bool, // trap whatever it is
    pub callback: Option<MissingCallback>,
    pub context: *mut c_void,
}

impl Missing {
    fn may_trap(&self, name: &str) -> bool {
        self.all || ["wasi:", "fermyon:spin/", "spin:", "wasi_snapshot_preview1"].iter().any(|it| name.starts_with(it))
    }

    fn report(&self, name: &str) {
        if let Some(callback) = self.callback {
            callback(self.context, weir_bytes_t::new(name.as_bytes()));
        }
    }
}

fn trap(function: &str) -> Error {
    format_err!("it called {function}, an import that weir does not provide")
}

/// A resource that no guest can come by, because nothing makes one.
struct Unprovided;

/// Link a component. What it imports and nothing provides is put into the linker as Wasmtime finds it missing, one
/// import at a time: the linker itself knows best what it has, also under another version.
pub fn link_component<T: 'static>(
    linker: &mut ComponentLinker<T>,
    component: &Component,
    missing: &Missing,
) -> Result<ComponentPre<T>> {
    let mut done: Vec<String> = Vec::new();
    loop {
        let error = match linker.instantiate_pre(component) {
            Ok(linked) => {
                done.iter().for_each(|name| missing.report(name));
                return Ok(linked);
            }
            Err(error) => error,
        };
        // "component imports instance `name`, but a matching implementation was not found in the linker"
        let text = error.to_string();
        let name = text.strip_prefix("component imports ").and_then(|rest| rest.split('`').nth(1)).unwrap_or("");
        if done.iter().any(|before| before == name) || !missing.may_trap(name) {
            return Err(error);
        }
        if !add_traps(linker, component, name)? {
            return Err(error);
        }
        done.push(name.to_string());
    }
}

/// False when there is no such import, or there can be nothing that traps in place of it.
fn add_traps<T: 'static>(linker: &mut ComponentLinker<T>, component: &Component, name: &str) -> Result<bool> {
    let engine = component.engine();
    let kind = component.component_type();
    let mut resources = Vec::new();
    for (import, ComponentExtern { ty, .. }) in kind.imports(engine) {
        if import == name {
            let place = other_version(linker, name).unwrap_or_else(|| name.to_string());
            return add_item(&mut linker.root(), engine, &place, name, &ty, &mut resources);
        }
        note_resources(engine, &ty, &mut resources);
    }
    Ok(false)
}

/// Under which version the linker has an interface of WASI 0.2 that lacks something: a version may only add to those
/// before it.
fn other_version<T: 'static>(linker: &ComponentLinker<T>, name: &str) -> Option<String> {
    const VERSIONS: u32 = 64;
    let (interface, version) = name.rsplit_once('@')?;
    version.strip_prefix("0.2.")?.parse::<u32>().ok()?;
    let mut probe = linker.clone();
    let mut names = (0..VERSIONS).map(|patch| format!("{interface}@0.2.{patch}"));
    names.find(|name| probe.root().func_new(name, |_, _, _, _| Ok(())).is_err()) // it is defined already
}

/// Types of resources that come with imports before: what is the same as one of them is defined with it.
fn note_resources(engine: &Engine, item: &ComponentItem, resources: &mut Vec<ResourceType>) {
    match item {
        ComponentItem::Resource(resource) => resources.push(*resource),
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).for_each(|(_, export)| note_resources(engine, &export.ty, resources));
        }
        _ => {}
    }
}

/// What the linker has it keeps: defining it again is refused.
fn add_item<T: 'static>(
    linker: &mut LinkerInstance<'_, T>,
    engine: &Engine,
    name: &str,
    full_name: &str,
    item: &ComponentItem,
    resources: &mut Vec<ResourceType>,
) -> Result<bool> {
    match item {
        ComponentItem::ComponentFunc(function) => {
            let full_name = full_name.to_string();
            let _ = if function.async_() {
                linker.func_new_concurrent(name, move |_, _, _, _| Box::pin(ready(Err(trap(&full_name)))))
            } else {
                linker.func_new(name, move |_, _, _, _| Err(trap(&full_name)))
            };
        }
        ComponentItem::ComponentInstance(instance) => {
            let mut inner = linker.instance(name)?;
            for (export, ComponentExtern { ty, .. }) in instance.exports(engine) {
                let full_name = format!("{full_name}#{export}");
                if !add_item(&mut inner, engine, export, &full_name, &ty, resources)? {
                    return Ok(false);
                }
            }
        }
        ComponentItem::Resource(resource) if !resources.contains(resource) => {
            resources.push(*resource);
            let _ = linker.resource(name, ResourceType::host::<Unprovided>(), |_, _| Ok(()));
        }
        ComponentItem::Resource(_) | ComponentItem::Type(_) => {}
        ComponentItem::CoreFunc(_) | ComponentItem::Module(_) | ComponentItem::Component(_) => return Ok(false),
    }
    Ok(true)
}

/// Link a core module likewise.
pub fn link_module<T: Send + 'static>(
    linker: &mut Linker<T>,
    module: &Module,
    missing: &Missing,
) -> Result<InstancePre<T>> {
    let mut done: Vec<String> = Vec::new();
    loop {
        let error = match linker.instantiate_pre(module) {
            Ok(linked) => {
                done.iter().for_each(|name| missing.report(name));
                return Ok(linked);
            }
            Err(error) => error,
        };
        let Some(unknown) = error.downcast_ref::<UnknownImportError>() else {
            return Err(error);
        };
        let (from, name) = (unknown.module(), unknown.name());
        let ExternType::Func(kind) = unknown.ty() else {
            return Err(error);
        };
        if !missing.may_trap(from) {
            return Err(error);
        }
        let full_name = format!("{from}.{name}");
        done.push(full_name.clone());
        linker.func_new(from, name, kind, move |_, _, _| Err(trap(&full_name)))?;
    }
}

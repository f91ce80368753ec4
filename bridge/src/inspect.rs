//! What a wasm file says of itself: validated and read with wasmparser, not compiled.

use crate::ffi::{guard_result, into_text, weir_bridge_text_free, weir_bytes_t};
use std::ffi::{c_char, c_int};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Instance, Parser, Payload, Validator, WasmFeatures,
};
use wasmtime_c_api::wasmtime::{Error, Result, format_err};
use wasmtime_c_api::wasmtime_error_t;

pub const MODULE: c_int = 1;
pub const COMPONENT: c_int = 2;

#[repr(C)]
pub struct weir_guest_facts_t {
    kind: c_int,
    minimum_memory_bytes: u64,
    initial_memory_bytes: u64,
    memories: u32,
    tables: u32,
    minimum_table_elements: u32,
    core_instances: u32,
    stacks: u32,
    has_component_type: bool,
    needs_concurrency: bool,
    imports: *mut c_char,
    exports: *mut c_char,
}

/// What one core module defines, or one instance of a component makes.
#[derive(Clone, Copy, Default)]
struct Definitions {
    initial_memory_bytes: u64,
    memories: u32,
    tables: u32,
    core_instances: u32,
}

impl Definitions {
    fn add(&mut self, other: Definitions) {
        self.initial_memory_bytes = self.initial_memory_bytes.saturating_add(other.initial_memory_bytes);
        self.memories = self.memories.saturating_add(other.memories);
        self.tables = self.tables.saturating_add(other.tables);
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
    }
}

/// One module or component while it is being read. Modules and components nest; sections of the inner one come
/// between those of the outer one.
struct Scope {
    component: bool,
    defines_async: bool,
    definitions: Definitions,
    modules: Vec<Option<Definitions>>, // a component's module index space; None for what came from elsewhere
    components: Vec<Option<Definitions>>, // its component index space likewise
}

#[derive(Default)]
struct Facts {
    minimum_memory_bytes: u64,
    minimum_table_elements: u64,
    total: Definitions,
    largest: Definitions,
    has_component_type: bool,
    async_components: u32, // those that define async functions
    imports: Vec<String>,
    exports: Vec<String>,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_guest_inspect(
    wasm: weir_bytes_t,
    ret_facts: *mut weir_guest_facts_t,
) -> *mut wasmtime_error_t {
    guard_result(|| {
        let bytes = unsafe { wasm.as_slice() };
        let facts = inspect(bytes)?;
        unsafe { ret_facts.write(facts) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_guest_facts_free(facts: *mut weir_guest_facts_t) {
    unsafe {
        weir_bridge_text_free((*facts).imports);
        weir_bridge_text_free((*facts).exports);
        facts.write_bytes(0, 1);
    }
}

fn inspect(bytes: &[u8]) -> Result<weir_guest_facts_t> {
    if !bytes.starts_with(b"\0asm") {
        return Err(format_err!("not a WebAssembly binary: it does not begin with \\0asm"));
    }
    // What Wasmtime accepts by default is a subset of this; what it does not accept it says itself when it compiles.
    let validate = |features| Validator::new_with_features(features).validate_all(bytes).map(drop);
    let needs_concurrency = validate(WasmFeatures::all() - WasmFeatures::CM_ASYNC).is_err();
    if needs_concurrency {
        validate(WasmFeatures::all()).map_err(Error::new)?;
    }
    let component = Parser::is_component(bytes);
    let facts = read(bytes)?;
    Ok(weir_guest_facts_t {
        kind: if component { COMPONENT } else { MODULE },
        minimum_memory_bytes: facts.minimum_memory_bytes,
        initial_memory_bytes: facts.total.initial_memory_bytes,
        memories: facts.total.memories,
        tables: facts.total.tables,
        minimum_table_elements: u32::try_from(facts.minimum_table_elements).unwrap_or(u32::MAX),
        core_instances: if component { facts.total.core_instances } else { 1 },
        stacks: 1 + facts.async_components,
        has_component_type: facts.has_component_type,
        needs_concurrency,
        imports: into_text(facts.imports.join("\n")),
        exports: into_text(facts.exports.join("\n")),
    })
}

fn read(bytes: &[u8]) -> Result<Facts> {
    let mut facts = Facts::default();
    let mut scopes: Vec<Scope> = Vec::new();
    let mut types = Validator::new_with_features(WasmFeatures::all());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(Error::new)?;
        types.payload(&payload).map_err(Error::new)?;
        let depth = scopes.len();
        match payload {
            Payload::Version { encoding, .. } => scopes.push(Scope {
                component: matches!(encoding, wasmparser::Encoding::Component),
                defines_async: false,
                definitions: Definitions::default(),
                modules: Vec::new(),
                components: Vec::new(),
            }),
            Payload::End(_) => {
                let Some(scope) = scopes.pop() else { continue };
                facts.async_components += u32::from(scope.defines_async);
                if !scope.component {
                    facts.largest.memories = facts.largest.memories.max(scope.definitions.memories);
                    facts.largest.tables = facts.largest.tables.max(scope.definitions.tables);
                }
                match scopes.last_mut() {
                    Some(outer) if scope.component => outer.components.push(Some(scope.definitions)),
                    Some(outer) => outer.modules.push(Some(scope.definitions)),
                    None => facts.total = scope.definitions,
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(Error::new)?;
                    let bytes = memory.initial.saturating_mul(1u64 << memory.page_size_log2.unwrap_or(16));
                    facts.minimum_memory_bytes = facts.minimum_memory_bytes.max(bytes);
                    let Some(scope) = scopes.last_mut() else { continue };
                    scope.definitions.add(Definitions {
                        initial_memory_bytes: bytes,
                        memories: 1,
                        ..Default::default()
                    });
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.map_err(Error::new)?;
                    facts.minimum_table_elements = facts.minimum_table_elements.max(table.ty.initial);
                    let Some(scope) = scopes.last_mut() else { continue };
                    scope.definitions.add(Definitions { tables: 1, ..Default::default() });
                }
            }
            Payload::ImportSection(section) if depth == 1 => {
                for import in section.into_imports() {
                    let import = import.map_err(Error::new)?;
                    facts.imports.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) if depth == 1 => {
                for export in section {
                    facts.exports.push(export.map_err(Error::new)?.name.to_string());
                }
            }
            Payload::CustomSection(section) if depth == 1 => {
                facts.has_component_type |= section.name().starts_with("component-type");
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    let CanonicalFunction::Lift { type_index, .. } = function.map_err(Error::new)? else { continue };
                    let Some(types) = types.types(0) else { continue };
                    let lifted = types.component_any_type_at(type_index).unwrap_func(); // or it would not be valid
                    let Some(scope) = scopes.last_mut() else { continue };
                    scope.defines_async |= types[lifted].async_;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(Error::new)?;
                    if depth == 1 {
                        facts.imports.push(import.name.name.to_string());
                    }
                    match import.ty {
                        ComponentTypeRef::Module(_) => foreign(&mut scopes, |scope| &mut scope.modules),
                        ComponentTypeRef::Component(_) => foreign(&mut scopes, |scope| &mut scope.components),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(Error::new)?;
                    if depth == 1 {
                        facts.exports.push(export.name.name.to_string());
                    }
                    // An export adds to the index space of its kind.
                    foreign_of_kind(&mut scopes, export.kind);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    match alias.map_err(Error::new)? {
                        ComponentAlias::InstanceExport { kind, .. } => foreign_of_kind(&mut scopes, kind),
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, .. } => {
                            foreign(&mut scopes, |scope| &mut scope.modules);
                        }
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, .. } => {
                            foreign(&mut scopes, |scope| &mut scope.components);
                        }
                        _ => {}
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let Instance::Instantiate { module_index, .. } = instance.map_err(Error::new)? else {
                        continue;
                    };
                    let Some(scope) = scopes.last_mut() else { continue };
                    // What came from elsewhere is taken for the largest module seen so far.
                    let known = scope.modules.get(module_index as usize).copied().flatten().unwrap_or(facts.largest);
                    scope.definitions.add(Definitions { core_instances: 1, ..known });
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let ComponentInstance::Instantiate { component_index, .. } = instance.map_err(Error::new)? else {
                        continue;
                    };
                    let Some(scope) = scopes.last_mut() else { continue };
                    let known = scope.components.get(component_index as usize).copied().flatten();
                    scope.definitions.add(known.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    Ok(facts)
}

/// Something enters an index space that is not defined here.
fn foreign(scopes: &mut [Scope], which: impl Fn(&mut Scope) -> &mut Vec<Option<Definitions>>) {
    if let Some(scope) = scopes.last_mut() {
        which(scope).push(None);
    }
}

fn foreign_of_kind(scopes: &mut [Scope], kind: ComponentExternalKind) {
    match kind {
        ComponentExternalKind::Module => foreign(scopes, |scope| &mut scope.modules),
        ComponentExternalKind::Component => foreign(scopes, |scope| &mut scope.components),
        _ => {}
    }
}

//! What a wasm file says of itself: validated and read with wasmparser, not compiled.

use crate::ffi::{guard_result, into_text, weir_bridge_text_free, weir_bytes_t};
use std::ffi::{c_char, c_int};
use wasmparser::{ComponentAlias, ComponentExternalKind, Instance, Parser, Payload, Validator, WasmFeatures};
use wasmtime_c_api::wasmtime::{Error, Result, format_err};
use wasmtime_c_api::wasmtime_error_t;

pub const MODULE: c_int = 1;
pub const COMPONENT: c_int = 2;

#[repr(C)]
pub struct weir_guest_facts_t {
    kind: c_int,
    minimum_memory_bytes: u64,
    memories: u32,
    tables: u32,
    minimum_table_elements: u32,
    core_instances: u32,
    imports: *mut c_char,
    exports: *mut c_char,
}

/// What one core module defines.
#[derive(Clone, Copy, Default)]
struct Definitions {
    memories: u32,
    tables: u32,
}

/// One module or component while it is being read. Modules and components nest; sections of the inner one come
/// between those of the outer one.
struct Scope {
    component: bool,
    definitions: Definitions,
    modules: Vec<Option<Definitions>>, // a component's module index space; None for what came from elsewhere
}

#[derive(Default)]
struct Facts {
    minimum_memory_bytes: u64,
    minimum_table_elements: u64,
    total: Definitions,
    core_instances: u32,
    unknown_instances: u32,
    largest: Definitions,
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
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(bytes).map_err(Error::new)?;
    let component = Parser::is_component(bytes);
    let facts = read(bytes)?;
    let total = if component {
        // An instance of a module that came from elsewhere is taken for the largest module that is here.
        Definitions {
            memories: facts
                .total
                .memories
                .saturating_add(facts.unknown_instances.saturating_mul(facts.largest.memories)),
            tables: facts.total.tables.saturating_add(facts.unknown_instances.saturating_mul(facts.largest.tables)),
        }
    } else {
        facts.largest
    };
    Ok(weir_guest_facts_t {
        kind: if component { COMPONENT } else { MODULE },
        minimum_memory_bytes: facts.minimum_memory_bytes,
        memories: total.memories,
        tables: total.tables,
        minimum_table_elements: u32::try_from(facts.minimum_table_elements).unwrap_or(u32::MAX),
        core_instances: if component { facts.core_instances } else { 1 },
        imports: into_text(facts.imports.join("\n")),
        exports: into_text(facts.exports.join("\n")),
    })
}

fn read(bytes: &[u8]) -> Result<Facts> {
    let mut facts = Facts::default();
    let mut scopes: Vec<Scope> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(Error::new)?;
        let depth = scopes.len();
        match payload {
            Payload::Version { encoding, .. } => scopes.push(Scope {
                component: matches!(encoding, wasmparser::Encoding::Component),
                definitions: Definitions::default(),
                modules: Vec::new(),
            }),
            Payload::End(_) => {
                if let Some(scope) = scopes.pop()
                    && !scope.component
                {
                    facts.largest.memories = facts.largest.memories.max(scope.definitions.memories);
                    facts.largest.tables = facts.largest.tables.max(scope.definitions.tables);
                    if let Some(outer) = scopes.last_mut() {
                        outer.modules.push(Some(scope.definitions));
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(Error::new)?;
                    let page = 1u64 << memory.page_size_log2.unwrap_or(16);
                    facts.minimum_memory_bytes = facts.minimum_memory_bytes.max(memory.initial.saturating_mul(page));
                    count(&mut scopes, |definitions| &mut definitions.memories);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table.map_err(Error::new)?;
                    facts.minimum_table_elements = facts.minimum_table_elements.max(table.ty.initial);
                    count(&mut scopes, |definitions| &mut definitions.tables);
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
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(Error::new)?;
                    if depth == 1 {
                        facts.imports.push(import.name.name.to_string());
                    }
                    if matches!(import.ty, wasmparser::ComponentTypeRef::Module(_)) {
                        foreign_module(&mut scopes);
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
                    if export.kind == ComponentExternalKind::Module {
                        foreign_module(&mut scopes);
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    let module = match alias.map_err(Error::new)? {
                        ComponentAlias::InstanceExport { kind, .. } => kind == ComponentExternalKind::Module,
                        ComponentAlias::Outer { kind, .. } => kind == wasmparser::ComponentOuterAliasKind::CoreModule,
                        ComponentAlias::CoreInstanceExport { .. } => false,
                    };
                    if module {
                        foreign_module(&mut scopes);
                    }
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let Instance::Instantiate { module_index, .. } = instance.map_err(Error::new)? else {
                        continue;
                    };
                    facts.core_instances = facts.core_instances.saturating_add(1);
                    let known =
                        scopes.last().and_then(|scope| scope.modules.get(module_index as usize).copied().flatten());
                    match known {
                        Some(definitions) => {
                            facts.total.memories = facts.total.memories.saturating_add(definitions.memories);
                            facts.total.tables = facts.total.tables.saturating_add(definitions.tables);
                        }
                        None => facts.unknown_instances = facts.unknown_instances.saturating_add(1),
                    }
                }
            }
            _ => {}
        }
    }
    Ok(facts)
}

fn count(scopes: &mut [Scope], which: impl Fn(&mut Definitions) -> &mut u32) {
    if let Some(scope) = scopes.last_mut() {
        let counter = which(&mut scope.definitions);
        *counter = counter.saturating_add(1);
    }
}

fn foreign_module(scopes: &mut [Scope]) {
    if let Some(scope) = scopes.last_mut() {
        scope.modules.push(None);
    }
}

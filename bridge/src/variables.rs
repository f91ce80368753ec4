//! A component's variables, as guests ask for them: each contract is one function from a name to a value, and differs
//! in how it says that there is none (Spin: crates/factor-variables/src/host.rs).

use crate::service::ComponentState;
use std::future::ready;
use std::sync::Arc;
use wasmtime_c_api::wasmtime::component::{Linker, Val};
use wasmtime_c_api::wasmtime::{Result, format_err};

/// Names and their values, resolved.
pub type Variables = Arc<Vec<(String, String)>>;

enum Missing {
    InvalidName(String),
    Undefined(String),
}

/// Which names are valid, and the words for those that are not, are Spin's (crates/expressions/src/lib.rs).
fn check_name(name: &str) -> std::result::Result<(), Missing> {
    let is_bad = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_');
    let reason = if name.is_empty() {
        "must not be empty".to_string()
    } else if let Some(bad) = name.chars().find(is_bad) {
        format!("{bad:?} is not allowed; names have lower-case letters, digits and underscores")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must begin with a lower-case letter".to_string()
    } else if name.ends_with('_') || name.contains("__") {
        "underscores stand alone, between other characters".to_string()
    } else {
        return Ok(());
    };
    Err(Missing::InvalidName(format!("{name:?}: {reason}")))
}

fn get(variables: &Variables, name: &Val) -> std::result::Result<Val, Missing> {
    let Val::String(name) = name else {
        return Err(Missing::InvalidName("not a string".to_string()));
    };
    check_name(name)?;
    match variables.iter().find(|(known, _)| known == name) {
        Some((_, value)) => Ok(Val::String(value.clone())),
        None => Err(Missing::Undefined(format!("no variable {name:?} in this component"))),
    }
}

fn error(case: &str, text: String) -> Val {
    let variant = Val::Variant(case.to_string(), Some(Box::new(Val::String(text))));
    Val::Result(Err(Some(Box::new(variant))))
}

fn some(value: Val) -> Val {
    Val::Result(Ok(Some(Box::new(value))))
}

fn from_spin(got: std::result::Result<Val, Missing>) -> Val {
    match got {
        Ok(value) => some(value),
        Err(Missing::InvalidName(text)) => error("invalid-name", text),
        Err(Missing::Undefined(text)) => error("undefined", text),
    }
}

fn from_config(got: std::result::Result<Val, Missing>) -> Val {
    match got {
        Ok(value) => some(value),
        Err(Missing::InvalidName(text)) => error("invalid-key", text),
        Err(Missing::Undefined(text)) => error("provider", text),
    }
}

fn from_store(got: std::result::Result<Val, Missing>) -> Val {
    some(Val::Option(got.ok().map(Box::new)))
}

type Contract = fn(std::result::Result<Val, Missing>) -> Val;

/// Put what a contract answers to a name in the place of its result.
fn answer(
    interface: &str,
    contract: Contract,
    variables: &Variables,
    parameters: &[Val],
    results: &mut [Val],
) -> Result<()> {
    // A component says itself of what type its imports are; Wasmtime checks what results there are.
    let (Some(name), [result]) = (parameters.first(), results) else {
        return Err(format_err!("it imports {interface} as of another type"));
    };
    *result = contract(get(variables, name));
    Ok(())
}

pub fn add_to_linker(linker: &mut Linker<ComponentState>, variables: &Variables) -> Result<()> {
    const CONFIG_STORE: &str = "wasi:config/store@0.2.0-draft-2024-09-27";
    let contracts: [(&str, &str, Contract); 3] = [
        ("fermyon:spin/variables@2.0.0", "get", from_spin),
        ("fermyon:spin/config", "get-config", from_config),
        (CONFIG_STORE, "get", from_store),
    ];
    for (interface, function, contract) in contracts {
        let variables = variables.clone();
        linker.instance(interface)?.func_new(function, move |_, _, parameters, results| {
            answer(interface, contract, &variables, parameters, results)
        })?;
    }
    // Its function is async; engines for guests that have nothing async know no such functions.
    if linker.engine().get_concurrency_support() {
        const INTERFACE: &str = "spin:variables/variables@3.0.0";
        let variables = variables.clone();
        linker.instance(INTERFACE)?.func_new_concurrent("get", move |_, _, parameters, results| {
            Box::pin(ready(answer(INTERFACE, from_spin, &variables, parameters, results)))
        })?;
    }
    let variables = variables.clone();
    linker.instance(CONFIG_STORE)?.func_new("get-all", move |_, _, _, results| {
        let text = |text: &String| Val::String(text.clone());
        let pairs = variables.iter().map(|(name, value)| Val::Tuple(vec![text(name), text(value)]));
        let [result] = results else {
            return Err(format_err!("it imports {CONFIG_STORE}#get-all as of another type"));
        };
        *result = some(Val::List(pairs.collect()));
        Ok(())
    })
}

//! Values that cross the border to C: what a guest calls a function of the host with, and what C answers.

use crate::ffi::{borrow, weir_bytes_t};
use crate::service::ComponentState;
use wasmtime_c_api::wasmtime;
use wasmtime_c_api::wasmtime::component::{
    ComponentType, FutureReader, Lift, Lower, ResourceDynamic, ResourceType, StreamReader, Type, Val,
};
use wasmtime_c_api::wasmtime::error::Context as _;
use wasmtime_c_api::wasmtime::{Error, Result, StoreContextMut, format_err};

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum weir_value_kind_t {
    None = 0,
    Bool = 1,
    Integer = 2,
    Real = 3,
    Text = 4,
    Bytes = 5,
    List = 6,
    Case = 7,
    Ok = 8,
    Error = 9,
}

use weir_value_kind_t as Kind;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct weir_value_t {
    kind: weir_value_kind_t,
    integer: i64,
    real: f64,
    bytes: weir_bytes_t,
    items: *const weir_value_t,
    count: usize,
}

impl weir_value_t {
    fn new(kind: Kind) -> weir_value_t {
        let bytes = weir_bytes_t::EMPTY;
        weir_value_t { kind, integer: 0, real: 0.0, bytes, items: std::ptr::null(), count: 0 }
    }

    pub fn integer(integer: i64) -> weir_value_t {
        weir_value_t { integer, ..weir_value_t::new(Kind::Integer) }
    }

    pub fn text(text: &str) -> weir_value_t {
        weir_value_t { bytes: weir_bytes_t::new(text.as_bytes()), ..weir_value_t::new(Kind::Text) }
    }

    pub fn bytes(bytes: &[u8]) -> weir_value_t {
        weir_value_t { bytes: weir_bytes_t::new(bytes), ..weir_value_t::new(Kind::Bytes) }
    }
}

/// Where values of Wasmtime's are made: types of resources, with the numbers that they are told apart by.
pub struct Lowering<'i, 's> {
    pub store: &'i mut StoreContextMut<'s, ComponentState>,
    pub resources: &'i [(ResourceType, u32)],
}

/// A value of C's that has been copied.
pub enum Value {
    None,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Case(String, Box<Value>),
    Result(std::result::Result<Box<Value>, Box<Value>>),
}

impl Value {
    /// Safety: a value as the header wants it, with all that it points to.
    pub unsafe fn copy(value: &weir_value_t) -> Value {
        let text = |bytes: weir_bytes_t| String::from_utf8_lossy(unsafe { bytes.as_slice() }).into_owned();
        let items = || unsafe { borrow(value.items, value.count) };
        let payload = || items().first().map_or(Value::None, |item| unsafe { Value::copy(item) });
        match value.kind {
            Kind::None => Value::None,
            Kind::Bool => Value::Bool(value.integer != 0),
            Kind::Integer => Value::Integer(value.integer),
            Kind::Real => Value::Real(value.real),
            Kind::Text => Value::Text(text(value.bytes)),
            Kind::Bytes => Value::Bytes(unsafe { value.bytes.as_slice() }.to_vec()),
            Kind::List => Value::List(items().iter().map(|item| unsafe { Value::copy(item) }).collect()),
            Kind::Case => Value::Case(text(value.bytes), Box::new(payload())),
            Kind::Ok => Value::Result(Ok(Box::new(payload()))),
            Kind::Error => Value::Result(Err(Box::new(payload()))),
        }
    }

    /// What it is in Wasmtime, where a value of this type is expected.
    pub fn to_val(self, kind: &Type, lowering: &mut Lowering<'_, '_>) -> Result<Val> {
        Ok(match (kind, self) {
            (Type::Bool, Value::Bool(value)) => Val::Bool(value),
            (Type::U8, Value::Integer(value)) => Val::U8(value.try_into()?),
            (Type::U32, Value::Integer(value)) => Val::U32(value.try_into()?),
            (Type::S64, Value::Integer(value)) => Val::S64(value),
            (Type::U64, Value::Integer(value)) => Val::U64(value.try_into()?),
            (Type::Float64, Value::Real(value)) => Val::Float64(value),
            (Type::String, Value::Text(text)) => Val::String(text),
            (Type::List(list), Value::Bytes(bytes)) if list.ty() == Type::U8 => {
                Val::List(bytes.into_iter().map(Val::U8).collect())
            }
            (Type::List(list), Value::List(items)) => Val::List(all(items, std::iter::repeat(list.ty()), lowering)?),
            (Type::Tuple(tuple), Value::List(items)) if items.len() == tuple.types().len() => {
                Val::Tuple(all(items, tuple.types(), lowering)?)
            }
            (Type::Record(record), Value::List(items)) if items.len() == record.fields().len() => {
                let names = record.fields().map(|field| field.name.to_string());
                let fields = all(items, record.fields().map(|field| field.ty), lowering)?;
                Val::Record(names.zip(fields).collect())
            }
            (Type::Variant(variant), Value::Case(name, payload)) => {
                let case = variant.cases().find(|case| case.name == name).context("there is no such case")?;
                let payload = case.ty.map(|kind| payload.to_val(&kind, lowering)).transpose()?;
                Val::Variant(name, payload.map(Box::new))
            }
            (Type::Enum(_), Value::Case(name, _)) => Val::Enum(name),
            (Type::Option(_), Value::None) => Val::Option(None),
            (Type::Option(option), value) => Val::Option(Some(Box::new(value.to_val(&option.ty(), lowering)?))),
            (Type::Result(result), Value::Result(value)) => {
                let mut payload = |kind: Option<Type>, value: Box<Value>| {
                    kind.map(|kind| value.to_val(&kind, lowering).map(Box::new)).transpose()
                };
                Val::Result(match value {
                    Ok(value) => Ok(payload(result.ok(), value)?),
                    Err(value) => Err(payload(result.err(), value)?),
                })
            }
            (Type::Own(resource), Value::Integer(number)) => {
                let known = lowering.resources.iter().find(|(known, _)| known == resource);
                let (_, kind) = known.context("the host answered with a resource that it has not made known")?;
                let own = ResourceDynamic::new_own(number.try_into()?, *kind);
                Val::Resource(own.try_into_resource_any(&mut *lowering.store)?)
            }
            (Type::Stream(stream), Value::List(items)) if stream.ty() == Some(Type::String) => {
                let texts = items.into_iter().map(Value::into_text).collect::<Result<Vec<_>>>()?;
                Val::Stream(StreamReader::new(&mut *lowering.store, texts)?.try_into_stream_any(&mut *lowering.store)?)
            }
            (Type::Future(_), Value::Result(value)) => {
                let outcome = match value {
                    Ok(_) => Ok(()),
                    Err(error) => Err(StoreError::from_value(*error)?),
                };
                let reader = FutureReader::new(&mut *lowering.store, async move { Ok::<_, Error>(outcome) })?;
                Val::Future(reader.try_into_future_any(&mut *lowering.store)?)
            }
            _ => return Err(format_err!("the host answered with a value of another type")),
        })
    }

    pub fn into_optional_bytes(self) -> Result<Option<Vec<u8>>> {
        match self {
            Value::None => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(format_err!("the host answered with something else than bytes")),
        }
    }

    fn into_case(self) -> Result<(String, Value)> {
        match self {
            Value::Case(name, payload) => Ok((name, *payload)),
            _ => Err(format_err!("the host answered with an error without a name")),
        }
    }

    fn into_text(self) -> Result<String> {
        match self {
            Value::Text(text) => Ok(text),
            _ => Err(format_err!("the host answered with something else than text")),
        }
    }
}

fn all(items: Vec<Value>, kinds: impl Iterator<Item = Type>, lowering: &mut Lowering<'_, '_>) -> Result<Vec<Val>> {
    items.into_iter().zip(kinds).map(|(item, kind)| item.to_val(&kind, lowering)).collect()
}

/// The error of a contract, where its types are known in Rust.
pub trait ContractError: ComponentType + Lift + Lower + Send + Sync + 'static {
    fn from_value(value: Value) -> Result<Self>;
}

/// Spin's.
#[derive(ComponentType, Lift, Lower, Clone)]
#[component(variant)]
pub enum StoreError {
    #[component(name = "store-table-full")]
    StoreTableFull,
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

/// That of wasi:keyvalue.
#[derive(ComponentType, Lift, Lower, Clone)]
#[component(variant)]
pub enum BucketError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl ContractError for StoreError {
    fn from_value(value: Value) -> Result<StoreError> {
        let (name, payload) = value.into_case()?;
        Ok(match name.as_str() {
            "store-table-full" => StoreError::StoreTableFull,
            "no-such-store" => StoreError::NoSuchStore,
            "access-denied" => StoreError::AccessDenied,
            _ => StoreError::Other(payload.into_text()?),
        })
    }
}

impl ContractError for BucketError {
    fn from_value(value: Value) -> Result<BucketError> {
        let (name, payload) = value.into_case()?;
        Ok(match name.as_str() {
            "no-such-store" => BucketError::NoSuchStore,
            "access-denied" => BucketError::AccessDenied,
            _ => BucketError::Other(payload.into_text()?),
        })
    }
}

/// A guest's values as C sees them, and what they lie in.
#[derive(Default)]
pub struct Arguments {
    bytes: Vec<Vec<u8>>,
    items: Vec<Box<[weir_value_t]>>,
}

impl Arguments {
    pub fn value(&mut self, val: &Val, store: &mut StoreContextMut<'_, ComponentState>) -> Result<weir_value_t> {
        let integer = weir_value_t::integer;
        let text = |kind: Kind, text: &str| weir_value_t {
            bytes: weir_bytes_t::new(text.as_bytes()),
            ..weir_value_t::new(kind)
        };
        Ok(match val {
            Val::Bool(value) => weir_value_t { integer: (*value).into(), ..weir_value_t::new(Kind::Bool) },
            Val::U8(value) => integer((*value).into()),
            Val::U32(value) => integer((*value).into()),
            Val::S64(value) => integer(*value),
            Val::U64(value) => integer((*value).try_into()?),
            Val::Float64(real) => weir_value_t { real: *real, ..weir_value_t::new(Kind::Real) },
            Val::String(value) => text(Kind::Text, value),
            Val::Enum(name) => text(Kind::Case, name),
            Val::List(vals) if matches!(vals.first(), Some(Val::U8(_))) => {
                let bytes = vals.iter().map(|val| if let Val::U8(byte) = val { *byte } else { 0 }).collect::<Vec<_>>();
                let value = weir_value_t { bytes: weir_bytes_t::new(&bytes), ..weir_value_t::new(Kind::Bytes) };
                self.bytes.push(bytes);
                value
            }
            Val::List(vals) | Val::Tuple(vals) => self.with(weir_value_t::new(Kind::List), vals.iter(), store)?,
            Val::Record(fields) => {
                self.with(weir_value_t::new(Kind::List), fields.iter().map(|(_, val)| val), store)?
            }
            Val::Variant(name, payload) => self.with(text(Kind::Case, name), payload.iter().map(|it| &**it), store)?,
            Val::Result(Ok(payload)) => {
                self.with(weir_value_t::new(Kind::Ok), payload.iter().map(|it| &**it), store)?
            }
            Val::Result(Err(payload)) => {
                self.with(weir_value_t::new(Kind::Error), payload.iter().map(|it| &**it), store)?
            }
            Val::Option(None) => weir_value_t::new(Kind::None),
            Val::Option(Some(val)) => self.value(val, store)?,
            Val::Resource(any) => integer(ResourceDynamic::try_from_resource_any(*any, &mut *store)?.rep().into()),
            _ => return Err(format_err!("it calls with a value of a type that the host does not know")),
        })
    }

    fn with<'v>(
        &mut self,
        value: weir_value_t,
        vals: impl Iterator<Item = &'v Val>,
        store: &mut StoreContextMut<'_, ComponentState>,
    ) -> Result<weir_value_t> {
        let items = vals.map(|val| self.value(val, store)).collect::<Result<Box<[_]>>>()?;
        let value = weir_value_t { items: items.as_ptr(), count: items.len(), ..value };
        self.items.push(items);
        Ok(value)
    }
}

//! TOML to JSON, with the place of every key and value, so that C can point at what it does not like.

use crate::ffi::{guard, into_text, one_line, weir_bytes_t};
use serde_json::{Map, Value};
use std::ffi::c_char;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[repr(C)]
pub struct weir_position_t {
    line: u32,
    column: u32,
}

/// A message and where it belongs.
struct Complaint {
    message: String,
    offset: Option<usize>,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_toml_to_json(
    text: weir_bytes_t,
    ret_json: *mut *mut c_char,
    ret_message: *mut *mut c_char,
    ret_position: *mut weir_position_t,
) -> bool {
    let bytes = unsafe { text.as_slice() };
    let converted = guard(
        || {
            let lines = Lines::new(bytes);
            convert(bytes, &lines).map(into_text).map_err(|complaint| {
                let (line, column) = complaint.offset.map_or((0, 0), |offset| lines.place(offset));
                (into_text(one_line(&complaint.message)), weir_position_t { line, column })
            })
        },
        |panic| Err((into_text(panic), weir_position_t { line: 0, column: 0 })),
    );
    match converted {
        Ok(json) => {
            unsafe { *ret_json = json };
            true
        }
        Err((message, position)) => {
            unsafe {
                *ret_message = message;
                *ret_position = position;
            }
            false
        }
    }
}

fn convert(bytes: &[u8], lines: &Lines) -> Result<String, Complaint> {
    let text = std::str::from_utf8(bytes).map_err(|error| Complaint {
        message: "the text is not UTF-8".to_string(),
        offset: Some(error.valid_up_to()),
    })?;
    let table = DeTable::parse(text).map_err(|error| Complaint {
        message: error.message().to_string(),
        offset: error.span().map(|span| span.start),
    })?;
    let mut walk = Walk { lines, pointers_bytes: 0, pointer: String::new(), positions: Map::new() };
    let document = walk.table(table.get_ref())?;
    let mut whole = Map::new();
    whole.insert("document".to_string(), document);
    whole.insert("positions".to_string(), Value::Object(walk.positions));
    Ok(Value::Object(whole).to_string())
}

/// What one document may hold: each value's place is kept under its whole pointer, so that a small text could ask for
/// a very large answer.
const VALUES_MAX: usize = 65_536;
const POINTERS_MAX_BYTES: usize = 16 << 20;

struct Walk<'a> {
    lines: &'a Lines<'a>,
    pointers_bytes: usize,
    pointer: String, // RFC 6901
    positions: Map<String, Value>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable) -> Result<Value, Complaint> {
        let mut object = Map::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let token = name.replace('~', "~0").replace('/', "~1");
            let converted = self.member(&token, key.span(), value)?;
            object.insert(name, converted);
        }
        Ok(Value::Object(object))
    }

    fn member(&mut self, token: &str, key: Range<usize>, value: &Spanned<DeValue>) -> Result<Value, Complaint> {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(token);
        self.pointers_bytes += self.pointer.len();
        if self.positions.len() == VALUES_MAX || self.pointers_bytes > POINTERS_MAX_BYTES {
            return Err(Complaint {
                message: format!("more than {VALUES_MAX} values, or keys that are too long"),
                offset: Some(key.start),
            });
        }
        let (key_line, key_column) = self.lines.place(key.start);
        let (line, column) = self.lines.place(value.span().start);
        self.positions.insert(self.pointer.clone(), Value::from(vec![key_line, key_column, line, column]));
        let converted = self.value(value);
        self.pointer.truncate(length);
        converted
    }

    fn value(&mut self, value: &Spanned<DeValue>) -> Result<Value, Complaint> {
        let out_of_range =
            |what: &str| Complaint { message: format!("the {what} is out of range"), offset: Some(value.span().start) };
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Datetime(date) => Value::String(date.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Value::from)
                .map_err(|_| out_of_range("integer"))?,
            DeValue::Float(number) => number
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| out_of_range("number"))?,
            DeValue::Array(items) => {
                let mut array = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    array.push(self.member(&index.to_string(), item.span(), item)?);
                }
                Value::Array(array)
            }
            DeValue::Table(table) => self.table(table)?,
        })
    }
}

/// Where lines begin, to turn an offset into a line and a column, however long the lines are.
struct Lines<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
    characters: Vec<usize>, // before each multiple of STRIDE bytes
}

const STRIDE: usize = 256;

/// How many characters begin in `bytes`: continuation bytes of UTF-8 do not count.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Lines<'a> {
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
        let mut characters = vec![0];
        for chunk in bytes.chunks(STRIDE) {
            characters.push(characters[characters.len() - 1] + count_characters(chunk));
        }
        Lines { bytes, starts: std::iter::once(0).chain(breaks).collect(), characters }
    }

    fn characters_before(&self, offset: usize) -> usize {
        let chunk = offset / STRIDE;
        self.characters[chunk] + count_characters(&self.bytes[chunk * STRIDE..offset])
    }

    /// Both from 1; columns count characters.
    fn place(&self, offset: usize) -> (u32, u32) {
        let offset = offset.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let column = self.characters_before(offset) - self.characters_before(self.starts[line - 1]) + 1;
        (line as u32, column as u32)
    }
}

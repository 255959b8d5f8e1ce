//! Messages and their values, shown by the units of the schema.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use decision::money::{Cpm, Nanos};
use decision::outcome::NoBidReason;
use decision::time::{Micros, Seconds};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use super::time::{DayText, MicrosText, SecondsText};
use crate::ids::device;
use crate::wire::Unit;

/// The schemas, as the compiler described them.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let descriptors = include_bytes!("../wire/vernier.v1.bin");
    Schema::new(DescriptorPool::decode(descriptors.as_slice()).expect("a test keeps the descriptors fresh"))
});

pub(super) struct Schema {
    pool: DescriptorPool,
    /// By the field's full name; a field that is not here is plain.
    units: BTreeMap<String, Unit>,
}

impl Schema {
    fn new(pool: DescriptorPool) -> Self {
        let option = pool.get_extension_by_name("vernier.v1.unit").expect("units.proto declares it");
        let mut units = BTreeMap::new();
        for field in pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>()) {
            let number = field.options().get_extension(&option).as_enum_number();
            if let Some(unit) = number.and_then(|number| Unit::try_from(number).ok()).filter(|u| *u != Unit::Plain) {
                units.insert(field.full_name().to_owned(), unit);
            }
        }
        Self { pool, units }
    }

    /// The message of a name in the package.
    pub(super) fn message(&self, name: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("vernier.v1.{name}")).expect("a test shows a record of every stream")
    }

    fn unit(&self, field: &FieldDescriptor) -> Unit {
        self.units.get(field.full_name()).copied().unwrap_or(Unit::Plain)
    }
}

/// Writes the fields of `message` in the order of their numbers. Of alternatives only the one that is set is written.
pub(super) fn entries<M: SerializeMap>(message: &DynamicMessage, map: &mut M) -> Result<(), M::Error> {
    for field in message.descriptor().fields() {
        let absent = field.supports_presence() && !message.has_field(&field);
        if absent && field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
            continue;
        }
        if absent {
            map.serialize_entry(field.name(), &())?;
        } else {
            let value = message.get_field(&field);
            let shown = Shown { value: &value, kind: &field.kind(), unit: SCHEMA.unit(&field) };
            map.serialize_entry(field.name(), &shown)?;
        }
    }
    Ok(())
}

/// A value as its unit has it.
struct Shown<'a> {
    value: &'a Value,
    kind: &'a Kind,
    unit: Unit,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::List(values) => serializer.collect_seq(values.iter().map(|value| Shown { value, ..*self })),
            Value::Message(message) => {
                let mut map = serializer.serialize_map(None)?;
                entries(message, &mut map)?;
                map.end()
            }
            _ => self.scalar().serialize(serializer),
        }
    }
}

impl Shown<'_> {
    /// Numbers look as their unit has it; a test keeps units to the kinds of numbers that are told apart here.
    fn scalar(&self) -> Json {
        match *self.value {
            Value::Bool(truth) => truth.into(),
            Value::I32(number) => number.into(),
            Value::I64(number) => signed(number, self.unit),
            Value::U32(number) => unsigned(number, self.unit),
            Value::U64(number) => wide(number, self.unit),
            Value::String(ref text) => filled(text.clone()),
            Value::Bytes(ref bytes) => filled(Hex(bytes).to_string()),
            Value::EnumNumber(number) => name_of(self.kind, number).map_or(number.into(), Json::String),
            Value::F32(_) | Value::F64(_) | Value::Map(_) | Value::List(_) | Value::Message(_) => {
                unreachable!("groups are shown elsewhere, and a test refuses schemas with floats and maps")
            }
        }
    }
}

fn signed(number: i64, unit: Unit) -> Json {
    match unit {
        Unit::Micros if number == 0 => Json::Null,
        Unit::Micros => Json::String(MicrosText(Micros(number)).to_string()),
        Unit::Nanos | Unit::Rate => Json::String(Nanos::new(number).to_string()),
        Unit::Cpm => Json::String(Cpm(Nanos::of_one_impression(number)).to_string()),
        _ => number.into(),
    }
}

fn unsigned(number: u32, unit: Unit) -> Json {
    match unit {
        Unit::Seconds | Unit::Id | Unit::Device | Unit::NoBidReason | Unit::Day if number == 0 => Json::Null,
        Unit::Day => Json::String(DayText(number).to_string()),
        Unit::Seconds => Json::String(SecondsText(Seconds(number)).to_string()),
        Unit::Device => device(number).name().into(),
        Unit::NoBidReason => NoBidReason::of_code(number).map_or(number.into(), |reason| reason.label().into()),
        _ => number.into(),
    }
}

fn wide(number: u64, unit: Unit) -> Json {
    match unit {
        Unit::Id if number == 0 => Json::Null,
        Unit::Id => Json::String(number.to_string()),
        Unit::Bits => Json::String(format!("{number:016x}")),
        _ => number.into(),
    }
}

fn filled(text: String) -> Json {
    if text.is_empty() { Json::Null } else { Json::String(text) }
}

/// The name of an enumeration's value in lower case, without the enumeration's own name that all of them begin with.
fn name_of(kind: &Kind, number: i32) -> Option<String> {
    let names = kind.as_enum()?;
    let mut name = names.get_value(number)?.name().to_lowercase();
    // `UnknownWhy` is spelt `UNKNOWN_WHY_`: a letter each, and an underscore for each word.
    let words = names.name().chars().filter(char::is_ascii_uppercase).count();
    Some(name.split_off(names.name().len() + words))
}

/// Bytes as hexadecimal.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

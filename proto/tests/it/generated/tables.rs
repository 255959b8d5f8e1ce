//! The tables of `schema/README.md`: every message with its fields as JSON shows them, from the schemas and their
//! comments.

use std::fmt::Write;

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use proto::record::STREAMS;
use proto::wire::Unit;

use crate::golden;

/// What stands before the tables.
pub(super) const MARKER: &str = "<!-- Written by the tests of `proto` from the schemas and their comments. -->\n";

/// A section for each stream, and one for each message that its records are made of where it is first needed.
pub(super) fn of(pool: &DescriptorPool) -> String {
    let mut text = String::new();
    let mut told = Vec::new();
    for stream in STREAMS {
        let message = pool.get_message_by_name(golden::message(stream).full_name()).expect("the same schemas");
        write!(text, "\n## `{stream}`\n").expect("text");
        tell(&message, pool, &mut told, &mut text);
    }
    text
}

/// Writes the table of `message`, and of each message in it that was not told before.
fn tell(message: &MessageDescriptor, pool: &DescriptorPool, told: &mut Vec<MessageDescriptor>, text: &mut String) {
    if told.contains(message) {
        return;
    }
    told.push(message.clone());
    write!(text, "\n### {}\n\n", message.name()).expect("text");
    let note = comment(&message.parent_file(), message.path());
    if !note.is_empty() {
        write!(text, "{note}\n\n").expect("text");
    }
    if message.fields().len() > 0 {
        text.push_str("| field | form | meaning |\n|---|---|---|\n");
    }
    for field in message.fields() {
        let meaning = meaning(&field).replace('|', "\\|");
        writeln!(text, "| `{}` | {} | {meaning} |", field.name(), form(&field, pool)).expect("text");
    }
    message.fields().filter_map(|field| field.kind().as_message().cloned()).for_each(|part| {
        tell(&part, pool, told, text);
    });
}

/// The comment of a field, and those of the values of its enumeration.
fn meaning(field: &FieldDescriptor) -> String {
    let mut meaning = vec![comment(&field.parent_file(), field.path())];
    if let Some(names) = field.kind().as_enum() {
        let values =
            names.values().map(|value| (name(names, value.name()), comment(&names.parent_file(), value.path())));
        meaning.extend(values.filter(|(_, note)| !note.is_empty()).map(|(name, note)| format!("`{name}`: {note}")));
    }
    meaning.retain(|part| !part.is_empty());
    meaning.join(" ")
}

/// The comment before what has this path in the file.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref().expect("the descriptors have their comments");
    let place = info.location.iter().find(|location| location.path == path);
    place.map_or_else(String::new, |place| place.leading_comments().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How the values of a field look.
fn form(field: &FieldDescriptor, pool: &DescriptorPool) -> String {
    let option = pool.get_extension_by_name("vernier.v1.unit").expect("units.proto declares it");
    let number = field.options().get_extension(&option).as_enum_number();
    let unit = number.and_then(|number| Unit::try_from(number).ok()).unwrap_or(Unit::Plain);
    assert!(!field.is_map(), "{}: a map has no order and no form", field.full_name());
    let form = match (field.kind(), unit) {
        (Kind::Message(part), Unit::Plain) => format!("[{}](#{})", part.name(), part.name().to_lowercase()),
        (Kind::Enum(names), Unit::Plain) => names_of(&names),
        (Kind::Bytes, Unit::Plain) | (Kind::Fixed64, Unit::Bits) => "hexadecimal".to_owned(),
        (Kind::String, Unit::Plain) => "text".to_owned(),
        (Kind::Bool, Unit::Plain) => "true or false".to_owned(),
        (Kind::Int32 | Kind::Uint32 | Kind::Uint64, Unit::Plain) => "number".to_owned(),
        (Kind::Int64, Unit::Micros) | (Kind::Uint32, Unit::Seconds) => "time".to_owned(),
        (Kind::Int64, Unit::Nanos) => "money".to_owned(),
        (Kind::Int64, Unit::Cpm) => "money a thousand".to_owned(),
        (Kind::Int64, Unit::Rate) => "rate".to_owned(),
        (Kind::Uint32, Unit::Id) => "id".to_owned(),
        (Kind::Uint64, Unit::Id) => "id (text)".to_owned(),
        (Kind::Uint32, Unit::Day) => "day".to_owned(),
        (Kind::Uint32, Unit::Device) => "device".to_owned(),
        (Kind::Uint32, Unit::NoBidReason) => "reason".to_owned(),
        (kind, unit) => panic!("{}: {kind:?} as {unit:?} has no form here and in json", field.full_name()),
    };
    if field.is_list() { format!("list: {form}") } else { form }
}

fn names_of(names: &EnumDescriptor) -> String {
    let values: Vec<String> = names.values().map(|value| format!("`{}`", name(names, value.name()))).collect();
    values.join(", ")
}

/// `ARM_HELD_OUT` of `Arm` is `held_out`.
fn name(names: &EnumDescriptor, value: &str) -> String {
    let words = names.name().chars().filter(char::is_ascii_uppercase).count();
    value[names.name().len() + words..].to_lowercase()
}

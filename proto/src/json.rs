//! Records as JSON, one line each, for people and for tools such as `jq`.
//!
//! A line has the record's `key`, then every field in the order of the schema under its name there. What is absent or
//! empty is `null`, so all lines of a stream have the same columns; of alternatives (`oneof`) only the one that is set
//! is there. `schema/README.md` says how values look; they follow the unit that the schema gives each field.

use prost_reflect::DynamicMessage;
use serde::ser::{Serialize, SerializeMap, Serializer};
use thiserror::Error;

use crate::record::{KeyForm, RecordError, SCHEMAS, message_bytes};

mod show;
mod time;

use show::{Hex, SCHEMA, entries};

/// Why a record cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// No stream has this name.
    #[error("there is no stream `{0}`")]
    UnknownStream(String),
    /// The value is no record of the stream.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The record `value` under `key` of `stream` as one line of JSON, without the line's end.
pub fn to_json(stream: &str, key: &[u8], value: &[u8]) -> Result<String, JsonError> {
    let unknown = || JsonError::UnknownStream(stream.to_owned());
    let schema = SCHEMAS.iter().find(|schema| schema.stream == stream).ok_or_else(unknown)?;
    let message = DynamicMessage::decode(SCHEMA.message(schema.message), message_bytes(value)?);
    let line = Line { key, form: schema.key, message: &message.map_err(RecordError::Malformed)? };
    Ok(serde_json::to_string(&line).expect("maps with string keys, strings and numbers are JSON"))
}

struct Line<'a> {
    key: &'a [u8],
    form: KeyForm,
    message: &'a DynamicMessage,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let key = match self.form {
            KeyForm::Id => Hex(self.key).to_string(),
            KeyForm::Text => String::from_utf8_lossy(self.key).into_owned(),
        };
        map.serialize_entry("key", &Some(key).filter(|key| !key.is_empty()))?;
        entries(self.message, &mut map)?;
        map.end()
    }
}

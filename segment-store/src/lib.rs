//! What is known of people: the segments they are in and the advertisements they were shown.
//!
//! A person's profile is found under each of their ids. The hot path reads it ([`Profiles::read`]) and says what became
//! of each impression ([`Profiles::count`]); writers change memberships ([`Profiles::join`]) and the [`admin`] routes
//! import them. The module `record` describes the bytes that are stored.

mod buffer;
mod caps;
mod id_hash;
mod local;
mod person;
mod profiles;
mod record;
mod redis;

pub mod admin;
pub mod import;
pub mod limits;

pub use self::redis::{RedisOptions, RedisProfiles, is_redis_url};
pub use buffer::ProfileBuffer;
pub use caps::{CapChange, CapEvent};
pub use decision::profile::Keep;
pub use id_hash::{IdHasher, stranger};
pub use local::LocalProfiles;
pub use profiles::{Join, Profiles, Refusal, Stats, StoreError, Swept};

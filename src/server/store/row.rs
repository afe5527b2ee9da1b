//! From columns to domain types: every text that is no value of ours is an error that names its column.

use super::inconsistent;
use crate::domain::id::NotAnId;
use serde::{Serialize, de::DeserializeOwned};

/// Sorts after every id: where a page begins that has no cursor.
pub const NEWEST: &str = "ZZZZZZZZZZZZZZZZZZZZZZZZZZ";

/// Reads a text column as a domain value.
pub fn value<T>(column: &'static str, text: &str, read: impl Fn(&str) -> Option<T>) -> sqlx::Result<T> {
    read(text).ok_or_else(|| inconsistent(column))
}

/// Reads an id column.
pub fn id<T: TryFrom<String, Error = NotAnId>>(column: &'static str, text: String) -> sqlx::Result<T> {
    T::try_from(text).map_err(|_| inconsistent(column))
}

/// Reads a nullable id column.
pub fn maybe_id<T: TryFrom<String, Error = NotAnId>>(
    column: &'static str,
    text: Option<String>,
) -> sqlx::Result<Option<T>> {
    text.map(|text| id(column, text)).transpose()
}

/// Reads a count.
pub fn count(column: &'static str, number: i64) -> sqlx::Result<u32> {
    u32::try_from(number).map_err(|_| inconsistent(column))
}

/// Reads a column of JSON.
pub fn json<T: DeserializeOwned>(column: &'static str, text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|_| inconsistent(column))
}

/// What a column of JSON gets; read again by [`json`].
pub fn text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data")
}

//! Keys for programs.

use super::{id::ApiKeyId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// A key as it is listed: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Identifier.
    pub id: ApiKeyId,
    /// What it is for, as its maker wrote it.
    pub name: String,
    /// The first characters, by which a person recognises it.
    pub prefix: String,
    /// Made.
    pub created_at: Timestamp,
    /// Last used, to the minute; `None` when never.
    pub last_used_at: Option<Timestamp>,
}

/// A key just made: the only time it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiKey {
    /// Identifier.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// The first characters.
    pub prefix: String,
    /// The key: `tern_` and 43 characters.
    pub key: String,
    /// Made.
    pub created_at: Timestamp,
}

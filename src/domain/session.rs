//! Signed-in browsers.

use super::{id::SessionId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// One signed-in browser, as its owner sees it in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Identifier; not the token.
    pub id: SessionId,
    /// What the browser calls itself, shortened.
    pub user_agent: String,
    /// Signed in.
    pub created_at: Timestamp,
    /// Last seen, to the minute.
    pub seen_at: Timestamp,
    /// True for the browser that asks.
    pub is_current: bool,
}

//! Keyset pages: how long lists travel. Never OFFSET, so a page costs the same at the start and at the end of history.

use serde::{Deserialize, Serialize};

/// One page, newest first, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page.
    pub data: Vec<T>,
    /// Hand it back as `cursor` for the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of `rows`, which were asked for with one row more than `limit`; `key` gives a row's place in the order.
    pub fn from_rows(mut rows: Vec<T>, limit: Limit, key: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next_cursor = if more { rows.last().map(key) } else { None };
        Self { data: rows, next_cursor }
    }
}

/// Rows in a page: 1–200, 50 when not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

/// The limit is no number from 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 1 to 200")]
pub struct NotALimit;

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Limit {
    /// Rows that an export reads at a time.
    pub const EXPORT: Self = Self(1_000);

    /// Reads the query parameter.
    pub fn parse(text: &str) -> Result<Self, NotALimit> {
        text.parse().ok().filter(|n| (1..=200).contains(n)).map(Self).ok_or(NotALimit)
    }

    /// For the head of another page.
    pub const fn few() -> Self {
        Self(5)
    }

    /// For work in the background: nobody reads such a page.
    pub const fn batch() -> Self {
        Self(1_000)
    }

    /// Rows in the page.
    pub fn rows(self) -> usize {
        self.0.into()
    }

    /// Rows to ask the database for: one more tells whether there is a next page.
    pub fn asked(self) -> i64 {
        i64::from(self.0) + 1
    }
}

//! The server's failures, and the one place where they become what the outside may see.

use crate::{
    api::error::{ApiError, Kind},
    domain::field_error::FieldErrors,
    server::{clock, http},
};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A failure that the caller can see as it is.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Something that should not happen; the text is for the log.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// Nobody is signed in.
    pub fn signed_out() -> Self {
        ApiError::new(Kind::SignedOut, "unauthorized", "Unauthorized").into()
    }

    /// Signed in, in no organization.
    pub fn no_organization() -> Self {
        ApiError::new(Kind::Forbidden, "no_organization", "No organization").into()
    }

    /// It does not exist here.
    pub fn not_found() -> Self {
        Self::missing("Not found")
    }

    /// It does not exist here, in the contract's own words.
    pub fn missing(message: &str) -> Self {
        ApiError::new(Kind::NotFound, "not_found", message).into()
    }

    /// Bad input in named fields; the sentence is made of the first.
    pub fn invalid(fields: FieldErrors) -> Self {
        let message = fields
            .0
            .first()
            .map_or("Invalid input".to_owned(), |error| format!("{} {}", error.subject(), error.message));
        Self::invalid_as(&message, fields)
    }

    /// Bad input, in the contract's own words.
    pub fn invalid_as(message: &str, fields: FieldErrors) -> Self {
        ApiError { fields, ..ApiError::new(Kind::Invalid, "invalid", message) }.into()
    }

    /// It clashes with what is there.
    pub fn conflict(code: &str, message: &str) -> Self {
        ApiError::new(Kind::Conflict, code, message).into()
    }

    /// Too many tries.
    pub fn too_soon(message: &str, after_millis: i64) -> Self {
        let seconds = u32::try_from((after_millis + 999) / 1_000).unwrap_or(1).max(1);
        ApiError { retry_after: Some(seconds), ..ApiError::new(Kind::TooSoon, "too_many_requests", message) }.into()
    }
}

impl From<FieldErrors> for Error {
    fn from(fields: FieldErrors) -> Self {
        Self::invalid(fields)
    }
}

impl From<Error> for ApiError {
    /// Causes stay in the log under a reference; the outside gets the reference.
    fn from(error: Error) -> Self {
        let (kind, code, message) = match &error {
            Error::Api(api) => return noted(api.clone()),
            Error::Database(cause) if is_busy(cause) => (
                Kind::Unavailable,
                "database_busy",
                "The database is busy. Nothing was changed; try again in a moment.",
            ),
            Error::Database(cause) if is_full(cause) => (
                Kind::Unavailable,
                "disk_full",
                "The disk is full, so nothing was stored. Make room on the server and try again.",
            ),
            _ => (
                Kind::Internal,
                "internal",
                "Something went wrong on the server. Try again; if it stays, tell the operator the reference.",
            ),
        };
        let reference = hex::encode(clock::random_bytes::<6>());
        tracing::error!(error.reference = %reference, error.cause = %error, "request failed");
        noted(Self {
            retry_after: (kind == Kind::Unavailable).then_some(1),
            reference: Some(reference),
            ..Self::new(kind, code, message)
        })
    }
}

/// Gives the answer of a server function its status.
fn noted(error: ApiError) -> ApiError {
    http::page::note_status(error.status());
    error
}

/// SQLite: busy or locked; PostgreSQL: serialization, deadlock, lock not available; no connection free.
fn is_busy(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(d) => {
            matches!(d.code().as_deref(), Some("5" | "6" | "261" | "517" | "40001" | "40P01" | "55P03"))
        }
        sqlx::Error::PoolTimedOut => true,
        _ => false,
    }
}

/// SQLite: full; PostgreSQL: `disk_full`.
fn is_full(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(d) if matches!(d.code().as_deref(), Some("13" | "53100")))
}

//! The one error that crosses from server to browser. It holds sentences for people and codes for programs, never a
//! cause: SQL, stacks and secrets stay in the server's log.

use super::codec::JsonText;
use crate::domain::{field_error::FieldErrors, template::Position};
use leptos::server_fn::{error::FromServerFnError, error::ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// What kind of failure it is, which decides the HTTP status and what a page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bad input: 400.
    Invalid,
    /// Nobody is signed in: 401.
    SignedOut,
    /// Signed in, but not allowed: 403.
    Forbidden,
    /// It does not exist, or not for this organization: 404.
    NotFound,
    /// It cannot be done in the present state: 409.
    Conflict,
    /// An idempotency key came back with another body: 422.
    KeyReused,
    /// Larger than is accepted: 413.
    TooLarge,
    /// Not the content type that is asked for: 415.
    Unsupported,
    /// Too many tries: 429.
    TooSoon,
    /// The server's own fault: 500.
    Internal,
    /// Stopping, or the database is busy or full; worth another try: 503.
    Unavailable,
    /// The browser could not reach the server.
    Transport,
}

/// A failure as the browser and the API see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Its kind.
    pub kind: Kind,
    /// A sentence for a person.
    pub message: String,
    /// `snake_case`, for a program.
    pub code: String,
    /// What is wrong with which field.
    #[serde(default)]
    pub fields: FieldErrors,
    /// Seconds until another try makes sense.
    #[serde(default)]
    pub retry_after: Option<u32>,
    /// Finds the failure in the server's log.
    #[serde(default)]
    pub reference: Option<String>,
    /// The id of what it clashes with.
    #[serde(default)]
    pub other: Option<String>,
    /// Where in the text of the first faulty field.
    #[serde(default)]
    pub at: Option<Position>,
    /// What was typed, by field name and without secrets: a form drawn again without JavaScript loses nothing.
    #[serde(default)]
    pub typed: Vec<(String, String)>,
}

impl ApiError {
    /// A failure with nothing but its sentence.
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: code.to_owned(),
            fields: FieldErrors::default(),
            retry_after: None,
            reference: None,
            other: None,
            at: None,
            typed: Vec::new(),
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Invalid => 400,
            Kind::SignedOut => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::TooLarge => 413,
            Kind::Unsupported => 415,
            Kind::KeyReused => 422,
            Kind::TooSoon => 429,
            Kind::Internal | Kind::Transport => 500,
            Kind::Unavailable => 503,
        }
    }

    /// Keeps what was typed into the named fields.
    #[must_use]
    pub fn keeping<const N: usize>(mut self, typed: [(&str, &str); N]) -> Self {
        self.typed = typed.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self
    }

    /// What was typed into `field` before it failed.
    pub fn typed(&self, field: &str) -> Option<&str> {
        self.typed.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            // The browser's words: the request did not get through.
            ServerFnErrorErr::Request(_) => {
                Self::new(Kind::Transport, "unreachable", "Tern cannot be reached. Check the connection and try again.")
            }
            // What a form can send wrong: a missing field or a wrong type.
            ServerFnErrorErr::Args(text) | ServerFnErrorErr::MissingArg(text) => {
                Self::new(Kind::Invalid, "invalid", format!("The form could not be read: {text}"))
            }
            _ => {
                Self::new(Kind::Transport, "transport", "The answer could not be read. Reload the page and try again.")
            }
        }
    }
}

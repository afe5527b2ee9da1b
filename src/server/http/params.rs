//! What the address of a request says: its parameters, read one by one like the fields of a body (`input`), and its id.

use super::HttpState;
use crate::{
    api::error::{ApiError, Kind},
    domain::{field_error::FieldErrors, page::Limit},
    server::error::Error,
};
use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use std::{collections::HashMap, str::FromStr};

/// They are without spaces around them; one that is empty is none.
pub struct Params {
    given: HashMap<String, String>,
    /// What was wrong so far.
    pub errors: FieldErrors,
}

impl FromRequestParts<HttpState> for Params {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &HttpState) -> Result<Self, Error> {
        let unreadable = |_| ApiError::new(Kind::Invalid, "invalid_query", "The parameters cannot be read");
        let Query(given) = Query::try_from_uri(&parts.uri).map_err(unreadable)?;
        Ok(Self { given, errors: FieldErrors::default() })
    }
}

impl Params {
    /// A text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether it is there, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// What `parse` makes of a text; its fault is noted.
    pub fn read<T, E: std::fmt::Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let read = parse(self.text(name)?);
        self.errors.check(name, read)
    }

    /// Where a page of a list begins, and how many rows it has.
    pub fn page<T: FromStr>(&mut self) -> (Option<T>, Limit) {
        let cursor = self.read("cursor", |text| text.parse().map_err(|_| "is no cursor of this list"));
        (cursor, self.read("limit", Limit::parse).unwrap_or_default())
    }

    /// An error when anything was wrong so far.
    pub fn check(&self) -> Result<(), Error> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::invalid(self.errors.clone())) }
    }
}

/// The id in the path; what cannot be one does not exist.
pub struct Id<T>(pub T);

impl<T: FromStr> FromRequestParts<HttpState> for Id<T> {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Error> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::not_found())?;
        id.parse().map(Self).map_err(|_| Error::not_found())
    }
}

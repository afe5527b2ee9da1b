//! Request bodies: a JSON object, read field by field, so that every wrong type names its field.

use super::HttpState;
use crate::{
    api::error::{ApiError, Kind},
    domain::field_error::FieldErrors,
    server::error::Error,
};
use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::header,
};
use serde_json::{Map, Value};

/// The most a JSON body may have; the longest e-mail fits.
const MAX: usize = 512 * 1024;

/// The fields of a body; those that are read are taken out.
pub struct Input {
    fields: Map<String, Value>,
    /// What was wrong so far.
    pub errors: FieldErrors,
    /// The body as it came.
    pub raw: String,
}

impl FromRequest<HttpState> for Input {
    type Rejection = Error;
    async fn from_request(request: Request, _: &HttpState) -> Result<Self, Error> {
        let content_type =
            request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let is_json =
            content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            let message = "Send JSON, with the header Content-Type: application/json";
            return Err(ApiError::new(Kind::Unsupported, "unsupported_content_type", message).into());
        }
        let too_large = |_| Error::from(ApiError::new(Kind::TooLarge, "too_large", "The request is too large"));
        let body = to_bytes(request.into_body(), MAX).await.map_err(too_large)?;
        let invalid = |message: &str| Error::from(ApiError::new(Kind::Invalid, "invalid_json", message));
        let raw = String::from_utf8(body.into()).map_err(|_| invalid("The body is not UTF-8"))?;
        match serde_json::from_str(&raw) {
            Ok(Value::Object(fields)) => Ok(Self { fields, errors: FieldErrors::default(), raw }),
            Ok(_) => Err(invalid("The body must be a JSON object")),
            Err(error) => {
                Err(invalid(&format!("The body is not valid JSON: line {}, column {}", error.line(), error.column())))
            }
        }
    }
}

impl Input {
    /// An object inside a body.
    pub fn of(value: Value) -> Result<Self, Error> {
        let raw = value.to_string();
        match value {
            Value::Object(fields) => Ok(Self { fields, errors: FieldErrors::default(), raw }),
            _ => Err(ApiError::new(Kind::Invalid, "invalid", "It must be a JSON object").into()),
        }
    }

    /// A list; empty when it is not there or null.
    pub fn list(&mut self, name: &str) -> Vec<Value> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.errors.add(name, "must be a list");
                Vec::new()
            }
        }
    }

    /// A list of texts; `None` when it is not there or null.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.fields.remove(name);
            return None;
        }
        let texts = self.list(name).into_iter().map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        });
        let texts: Option<Vec<String>> = texts.collect();
        if texts.is_none() {
            self.errors.add(name, "must be a list of texts");
        }
        texts
    }

    /// An object whose values are texts, numbers, true or false; `None` as a value is null there. Empty when it is not there
    /// or null.
    pub fn record(&mut self, name: &str) -> Vec<(String, Option<String>)> {
        let fields = match self.fields.remove(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                self.errors.add(name, "must be an object");
                return Vec::new();
            }
        };
        let mut record = Vec::new();
        for (key, value) in fields {
            match value {
                Value::Null => record.push((key, None)),
                Value::String(text) => record.push((key, Some(text))),
                Value::Number(number) => record.push((key, Some(number.to_string()))),
                Value::Bool(flag) => record.push((key, Some(flag.to_string()))),
                Value::Array(_) | Value::Object(_) => {
                    self.errors.add(&format!("{name}.{key}"), "must be a text, a number, true or false");
                }
            }
        }
        record
    }

    /// A text; "" when it is not there or null.
    pub fn text(&mut self, name: &str) -> String {
        match self.fields.remove(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(_) => {
                self.errors.add(name, "must be a text");
                String::new()
            }
        }
    }

    /// A whole number, or a text of one, as text; "" when it is not there or null.
    pub fn number(&mut self, name: &str) -> String {
        match self.fields.remove(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => {
                self.errors.add(name, "must be a whole number");
                String::new()
            }
        }
    }

    /// Yes or no; `None` when it is not there or null.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(flag),
            Some(_) => {
                self.errors.add(name, "must be true or false");
                None
            }
        }
    }

    /// Whatever is in it; null when it is not there.
    pub fn value(&mut self, name: &str) -> Value {
        self.fields.remove(name).unwrap_or(Value::Null)
    }

    /// Does not mind a field that answers have and nobody can set.
    pub fn forget(&mut self, name: &str) {
        self.fields.remove(name);
    }

    /// True when the field is there, whatever is in it.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Notes every field that nobody reads.
    pub fn refuse_others(&mut self) {
        for name in self.fields.keys() {
            self.errors.add(name, "is not a field that can be set here");
        }
    }

    /// An error when anything was wrong so far.
    pub fn check(&self) -> Result<(), Error> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::invalid(self.errors.clone())) }
    }
}

//! Secrets: types that cannot be printed, serialised or cloned by accident, and are wiped when dropped.

use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A credential in clear. It can be read in one place only, `expose`, which is easy to search for.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes over the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the vault and the provider adapters, and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a person typed into a password field, on its way from the form to the server: it may be sent, never shown.
/// At the server's door it becomes a [`Secret`].
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Entered(String);

impl From<&str> for Entered {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Entered {
    /// Wraps the text of a field.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The end of the journey.
    pub fn into_secret(mut self) -> Secret {
        Secret(std::mem::take(&mut self.0))
    }

    /// True when nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[entered]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let printed = format!("{:?} {:?}", Secret::new("hunter2".into()), Entered::new("hunter2"));
        assert!(!printed.contains("hunter2"));
        assert_eq!(Entered::new("hunter2").into_secret().expose(), "hunter2");
    }
}

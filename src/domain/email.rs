//! E-mail addresses.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An address that looks deliverable, in lower case (no provider in use tells two cases apart).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address like ann@example.com")]
pub struct NotAnEmail;

impl Email {
    /// Accepts the addresses people have: a dot-atom, an @, a host name with a dot (RFC 5321 lengths: 64 and 254).
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && local.split('.').all(|part| !part.is_empty())
            && local.chars().all(|c| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let domain_ok = domain.contains('.') && domain.split('.').all(label_ok);
        if text.len() <= 254 && local_ok && domain_ok { Ok(Self(text)) } else { Err(NotAnEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = NotAnEmail;
    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_people_have_are_accepted_in_lower_case() {
        for (given, kept) in [
            (" Ann@Example.com ", "ann@example.com"),
            ("a.b+c@x-y.co.uk", "a.b+c@x-y.co.uk"),
            ("jörg@bücher.example", "jörg@bücher.example"),
        ] {
            assert_eq!(Email::parse(given).map(|e| e.to_string()), Ok(kept.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
            "ann@-x.com",
            "a..b@example.com",
            "ann@example.com\r\nBcc: x",
            "a@b@\u{200b}c.com",
        ] {
            assert_eq!(Email::parse(wrong), Err(NotAnEmail), "{wrong:?}");
        }
    }
}

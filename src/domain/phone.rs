//! Phone numbers as E.164. The shape is checked here, in the browser too; the server then asks a full library
//! (`server::phone`), whose tables are too large to send to a browser.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A number in E.164: `+`, country code, subscriber; at most 15 digits (ITU-T E.164).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// The text is no phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number with country code, like +14155550132")]
pub struct NotAPhoneNumber;

impl PhoneNumber {
    /// Checks the shape `^\+[1-9]\d{6,14}$`: seven digits are the shortest national numbers in use with their country code.
    pub fn parse_e164(text: &str) -> Result<Self, NotAPhoneNumber> {
        let digits = text.strip_prefix('+').ok_or(NotAPhoneNumber)?;
        let good =
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if good { Ok(Self(text.to_owned())) } else { Err(NotAPhoneNumber) }
    }

    /// What a form can check before the server does: the usual separators are dropped, then the shape must fit.
    pub fn parse_typed(text: &str) -> Result<Self, NotAPhoneNumber> {
        let bare: String =
            text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect();
        Self::parse_e164(&bare.strip_prefix("00").map_or_else(|| bare.clone(), |rest| format!("+{rest}")))
    }

    /// `+` and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = NotAPhoneNumber;
    fn try_from(text: String) -> Result<Self, NotAPhoneNumber> {
        Self::parse_e164(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_dropped_and_the_shape_is_kept() {
        for typed in ["+14155550132", " +1 (415) 555-0132 ", "0014155550132", "+1.415.555.0132"] {
            assert_eq!(
                PhoneNumber::parse_typed(typed).map(|n| n.to_string()),
                Ok("+14155550132".to_owned()),
                "{typed}"
            );
        }
        for wrong in [
            "",
            "hello",
            "+",
            "+0123456789",
            "4155550132",
            "+1234567890123456",
            "+1415555\u{200b}0132",
            "+1415555013２",
        ] {
            assert_eq!(PhoneNumber::parse_typed(wrong), Err(NotAPhoneNumber), "{wrong:?}");
        }
    }
}

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

    /// The same for all notations of one subscriber: some countries know a mobile number with and without a digit, and
    /// WhatsApp's own name of it may be the other one (Mexico 52**1**, Argentina 54**9**, Brazil's ninth digit). Only to
    /// compare with: what is dialled is never rewritten.
    pub fn key(&self) -> String {
        let digits = &self.0[1..];
        let without = |at: usize| format!("+{}{}", &digits[..at], &digits[at + 1..]);
        let is_long = digits.len() == 13;
        if is_long && (digits.starts_with("521") || digits.starts_with("549")) {
            without(2)
        } else if is_long && digits.starts_with("55") && digits.as_bytes()[4] == b'9' {
            without(4)
        } else {
            self.0.clone()
        }
    }

    /// All notations of the subscriber: every number with this one's [`key`](Self::key).
    pub fn notations(&self) -> Vec<String> {
        let key = self.key();
        let digits = &key[1..];
        let with = |digit: char, at: usize| format!("+{}{digit}{}", &digits[..at], &digits[at..]);
        let other = match (digits.len(), digits.get(..2)) {
            (12, Some("52")) => Some(with('1', 2)),
            (12, Some("54")) => Some(with('9', 2)),
            (12, Some("55")) => Some(with('9', 4)),
            _ => None,
        };
        std::iter::once(key).chain(other).collect()
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

    #[test]
    fn notations_of_one_subscriber_have_one_key() {
        let key = |number: &str| PhoneNumber::parse_e164(number).expect("a number").key();
        for (one, other) in [
            ("+5215512345678", "+525512345678"),
            ("+5491123456789", "+541123456789"),
            ("+5511987654321", "+551187654321"),
        ] {
            assert_eq!(key(one), key(other));
            for number in [one, other] {
                let notations = PhoneNumber::parse_e164(number).expect("a number").notations();
                assert_eq!(notations, [other, one], "{number}");
            }
        }
        for alone in ["+14155550132", "+4915123456789", "+551131234567", "+5611987654321"] {
            assert_eq!(key(alone), alone);
            assert!(PhoneNumber::parse_e164(alone).expect("a number").notations().contains(&alone.to_owned()));
        }
    }
}

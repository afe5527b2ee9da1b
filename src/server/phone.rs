//! Phone numbers by the full tables of a library (a port of Google's libphonenumber); too large for a browser.

use crate::domain::phone::{NotAPhoneNumber, PhoneNumber};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

/// Reads a number with country code, however it is written. "Possible" is enough: a strict validator refuses the usual
/// example numbers, and numbering plans move faster than tables.
pub fn parse(text: &str) -> Result<PhoneNumber, NotAPhoneNumber> {
    // The shape first: the library also reads letters and extensions, at which we do not guess.
    let text = text.trim().replace("(0)", "");
    let typed = PhoneNumber::parse_typed(&text)?;
    let number = PHONE_NUMBER_UTIL.parse(typed.as_str(), None).map_err(|_| NotAPhoneNumber)?;
    if !PHONE_NUMBER_UTIL.is_possible_number(&number) {
        return Err(NotAPhoneNumber);
    }
    PhoneNumber::parse_e164(&PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_written() {
        for (typed, stored) in [
            ("+1 (415) 555-2671", "+14155552671"),
            ("0049 151 23456789", "+4915123456789"),
            ("+49 (0)151 23456789", "+4915123456789"),
            ("+39 06 698 12345", "+390669812345"),
            ("+15558675310", "+15558675310"),
            ("+15005550006", "+15005550006"),
        ] {
            assert_eq!(parse(typed).map(|n| n.to_string()), Ok(stored.to_owned()), "{typed}");
        }
    }

    #[test]
    fn what_no_phone_can_have_is_refused() {
        for wrong in ["", "hello", "+1415555267", "4155552671", "+999123456789", "+1415555\u{200b}2671", "12345"] {
            assert_eq!(parse(wrong), Err(NotAPhoneNumber), "{wrong:?}");
        }
    }
}

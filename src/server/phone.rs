//! Phone numbers by the full tables of a library (a port of Google's libphonenumber); too large for a browser.

use crate::domain::phone::{NotAPhoneNumber, PhoneNumber};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

/// Reads a number with country code, however it is written. "Possible" is enough: a strict validator refuses the usual
/// example numbers, and numbering plans move faster than tables.
pub fn parse(text: &str) -> Result<PhoneNumber, NotAPhoneNumber> {
    // The shape first: the library also reads letters and extensions, at which we do not guess.
    let text = text.trim().replace("(0)", "");
    let typed = PhoneNumber::parse_typed(&text)?;
    read(typed.as_str(), None)
}

/// The same for numbers that may lack their country code; `region` is ISO 3166, like `US`.
pub fn parse_in(text: &str, region: Option<Region>) -> Result<PhoneNumber, NotAPhoneNumber> {
    if region.is_none() || text.trim_start().starts_with('+') {
        return parse(text);
    }
    let is_a_number = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}');
    if !text.chars().all(is_a_number) {
        return Err(NotAPhoneNumber);
    }
    read(text, region)
}

/// A country with numbers, by its two letters of ISO 3166.
pub fn region(name: &str) -> Option<Region> {
    let region = Region::from_code(name).ok()?;
    PHONE_NUMBER_UTIL.get_supported_regions().find(|known| *known == region)
}

fn read(text: &str, region: Option<Region>) -> Result<PhoneNumber, NotAPhoneNumber> {
    let number = PHONE_NUMBER_UTIL.parse(text, region).map_err(|_| NotAPhoneNumber)?;
    let e164 = PhoneNumber::parse_e164(&PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164))?;
    // A notation that the tables have given up may still be WhatsApp's own name of the subscriber.
    let is_possible = PHONE_NUMBER_UTIL.is_possible_number(&number)
        || (e164.key() != e164.as_str() && read(&e164.key(), None).is_ok());
    if is_possible { Ok(e164) } else { Err(NotAPhoneNumber) }
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
            ("+52 1 55 1234 5678", "+5215512345678"),
        ] {
            assert_eq!(parse(typed).map(|n| n.to_string()), Ok(stored.to_owned()), "{typed}");
        }
    }

    #[test]
    fn a_region_says_what_a_number_without_country_code_means() {
        for (typed, region, stored) in [
            ("(415) 555-2671", "US", "+14155552671"),
            ("07911 123456", "GB", "+447911123456"),
            ("0151 23456789", "DE", "+4915123456789"),
            ("0049 151 23456789", "DE", "+4915123456789"),
            ("+39 06 698 12345", "US", "+390669812345"),
        ] {
            let read = parse_in(typed, super::region(region));
            assert_eq!(read.map(|n| n.to_string()), Ok(stored.to_owned()), "{typed} {region}");
        }
        assert_eq!(parse_in("4155552671", None), Err(NotAPhoneNumber));
        assert_eq!(parse_in("415-CALL-NOW", region("US")), Err(NotAPhoneNumber));
        assert!(region("DE").is_some() && region("us").is_some() && region("XX").is_none());
    }

    #[test]
    fn what_no_phone_can_have_is_refused() {
        for wrong in ["", "hello", "+1415555267", "4155552671", "+999123456789", "+1415555\u{200b}2671", "12345"] {
            assert_eq!(parse(wrong), Err(NotAPhoneNumber), "{wrong:?}");
        }
    }
}

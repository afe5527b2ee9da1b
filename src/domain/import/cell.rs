//! Single cells: made harmless for spreadsheets on their way out, and taken back as they were on their way in.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula (CWE-1236; OWASP "CSV Injection"). An export
//! puts an apostrophe before such cells, which is what people type to say "this is text". An import takes one leading
//! apostrophe away where what follows would have got one, so that `+4915123456789` and even `'=1` survive both ways.

/// Whether a spreadsheet may take the cell for more than text. Space and quotes before it do not help, and the full-width
/// forms of the signs work in spreadsheets of East Asia.
fn is_risky(text: &str) -> bool {
    let is_before = |c: &char| !c.is_control() && (c.is_whitespace() || matches!(c, '\'' | '"' | '\u{feff}'));
    let first = text.chars().find(|c| !is_before(c));
    first.is_some_and(|c| c.is_control() || matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'))
}

/// The cell as it may leave.
pub fn guard(text: &str) -> String {
    if is_risky(text) { format!("'{text}") } else { text.to_owned() }
}

/// The cell as it was before [`guard`].
pub fn unguard(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_risky(rest) => rest,
        _ => text,
    }
}

/// Whether a spreadsheet has shortened a long number: `4.91512E+12` has lost its last digits for good.
pub fn is_shortened(text: &str) -> bool {
    let Some((head, exponent)) = text.trim().split_once(['E', 'e']) else { return false };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_digits(exponent.trim_start_matches('+')) && is_digits(&head.replace([',', '.'], ""))
}

/// A number of a workbook as somebody would type it: phone numbers and postcodes are kept as floats there.
pub fn number(value: f64) -> String {
    // Below 2^53 every whole number is itself.
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        format!("{value:.0}")
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe() {
        for cell in [
            "=1+1",
            "+4915123456789",
            "-1",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "  =1",
            "\"=1\"",
            "'=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "\u{a0}=1",
            "\n=1",
            "\u{0}=1",
            "\u{feff}=1",
        ] {
            assert_eq!(guard(cell), format!("'{cell}"), "{cell:?}");
            assert_eq!(unguard(&guard(cell)), cell);
        }
        for cell in ["", "Kim", "a=b", "1+1", "O'Neil", "'Kim'", "kim@example.com", "'"] {
            assert_eq!((guard(cell).as_str(), unguard(cell)), (cell, cell));
        }
    }

    #[test]
    fn numbers_of_workbooks_are_written_out() {
        for (value, text) in [(4_915_123_456_789.0, "4915123456789"), (1.5, "1.5"), (-3.0, "-3"), (0.0, "0")] {
            assert_eq!(number(value), text);
        }
        for shortened in ["4.91512E+12", "1,41556e+10", "5E10"] {
            assert!(is_shortened(shortened), "{shortened}");
        }
        for whole in ["+14155550132", "E10", "me", "1e", "4.5", "abcE12"] {
            assert!(!is_shortened(whole), "{whole}");
        }
    }

    proptest! {
        #[test]
        fn every_cell_survives_both_ways(cell in "[\\s'\"=+@＝a\\-\\x00-\\x1f]{0,12}") {
            let guarded = guard(&cell);
            prop_assert_eq!(unguard(&guarded), cell.as_str());
        }

        #[test]
        fn nothing_leaves_that_a_spreadsheet_would_run(cell in "\\PC{0,12}") {
            prop_assert!(!guard(&cell).starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']));
        }
    }
}

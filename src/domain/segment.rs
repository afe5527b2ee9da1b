//! SMS segments: how many parts a text is billed and paced as. The same count in the worker and in the composer.
//!
//! Source: 3GPP TS 23.038 (alphabets) and 23.040 (concatenation).

/// How a text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Seven bits a character: 160 in one part, 153 in each of several.
    Gsm7,
    /// Sixteen bits: 70 in one part, 67 in each of several.
    Ucs2,
}

impl Encoding {
    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "Unicode",
        }
    }

    /// Units in a single part, and in each of several.
    fn room(self) -> (u32, u32) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// The measure of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// How it travels.
    pub encoding: Encoding,
    /// Parts it is billed as; 0 for an empty text.
    pub count: u32,
    /// Units used: septets or 16-bit code units.
    pub units: u32,
    /// Units that still fit into the last part.
    pub left: u32,
    /// The characters that forced Unicode, each once.
    pub forced_by: Vec<char>,
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

fn septets(c: char) -> Option<u32> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Measures a text. A pair (escape sequence, surrogates) is never split over two parts: it moves whole to the next.
pub fn measure(text: &str) -> Segments {
    let mut forced_by = Vec::new();
    for c in text.chars().filter(|c| septets(*c).is_none()) {
        if !forced_by.contains(&c) {
            forced_by.push(c);
        }
    }
    let encoding = if forced_by.is_empty() { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let width = |c: char| match encoding {
        Encoding::Gsm7 => septets(c).unwrap_or(1),
        Encoding::Ucs2 => {
            if c.len_utf16() == 2 {
                2
            } else {
                1
            }
        }
    };
    let (single, part) = encoding.room();
    let units: u32 = text.chars().map(width).sum();
    if units <= single {
        return Segments { encoding, count: u32::from(units > 0), units, left: single - units, forced_by };
    }
    let (mut count, mut used) = (1, 0);
    for c in text.chars() {
        if used + width(c) > part {
            count += 1;
            used = 0;
        }
        used += width(c);
    }
    Segments { encoding, count, units, left: part - used, forced_by }
}

/// The same text with the look-alikes that keyboards and word processors put in replaced by what fits into seven bits.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '‘' | '’' | '‚' | '‛' | '′' | '`' | '´' => plain.push('\''),
            '“' | '”' | '„' | '‟' | '″' | '«' | '»' => plain.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => plain.push('-'),
            '…' => plain.push_str("..."),
            '•' | '·' => plain.push('*'),
            '\u{a0}' | '\u{2002}' | '\u{2003}' | '\u{2009}' | '\u{202f}' => plain.push(' '),
            '\u{ad}' | '\u{200b}' | '\u{feff}' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Expected values made with npm `sms-segments-calculator` 1.3.0.
    #[test]
    fn the_counts_agree_with_an_independent_calculator() {
        let cases = [
            ("a".repeat(160), Encoding::Gsm7, 1),
            ("a".repeat(161), Encoding::Gsm7, 2),
            ("a".repeat(306), Encoding::Gsm7, 2),
            ("a".repeat(307), Encoding::Gsm7, 3),
            ("a".repeat(158) + "€", Encoding::Gsm7, 1),
            ("a".repeat(159) + "€", Encoding::Gsm7, 2),
            ("a".repeat(152) + "€" + &"a".repeat(152), Encoding::Gsm7, 3),
            ("ş".repeat(70), Encoding::Ucs2, 1),
            ("ş".repeat(71), Encoding::Ucs2, 2),
            ("ş".repeat(134), Encoding::Ucs2, 2),
            ("ş".repeat(135), Encoding::Ucs2, 3),
            ("👍".repeat(35), Encoding::Ucs2, 1),
            ("👍".repeat(36), Encoding::Ucs2, 2),
            ("ş".repeat(66) + "👍" + &"ş".repeat(10), Encoding::Ucs2, 2),
            ("It’s".into(), Encoding::Ucs2, 1),
            ("`".into(), Encoding::Ucs2, 1),
            ("ç".into(), Encoding::Ucs2, 1),
            ("[x]^{}~|\r\n".into(), Encoding::Gsm7, 1),
            (String::new(), Encoding::Gsm7, 0),
        ];
        for (text, encoding, count) in cases {
            let measured = measure(&text);
            assert_eq!((measured.encoding, measured.count), (encoding, count), "{text}");
        }
        assert_eq!(measure("“hi” “").forced_by, ['“', '”']);
    }

    #[test]
    fn look_alikes_are_replaced_and_nothing_else() {
        assert_eq!(plain("“It’s – well…”\u{a0}ok • 5 €"), "\"It's - well...\" ok * 5 €");
        assert_eq!(measure(&plain("It’s")).encoding, Encoding::Gsm7);
        assert_eq!(plain("şık 👍"), "şık 👍");
    }

    proptest! {
        #[test]
        fn a_longer_text_never_takes_fewer_parts(text in "\\PC{0,400}", more in "[a-z€]{1,20}") {
            prop_assert!(measure(&(text.clone() + &more)).count >= measure(&text).count);
        }
    }
}

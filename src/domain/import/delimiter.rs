//! What stands between the cells of a file.

/// What people and programs put between cells.
pub const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Lines that are looked at.
const LOOKED_AT: usize = 50;

/// A first line like `sep=;`, which some spreadsheets write for each other.
pub fn said(text: &str) -> Option<u8> {
    let line = text.split('\n').next()?.trim_end_matches('\r');
    let said = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    said.bytes().next().filter(|byte| said.len() == 1 && DELIMITERS.contains(byte))
}

/// The delimiter by which the first lines fall into most cells, and into as many in each. Inside quotes nothing counts.
pub fn guess(text: &str) -> u8 {
    let mut best = (0, b',');
    for delimiter in DELIMITERS {
        let score = score(&counts(text, delimiter));
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

/// How often the delimiter stands in each of the first records.
fn counts(text: &str, delimiter: u8) -> Vec<usize> {
    let (mut counts, mut now, mut is_quoted, mut is_empty) = (Vec::new(), 0, false, true);
    for byte in text.bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => {
                if !is_empty {
                    counts.push(now);
                }
                if counts.len() == LOOKED_AT {
                    return counts;
                }
                (now, is_empty) = (0, true);
                continue;
            }
            byte if byte == delimiter && !is_quoted => now += 1,
            _ => {}
        }
        is_empty = false;
    }
    if !is_empty && counts.is_empty() {
        counts.push(now);
    }
    counts
}

/// High when all records have as many delimiters, and many.
fn score(counts: &[usize]) -> usize {
    let Some(first) = counts.first().filter(|first| **first > 0) else { return 0 };
    let same = counts.iter().filter(|count| *count == first).count();
    // Agreement first; then the number of cells.
    same * 1_000 / counts.len() * 100 + (*first).min(99)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_a_table() {
        for (text, delimiter) in [
            ("name,email\nKim,kim@example.com\n", b','),
            ("name;email\nLee, Kim;kim@example.com\nLi, Bo, Jr;bo@example.com\n", b';'),
            ("name\temail\nKim, Lee\tkim@example.com\n", b'\t'),
            ("name|email\nKim|kim@example.com", b'|'),
            ("\"a;b;c\",email\n\"1;2\",x\n", b','),
            ("email\nkim@example.com\n", b','),
            ("", b','),
            ("a,b;c\n1;2\n3;4\n", b';'),
        ] {
            assert_eq!(guess(text) as char, delimiter as char, "{text:?}");
        }
        assert_eq!((said("sep=;\r\na;b"), said("sep=x\n"), said("a;b")), (Some(b';'), None, None));
    }

    proptest! {
        #[test]
        fn a_table_of_plain_words_is_found_whatever_is_between_them(
            at in 0..4_usize,
            rows in prop::collection::vec(prop::collection::vec("[a-z]{1,8}", 3), 1..20),
        ) {
            let delimiter = DELIMITERS[at] as char;
            let lines: Vec<String> = rows.iter().map(|row| row.join(&delimiter.to_string())).collect();
            prop_assert_eq!(guess(&lines.join("\n")) as char, delimiter);
        }
    }
}

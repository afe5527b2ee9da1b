//! What an answer by mail says: without what it quotes, and until when somebody is away.

use crate::domain::time::{DAY, Timestamp};
use jiff::{civil::Date, tz::TimeZone};

/// Nobody is away for longer than this many days as far as plans go: a date further off is another one.
const AWAY_MAX: i64 = 120;

/// What the writer says, above what is quoted.
pub fn said(text: &str) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if begins_quote(line.trim()) {
            break;
        }
        end += line.len();
    }
    let said = text[..end].trim();
    if said.is_empty() { text.trim() } else { said }
}

/// Where mail programs begin to quote.
fn begins_quote(line: &str) -> bool {
    let lower = line.to_lowercase();
    let verbs = ["wrote", "schrieb", "a écrit", "escribió", "ha scritto", "escreveu", "schreef"];
    line.starts_with('>')
        || (lower.ends_with(':') && verbs.iter().any(|verb| lower.contains(verb)))
        || lower.starts_with("-----original message")
        || lower.starts_with("-----ursprüngliche nachricht")
        || (line.len() >= 20 && line.bytes().all(|b| b == b'_'))
}

const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "janvier", "enero", "gennaio"],
    &["february", "feb", "februar", "février", "fevrier", "febrero", "febbraio"],
    &["march", "mar", "märz", "maerz", "mars", "marzo"],
    &["april", "apr", "avril", "abril", "aprile"],
    &["may", "mai", "mayo", "maggio"],
    &["june", "jun", "juni", "juin", "junio", "giugno"],
    &["july", "jul", "juli", "juillet", "julio", "luglio"],
    &["august", "aug", "août", "aout", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre"],
    &["november", "nov", "novembre", "noviembre"],
    &["december", "dec", "dezember", "dez", "décembre", "decembre", "diciembre", "dicembre"],
];

fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|names| names.contains(&word))?;
    i8::try_from(at + 1).ok()
}

/// The last day that an automatic answer names in the time ahead: until then nobody reads. As its beginning in UTC.
pub fn away_until(text: &str, now: Timestamp) -> Option<Timestamp> {
    let today = TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(now.0).ok()?).date();
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '/' | '-')))
        .filter(|w| !w.is_empty())
        .collect();
    let mut days = Vec::new();
    for (at, word) in words.iter().enumerate() {
        days.extend(in_digits(word.trim_matches('.'), today));
        days.extend(in_words(&words, at, today));
    }
    let ahead = |day: &Date| {
        let begins = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
        let at = Timestamp(begins.as_millisecond());
        (at > now && at.0 - now.0 <= AWAY_MAX * DAY).then_some(at)
    };
    days.iter().filter_map(ahead).max()
}

/// `2026-12-01`, `1.12.2026`, `01/12/2026` (the day first, unless it can only be the month), `1.12.`
fn in_digits(word: &str, today: Date) -> Option<Date> {
    let parts: Vec<i16> = word.split(['.', '/', '-']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let date = |year: i16, month: i16, day: i16| {
        let year = if year < 100 { year + 2000 } else { year };
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    match parts[..] {
        [year, month, day] if year > 31 => date(year, month, day),
        [first, second, year] => date(year, second, first).or_else(|| date(year, first, second)),
        [day, month] if word.contains('.') => soon(today, |year| date(year, month, day)),
        _ => None,
    }
}

/// `1 December`, `December 1st`, `1. Dezember 2026`.
fn in_words(words: &[&str], at: usize, today: Date) -> Option<Date> {
    let month = month(words.get(at)?.trim_matches('.'))?;
    let day = |word: Option<&&str>| {
        let word = word?.trim_end_matches('.');
        let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
        let fits = matches!(&word[digits.len()..], "" | "st" | "nd" | "rd" | "th" | "er");
        digits.parse::<i8>().ok().filter(|day| fits && (1..=31).contains(day))
    };
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    let (day, next) = match (day(before), day(words.get(at + 1))) {
        (Some(day), _) => (day, at + 1),
        (None, Some(day)) => (day, at + 2),
        (None, None) => return None,
    };
    let year = words.get(next).and_then(|word| word.trim_matches('.').parse::<i16>().ok()).filter(|year| *year > 2000);
    match year {
        Some(year) => Date::new(year, month, day).ok(),
        None => soon(today, |year| Date::new(year, month, day).ok()),
    }
}

/// A day without a year is the next one.
fn soon(today: Date, of: impl Fn(i16) -> Option<Date>) -> Option<Date> {
    [today.year(), today.year() + 1].into_iter().filter_map(of).find(|day| *day >= today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_not_said() {
        for (text, expected) in [
            ("Yes, gladly.\n\n> Hello", "Yes, gladly."),
            ("Stop\n\nOn Sun, 22 Nov 2026 at 09:30, Ann <ann@tern.example> wrote:\n> please stop us", "Stop"),
            ("Nein danke\n\nAm 22.11.2026 um 09:30 schrieb Ann:\n> Hallo", "Nein danke"),
            ("No\n-----Original Message-----\nFrom: Ann", "No"),
            ("> only a quote", "> only a quote"),
            ("", ""),
        ] {
            assert_eq!(said(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_day_of_return_is_read_however_it_is_written() {
        let now = Timestamp::parse("2026-11-22T09:30:00Z").expect("an instant");
        for (text, expected) in [
            ("I am back on 2026-12-01.", Some("2026-12-01")),
            ("Out of office from 20 November until December 1st.", Some("2026-12-01")),
            ("Ich bin bis zum 1. Dezember 2026 nicht im Büro", Some("2026-12-01")),
            ("Abwesend vom 20.11. bis 1.12.2026", Some("2026-12-01")),
            ("zurück am 04.01.", Some("2027-01-04")),
            ("de retour le 4 janvier", Some("2027-01-04")),
            ("Back 12/24/2026", Some("2026-12-24")),
            ("Call me at 030/1234567 or in 2031-01-01", None),
            ("I am on holiday.", None),
            ("I left the company on 1 March 2024", None),
            ("May I help you?", None),
        ] {
            let day = away_until(text, now).map(|at| at.to_string()[..10].to_owned());
            assert_eq!(day.as_deref(), expected, "{text}");
        }
    }
}

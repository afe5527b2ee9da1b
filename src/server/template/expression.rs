//! What may stand inside a tag: variables, texts, numbers, comparisons, and the filters and tests of two short lists. Nothing
//! that multiplies: no arithmetic, no lists, no calls.

use super::source::{Wrong, wrong};

/// The filters: each costs what it reads and writes, and none makes much of little.
pub const FILTERS: [&str; 19] = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "replace",
    "reverse",
    "round",
    "sort",
    "title",
    "trim",
    "upper",
];
/// The tests.
pub const TESTS: [&str; 10] =
    ["defined", "undefined", "none", "eq", "ne", "startingwith", "endingwith", "string", "lower", "upper"];

const WORDS: [&str; 10] = ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none"];
/// Variables that are one text, or all tags.
const PLAIN: [&str; 10] = [
    "name",
    "first_name",
    "last_name",
    "company",
    "email",
    "phone",
    "whatsapp",
    "time_zone",
    "tags",
    "unsubscribe_url",
];
const LOOP: [&str; 5] = ["index", "index0", "first", "last", "length"];

/// What kind of word or sign it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name.
    Word,
    /// In quotes.
    Text,
    /// Digits.
    Number,
    /// An operator or a bracket.
    Sign,
}

/// A word or a sign inside a tag.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// As written.
    pub text: &'a str,
    /// Its offset in the author's text.
    pub at: usize,
}

/// What names mean at a place beside the variables.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    /// What the loop around calls each tag.
    pub looped: Option<&'a str>,
}

/// The words and signs of the tag that begins at a byte, and where it ends. `close` is `}}` or `%}`.
pub fn tokens<'a>(text: &'a str, start: usize, close: &str) -> Result<(Vec<Token<'a>>, usize), Wrong> {
    let mut found = Vec::new();
    let mut at = start + 2;
    if text[at..].starts_with(['-', '+']) {
        at += 1;
    }
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        let open = &text[start..start + 2];
        let Some(c) = trimmed.chars().next() else {
            return wrong(start, format!("this {open} is never closed with {close}"));
        };
        if trimmed.starts_with(close) {
            return Ok((found, at + 2));
        }
        if let Some(after) = trimmed.strip_prefix(['-', '+'])
            && after.starts_with(close)
        {
            return Ok((found, at + 3));
        }
        let (kind, length) = match c {
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Word, span(trimmed, |c| c.is_ascii_alphanumeric() || c == '_')),
            '0'..='9' => (Kind::Number, span(trimmed, |c| c.is_ascii_digit())),
            '"' | '\'' => match quoted(trimmed, c) {
                Some(length) => (Kind::Text, length),
                None => return wrong(at, format!("this {c} is never closed")),
            },
            _ => (Kind::Sign, sign(trimmed, at, close, open)?),
        };
        found.push(Token { kind, text: &trimmed[..length], at });
        at += length;
    }
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The length of a text in quotes.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a sign that may stand in a tag.
fn sign(text: &str, at: usize, close: &str, open: &str) -> Result<usize, Wrong> {
    if let Some(double) = ["==", "!=", "<=", ">="].into_iter().find(|double| text.starts_with(double)) {
        return Ok(double.len());
    }
    match text.chars().next() {
        Some('.' | '|' | '(' | ')' | ',' | '<' | '>' | '=') => Ok(1),
        Some('{' | '}' | '%') => wrong(at, format!("close the tag with {close} first: it began with {open}")),
        Some('“' | '”' | '‘' | '’' | '„') => wrong(at, "texts in tags need plain quotes, \" or '"),
        Some(c) => wrong(at, format!("{c} cannot be used in a tag")),
        None => wrong(at, "something is missing here"),
    }
}

/// Whether all that an expression names is there; the engine judges its grammar.
pub fn check_expression(tokens: &[Token<'_>], scope: &Scope<'_>) -> Result<(), Wrong> {
    if tokens.is_empty() {
        return wrong(usize::MAX, "a condition is missing");
    }
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut calls = 0_usize;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let is_test = |at: usize| {
            let last = |back: usize| at.checked_sub(back).map_or("", text);
            last(1) == "is" || (last(1) == "not" && last(2) == "is")
        };
        match token.kind {
            Kind::Word if before.is_some_and(|before| before.text == "|" && before.kind == Kind::Sign) => {
                if !FILTERS.contains(&token.text) {
                    return wrong(token.at, format!("there is no filter {:.40}", token.text));
                }
            }
            Kind::Word if is_test(at) && token.text != "not" => {
                if !TESTS.contains(&token.text) {
                    return wrong(token.at, format!("there is no test {:.40}", token.text));
                }
            }
            Kind::Word if WORDS.contains(&token.text.to_lowercase().as_str()) => {}
            // The name of an argument, as in `join(d=", ")`.
            Kind::Word if text(at + 1) == "=" && calls > 0 => at += 1,
            Kind::Word => {
                at = check_path(tokens, at, scope)?;
                continue;
            }
            Kind::Sign if token.text == "(" => {
                let is_call = before.is_some_and(|before| match before.kind {
                    Kind::Text | Kind::Number => true,
                    Kind::Sign => before.text == ")",
                    Kind::Word => {
                        !WORDS.contains(&before.text)
                            && !is_test(at - 1)
                            && at.checked_sub(2).is_none_or(|two| text(two) != "|")
                    }
                });
                if is_call {
                    return wrong(
                        token.at,
                        "nothing can be called here; filters are written with |, as in name | upper",
                    );
                }
                calls += 1;
            }
            Kind::Sign if token.text == "." => return wrong(token.at, "there is nothing before this dot"),
            Kind::Sign if token.text == "=" => return wrong(token.at, "compare with ==, not ="),
            Kind::Sign | Kind::Text | Kind::Number => {}
        }
        at += 1;
    }
    Ok(())
}

/// A variable with its parts; where it ends.
fn check_path(tokens: &[Token<'_>], start: usize, scope: &Scope<'_>) -> Result<usize, Wrong> {
    let root = tokens[start];
    let mut parts = Vec::new();
    let mut at = start + 1;
    while tokens.get(at).is_some_and(|dot| dot.text == "." && dot.kind == Kind::Sign) {
        match tokens.get(at + 1) {
            Some(part) if part.kind == Kind::Word => parts.push(*part),
            _ => return wrong(tokens[at].at, "a name is missing behind this dot"),
        }
        at += 2;
    }
    if let Some(part) = parts.iter().chain([&root]).find(|part| part.text.starts_with('_')) {
        return wrong(part.at, format!("no variable begins with _, as {:.40} does", part.text));
    }
    if let Some(open) = tokens.get(at).filter(|token| token.text == "(" && token.kind == Kind::Sign) {
        return wrong(
            open.at,
            format!("{:.40} cannot be called; filters are written with |, as in name | upper", root.text),
        );
    }
    let is_looped = scope.looped == Some(root.text);
    match (root.text, &parts[..]) {
        ("loop", [part]) if scope.looped.is_some() && LOOP.contains(&part.text) => {}
        ("loop", _) => {
            return wrong(root.at, format!("loop is there inside {{% for %}} only, with {}", LOOP.join(", ")));
        }
        (name, [part, ..]) if is_looped || PLAIN.contains(&name) => {
            return wrong(part.at, format!("{name} has no {:.40}", part.text));
        }
        ("custom", [_]) => {}
        ("custom", _) => return wrong(root.at, "a custom field is written like custom.plan"),
        ("sender", [part]) if ["name", "address"].contains(&part.text) => {}
        ("sender", _) => return wrong(root.at, "of the sender there are sender.name and sender.address"),
        _ => {}
    }
    Ok(at)
}

/// Reads `tag in tags`, with filters; what each tag is called.
pub fn check_loop(at: usize, tokens: &[Token<'_>]) -> Result<String, Wrong> {
    const HOW: &str = "a loop is written {% for tag in tags %}";
    let [name, within, list, rest @ ..] = tokens else { return wrong(at, HOW) };
    let is_free = name.kind == Kind::Word
        && !name.text.starts_with('_')
        && !PLAIN.contains(&name.text)
        && !WORDS.contains(&name.text)
        && !["custom", "sender", "loop"].contains(&name.text);
    if !is_free || within.text != "in" {
        return wrong(name.at, HOW);
    }
    if list.text != "tags" {
        return wrong(list.at, format!("{:.40} is no list; {HOW}", list.text));
    }
    let is_filtered = rest
        .chunks(2)
        .all(|pair| matches!(pair, [bar, filter] if bar.text == "|" && ["sort", "reverse"].contains(&filter.text)));
    if is_filtered { Ok(name.text.to_owned()) } else { wrong(list.at, HOW) }
}

/// Reads the name of a snippet.
pub fn read_include(at: usize, tokens: &[Token<'_>]) -> Result<String, Wrong> {
    const HOW: &str = "a snippet is used with {% include \"name\" %}";
    let [name] = tokens else { return wrong(at, HOW) };
    let quoted = Some(name.text).filter(|_| name.kind == Kind::Text).and_then(|text| text.get(1..text.len() - 1));
    let parsed =
        quoted.and_then(|text| crate::domain::template::parse_snippet_name(text).ok().filter(|name| name == text));
    parsed.map_or_else(|| wrong(name.at, HOW), Ok)
}

//! From what an author wrote to what the engine compiles: spintax becomes conditions, escaped braces become text, and whatever
//! is not on the short lists is refused, with its place.
//!
//! `{Hi|Hello}` is a group of variants. A brace that opens `{{`, `{%` or `{#` is the engine's; of three in a row the first
//! opens a group. `\{`, `\|` and `\}` are the characters themselves.

use super::expression::{Scope, check_expression, check_loop, read_include, tokens};
use std::collections::BTreeMap;

/// How deep groups and blocks may stand in each other, `elif` counted.
const DEPTH_MAX: usize = 40;
/// The most variants of all groups of a text.
const VARIANTS_MAX: usize = 500;
/// The most words and signs inside one tag: what bounds the recursion of whoever compiles it.
const TOKENS_MAX: usize = 100;

/// What is wrong with a text, at a byte of it: a sentence without full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Offset in the author's text, in bytes.
    pub at: usize,
    /// What to do about it.
    pub reason: String,
}

/// A reason at a place.
pub fn wrong<T>(at: usize, reason: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { at, reason: reason.into() })
}

/// A text that the engine can compile.
#[derive(Debug, Default)]
pub struct Source {
    /// In the engine's language.
    pub text: String,
    /// How many variants each group has.
    pub groups: Vec<u64>,
    /// The snippets that it uses, and where first.
    pub includes: BTreeMap<String, usize>,
    /// Where parts of `text` come from: offset there, offset in the author's text.
    places: Vec<(usize, usize)>,
}

impl Source {
    /// Where something of the engine's text stands in the author's.
    pub fn place(&self, at: usize) -> usize {
        let next = self.places.partition_point(|(made, _)| *made <= at);
        let Some((made, origin)) = next.checked_sub(1).and_then(|last| self.places.get(last)) else { return 0 };
        let end = self.places.get(next).map_or(usize::MAX, |(_, origin)| *origin);
        (origin + (at - made)).min(end)
    }
}

/// What is open at a place of a text.
enum Open {
    Group { at: usize, group: usize, variant: u64 },
    If { at: usize, elifs: usize, has_else: bool },
    For { at: usize, name: String, has_else: bool },
}

impl Open {
    fn depth(&self) -> usize {
        match self {
            Self::If { elifs, .. } => 1 + elifs,
            _ => 1,
        }
    }
}

/// Translates a text. `part` tells its groups from those of others; only a template may `include`.
pub fn translate(part: usize, text: &str, may_include: bool) -> Result<Source, Wrong> {
    let mut reader = Reader { part, text, may_include, at: 0, variants: 0, open: Vec::new(), made: Source::default() };
    while let Some(c) = reader.rest().chars().next() {
        match c {
            '\\' => reader.backslashes(),
            '{' => reader.brace()?,
            '|' => reader.bar()?,
            '}' => reader.close_group()?,
            c => reader.copy(c.len_utf8()),
        }
    }
    match reader.open.pop() {
        None => Ok(reader.made),
        Some(Open::Group { at, .. }) => wrong(at, "this { is never closed; write \\{ for a brace"),
        Some(Open::If { at, .. }) => wrong(at, "this {% if %} has no {% endif %}"),
        Some(Open::For { at, .. }) => wrong(at, "this {% for %} has no {% endfor %}"),
    }
}

struct Reader<'a> {
    part: usize,
    text: &'a str,
    may_include: bool,
    at: usize,
    variants: usize,
    open: Vec<Open>,
    made: Source,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Writes something that stands for what is here.
    fn make(&mut self, text: &str) {
        self.made.places.push((self.made.text.len(), self.at));
        self.made.text.push_str(text);
    }

    /// Takes the next bytes over as they are.
    fn copy(&mut self, bytes: usize) {
        let (made, at) = (self.made.text.len(), self.at);
        if self.made.places.last().is_none_or(|(there, here)| at.checked_sub(*here) != made.checked_sub(*there)) {
            self.made.places.push((made, at));
        }
        self.made.text.push_str(&self.text[at..at + bytes]);
        self.at += bytes;
    }

    /// Backslashes mean something before a brace or a bar only: each pair one of them, a single one the sign itself.
    fn backslashes(&mut self) {
        let count = self.rest().bytes().take_while(|b| *b == b'\\').count();
        let next = self.rest()[count..].chars().next();
        let Some(sign) = next.filter(|c| matches!(c, '{' | '|' | '}')) else { return self.copy(count) };
        self.make(&"\\".repeat(count / 2));
        self.at += count;
        if count % 2 == 1 {
            self.make(match sign {
                '{' => "{{'{'}}",
                '|' => "|",
                _ => "}",
            });
            self.at += 1;
        }
    }

    fn brace(&mut self) -> Result<(), Wrong> {
        let after = self.rest().as_bytes().get(1..3).unwrap_or_else(|| &self.rest().as_bytes()[1..]);
        match after {
            [b'{', b'{' | b'%' | b'#', ..] => self.open_group(),
            [b'{', ..] => self.variable(),
            [b'%', ..] => self.statement(),
            [b'#', ..] => match self.rest()[2..].find("#}") {
                Some(end) => {
                    self.copy(end + 4);
                    Ok(())
                }
                None => wrong(self.at, "this {# is never closed with #}"),
            },
            _ => self.open_group(),
        }
    }

    fn push(&mut self, open: Open) -> Result<(), Wrong> {
        self.open.push(open);
        self.check_depth()
    }

    fn check_depth(&self) -> Result<(), Wrong> {
        let depth: usize = self.open.iter().map(Open::depth).sum();
        if depth > DEPTH_MAX { wrong(self.at, "too much stands inside each other here") } else { Ok(()) }
    }

    fn variant(&mut self, group: usize, variant: u64) -> Result<(), Wrong> {
        self.variants += 1;
        if self.variants > VARIANTS_MAX {
            return wrong(self.at, format!("there are more than {VARIANTS_MAX} variants"));
        }
        self.make(&format!("{{%if _{}_{group}_{variant}%}}", self.part));
        Ok(())
    }

    fn open_group(&mut self) -> Result<(), Wrong> {
        let group = self.made.groups.len();
        self.made.groups.push(1);
        self.push(Open::Group { at: self.at, group, variant: 0 })?;
        self.variant(group, 0)?;
        self.at += 1;
        Ok(())
    }

    /// Says which block must be closed first, when a group is open around it.
    fn check_blocks(&self, sign: char) -> Result<bool, Wrong> {
        let in_group = self.open.iter().any(|open| matches!(open, Open::Group { .. }));
        match self.open.last() {
            Some(Open::Group { .. }) => Ok(true),
            Some(Open::If { .. }) if in_group => {
                wrong(self.at, format!("close the {{% if %}} before this {sign}, or write \\{sign} for the character"))
            }
            Some(Open::For { .. }) if in_group => {
                wrong(self.at, format!("close the {{% for %}} before this {sign}, or write \\{sign} for the character"))
            }
            _ => Ok(false),
        }
    }

    fn bar(&mut self) -> Result<(), Wrong> {
        if !self.check_blocks('|')? {
            self.copy(1);
            return Ok(());
        }
        let next = match self.open.last_mut() {
            Some(Open::Group { group, variant, .. }) => {
                *variant += 1;
                Some((*group, *variant))
            }
            _ => None,
        };
        if let Some((group, variant)) = next {
            self.made.groups[group] = variant + 1;
            self.make("{%endif%}");
            self.variant(group, variant)?;
            self.at += 1;
        }
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), Wrong> {
        if !self.check_blocks('}')? {
            self.copy(1);
            return Ok(());
        }
        if let Some(Open::Group { at, variant: 0, .. }) = self.open.pop() {
            let inside = self.text[at + 1..self.at].trim();
            let is_name = !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
            let advice = if is_name { inside } else { "first_name" };
            return wrong(
                at,
                format!(
                    "this {{ has only one variant: write {{{{ {advice} }}}} for a variable, {{a|b}} for variants, or \\{{ for a brace"
                ),
            );
        }
        self.make("{%endif%}");
        self.at += 1;
        Ok(())
    }

    fn scope(&self) -> Scope<'_> {
        let name = self.open.iter().find_map(|open| match open {
            Open::For { name, has_else: false, .. } => Some(name.as_str()),
            _ => None,
        });
        Scope { looped: name }
    }

    fn variable(&mut self) -> Result<(), Wrong> {
        let (found, end) = tokens(self.text, self.at, "}}")?;
        match found.len() {
            0 => return wrong(self.at, "there is no variable between {{ and }}"),
            1..=TOKENS_MAX => check_expression(&found, &self.scope())?,
            _ => return wrong(self.at, format!("more than {TOKENS_MAX} words and signs are too many for one tag")),
        }
        self.copy(end - self.at);
        Ok(())
    }

    fn statement(&mut self) -> Result<(), Wrong> {
        let (found, end) = tokens(self.text, self.at, "%}")?;
        let at = self.at;
        let Some((first, rest)) = found.split_first() else {
            return wrong(at, "there is nothing between {% and %}");
        };
        if found.len() > TOKENS_MAX {
            return wrong(at, format!("more than {TOKENS_MAX} words and signs are too many for one tag"));
        }
        match first.text {
            "if" => {
                check_expression(rest, &self.scope()).map_err(|why| why.or_at(first.at))?;
                self.push(Open::If { at, elifs: 0, has_else: false })?;
            }
            "elif" => {
                check_expression(rest, &self.scope()).map_err(|why| why.or_at(first.at))?;
                match self.open.last_mut() {
                    Some(Open::If { elifs, has_else: false, .. }) => *elifs += 1,
                    _ => return wrong(at, "this {% elif %} has no {% if %} before it"),
                }
                self.check_depth()?;
            }
            "else" => match self.open.last_mut() {
                Some(Open::If { has_else, .. } | Open::For { has_else, .. }) if !*has_else => *has_else = true,
                Some(Open::Group { .. }) => return wrong(at, "close the { before this {% else %}"),
                _ => return wrong(at, "this {% else %} has no {% if %} before it"),
            },
            "endif" => match self.open.pop() {
                Some(Open::If { .. }) => {}
                Some(Open::Group { .. }) => return wrong(at, "close the { before this {% endif %}"),
                _ => return wrong(at, "this {% endif %} has no {% if %} before it"),
            },
            "for" => {
                if self.open.iter().any(|open| matches!(open, Open::For { .. })) {
                    return wrong(at, "a {% for %} cannot stand inside another one");
                }
                let name = check_loop(first.at, rest)?;
                self.push(Open::For { at, name, has_else: false })?;
            }
            "endfor" => match self.open.pop() {
                Some(Open::For { .. }) => {}
                Some(Open::Group { .. }) => return wrong(at, "close the { before this {% endfor %}"),
                _ => return wrong(at, "this {% endfor %} has no {% for %} before it"),
            },
            "include" => {
                let name = read_include(first.at, rest)?;
                if !self.may_include {
                    return wrong(first.at, "a snippet or a subject cannot include a snippet");
                }
                self.made.includes.entry(name).or_insert(first.at);
            }
            other => {
                return wrong(first.at, format!("there is no {{% {other:.30} %}} here; there are if, for and include"));
            }
        }
        if matches!(first.text, "else" | "endif" | "endfor")
            && let Some(more) = rest.first()
        {
            return wrong(more.at, format!("nothing can stand behind {}", first.text));
        }
        self.copy(end - at);
        Ok(())
    }
}

impl Wrong {
    /// The same at a place, where it has none of its own.
    fn or_at(self, at: usize) -> Self {
        if self.at == usize::MAX { Self { at, ..self } } else { self }
    }
}

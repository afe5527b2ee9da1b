//! Templates: texts with variables, written once and sent to many; and snippets, the pieces that they share.

use super::{
    channel::Channel,
    field_error::FieldErrors,
    id::{LeadId, SnippetId, TemplateId},
    message::{BODY_MAX, EMAIL_BODY_MAX, SUBJECT_MAX},
    segment::{Encoding, measure},
    text::{parse_body, parse_line},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The most bytes of a template's body or a snippet's.
pub const SOURCE_MAX: usize = 32 * 1024;
/// The most characters of a name.
const NAME_MAX: usize = 100;
/// The most characters of a snippet's name.
const SNIPPET_NAME_MAX: usize = 50;

/// What stands in templates for what is known of a lead, and what it is, for people.
pub const VARIABLES: [(&str, &str); 12] = [
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("name", "Full name"),
    ("company", "Company"),
    ("email", "E-mail"),
    ("phone", "Phone"),
    ("whatsapp", "WhatsApp"),
    ("time_zone", "Time zone"),
    ("tags", "Tags"),
    ("sender.name", "Sender's name"),
    ("sender.address", "Sender's address"),
    ("unsubscribe_url", "Unsubscribe link"),
];

/// A text with variables, in the shape of the API: as its current version has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Identifier.
    pub id: TemplateId,
    /// What its authors call it.
    pub name: String,
    /// What it is sent on.
    pub channel: Channel,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// The number of its current version; the first is 1.
    pub version: u32,
    /// True when it belongs to the demo data.
    #[serde(default)]
    pub is_demo: bool,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// What a template said once, and says for ever to whoever holds on to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub version: u32,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// The texts of the snippets that it uses, by name, as they were then.
    pub snippets: BTreeMap<String, String>,
    /// Stored.
    pub created_at: Timestamp,
}

/// A piece that templates use with `{% include "name" %}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// Identifier.
    pub id: SnippetId,
    /// What templates call it; one in an organization.
    pub name: String,
    /// The text.
    pub body: String,
    /// How many templates use it now.
    pub used_by: u32,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// What a lead would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// E-mail only.
    pub subject: Option<String>,
    /// The text; what is missing stands in it as `[name]`.
    pub body: String,
    /// How an SMS travels: `GSM-7` or `UCS-2`; nothing on other channels.
    pub encoding: Option<String>,
    /// Parts that it is billed as (SMS; 1 otherwise).
    pub segments: u32,
    /// The characters that make an SMS travel as UCS-2.
    pub forced_by: Vec<char>,
    /// Variables that this lead has no value for, and that the text names without a fallback, in their order. Such a message
    /// is not sent.
    pub missing: Vec<String>,
    /// The lead; nobody: an example.
    pub lead_id: Option<LeadId>,
    /// What the lead is called.
    pub lead: String,
}

impl Preview {
    /// What it is counted as on the channel.
    #[must_use]
    pub fn count(mut self, channel: Channel) -> Self {
        if channel == Channel::Sms {
            let segments = measure(&self.body);
            let name = match segments.encoding {
                Encoding::Gsm7 => "GSM-7",
                Encoding::Ucs2 => "UCS-2",
            };
            self.encoding = Some(name.to_owned());
            self.segments = segments.count;
            self.forced_by = segments.forced_by;
        }
        self
    }
}

/// A place in a text that somebody wrote, both from 1, in lines and characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

impl Position {
    /// Where the byte stands.
    pub fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        Self { line: number(before.matches('\n').count()), column: number(before[start..].chars().count()) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The most characters of what a template makes for the channel.
pub fn body_max(channel: Channel) -> usize {
    match channel {
        Channel::Email => EMAIL_BODY_MAX,
        Channel::Sms | Channel::Whatsapp => BODY_MAX,
    }
}

/// A template as it came from a form or a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateForm {
    /// See [`Template`].
    pub name: String,
    /// The channel's name.
    pub channel: String,
    /// See [`Template`].
    pub subject: String,
    /// See [`Template`].
    pub body: String,
}

impl From<&Template> for TemplateForm {
    fn from(template: &Template) -> Self {
        Self {
            name: template.name.clone(),
            channel: template.channel.as_str().to_owned(),
            subject: template.subject.clone().unwrap_or_default(),
            body: template.body.clone(),
        }
    }
}

/// What may be stored of a template, if its texts hold; that, the renderer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// What its authors call it.
    pub name: String,
    /// What it says.
    pub draft: Draft,
}

/// What a template says: what can be looked at before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is sent on.
    pub channel: Channel,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
}

impl TemplateForm {
    /// Everything that can be said without reading the texts' own language.
    pub fn parse(&self) -> Result<NewTemplate, FieldErrors> {
        let name = parse_line(&self.name, NAME_MAX).map_err(|why| FieldErrors::one("name", why.to_string()));
        let (name, draft) = FieldErrors::both(name, self.draft())?;
        Ok(NewTemplate { name, draft })
    }

    /// The same of an unsaved one, which needs no name.
    pub fn draft(&self) -> Result<Draft, FieldErrors> {
        let mut errors = FieldErrors::default();
        let typed = self.channel.trim();
        let channel = Channel::from_name(typed).ok_or(match typed {
            "" => "is required",
            _ => "must be email, sms or whatsapp",
        });
        let channel = errors.check("channel", channel);
        let subject = match (channel, self.subject.trim()) {
            (Some(Channel::Email), subject) => errors.check("subject", parse_line(subject, SUBJECT_MAX)),
            // A form without a script shows the field on all channels: what was left in it there means nothing.
            _ => None,
        };
        let body = errors.check("body", parse_source(&self.body));
        match (channel, body) {
            (Some(channel), Some(body)) if errors.is_empty() => Ok(Draft { channel, subject, body }),
            _ => Err(errors),
        }
    }
}

/// The text of a template or a snippet, bounded.
pub fn parse_source(text: &str) -> Result<String, String> {
    if text.len() > SOURCE_MAX {
        return Err(format!("must be at most {} kB", SOURCE_MAX / 1024));
    }
    parse_body(text, SOURCE_MAX).map_err(|why| why.to_string())
}

/// The name of a snippet: a letter, then letters, digits and underscores, in lower case.
pub fn parse_snippet_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if name.is_empty() {
        return Err("is required");
    }
    let fits = name.len() <= SNIPPET_NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if fits {
        Ok(name.to_owned())
    } else {
        Err("must begin with a letter and have small letters, digits and _ only, 50 at most")
    }
}

/// Words before a name that nobody is called by.
const TITLES: [&str; 8] = ["mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir"];

/// First and last name of a full one: "Kim van Lee" and "van Lee, Kim" are Kim and van Lee; "Dr. Lee" has no first name.
pub fn names_of(full: &str) -> (Option<String>, Option<String>) {
    let is_title = |word: &&str| TITLES.contains(&word.trim_end_matches('.').to_lowercase().as_str());
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    if let Some((last, first)) = full.split_once(',') {
        let first = first.split_whitespace().find(|word| !is_title(word)).unwrap_or_default();
        return (some(first.to_owned()), some(last.trim().to_owned()));
    }
    let mut words = full.split_whitespace().peekable();
    let mut has_title = false;
    while words.next_if(is_title).is_some() {
        has_title = true;
    }
    let words: Vec<&str> = words.collect();
    match words[..] {
        [only] if has_title => (None, some(only.to_owned())),
        [first, ref last @ ..] => (some(first.to_owned()), some(last.join(" "))),
        [] => (None, None),
    }
}

/// Which templates a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateFilter {
    /// Only those of the channel.
    pub channel: Option<Channel>,
    /// Part of the name, the subject or the text.
    pub q: String,
    /// Older than this one.
    pub cursor: Option<TemplateId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(channel: &str, subject: &str, body: &str) -> TemplateForm {
        TemplateForm { name: " Welcome ".into(), channel: channel.into(), subject: subject.into(), body: body.into() }
    }

    #[test]
    fn only_a_mail_has_a_subject_and_it_must() {
        let sms = form("sms", "left over", "Hi").parse().expect("a template");
        assert_eq!((sms.name.as_str(), sms.draft.subject), ("Welcome", None));
        let errors = form("email", " ", "Hi").parse().expect_err("no subject");
        assert_eq!(errors.of("subject"), Some("is required"));
        let errors = TemplateForm::default().parse().expect_err("nothing");
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "channel", "body"]);
        assert!(form("sms", "", &"a".repeat(SOURCE_MAX + 1)).parse().is_err());
    }

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        let text = "Grüße\nan {{";
        assert_eq!(Position::of(text, 0).to_string(), "line 1, column 1");
        assert_eq!(Position::of(text, text.find("{{").expect("there")).to_string(), "line 2, column 4");
        assert_eq!(Position::of("ü{", 2).column, 2);
        assert_eq!(Position::of("a", 99), Position { line: 1, column: 2 });
    }

    #[test]
    fn people_are_called_by_their_first_name() {
        let names = |full| {
            let (first, last) = names_of(full);
            (first.unwrap_or_default(), last.unwrap_or_default())
        };
        for (full, first, last) in [
            ("Kim Lee", "Kim", "Lee"),
            ("Kim van der Lee", "Kim", "van der Lee"),
            ("van der Lee, Kim", "Kim", "van der Lee"),
            ("Dr. Kim Lee", "Kim", "Lee"),
            ("Prof. Dr. Lee", "", "Lee"),
            ("Kim", "Kim", ""),
            ("Dr.", "", ""),
            ("", "", ""),
        ] {
            assert_eq!(names(full), (first.to_owned(), last.to_owned()), "{full}");
        }
    }

    #[test]
    fn a_snippet_is_called_like_a_variable() {
        assert_eq!(parse_snippet_name(" opt_out2 "), Ok("opt_out2".to_owned()));
        for wrong in ["", "2a", "a b", "A", "größe", "a\"", &"a".repeat(51)] {
            assert!(parse_snippet_name(wrong).is_err(), "{wrong}");
        }
    }
}

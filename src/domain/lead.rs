//! Leads: the people to reach. One person is one lead, by whatever address or notation somebody knows them.

use super::{
    channel::Channel,
    consent::Suppression,
    email::Email,
    field_error::FieldErrors,
    id::LeadId,
    phone::PhoneNumber,
    text::{NotAText, parse_body, parse_line},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// The most characters of a name or a company.
const NAME_MAX: usize = 200;
/// The most characters of notes.
const NOTES_MAX: usize = 10_000;
/// The most characters of a tag.
const TAG_MAX: usize = 50;
/// The most tags of a lead.
pub const TAGS_MAX: usize = 50;
/// The most custom fields of a lead.
pub const CUSTOM_MAX: usize = 50;
/// The most characters of a custom field's name.
const KEY_MAX: usize = 50;
/// The most characters of a custom field's value.
const VALUE_MAX: usize = 1_000;

/// A person to reach, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Identifier.
    pub id: LeadId,
    /// Their name; may be empty.
    pub name: String,
    /// Where they work.
    pub company: Option<String>,
    /// Their e-mail address, in lower case.
    pub email: Option<String>,
    /// Their number as it was given.
    pub phone: Option<String>,
    /// The same as it is dialled.
    pub phone_number: Option<PhoneNumber>,
    /// Their WhatsApp number as it was given, where it is another one.
    pub whatsapp: Option<String>,
    /// The same as it is dialled.
    pub whatsapp_number: Option<PhoneNumber>,
    /// Where they live, an IANA name.
    pub time_zone: Option<String>,
    /// What else is known of them.
    pub custom: BTreeMap<String, String>,
    /// In lower case, in the order of the alphabet.
    pub tags: Vec<String>,
    /// For whoever works with them.
    pub notes: String,
    /// True when it belongs to the demo data.
    #[serde(default)]
    pub is_demo: bool,
    /// When something was last sent to them.
    pub contacted_at: Option<Timestamp>,
    /// When they last answered.
    pub replied_at: Option<Timestamp>,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// A way to reach somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The channel.
    pub channel: Channel,
    /// E.164, or an e-mail address in lower case.
    pub address: String,
}

impl Way {
    /// What an address can be used for: a number for SMS and for WhatsApp.
    pub fn all(channel: Channel, address: &str) -> Vec<Self> {
        let channels: &[Channel] = match channel {
            Channel::Email => &[Channel::Email],
            Channel::Sms | Channel::Whatsapp => &[Channel::Sms, Channel::Whatsapp],
        };
        channels.iter().map(|channel| Self { channel: *channel, address: address.to_owned() }).collect()
    }

    /// Every way in which an e-mail address and numbers could be used, some perhaps twice.
    pub fn of(email: Option<&str>, numbers: [Option<&PhoneNumber>; 2]) -> Vec<Self> {
        let numbers = numbers.into_iter().flatten().flat_map(|number| Self::all(Channel::Sms, number.as_str()));
        email.into_iter().flat_map(|email| Self::all(Channel::Email, email)).chain(numbers).collect()
    }
}

impl Lead {
    /// All ways in which they could be reached, some perhaps twice.
    pub fn ways(&self) -> Vec<Way> {
        Way::of(self.email.as_deref(), [self.phone_number.as_ref(), self.whatsapp_number.as_ref()])
    }

    /// What they are called where there is little room: by name, else by the first address.
    pub fn label(&self) -> &str {
        let known = [Some(self.name.as_str()), self.email.as_deref(), self.phone.as_deref(), self.whatsapp.as_deref()];
        known.into_iter().flatten().find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The number that is stored for what was typed, if it is the lead's own: without its country it cannot be read again.
    pub fn number_of(&self, typed: &str) -> Option<&PhoneNumber> {
        let own = [(&self.phone, &self.phone_number), (&self.whatsapp, &self.whatsapp_number)];
        own.into_iter().find(|(given, _)| given.as_deref() == Some(typed)).and_then(|(_, number)| number.as_ref())
    }

    /// Where a message of the channel goes: WhatsApp falls back to the phone.
    pub fn address(&self, channel: Channel) -> Option<&str> {
        let phone = self.phone_number.as_ref().map(PhoneNumber::as_str);
        match channel {
            Channel::Email => self.email.as_deref(),
            Channel::Sms => phone,
            Channel::Whatsapp => self.whatsapp_number.as_ref().map(PhoneNumber::as_str).or(phone),
        }
    }
}

/// A phone number: as somebody wrote it, and as it is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// As given.
    pub given: String,
    /// In E.164.
    pub dialled: PhoneNumber,
}

/// What may be stored of a lead: every part is valid, and there is a way to reach them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewLead {
    /// Their name; may be empty.
    pub name: String,
    /// Where they work.
    pub company: Option<String>,
    /// E-mail.
    pub email: Option<Email>,
    /// SMS, and WhatsApp where nothing else is said.
    pub phone: Option<Number>,
    /// WhatsApp.
    pub whatsapp: Option<Number>,
    /// An IANA name.
    pub time_zone: Option<String>,
    /// Name and value.
    pub custom: BTreeMap<String, String>,
    /// In lower case.
    pub tags: BTreeSet<String>,
    /// For whoever works with them.
    pub notes: String,
}

impl NewLead {
    /// See [`Lead::ways`].
    pub fn ways(&self) -> Vec<Way> {
        let dialled = |number: &Option<Number>| number.as_ref().map(|number| number.dialled.clone());
        let (phone, whatsapp) = (dialled(&self.phone), dialled(&self.whatsapp));
        Way::of(self.email.as_ref().map(Email::as_str), [phone.as_ref(), whatsapp.as_ref()])
    }
}

/// A lead as it came from a form, a request or a row of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeadForm {
    /// See [`Lead`].
    pub name: String,
    /// See [`Lead`].
    pub company: String,
    /// See [`Lead`].
    pub email: String,
    /// See [`Lead`].
    pub phone: String,
    /// See [`Lead`].
    pub whatsapp: String,
    /// See [`Lead`].
    pub time_zone: String,
    /// Name and value; empty values are none.
    pub custom: Vec<(String, String)>,
    /// As typed.
    pub tags: Vec<String>,
    /// See [`Lead`].
    pub notes: String,
}

impl From<&Lead> for LeadForm {
    fn from(lead: &Lead) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            name: lead.name.clone(),
            company: text(&lead.company),
            email: text(&lead.email),
            phone: text(&lead.phone),
            whatsapp: text(&lead.whatsapp),
            time_zone: text(&lead.time_zone),
            custom: lead.custom.clone().into_iter().collect(),
            tags: lead.tags.clone(),
            notes: lead.notes.clone(),
        }
    }
}

impl LeadForm {
    /// What is known of two leads that are one person: where both have a word, the first one's counts, and the other's
    /// address is kept in the notes.
    #[must_use]
    pub fn merged_with(&self, gone: &Self) -> Self {
        let (mut all, mut notes) = (self.clone(), vec![self.notes.clone(), gone.notes.clone()]);
        let fields = [
            (&mut all.name, &gone.name, false),
            (&mut all.company, &gone.company, false),
            (&mut all.time_zone, &gone.time_zone, false),
            (&mut all.email, &gone.email, true),
            (&mut all.phone, &gone.phone, true),
            (&mut all.whatsapp, &gone.whatsapp, true),
        ];
        for (kept, gone, is_address) in fields {
            if kept.is_empty() {
                kept.clone_from(gone);
            } else if is_address && !gone.is_empty() && gone != kept {
                notes.push(format!("Also reached at {gone}"));
            }
        }
        notes.retain(|line| !line.is_empty());
        all.notes = notes.join("\n");
        let others = gone.custom.iter().filter(|(name, _)| self.custom.iter().all(|(known, _)| known != name));
        all.custom.extend(others.cloned());
        all.tags.extend(gone.tags.iter().filter(|tag| !self.tags.contains(tag)).cloned());
        all
    }

    /// Undoes that: what `self` has from `gone`, and had not `before`, goes; what was changed since stays.
    #[must_use]
    pub fn parted_from(&self, gone: &Self, before: &Self) -> Self {
        let merged = before.merged_with(gone);
        let back = |now: &String, merged: &String, before: &String| {
            if now == merged { before.clone() } else { now.clone() }
        };
        let is_old = |name: &str| before.custom.iter().any(|(known, _)| known == name);
        Self {
            name: back(&self.name, &merged.name, &before.name),
            company: back(&self.company, &merged.company, &before.company),
            email: back(&self.email, &merged.email, &before.email),
            phone: back(&self.phone, &merged.phone, &before.phone),
            whatsapp: back(&self.whatsapp, &merged.whatsapp, &before.whatsapp),
            time_zone: back(&self.time_zone, &merged.time_zone, &before.time_zone),
            notes: back(&self.notes, &merged.notes, &before.notes),
            custom: self
                .custom
                .iter()
                .filter(|field| is_old(&field.0) || !gone.custom.contains(field))
                .cloned()
                .collect(),
            tags: self
                .tags
                .iter()
                .filter(|tag| before.tags.contains(tag) || !gone.tags.contains(tag))
                .cloned()
                .collect(),
        }
    }
}

/// Custom fields as a form holds them: a line each, `plan: pro`. A sentence when a line is none.
pub fn custom_of_lines(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let field = |line: &str| {
        let (name, value) =
            line.split_once(':').ok_or_else(|| format!("needs a colon between name and value: {line:.60}"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    lines.map(field).collect()
}

/// The same the other way.
pub fn lines_of_custom(custom: &BTreeMap<String, String>) -> String {
    custom.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// What a lead's own page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The lead.
    pub lead: Lead,
    /// Who was merged into it last, if that can be undone.
    pub merged: Option<String>,
    /// Which of its addresses must not be written to.
    pub suppressions: Vec<Suppression>,
}

/// A tag in the one way in which it is stored: lower case, one space between words.
pub fn parse_tag(text: &str) -> Result<String, NotAText> {
    let tag = parse_line(&text.split_whitespace().collect::<Vec<_>>().join(" "), TAG_MAX)?.to_lowercase();
    // Commas are what people put between tags.
    if tag.contains(',') { Err(NotAText::Invisible(",".to_owned())) } else { Ok(tag) }
}

/// The name of a custom field as templates write it, `custom.plan`: a letter, then letters, digits and underscores.
pub fn parse_key(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must begin with a letter and have letters, digits and _ only, 50 at most";
    let key: String = text.trim().to_lowercase().replace([' ', '-', '.'], "_");
    let begins = key.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let fits = key.len() <= KEY_MAX && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if begins && fits { Ok(key) } else { Err(WRONG) }
}

fn optional<T, E: Display>(
    errors: &mut FieldErrors,
    field: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let text = text.trim();
    if text.is_empty() { None } else { errors.check(field, parse(text)) }
}

impl LeadForm {
    /// Everything that can be said without the database. `parse_number`: the shape in the browser, a full library on the
    /// server; `is_zone`: whether there is such a zone.
    pub fn parse<E: Display>(
        &self,
        parse_number: impl Fn(&str) -> Result<PhoneNumber, E>,
        is_zone: impl Fn(&str) -> bool,
    ) -> Result<NewLead, FieldErrors> {
        let mut errors = FieldErrors::default();
        let line = |text: &str| parse_line(text, NAME_MAX);
        let number = |text: &str| {
            parse_number(text).map(|dialled| Number { given: text.chars().take(NAME_MAX).collect(), dialled })
        };
        let zone =
            |text: &str| if is_zone(text) { Ok(text.to_owned()) } else { Err("must be a zone like Europe/Berlin") };
        let lead = NewLead {
            name: optional(&mut errors, "name", &self.name, line).unwrap_or_default(),
            company: optional(&mut errors, "company", &self.company, line),
            email: optional(&mut errors, "email", &self.email, Email::parse),
            phone: optional(&mut errors, "phone", &self.phone, number),
            whatsapp: optional(&mut errors, "whatsapp", &self.whatsapp, number),
            time_zone: optional(&mut errors, "time_zone", &self.time_zone, zone),
            custom: self.parse_custom(&mut errors),
            tags: parse_tags(&mut errors, &self.tags),
            notes: optional(&mut errors, "notes", &self.notes, |text| parse_body(text, NOTES_MAX)).unwrap_or_default(),
        };
        let is_reached = [&self.email, &self.phone, &self.whatsapp].iter().any(|text| !text.trim().is_empty());
        if !is_reached {
            errors.add("email", "or a phone or WhatsApp number is required");
        }
        if errors.is_empty() { Ok(lead) } else { Err(errors) }
    }

    fn parse_custom(&self, errors: &mut FieldErrors) -> BTreeMap<String, String> {
        let mut custom = BTreeMap::new();
        for (name, value) in self.custom.iter().filter(|(_, value)| !value.trim().is_empty()) {
            let field = format!("custom.{}", name.chars().take(KEY_MAX).collect::<String>());
            let Some(key) = errors.check(&field, parse_key(name)) else { continue };
            if let Some(value) = errors.check(&field, parse_line(value, VALUE_MAX)) {
                custom.insert(key, value);
            }
        }
        if custom.len() > CUSTOM_MAX {
            errors.add("custom", format!("must have at most {CUSTOM_MAX} fields"));
        }
        custom
    }
}

/// Reads tags; empty ones are none.
fn parse_tags(errors: &mut FieldErrors, typed: &[String]) -> BTreeSet<String> {
    let typed = typed.iter().filter(|tag| !tag.trim().is_empty());
    let tags: BTreeSet<String> = typed.filter_map(|tag| errors.check("tags", parse_tag(tag))).collect();
    if tags.len() > TAGS_MAX {
        errors.add("tags", format!("must be at most {TAGS_MAX}"));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &LeadForm) -> Result<NewLead, FieldErrors> {
        form.parse(PhoneNumber::parse_typed, |zone| zone == "Europe/Berlin")
    }

    #[test]
    fn a_lead_needs_a_way_to_be_reached() {
        let errors = parse(&LeadForm { name: "Kim".into(), ..LeadForm::default() }).expect_err("nobody can reach Kim");
        assert_eq!(errors.of("email"), Some("or a phone or WhatsApp number is required"));
        for form in [
            LeadForm { email: "Kim@Example.com".into(), ..LeadForm::default() },
            LeadForm { phone: "+1 415 555 0132".into(), ..LeadForm::default() },
            LeadForm { whatsapp: "+1 415 555 0132".into(), ..LeadForm::default() },
        ] {
            assert!(parse(&form).is_ok(), "{form:?}");
        }
    }

    #[test]
    fn numbers_are_kept_as_given_and_dialled_as_they_must_be() {
        let form =
            LeadForm { phone: " +1 (415) 555-0132 ".into(), email: "Kim@Example.com".into(), ..LeadForm::default() };
        let lead = parse(&form).expect("a lead");
        let phone = lead.phone.clone().expect("a number");
        assert_eq!((phone.given.as_str(), phone.dialled.as_str()), ("+1 (415) 555-0132", "+14155550132"));
        assert_eq!(lead.email.as_ref().map(Email::as_str), Some("kim@example.com"));
    }

    #[test]
    fn a_merge_that_is_undone_leaves_both_as_they_were_and_keeps_later_changes() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kept = LeadForm {
            name: "Kim".into(),
            email: "kim@example.com".into(),
            custom: vec![field("plan", "pro")],
            tags: vec!["vip".into()],
            ..LeadForm::default()
        };
        let gone = LeadForm {
            name: "Kim Lee".into(),
            company: "Northwind".into(),
            email: "k.lee@example.com".into(),
            phone: "+14155550132".into(),
            custom: vec![field("plan", "free"), field("city", "Berlin")],
            tags: vec!["vip".into(), "fair".into()],
            notes: "Met in May".into(),
            ..LeadForm::default()
        };
        let merged = kept.merged_with(&gone);
        assert_eq!(
            (merged.name.as_str(), merged.company.as_str(), merged.phone.as_str()),
            ("Kim", "Northwind", "+14155550132")
        );
        assert_eq!(merged.notes, "Met in May\nAlso reached at k.lee@example.com");
        assert_eq!(merged.custom, [field("plan", "pro"), field("city", "Berlin")]);
        assert_eq!(merged.parted_from(&gone, &kept), kept);
        let changed = LeadForm { company: "Contoso".into(), ..merged };
        assert_eq!(changed.parted_from(&gone, &kept), LeadForm { company: "Contoso".into(), ..kept });
    }

    #[test]
    fn every_fault_names_its_field() {
        let form = LeadForm {
            email: "kim".into(),
            phone: "12".into(),
            time_zone: "Mars".into(),
            custom: vec![("1st".into(), "x".into()), ("plan".into(), "a\nb".into()), ("empty".into(), " ".into())],
            tags: vec!["a,b".into()],
            ..LeadForm::default()
        };
        let errors = parse(&form).expect_err("faults");
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["email", "phone", "time_zone", "custom.1st", "custom.plan", "tags"]);
    }

    #[test]
    fn custom_fields_are_lines_of_a_form() {
        let custom = custom_of_lines(" plan: pro \n\ncity:Berlin: Mitte\nold:");
        let pairs = [("plan", "pro"), ("city", "Berlin: Mitte"), ("old", "")];
        assert_eq!(custom, Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        assert!(custom_of_lines("plan: pro\nalone").is_err(), "nothing that was typed is lost in silence");
        let custom = BTreeMap::from([("city".to_owned(), "Berlin".to_owned()), ("plan".to_owned(), "pro".to_owned())]);
        assert_eq!(lines_of_custom(&custom), "city: Berlin\nplan: pro");
    }

    #[test]
    fn tags_and_keys_have_one_way_to_be_written() {
        assert_eq!(parse_tag("  Very   Important "), Ok("very important".to_owned()));
        assert_eq!(parse_key(" Last Order-Date "), Ok("last_order_date".to_owned()));
        assert!(parse_key("größe").is_err() && parse_key("").is_err());
    }
}

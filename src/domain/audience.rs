//! Which leads are meant: what a list shows, what a bulk action changes, whom a sequence takes in, whom a campaign reaches.

use super::{
    field_error::FieldErrors,
    lead::{parse_key, parse_tag},
    text::parse_line,
};
use serde::{Deserialize, Serialize};

/// The most conditions of an audience.
const CONDITIONS_MAX: usize = 20;
/// The most characters of a value or a search.
const VALUE_MAX: usize = 200;
/// The most days that a condition looks back.
const DAYS_MAX: u32 = 3_650;

/// All conditions must hold; an empty audience is everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audience {
    /// Part of a name, a company, an address or a number.
    pub q: String,
    /// Leads with this tag.
    pub tag: String,
    /// What else must hold.
    pub conditions: Vec<Condition>,
}

/// One thing that must hold of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// `name`, `company`, `email`, `phone`, `whatsapp`, `time_zone`, `tag`, `created`, `contacted`, `replied`, or `custom.` and a
    /// name.
    pub field: String,
    /// How it is compared.
    pub op: Op,
    /// With what; a number of days for `within` and `not_within`; nothing for `is_set` and `is_not_set`.
    #[serde(default)]
    pub value: String,
}

/// How a field is compared. Upper and lower case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It is the value.
    Is,
    /// It is not.
    IsNot,
    /// The value is a part of it.
    Contains,
    /// It begins with the value.
    StartsWith,
    /// It has any value.
    IsSet,
    /// It has none.
    IsNotSet,
    /// It was in the last days.
    Within,
    /// It was not, or never.
    NotWithin,
}

impl Op {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is_not",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::IsSet => "is_set",
            Self::IsNotSet => "is_not_set",
            Self::Within => "within",
            Self::NotWithin => "not_within",
        }
    }

    fn is_of_time(self) -> bool {
        matches!(self, Self::Within | Self::NotWithin)
    }

    fn has_value(self) -> bool {
        !matches!(self, Self::IsSet | Self::IsNotSet)
    }
}

/// Fields of text that conditions may name, beside custom ones.
pub const TEXT_FIELDS: [&str; 6] = ["name", "company", "email", "phone", "whatsapp", "time_zone"];
/// Fields of time that conditions may name.
pub const TIME_FIELDS: [&str; 3] = ["created", "contacted", "replied"];

impl Audience {
    /// Whom it means, for people: "Leads with the tag fair".
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.tag.is_empty() {
            parts.push(format!("with the tag {}", self.tag));
        }
        if !self.q.is_empty() {
            parts.push(format!("found by “{}”", self.q));
        }
        match self.conditions.len() {
            0 => {}
            1 => parts.push("that meet 1 condition".to_owned()),
            count => parts.push(format!("that meet {count} conditions")),
        }
        if parts.is_empty() { "All leads".to_owned() } else { format!("Leads {}", parts.join(" and ")) }
    }

    /// The same in the one way in which it is stored and asked.
    pub fn parse(self) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let q = match self.q.trim() {
            "" => String::new(),
            q => errors.check("q", parse_line(q, VALUE_MAX)).unwrap_or_default(),
        };
        let tag = match self.tag.trim() {
            "" => String::new(),
            tag => errors.check("tag", parse_tag(tag)).unwrap_or_default(),
        };
        if self.conditions.len() > CONDITIONS_MAX {
            errors.add("conditions", format!("must be at most {CONDITIONS_MAX}"));
        }
        let conditions = self.conditions.into_iter().filter_map(|condition| {
            let parsed = condition.parse();
            errors.check("conditions", parsed)
        });
        let conditions = conditions.collect();
        if errors.is_empty() { Ok(Self { q, tag, conditions }) } else { Err(errors) }
    }
}

impl Condition {
    fn parse(self) -> Result<Self, String> {
        let field = match self.field.trim().split_once('.') {
            Some(("custom", name)) => {
                format!("custom.{}", parse_key(name).map_err(|why| format!("{}: {why}", self.field))?)
            }
            _ => self.field.trim().to_owned(),
        };
        let is_time = TIME_FIELDS.contains(&field.as_str());
        let is_text = TEXT_FIELDS.contains(&field.as_str()) || field.starts_with("custom.");
        let fits = match self.op {
            op if op.is_of_time() => is_time,
            Op::IsSet | Op::IsNotSet => is_time || is_text,
            Op::Is | Op::IsNot => is_text || field == "tag",
            _ => is_text,
        };
        if !is_time && !is_text && field != "tag" {
            return Err(format!("name the field {field:.60}, which leads do not have"));
        }
        if !fits {
            return Err(format!("cannot ask of {field} whether it {}", self.op.as_str().replace('_', " ")));
        }
        let value = if !self.op.has_value() {
            String::new()
        } else if self.op.is_of_time() {
            let days = self.value.trim().parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
            days.ok_or_else(|| format!("of {field} need a number of days from 1 to {DAYS_MAX}"))?.to_string()
        } else if field == "tag" {
            parse_tag(&self.value).map_err(|why| format!("of tags: {why}"))?
        } else {
            parse_line(&self.value, VALUE_MAX).map_err(|why| format!("of {field}: {why}"))?
        };
        Ok(Self { field, op: self.op, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(field: &str, op: Op, value: &str) -> Result<Condition, String> {
        Condition { field: field.to_owned(), op, value: value.to_owned() }.parse()
    }

    #[test]
    fn conditions_are_brought_into_one_form() {
        let condition = parse(" custom.Last Order ", Op::Is, " May ").expect("a condition");
        assert_eq!((condition.field.as_str(), condition.value.as_str()), ("custom.last_order", "May"));
        assert_eq!(parse("tag", Op::IsNot, " VIP ").expect("a condition").value, "vip");
        assert_eq!(parse("replied", Op::NotWithin, " 30 ").expect("a condition").value, "30");
        assert_eq!(parse("email", Op::IsSet, "left over").expect("a condition").value, "");
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for (field, op, value) in [
            ("password", Op::Is, "x"),
            ("name", Op::Within, "3"),
            ("created", Op::Contains, "x"),
            ("tag", Op::StartsWith, "x"),
            ("created", Op::Within, "0"),
            ("created", Op::Within, "soon"),
            ("name", Op::Is, ""),
            ("custom.größe", Op::Is, "x"),
        ] {
            assert!(parse(field, op, value).is_err(), "{field} {op:?} {value}");
        }
    }
}

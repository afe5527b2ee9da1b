//! Which leads are meant: what a list shows, what a bulk action changes, whom a sequence takes in, whom a campaign reaches.

use super::{
    field_error::FieldErrors,
    id::{LeadId, NotAnId, SegmentId, SequenceId},
    lead::{parse_key, parse_tag},
    text::parse_line,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The most conditions of an audience.
const CONDITIONS_MAX: usize = 20;
/// The most characters of a value or a search.
const VALUE_MAX: usize = 200;
/// The most days that a condition looks back.
const DAYS_MAX: u32 = 3_650;
/// The most characters of a segment's name.
const NAME_MAX: usize = 100;

/// An audience that has a name, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Identifier.
    pub id: SegmentId,
    /// What people call it; in an organization there is one of a name.
    pub name: String,
    /// Whom it means. It names no other segment.
    pub audience: Audience,
    /// Stored.
    pub created_at: Timestamp,
}

/// What a form for segments needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choices {
    /// The segment that is changed, or that another one begins from.
    pub segment: Option<Segment>,
    /// Names of custom fields that leads have.
    pub custom: Vec<String>,
    /// Sequences and their names.
    pub sequences: Vec<(SequenceId, String)>,
}

/// The name of a segment: one line, without spaces around it.
pub fn parse_name(text: &str) -> Result<String, FieldErrors> {
    parse_line(text, NAME_MAX).map_err(|why| FieldErrors::one("name", why.to_string()))
}

/// All conditions must hold; an empty audience is everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audience {
    /// Part of a name, a company, an address or a number.
    pub q: String,
    /// Leads with this tag.
    pub tag: String,
    /// Leads that the segment of this id means, as it is when it is asked; when it is gone, nobody.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub segment: String,
    /// What else must hold.
    pub conditions: Vec<Condition>,
}

/// In which order leads are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Those that were added last come first.
    #[default]
    Newest,
    /// By what people see of one: the name, else an address.
    Name,
    /// By company; those without one come last.
    Company,
}

impl Order {
    /// All of them, with their names in addresses and for people.
    pub const ALL: [(Self, &'static str, &'static str); 3] =
        [(Self::Newest, "newest", "Newest"), (Self::Name, "name", "Name"), (Self::Company, "company", "Company")];

    /// Reads the name; `None`: there is no such order.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(order, ..)| *order)
    }
}

/// Where a page of leads ends: behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What the list is ordered by, as the database has it; empty in [`Order::Newest`].
    pub key: String,
    /// The lead.
    pub id: LeadId,
}

impl FromStr for Place {
    type Err = NotAnId;

    fn from_str(cursor: &str) -> Result<Self, NotAnId> {
        let (id, key) = cursor.split_once('.').unwrap_or((cursor, ""));
        Ok(Self { id: id.parse()?, key: key.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_str())?;
        if self.key.is_empty() { Ok(()) } else { write!(f, ".{}", self.key) }
    }
}

/// One thing that must hold of a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// `name`, `company`, `email`, `phone`, `whatsapp`, `time_zone`, `any` (one of those), `tag`, `created`, `contacted`,
    /// `replied`, `sequence` (a run through any is under way), `sequence.` and its id, or `custom.` and a name.
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

    /// False when there is nothing to compare with.
    pub fn has_value(self) -> bool {
        !matches!(self, Self::IsSet | Self::IsNotSet)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        OPS.into_iter().find(|op| op.as_str() == name)
    }

    /// Whether it can be asked of a field; of none when there is no such field.
    pub fn fits(self, field: &str) -> bool {
        let is_text = TEXT_FIELDS.contains(&field) || field.starts_with("custom.");
        let is_run = field == "sequence" || field.starts_with("sequence.");
        match self {
            Self::Within | Self::NotWithin => TIME_FIELDS.contains(&field),
            Self::IsSet | Self::IsNotSet => is_text || is_run || field == "tag" || TIME_FIELDS.contains(&field),
            Self::Is | Self::IsNot => is_text || field == "tag",
            Self::Contains => is_text || field == "any",
            Self::StartsWith => is_text,
        }
    }
}

/// All ways to compare.
pub const OPS: [Op; 8] =
    [Op::Is, Op::IsNot, Op::Contains, Op::StartsWith, Op::IsSet, Op::IsNotSet, Op::Within, Op::NotWithin];

/// Fields of text that conditions may name, beside custom ones.
pub const TEXT_FIELDS: [&str; 6] = ["name", "company", "email", "phone", "whatsapp", "time_zone"];
/// Fields of time that conditions may name.
pub const TIME_FIELDS: [&str; 3] = ["created", "contacted", "replied"];

impl Audience {
    /// Whom it means, for people: "Leads with the tag fair".
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.segment.is_empty() {
            parts.push("of a segment".to_owned());
        }
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
        let segment = match self.segment.trim() {
            "" => String::new(),
            id => {
                let id = id.parse::<SegmentId>().map_err(|_| NO_SEGMENT);
                errors.check("segment", id).map(|id| id.to_string()).unwrap_or_default()
            }
        };
        if self.conditions.len() > CONDITIONS_MAX {
            errors.add("conditions", format!("must be at most {CONDITIONS_MAX}"));
        }
        let conditions = self.conditions.into_iter().filter_map(|condition| {
            let parsed = condition.parse();
            errors.check("conditions", parsed)
        });
        let conditions = conditions.collect();
        if errors.is_empty() { Ok(Self { q, tag, segment, conditions }) } else { Err(errors) }
    }

    /// True when it means everybody.
    pub fn is_everybody(&self) -> bool {
        *self == Self::default()
    }

    /// Those whom both mean. The segment of `other` is not looked at.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let condition = |field: &str, op, value| Condition { field: field.to_owned(), op, value };
        if self.q.is_empty() {
            self.q = other.q;
        } else if !other.q.is_empty() && other.q != self.q {
            self.conditions.push(condition("any", Op::Contains, other.q));
        }
        if self.tag.is_empty() {
            self.tag = other.tag;
        } else if !other.tag.is_empty() && other.tag != self.tag {
            self.conditions.push(condition("tag", Op::Is, other.tag));
        }
        for condition in other.conditions {
            if !self.conditions.contains(&condition) {
                self.conditions.push(condition);
            }
        }
        self
    }
}

/// What is said of a segment that is not there.
pub const NO_SEGMENT: &str = "is no segment that there is";

impl Condition {
    fn parse(self) -> Result<Self, String> {
        let field = match self.field.trim().split_once('.') {
            Some(("custom", name)) => {
                format!("custom.{}", parse_key(name).map_err(|why| format!("{}: {why}", self.field))?)
            }
            Some(("sequence", id)) => {
                let id: SequenceId = id.parse().map_err(|_| format!("name the sequence {id:.60}, which is none"))?;
                format!("sequence.{id}")
            }
            _ => self.field.trim().to_owned(),
        };
        if !OPS.into_iter().any(|op| op.fits(&field)) {
            return Err(format!("name the field {field:.60}, which leads do not have"));
        }
        if !self.op.fits(&field) {
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
            ("sequence.welcome", Op::IsSet, ""),
            ("sequence", Op::Is, "x"),
            ("any", Op::Is, "x"),
        ] {
            assert!(parse(field, op, value).is_err(), "{field} {op:?} {value}");
        }
    }

    #[test]
    fn two_audiences_together_mean_those_of_both() {
        let ours = Audience { q: "lee".into(), tag: "vip".into(), ..Audience::default() };
        let active = parse("replied", Op::Within, "30").expect("a condition");
        let other =
            Audience { q: "north".into(), tag: "fair".into(), conditions: vec![active.clone()], ..Audience::default() };
        let both = ours.clone().and(other.clone());
        let any = Condition { field: "any".into(), op: Op::Contains, value: "north".into() };
        let fair = Condition { field: "tag".into(), op: Op::Is, value: "fair".into() };
        assert_eq!((both.q.as_str(), both.tag.as_str()), ("lee", "vip"));
        assert_eq!(both.conditions, [any, fair, active]);
        // What is together is an audience that can be stored, and once is enough.
        assert_eq!(both.clone().parse(), Ok(both.clone()));
        assert_eq!(both.clone().and(both.clone()), both);
        assert_eq!(Audience::default().and(other.clone()), other);
        assert!(Audience::default().is_everybody() && !ours.is_everybody());
    }

    #[test]
    fn every_way_to_compare_has_one_name() {
        for op in OPS {
            assert_eq!(Op::from_name(op.as_str()), Some(op));
        }
    }
}

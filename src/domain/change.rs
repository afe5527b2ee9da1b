//! Changes to many leads at once: to all that match, batch by batch, in the background.

use super::{
    audience::Audience,
    field_error::FieldErrors,
    id::{ChangeId, SequenceId},
    lead::parse_tag,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is done to each lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Deed {
    /// It gets a tag, which may end runs of it.
    AddTag {
        /// In lower case.
        tag: String,
    },
    /// It loses a tag.
    RemoveTag {
        /// In lower case.
        tag: String,
    },
    /// A run begins, where none is under way.
    Enroll {
        /// Through which sequence.
        sequence_id: SequenceId,
    },
    /// Nothing is sent to it any more, on any channel.
    Suppress,
    /// It is forgotten. What was sent to it stays in the history.
    Delete,
}

impl Deed {
    /// The names in the API.
    pub const NAMES: [&str; 5] = ["add_tag", "remove_tag", "enroll", "suppress", "delete"];

    /// Reads it from its name and what belongs to it.
    pub fn parse(action: &str, tag: &str, sequence: &str) -> Result<Self, FieldErrors> {
        let tag = || parse_tag(tag).map_err(|why| FieldErrors::one("tag", why.to_string()));
        match action {
            "add_tag" => Ok(Self::AddTag { tag: tag()? }),
            "remove_tag" => Ok(Self::RemoveTag { tag: tag()? }),
            "enroll" => {
                let id = sequence.trim().parse().map_err(|_| FieldErrors::one("sequence_id", NO_SEQUENCE))?;
                Ok(Self::Enroll { sequence_id: id })
            }
            "suppress" => Ok(Self::Suppress),
            "delete" => Ok(Self::Delete),
            _ => Err(FieldErrors::one("action", format!("must be one of {}", Self::NAMES.join(", ")))),
        }
    }

    /// What is done, for people: "Adding the tag fair".
    pub fn words(&self) -> String {
        match self {
            Self::AddTag { tag } => format!("Adding the tag {tag}"),
            Self::RemoveTag { tag } => format!("Removing the tag {tag}"),
            Self::Enroll { .. } => "Enrolling".to_owned(),
            Self::Suppress => "Stopping contact".to_owned(),
            Self::Delete => "Deleting".to_owned(),
        }
    }

    /// What was done to so many, for people: "12 leads have the tag fair now".
    pub fn done_words(&self, count: u32) -> String {
        let leads = if count == 1 { "1 lead".to_owned() } else { format!("{count} leads") };
        let (has, is) = if count == 1 { ("has", "is") } else { ("have", "are") };
        match self {
            Self::AddTag { tag } => format!("{leads} {has} the tag {tag} now"),
            Self::RemoveTag { tag } => format!("{leads} {has} the tag {tag} no more"),
            Self::Enroll { .. } => format!("{leads} {is} enrolled now"),
            Self::Suppress => format!("{leads} {is} not written to any more"),
            Self::Delete => format!("{leads} {is} deleted"),
        }
    }
}

/// The fault of a sequence that is not there.
pub const NO_SEQUENCE: &str = "is no sequence that there is";

/// Where a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// It goes on, batch by batch.
    Running,
    /// All that match were looked at.
    Done,
    /// Ended by a person; what was done stays done.
    Canceled,
    /// It cannot go on; what was done stays done.
    Failed,
}

impl ChangeState {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Running, "running"), (Self::Done, "done"), (Self::Canceled, "canceled"), (Self::Failed, "failed")];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }
}

/// A change in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Identifier.
    pub id: ChangeId,
    /// What is done.
    #[serde(flatten)]
    pub deed: Deed,
    /// Whom it means; what a segment asked for is part of it.
    pub audience: Audience,
    /// Where it is.
    pub state: ChangeState,
    /// Why it failed, for people.
    pub reason: Option<String>,
    /// How many matched when it was asked for; `None`: too many to count at once.
    pub total: Option<u32>,
    /// Leads that were looked at.
    pub matched: u32,
    /// Leads that it changed.
    pub changed: u32,
    /// Leads that are as they were, by reason: `unchanged`, `too_many_tags`, or one of those of an enrollment.
    pub skipped: BTreeMap<String, u32>,
    /// Asked for.
    pub created_at: Timestamp,
    /// Nothing more of it happens since.
    pub ended_at: Option<Timestamp>,
}

impl Change {
    /// What came of it, for people.
    pub fn outcome(&self) -> String {
        let done = self.deed.done_words(self.changed);
        let left: u32 = self.skipped.values().sum();
        let left = if left == 0 { String::new() } else { format!("; {left} stayed as they were") };
        match self.state {
            ChangeState::Running => format!("{}: {} looked at", self.deed.words(), self.matched),
            ChangeState::Done => format!("{done}{left}."),
            ChangeState::Canceled => format!("Canceled. {done}{left}."),
            ChangeState::Failed => {
                format!("{} {done}.", self.reason.as_deref().unwrap_or("It could not go on."))
            }
        }
    }
}

/// What the page tells of a change: plain, because a browser has to load what reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of the change.
    pub id: String,
    /// It goes on.
    pub is_running: bool,
    /// `ok`, `warn` or `bad`.
    pub tone: String,
    /// How far it is, or what came of it.
    pub text: String,
    /// Leads that were looked at.
    pub matched: u32,
    /// Of so many; `None`: that is not known.
    pub total: Option<u32>,
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Self {
        let tone = match change.state {
            ChangeState::Running | ChangeState::Done => "ok",
            ChangeState::Canceled => "warn",
            ChangeState::Failed => "bad",
        };
        Self {
            id: change.id.to_string(),
            is_running: change.state == ChangeState::Running,
            tone: tone.to_owned(),
            text: change.outcome(),
            matched: change.matched,
            total: change.total,
        }
    }
}

/// What the dialog needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeChoices {
    /// Whom it means, for people.
    pub whom: String,
    /// So many match, at least.
    pub count: u32,
    /// There may be more.
    pub is_more: bool,
    /// Tags that leads have.
    pub tags: Vec<String>,
    /// Sequences and their names.
    pub sequences: Vec<(SequenceId, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_read_with_what_belongs_to_it() {
        assert_eq!(Deed::parse("add_tag", " VIP ", ""), Ok(Deed::AddTag { tag: "vip".to_owned() }));
        assert_eq!(Deed::parse("delete", "", ""), Ok(Deed::Delete));
        for (action, tag, field) in [("add_tag", "", "tag"), ("enroll", "", "sequence_id"), ("forget", "x", "action")] {
            let faults = Deed::parse(action, tag, "").expect_err("a fault");
            assert!(faults.of(field).is_some(), "{faults:?}");
        }
        let written = serde_json::to_value(Deed::RemoveTag { tag: "vip".to_owned() }).expect("plain data");
        assert_eq!(written, serde_json::json!({ "action": "remove_tag", "tag": "vip" }));
    }

    #[test]
    fn one_is_one() {
        let deed = Deed::AddTag { tag: "vip".to_owned() };
        assert_eq!(deed.done_words(1), "1 lead has the tag vip now");
        assert_eq!(Deed::Delete.done_words(0), "0 leads are deleted");
    }
}

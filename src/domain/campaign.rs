//! Campaigns: one message to many leads, now or later, over chosen accounts.

pub mod draft;

use super::{
    audience::Audience,
    channel::Channel,
    field_error::{FieldError, FieldErrors},
    id::{AccountId, CampaignId, TemplateId},
    sequence::{NewSequence, SequenceForm, StepForm},
    time::Timestamp,
    window::Window,
};
use serde::{Deserialize, Serialize};

/// Where a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Not started: everything about it can change.
    #[default]
    Draft,
    /// Started, and its time is still to come.
    Scheduled,
    /// It gathers its people and sends.
    Running,
    /// Held by a person.
    Paused,
    /// Nothing of it waits any more.
    Done,
    /// Ended by a person.
    Canceled,
}

impl CampaignState {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Draft, "draft", "Draft"),
        (Self::Scheduled, "scheduled", "Scheduled"),
        (Self::Running, "running", "Running"),
        (Self::Paused, "paused", "Paused"),
        (Self::Done, "done", "Done"),
        (Self::Canceled, "canceled", "Canceled"),
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(_, name, _)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(state, ..)| *state)
    }

    /// For people.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(.., label)| label)
    }

    /// True while a person may still hold or end it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running | Self::Paused)
    }
}

/// A campaign in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Identifier, also that of the sequence of one step which it is.
    pub id: CampaignId,
    /// What its authors call it.
    pub name: String,
    /// How.
    pub channel: Channel,
    /// What.
    pub template_id: TemplateId,
    /// Which version of it: the one of the moment in which it was started.
    pub template_version: u32,
    /// Whom: all that match when they are gathered.
    pub audience: Audience,
    /// Who shares the work; empty: every active account of the channel.
    pub account_ids: Vec<AccountId>,
    /// When its messages may leave, by each lead's clock; `None`: at any time.
    pub window: Option<Window>,
    /// Whether nothing leaves on the organization's holidays.
    pub skip_holidays: bool,
    /// Not before; `None`: as soon as it is started.
    pub send_at: Option<Timestamp>,
    /// Where it is.
    pub state: CampaignState,
    /// Whether all its people are gathered.
    pub is_gathered: bool,
    /// True when it belongs to the demo data.
    #[serde(default)]
    pub is_demo: bool,
    /// Started.
    pub started_at: Option<Timestamp>,
    /// Done or canceled.
    pub ended_at: Option<Timestamp>,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// What came of a campaign so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CampaignCounts {
    /// People whose message has not left yet.
    pub queued: u32,
    /// Handed to a provider, whatever came of it.
    pub sent: u32,
    /// Arrived, or read.
    pub delivered: u32,
    /// Refused, lost or suppressed.
    pub failed: u32,
    /// Held until there is evidence.
    pub unknown: u32,
    /// People who answered.
    pub replied: u32,
    /// Of those that failed, the ones that had been handed to a provider.
    #[serde(default)]
    pub lost: u32,
}

impl CampaignCounts {
    /// Handed to a provider, and nothing is known since.
    pub fn on_the_way(&self) -> u32 {
        self.sent.saturating_sub(self.delivered + self.lost)
    }
}

/// A campaign as a list and its page show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told<T> {
    /// The campaign.
    pub campaign: T,
    /// What its template is called.
    pub template: String,
}

/// How many people get nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// For a program: `no_contact`, `opted_out`, `no_time`, or the reason for which a run ended.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// Why somebody gets nothing, for people.
pub fn reason_label(reason: &str) -> &'static str {
    match reason {
        "no_contact" => "There is no address for the channel",
        "opted_out" => "They asked not to be contacted",
        "no_time" => "There is no time at which it may reach them",
        "already_active" => "They are in it already",
        "not_found" => "There is no such lead",
        other => super::sequence::StopReason::from_name(other).map_or("", super::sequence::StopReason::label),
    }
}

/// A campaign with what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignStory {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// Its messages.
    pub counts: CampaignCounts,
    /// Whom it leaves out.
    pub excluded: Vec<Excluded>,
}

/// A campaign as a request or a form has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CampaignForm {
    /// See [`Campaign`].
    pub name: String,
    /// `email`, `sms` or `whatsapp`.
    pub channel: String,
    /// The id of a template of the channel.
    pub template_id: String,
    /// See [`Campaign`].
    pub audience: Audience,
    /// See [`Campaign`].
    pub account_ids: Vec<String>,
    /// RFC 3339; empty: as soon as it is started.
    pub send_at: String,
    /// See [`Campaign`].
    pub window: Option<Window>,
    /// See [`Campaign`].
    pub skip_holidays: bool,
}

impl From<&Campaign> for CampaignForm {
    fn from(campaign: &Campaign) -> Self {
        Self {
            name: campaign.name.clone(),
            channel: campaign.channel.as_str().to_owned(),
            template_id: campaign.template_id.to_string(),
            audience: campaign.audience.clone(),
            account_ids: campaign.account_ids.iter().map(ToString::to_string).collect(),
            send_at: campaign.send_at.map(|at| at.to_string()).unwrap_or_default(),
            window: campaign.window.clone(),
            skip_holidays: campaign.skip_holidays,
        }
    }
}

/// What may be stored of a campaign; the template is not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCampaign {
    /// The sequence of one step.
    pub sequence: NewSequence,
    /// Whom.
    pub audience: Audience,
    /// When.
    pub send_at: Option<Timestamp>,
}

impl CampaignForm {
    /// Everything that can be said without the database.
    pub fn parse(self) -> Result<NewCampaign, FieldErrors> {
        let mut errors = FieldErrors::default();
        let step = StepForm {
            channel: self.channel,
            delay_hours: "0".to_owned(),
            template_id: self.template_id,
            // Whoever has no address is left out; a run of one step has none to skip to.
            on_missing: "stop".to_owned(),
        };
        let sequence = SequenceForm {
            name: self.name,
            // An answer to something else is no reason to leave somebody out.
            stop_on_reply: false,
            stop_tags: Vec::new(),
            steps: vec![step],
            window: self.window,
            skip_holidays: self.skip_holidays,
            account_ids: self.account_ids,
        };
        let sequence = errors.join(sequence.parse().map_err(without_step));
        let within = |fault: FieldError| FieldError { field: format!("audience.{}", fault.field), ..fault };
        let audience = self.audience.parse().map_err(|faults| FieldErrors(faults.0.into_iter().map(within).collect()));
        let audience = errors.join(audience);
        let send_at = match self.send_at.trim() {
            "" => None,
            at => errors.check("send_at", Timestamp::parse(at)),
        };
        match (sequence, audience) {
            (Some(sequence), Some(audience)) if errors.is_empty() => Ok(NewCampaign { sequence, audience, send_at }),
            _ => Err(errors),
        }
    }
}

/// Faults of the one step, by the names that a campaign has for them.
pub fn without_step(faults: FieldErrors) -> FieldErrors {
    let bare = |fault: FieldError| match fault.field.strip_prefix("steps.0.") {
        Some(field) => FieldError { field: field.to_owned(), ..fault },
        None => fault,
    };
    FieldErrors(faults.0.into_iter().map(bare).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> CampaignForm {
        CampaignForm {
            name: "Spring".to_owned(),
            channel: "sms".to_owned(),
            template_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
            ..CampaignForm::default()
        }
    }

    #[test]
    fn a_campaign_is_a_sequence_of_one_step_that_no_answer_ends() {
        let new = form().parse().expect("a campaign");
        let steps = &new.sequence.plan.steps;
        assert_eq!((steps.len(), steps[0].channel, steps[0].delay_hours), (1, Channel::Sms, 0));
        assert!(!new.sequence.stop_on_reply && new.send_at.is_none());
    }

    #[test]
    fn every_fault_is_told_by_the_name_of_its_field() {
        let mut wrong = form();
        wrong.channel = "fax".to_owned();
        wrong.template_id = "x".to_owned();
        wrong.send_at = "soon".to_owned();
        wrong.audience.tag = "x".repeat(1_000);
        let errors = wrong.parse().expect_err("faults");
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["channel", "template_id", "audience.tag", "send_at"]);
    }

    #[test]
    fn names_go_there_and_back() {
        for (state, name, _) in CampaignState::ALL {
            assert_eq!((state.as_str(), CampaignState::from_name(name)), (name, Some(state)));
        }
    }
}

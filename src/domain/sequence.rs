//! Sequences: steps over any channel, one after the other, until somebody answers; and the run of a lead through one.

use super::{
    channel::Channel,
    field_error::FieldErrors,
    id::{AccountId, EnrollmentId, LeadId, SequenceId, TemplateId},
    lead::parse_tag,
    text::parse_line,
    time::Timestamp,
    window::Window,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub mod draft;

/// The most steps of a sequence; the store lists them.
const STEPS_MAX: usize = 50;
/// The longest delay before a step, in hours.
const DELAY_MAX: u32 = 24 * 365;
/// The most accounts that share the work.
const ACCOUNTS_MAX: usize = 100;
/// The most tags that end a run.
const STOP_TAGS_MAX: usize = 20;
/// The most characters of a name.
const NAME_MAX: usize = 100;

/// What happens at a step whose channel the lead has no address for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// The next step is next.
    #[default]
    Skip,
    /// The lead's run ends.
    Stop,
}

/// One message of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How.
    pub channel: Channel,
    /// Hours after the step before has left; of the first, after the lead was enrolled.
    pub delay_hours: u32,
    /// What.
    pub template_id: TemplateId,
    /// Which version of it.
    #[serde(default)]
    pub template_version: u32,
    /// When the lead has no address for the channel.
    #[serde(default)]
    pub on_missing: OnMissing,
}

/// What a version of a sequence does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In their order.
    pub steps: Vec<Step>,
    /// When its messages may leave, by the lead's clock; `None`: at any time.
    pub window: Option<Window>,
    /// Whether nothing leaves on the organization's holidays.
    pub skip_holidays: bool,
    /// Who shares the work; empty: every active account of a step's channel.
    pub account_ids: Vec<AccountId>,
}

/// What a sequence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SequenceKind {
    /// For itself.
    #[default]
    Sequence,
    /// It is what a campaign sends, and nobody sees it as a sequence.
    Campaign,
}

/// A sequence in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Identifier.
    pub id: SequenceId,
    /// What its authors call it.
    pub name: String,
    /// Whether it goes on.
    pub is_active: bool,
    /// Whether an answer, on any channel, ends a lead's run.
    pub stop_on_reply: bool,
    /// Tags that end a lead's run.
    pub stop_tags: Vec<String>,
    /// The version of its plan.
    pub version: u32,
    /// Its plan.
    #[serde(flatten)]
    pub plan: Plan,
    /// True when it belongs to the demo data.
    #[serde(default)]
    pub is_demo: bool,
    /// On its own, or what a campaign sends.
    #[serde(skip)]
    pub kind: SequenceKind,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// What came of a step so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepCounts {
    /// Leads whose next step it is.
    pub waiting: u32,
    /// Messages that wait for their turn.
    pub queued: u32,
    /// Handed to a provider, whatever came of it.
    pub sent: u32,
    /// Arrived, or read.
    pub delivered: u32,
    /// Refused, lost or suppressed.
    pub failed: u32,
    /// Held until there is evidence.
    pub unknown: u32,
    /// Taken back before they left.
    pub canceled: u32,
    /// Leads that answered it.
    pub replied: u32,
    /// Of those that failed, the ones that had been handed to a provider.
    #[serde(default)]
    pub lost: u32,
}

impl StepCounts {
    /// Handed to a provider, and nothing is known since.
    pub fn on_the_way(&self) -> u32 {
        self.sent.saturating_sub(self.delivered + self.lost)
    }
}

/// What the page of a sequence shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// It.
    pub sequence: Sequence,
    /// What came of each step.
    pub counts: Vec<StepCounts>,
    /// The names of the steps' templates.
    pub templates: Vec<String>,
}

/// What the editor offers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choices {
    /// The organization's templates.
    pub templates: Vec<Choice>,
    /// Its accounts.
    pub accounts: Vec<Choice>,
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Identifier.
    pub id: String,
    /// For people.
    pub label: String,
    /// Of which channel.
    pub channel: Channel,
}

/// What the page of a lead shows of sequences.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeadRuns {
    /// The newest runs; `lead` of each is the name of its sequence.
    pub runs: Vec<Enrollment>,
    /// All sequences: id and name.
    pub sequences: Vec<(SequenceId, String)>,
}

/// Where a lead's run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentStatus {
    /// A step is to come.
    Active,
    /// All steps are done.
    Finished,
    /// It ended before.
    Stopped,
}

impl EnrollmentStatus {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Active, "active"), (Self::Finished, "finished"), (Self::Stopped, "stopped")];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(status, _)| *status)
    }
}

/// Why a lead's run ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// They answered.
    Replied,
    /// They do not want to be written to.
    OptedOut,
    /// Mail to them came back.
    Bounced,
    /// Somebody of the organization ended it.
    Manual,
    /// They got a tag that ends it.
    Tagged,
    /// There was no address for a step that needs one.
    NoContact,
    /// A text had nothing for one of its variables, or was too long.
    NotRendered,
    /// The campaign was canceled.
    Canceled,
}

impl StopReason {
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Replied, "replied", "They answered"),
        (Self::OptedOut, "opted_out", "They asked not to be contacted"),
        (Self::Bounced, "bounced", "Mail to them came back"),
        (Self::Manual, "manual", "Stopped by your team"),
        (Self::Tagged, "tagged", "They got a tag that ends it"),
        (Self::NoContact, "no_contact", "There is no address for a step"),
        (Self::NotRendered, "not_rendered", "A template had nothing for one of its variables"),
        (Self::Canceled, "canceled", "The campaign was canceled"),
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, name, _)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(reason, ..)| *reason)
    }

    /// For people.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, _, label)| label)
    }
}

/// A lead's run through a sequence, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    /// Identifier.
    pub id: EnrollmentId,
    /// Which sequence.
    pub sequence_id: SequenceId,
    /// Whose run.
    pub lead_id: LeadId,
    /// What the lead is called.
    pub lead: String,
    /// Where it is.
    pub status: EnrollmentStatus,
    /// Why it ended early.
    pub stop_reason: Option<StopReason>,
    /// The next step, from 0; how many were done, when it is over.
    pub step: u32,
    /// When the next step is due; `None` when it is over.
    pub next_step_at: Option<Timestamp>,
    /// Begun.
    pub created_at: Timestamp,
}

/// What became of the wish to enroll leads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Enrolled {
    /// How many have begun.
    pub enrolled: u32,
    /// Who has not, and why; the first thousand.
    pub skipped: Vec<Skipped>,
    /// How many have not.
    pub skipped_total: u32,
}

/// Why leads are not enrolled: for a program, and after "3 leads" for people.
pub const SKIPPED: [(&str, &str); 6] = [
    ("already_active", "already in it"),
    ("opted_out", "asked not to be contacted"),
    ("no_contact", "without an address for it"),
    ("no_time", "without a time at which anything could be sent"),
    ("not_found", "not found"),
    ("others", "more"),
];

impl Enrolled {
    /// How many were skipped for each reason of [`SKIPPED`].
    pub fn reasons(&self) -> BTreeMap<&str, u32> {
        let mut reasons = BTreeMap::new();
        for skipped in &self.skipped {
            *reasons.entry(skipped.reason.as_str()).or_insert(0) += 1;
        }
        let named = u32::try_from(self.skipped.len()).unwrap_or(u32::MAX);
        if self.skipped_total > named {
            reasons.insert("others", self.skipped_total - named);
        }
        reasons
    }
}

/// A lead that was not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which.
    pub lead_id: String,
    /// Why, for a program: `not_found`, `already_active`, `opted_out`, `no_contact`.
    pub reason: String,
}

/// A step as a request or a form has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepForm {
    /// `email`, `sms` or `whatsapp`.
    pub channel: String,
    /// A number of hours.
    pub delay_hours: String,
    /// The id of a template of the channel.
    pub template_id: String,
    /// `skip` or `stop`; empty is `skip`.
    pub on_missing: String,
}

/// A sequence as a request or a form has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SequenceForm {
    /// See [`Sequence`].
    pub name: String,
    /// See [`Sequence`].
    pub stop_on_reply: bool,
    /// See [`Sequence`].
    pub stop_tags: Vec<String>,
    /// See [`Plan`].
    pub steps: Vec<StepForm>,
    /// See [`Plan`].
    pub window: Option<Window>,
    /// See [`Plan`].
    pub skip_holidays: bool,
    /// See [`Plan`].
    pub account_ids: Vec<String>,
}

impl From<&Sequence> for SequenceForm {
    fn from(sequence: &Sequence) -> Self {
        let step = |step: &Step| StepForm {
            channel: step.channel.as_str().to_owned(),
            delay_hours: step.delay_hours.to_string(),
            template_id: step.template_id.to_string(),
            on_missing: if step.on_missing == OnMissing::Stop { "stop" } else { "skip" }.to_owned(),
        };
        Self {
            name: sequence.name.clone(),
            stop_on_reply: sequence.stop_on_reply,
            stop_tags: sequence.stop_tags.clone(),
            steps: sequence.plan.steps.iter().map(step).collect(),
            window: sequence.plan.window.clone(),
            skip_holidays: sequence.plan.skip_holidays,
            account_ids: sequence.plan.account_ids.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What may be stored of a sequence; templates are not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSequence {
    /// See [`Sequence`].
    pub name: String,
    /// See [`Sequence`].
    pub stop_on_reply: bool,
    /// See [`Sequence`].
    pub stop_tags: Vec<String>,
    /// Steps without their versions.
    pub plan: Plan,
}

impl StepForm {
    fn parse(&self, at: usize, errors: &mut FieldErrors) -> Option<Step> {
        let field = |name: &str| format!("steps.{at}.{name}");
        let channel = Channel::from_name(self.channel.trim()).ok_or("must be email, sms or whatsapp");
        let delay = self.delay_hours.trim().parse().ok().filter(|hours| *hours <= DELAY_MAX);
        let on_missing = match self.on_missing.trim() {
            "" | "skip" => Ok(OnMissing::Skip),
            "stop" => Ok(OnMissing::Stop),
            _ => Err("must be skip or stop"),
        };
        let channel = errors.check(&field("channel"), channel);
        let delay = errors.check(&field("delay_hours"), delay.ok_or("must be a number of hours, 8760 at most"));
        let template = match self.template_id.trim() {
            "" => Err("is required"),
            id => id.parse().map_err(|_| "must be the id of a template"),
        };
        let template = errors.check(&field("template_id"), template);
        let on_missing = errors.check(&field("on_missing"), on_missing);
        Some(Step {
            channel: channel?,
            delay_hours: delay?,
            template_id: template?,
            template_version: 0,
            on_missing: on_missing?,
        })
    }
}

impl SequenceForm {
    /// Everything that can be said without the database.
    pub fn parse(self) -> Result<NewSequence, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = errors.check("name", parse_line(&self.name, NAME_MAX)).unwrap_or_default();
        let typed = self.stop_tags.iter().filter(|tag| !tag.trim().is_empty());
        let mut stop_tags: Vec<String> = typed.filter_map(|tag| errors.check("stop_tags", parse_tag(tag))).collect();
        stop_tags.sort();
        stop_tags.dedup();
        if stop_tags.len() > STOP_TAGS_MAX {
            errors.add("stop_tags", format!("must be at most {STOP_TAGS_MAX}"));
        }
        if self.steps.len() > STEPS_MAX {
            errors.add("steps", format!("must be at most {STEPS_MAX}"));
        }
        let steps = self.steps.iter().enumerate().filter_map(|(at, step)| step.parse(at, &mut errors)).collect();
        let window = self.window.and_then(|window| errors.join(Window::parse(window)));
        let ids = self.account_ids.iter().filter(|id| !id.trim().is_empty());
        let mut account_ids: Vec<AccountId> = ids
            .filter_map(|id| errors.check("account_ids", id.trim().parse().map_err(|_| "must be ids of accounts")))
            .collect();
        account_ids.sort();
        account_ids.dedup();
        if account_ids.len() > ACCOUNTS_MAX {
            errors.add("account_ids", format!("must be at most {ACCOUNTS_MAX}"));
        }
        let plan = Plan { steps, window, skip_holidays: self.skip_holidays, account_ids };
        if errors.is_empty() {
            Ok(NewSequence { name, stop_on_reply: self.stop_on_reply, stop_tags, plan })
        } else {
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn form() -> SequenceForm {
        let step = StepForm {
            channel: "sms".to_owned(),
            delay_hours: "24".to_owned(),
            template_id: TEMPLATE.to_owned(),
            on_missing: String::new(),
        };
        SequenceForm { name: "Follow-up".to_owned(), steps: vec![step], ..SequenceForm::default() }
    }

    #[test]
    fn a_sequence_is_read_and_told_the_same_way() {
        let stop_tags = vec![" Won ".to_owned(), "lost".to_owned(), "won".to_owned(), String::new()];
        let new = SequenceForm { stop_tags, ..form() }.parse().expect("a sequence");
        assert_eq!(new.stop_tags, ["lost", "won"]);
        assert_eq!((new.plan.steps[0].channel, new.plan.steps[0].on_missing), (Channel::Sms, OnMissing::Skip));
    }

    #[test]
    fn every_fault_names_its_field() {
        let mut wrong = form();
        wrong.name = String::new();
        wrong.steps.push(StepForm {
            channel: "fax".to_owned(),
            delay_hours: "-1".to_owned(),
            template_id: "x".to_owned(),
            on_missing: "wait".to_owned(),
        });
        wrong.account_ids = vec!["x".to_owned()];
        wrong.window = Some(Window { days: Vec::new(), from: "9:00".to_owned(), to: "17:00".to_owned() });
        let errors = wrong.parse().expect_err("faults");
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        let expected = [
            "name",
            "steps.1.channel",
            "steps.1.delay_hours",
            "steps.1.template_id",
            "steps.1.on_missing",
            "window.days",
            "account_ids",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn names_go_there_and_back() {
        for (reason, name, _) in StopReason::ALL {
            assert_eq!((reason.as_str(), StopReason::from_name(name)), (name, Some(reason)));
        }
        for (status, name) in EnrollmentStatus::ALL {
            assert_eq!((status.as_str(), EnrollmentStatus::from_name(name)), (name, Some(status)));
        }
    }
}

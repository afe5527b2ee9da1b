//! A campaign as its editor has it: every field by its name.

use super::{Campaign, CampaignForm};
use crate::domain::{
    audience::{Audience, Condition},
    field_error::FieldErrors,
    sequence::{
        SequenceForm,
        draft::{Draft as Rules, Fields},
    },
};

/// What the editor shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Name, window, holidays and accounts, which sequences have, too.
    pub rules: Rules,
    /// `email`, `sms` or `whatsapp`.
    pub channel: String,
    /// The id of a template.
    pub template_id: String,
    /// Whether everybody is meant, and not those of a tag or a search.
    pub is_for_all: bool,
    /// The id of a segment.
    pub segment: String,
    /// Leads with this tag.
    pub tag: String,
    /// Leads that this finds.
    pub q: String,
    /// Whether it waits for an instant.
    pub is_later: bool,
    /// That instant as `2026-11-22T09:30`, in the zone of `minutes_east`.
    pub send_at: String,
    /// How far east of UTC that zone is; empty: it is UTC.
    pub minutes_east: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            channel: "email".to_owned(),
            template_id: String::new(),
            is_for_all: false,
            segment: String::new(),
            tag: String::new(),
            q: String::new(),
            is_later: false,
            send_at: String::new(),
            minutes_east: String::new(),
        }
    }
}

impl Draft {
    /// Of what is stored; its instant is in UTC.
    pub fn of(campaign: &Campaign) -> Self {
        let form = CampaignForm::from(campaign);
        let Audience { q, tag, segment, conditions } = form.audience;
        let rules = SequenceForm {
            name: form.name,
            window: form.window,
            skip_holidays: form.skip_holidays,
            account_ids: form.account_ids,
            ..SequenceForm::default()
        };
        Self {
            rules: Rules::of(rules),
            channel: form.channel,
            template_id: form.template_id,
            is_for_all: q.is_empty() && tag.is_empty() && segment.is_empty() && conditions.is_empty(),
            segment,
            tag,
            q,
            is_later: campaign.send_at.is_some(),
            send_at: form.send_at.get(..16).unwrap_or_default().to_owned(),
            minutes_east: String::new(),
        }
    }

    /// Of what was typed.
    pub fn read(fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        Self {
            rules: Rules::read(fields),
            channel: text("message[channel]"),
            template_id: text("message[template_id]"),
            is_for_all: text("audience[who]") == "all",
            segment: text("audience[segment]"),
            tag: text("audience[tag]"),
            q: text("audience[q]"),
            is_later: text("send[when]") == "later",
            send_at: text("send[at]"),
            minutes_east: text("send[minutes_east]"),
        }
    }

    /// For the use case, with the conditions that the audience has besides. Its instant still has to be read.
    pub fn form(self, conditions: Vec<Condition>) -> Result<CampaignForm, FieldErrors> {
        let rules = self.rules.form();
        let chosen = |text: String| if self.is_for_all { String::new() } else { text };
        let (segment, tag, q) = (chosen(self.segment), chosen(self.tag), chosen(self.q));
        let is_any = [&segment, &tag, &q].into_iter().any(|text| !text.trim().is_empty()) || !conditions.is_empty();
        let is_nobody = !self.is_for_all && !is_any;
        let form = CampaignForm {
            name: rules.name,
            channel: self.channel,
            template_id: self.template_id,
            audience: Audience { q, tag, segment, conditions },
            account_ids: rules.account_ids,
            send_at: String::new(),
            window: rules.window,
            skip_holidays: rules.skip_holidays,
        };
        let mut errors = form.clone().parse().err().unwrap_or_default();
        for error in &mut errors.0 {
            // The editor has one audience, and calls its fields as people do.
            if let Some(field) = error.field.strip_prefix("audience.") {
                error.field = field.to_owned();
            }
        }
        if is_nobody {
            errors.add("tag", "is required, or a search; choose “All leads” to mean everybody");
        }
        if self.is_later && self.send_at.trim().is_empty() {
            errors.add("send_at", "is required");
        }
        if errors.is_empty() { Ok(form) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_typed_becomes_the_form_that_is_stored() {
        let typed = fields(&[
            ("name", "Spring"),
            ("message[channel]", "sms"),
            ("message[template_id]", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ("audience[who]", "some"),
            ("audience[tag]", "fair"),
            ("rule[hours]", "window"),
            ("rule[from]", "09:00"),
            ("rule[to]", "12:00"),
            ("days[mon]", "on"),
            ("accounts[01ARZ3NDEKTSV4RRFFQ69G5FAV]", "on"),
        ]);
        let form = Draft::read(&typed).form(Vec::new()).expect("a form");
        assert_eq!((form.name.as_str(), form.channel.as_str(), form.audience.tag.as_str()), ("Spring", "sms", "fair"));
        assert_eq!(
            (form.account_ids.len(), form.window.map(|window| window.words())),
            (1, Some("Mon, 09:00–12:00".to_owned()))
        );
    }

    #[test]
    fn nobody_means_everybody_without_saying_so() {
        let mut typed =
            fields(&[("name", ""), ("audience[who]", "some"), ("send[when]", "later"), ("audience[tag]", " ")]);
        let errors = Draft::read(&typed).form(Vec::new()).expect_err("faults");
        let told: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(told, ["name", "channel", "template_id", "tag", "send_at"]);
        typed.insert("audience[who]".to_owned(), "all".to_owned());
        typed.insert("audience[tag]".to_owned(), "left over".to_owned());
        let draft = Draft::read(&typed);
        let errors = draft.clone().form(Vec::new()).expect_err("faults");
        assert!(errors.of("tag").is_none() && draft.is_for_all);
    }
}

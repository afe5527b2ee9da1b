//! A sequence as its editor has it: every field by its name, and the steps that can be put into another order.

use super::{SequenceForm, StepForm};
use crate::domain::window::{DAYS, Window};
use std::collections::BTreeMap;

/// The most steps that are read from a form; one more than are accepted, so that it can be said.
const READ_MAX: usize = super::STEPS_MAX + 1;

/// What is typed, by the names of the form's fields.
pub type Fields = BTreeMap<String, String>;

/// What the editor shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is called.
    pub name: String,
    /// In their order.
    pub steps: Vec<DraftStep>,
    /// Whether an answer ends a run.
    pub stop_on_reply: bool,
    /// With commas between them.
    pub stop_tags: String,
    /// Whether there is a window.
    pub has_window: bool,
    /// Days and hours, also while there is none.
    pub window: Window,
    /// Whether holidays are heeded.
    pub skip_holidays: bool,
    /// Ids of the accounts that are chosen.
    pub accounts: Vec<String>,
}

/// A step with its delay as people say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftStep {
    /// `email`, `sms` or `whatsapp`.
    pub channel: String,
    /// A number.
    pub delay: String,
    /// `hours` or `days`.
    pub unit: String,
    /// The id of a template.
    pub template_id: String,
    /// `skip` or `stop`.
    pub on_missing: String,
}

impl DraftStep {
    /// One more step, after `before`; the first one comes at once.
    pub fn after(before: Option<&Self>) -> Self {
        Self {
            channel: before.map_or_else(|| "email".to_owned(), |before| before.channel.clone()),
            delay: if before.is_some() { "2" } else { "0" }.to_owned(),
            unit: "days".to_owned(),
            template_id: String::new(),
            on_missing: "skip".to_owned(),
        }
    }

    fn of(step: &StepForm) -> Self {
        let days = step.delay_hours.parse::<u32>().ok().filter(|hours| hours % 24 == 0).map(|hours| hours / 24);
        Self {
            channel: step.channel.clone(),
            delay: days.map_or_else(|| step.delay_hours.clone(), |days| days.to_string()),
            unit: if days.is_some() { "days" } else { "hours" }.to_owned(),
            template_id: step.template_id.clone(),
            on_missing: step.on_missing.clone(),
        }
    }

    fn form(self) -> StepForm {
        let number = self.delay.trim().parse::<u32>().ok();
        let hours = number.and_then(|number| number.checked_mul(if self.unit == "days" { 24 } else { 1 }));
        StepForm {
            channel: self.channel,
            // What is no number is said to be none.
            delay_hours: hours.map_or(self.delay, |hours| hours.to_string()),
            template_id: self.template_id,
            on_missing: self.on_missing,
        }
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: String::new(),
            steps: vec![DraftStep::after(None)],
            stop_on_reply: true,
            stop_tags: "won, lost".to_owned(),
            has_window: false,
            window: working_hours(),
            skip_holidays: false,
            accounts: Vec::new(),
        }
    }
}

/// What is proposed to whoever wants a window.
fn working_hours() -> Window {
    let days = DAYS[..5].iter().map(|day| (*day).to_owned()).collect();
    Window { days, from: "09:00".to_owned(), to: "17:00".to_owned() }
}

impl Draft {
    /// Of what is stored.
    pub fn of(form: SequenceForm) -> Self {
        Self {
            name: form.name,
            steps: form.steps.iter().map(DraftStep::of).collect(),
            stop_on_reply: form.stop_on_reply,
            stop_tags: form.stop_tags.join(", "),
            has_window: form.window.is_some(),
            window: form.window.unwrap_or_else(working_hours),
            skip_holidays: form.skip_holidays,
            accounts: form.account_ids,
        }
    }

    /// Of what was typed.
    pub fn read(fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        // Of `accounts[…]` what is between the brackets.
        let checked = |name: &str| -> Vec<String> {
            let inner =
                fields.keys().filter_map(|field| field.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']'));
            inner.map(str::to_owned).collect()
        };
        let step = |at: usize| {
            let text = |name: &str| text(&format!("steps[{at}][{name}]"));
            DraftStep {
                channel: text("channel"),
                delay: text("delay"),
                unit: text("unit"),
                template_id: text("template_id"),
                on_missing: text("on_missing"),
            }
        };
        let is_there = |at: &usize| fields.contains_key(&format!("steps[{at}][channel]"));
        Self {
            name: text("name"),
            steps: (0..READ_MAX).take_while(is_there).map(step).collect(),
            stop_on_reply: fields.contains_key("rule[stop_on_reply]"),
            stop_tags: text("rule[stop_tags]"),
            has_window: text("rule[hours]") == "window",
            window: Window { days: checked("days"), from: text("rule[from]"), to: text("rule[to]") },
            skip_holidays: fields.contains_key("rule[skip_holidays]"),
            accounts: checked("accounts"),
        }
    }

    /// What a button of the editor does: `add`, `up-2`, `down-2`, `remove-2`, with the place of a step from 0.
    pub fn edit(&mut self, what: &str) {
        edit(&mut self.steps, what, DraftStep::after);
    }

    /// For the use case.
    pub fn form(self) -> SequenceForm {
        SequenceForm {
            name: self.name,
            stop_on_reply: self.stop_on_reply,
            stop_tags: self.stop_tags.split(',').map(str::to_owned).collect(),
            steps: self.steps.into_iter().map(DraftStep::form).collect(),
            window: self.has_window.then_some(self.window),
            skip_holidays: self.skip_holidays,
            account_ids: self.accounts,
        }
    }
}

/// See [`Draft::edit`]; `after` makes one more step. What makes no sense changes nothing.
pub fn edit<T>(steps: &mut Vec<T>, what: &str, after: impl FnOnce(Option<&T>) -> T) {
    if what == "add" {
        let step = after(steps.last());
        steps.push(step);
        return;
    }
    let Some((what, at)) = what.split_once('-') else { return };
    let Some(at) = at.parse::<usize>().ok().filter(|at| *at < steps.len()) else { return };
    match what {
        "up" if at > 0 => steps.swap(at, at - 1),
        "down" if at + 1 < steps.len() => steps.swap(at, at + 1),
        "remove" => drop(steps.remove(at)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_typed_becomes_the_form_that_is_stored_and_back() {
        let typed = fields(&[
            ("name", "Follow-up"),
            ("steps[0][channel]", "sms"),
            ("steps[0][delay]", "2"),
            ("steps[0][unit]", "days"),
            ("steps[1][channel]", "email"),
            ("steps[1][delay]", "soon"),
            ("steps[1][unit]", "days"),
            ("rule[stop_tags]", "won, lost"),
            ("rule[hours]", "window"),
            ("rule[from]", "09:00"),
            ("rule[to]", "12:00"),
            ("days[mon]", "on"),
            ("accounts[x]", "on"),
        ]);
        let form = Draft::read(&typed).form();
        let delays: Vec<&str> = form.steps.iter().map(|step| step.delay_hours.as_str()).collect();
        assert_eq!(delays, ["48", "soon"]);
        assert_eq!((form.stop_on_reply, form.account_ids.as_slice()), (false, &["x".to_owned()][..]));
        assert_eq!(form.window.as_ref().map(Window::words), Some("Mon, 09:00–12:00".to_owned()));
        let again = Draft::of(form);
        assert_eq!((again.steps[0].delay.as_str(), again.steps[0].unit.as_str()), ("2", "days"));
        assert_eq!((again.steps[1].delay.as_str(), again.steps[1].unit.as_str()), ("soon", "hours"));
    }

    #[test]
    fn steps_are_added_moved_and_removed() {
        let mut steps = vec!["a", "b", "c"];
        for (what, expected) in [
            ("up-2", "acb"),
            ("down-0", "cab"),
            ("up-0", "cab"),
            ("down-2", "cab"),
            ("remove-1", "cb"),
            ("remove-7", "cb"),
            ("up-x", "cb"),
            ("shout", "cb"),
            ("add", "cbb"),
        ] {
            edit(&mut steps, what, |last| last.copied().unwrap_or("z"));
            assert_eq!(steps.concat(), expected, "{what}");
        }
        let mut draft = Draft::default();
        draft.edit("add");
        assert_eq!((draft.steps[0].delay.as_str(), draft.steps[1].delay.as_str()), ("0", "2"));
    }
}

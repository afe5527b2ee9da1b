//! One of many.

use super::{field::FieldFrame, form::Faults};
use crate::domain::{channel::Channel, sequence::Choice};
use leptos::prelude::*;

/// The entries of a select: value and words each. `chosen` is a value.
pub fn entries<V, W>(given: impl IntoIterator<Item = (V, W)>, chosen: &str) -> Vec<AnyView>
where
    V: Into<String>,
    W: Into<String>,
{
    given.into_iter().map(|(value, words)| entry(value.into(), words.into(), chosen)).collect()
}

// Apart from the generic part, of which the browser gets a copy for each kind of value.
fn entry(value: String, words: String, chosen: &str) -> AnyView {
    let is_chosen = value == chosen;
    view! {
        <option value=value selected=is_chosen>
            {words}
        </option>
    }
    .into_any()
}

/// Entries by their channels, each in a group `of-{channel}`.
pub fn of_channels(given: &[Choice], chosen: &str) -> Vec<AnyView> {
    let group = |channel: Channel| {
        let of = given.iter().filter(|one| one.channel == channel);
        let entries = entries(of.map(|one| (one.id.as_str(), one.label.as_str())), chosen);
        let is_any = !entries.is_empty();
        is_any.then(|| {
            view! {
                <optgroup class=format!("of-{}", channel.as_str()) label=channel.label()>
                    {entries}
                </optgroup>
            }
            .into_any()
        })
    };
    Channel::ALL.into_iter().filter_map(group).collect()
}

/// A labelled select. Its fault stands beneath it and is read out with it.
#[component]
pub fn Select(
    id: &'static str,
    /// Name in the form.
    name: &'static str,
    /// Name among the faults, when it is another one.
    #[prop(optional)]
    fault: Option<&'static str>,
    label: &'static str,
    /// What it says while nothing is chosen.
    none: &'static str,
    /// Value and words of each.
    given: Vec<(String, String)>,
    /// A value, or nothing.
    chosen: String,
    /// The faults of the form.
    faults: Faults,
) -> impl IntoView {
    let message = Memo::new(move |_| faults.of(fault.unwrap_or(name)));
    view! {
        <FieldFrame id label message hint=String::new()>
            <select id=id name=name aria-invalid=move || message.get().map(|_| "true") aria-describedby=format!("{id}-fault")>
                <option value="">{none}</option>
                {entries(given, &chosen)}
            </select>
        </FieldFrame>
    }
}

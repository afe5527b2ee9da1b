//! The sequences: list, editor, and the page of one with its runs.

mod detail;
mod dialog;
mod editor;
pub(in crate::ui::page) mod field;
pub(in crate::ui::page) mod forecast;
pub mod one;
pub(in crate::ui::page) mod progress;
mod run;
mod step;

use crate::{
    api::sequence::list_sequences,
    domain::{channel::Channel, sequence::Sequence},
    ui::part::{
        badge::ChannelBadge, empty_state::EmptyState, icon::Icon, listing::Listing, live::Live, page_head::PageHead,
        pager::address, time::Time,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The page.
const HERE: &str = "/sequences";
/// In place of an id: one that is not there yet.
const NEW: &str = "new";
/// What `edit` is when the editor shows what is stored; else it says what was done to its list.
const OPEN: &str = "1";

/// The page.
#[component]
pub fn Sequences() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let sequences =
        Resource::new_blocking(move || (cursor.get(), live.sequences.get()), |(cursor, _)| list_sequences(cursor));
    let href = Callback::new(|cursor: Option<String>| address(HERE, [("cursor", cursor.as_deref())]));
    let empty = Callback::new(|_: Option<String>| view! { <NoSequences /> }.into_any());
    let rows = Callback::new(|rows: Memo<Vec<Sequence>>| {
        view! {
            <For each=move || rows.get() key=|sequence| (sequence.id.clone(), sequence.updated_at, sequence.is_active) let:sequence>
                <Row sequence />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Sequences" line="Messages that follow each other until somebody answers">
            <a class="btn primary" href="/sequences/new">
                "New sequence"
            </a>
        </PageHead>
        <Listing
            loaded=sequences
            class="sequences"
            columns=&["Sequence", "State", "Channels", "Changed"]
            is_later=Signal::derive(move || cursor.with(Option::is_some))
            href
            empty
            rows
        />
    }
}

#[component]
fn NoSequences() -> impl IntoView {
    view! {
        <EmptyState
            icon=Icon::Steps
            title="No sequences yet"
            text="Write the messages that follow a first contact once; Tern sends them one after the other, by each lead's own clock, and stops when somebody answers."
        >
            <a class="btn primary" href="/sequences/new">
                "Write your first sequence"
            </a>
        </EmptyState>
    }
}

#[component]
fn Row(sequence: Sequence) -> impl IntoView {
    let steps = &sequence.plan.steps;
    let count = if steps.len() == 1 { "1 step".to_owned() } else { format!("{} steps", steps.len()) };
    let has = |channel: &Channel| steps.iter().any(|step| step.channel == *channel);
    let channels: Vec<Channel> = Channel::ALL.into_iter().filter(has).collect();
    view! {
        <tr>
            <td>
                <div class="who">
                    <div>
                        <a href=format!("{HERE}/{}", sequence.id)>
                            <b>{sequence.name}</b>
                        </a>
                        <span>{count}</span>
                    </div>
                </div>
            </td>
            <td>
                <StateBadge is_active=sequence.is_active />
            </td>
            <td>
                <span class="tags">
                    {channels.into_iter().map(|channel| view! { <ChannelBadge channel /> }).collect_view()}
                </span>
            </td>
            <td class="when">
                <Time at=sequence.updated_at />
            </td>
        </tr>
    }
}

/// Whether a sequence goes on.
#[component]
fn StateBadge(is_active: bool) -> impl IntoView {
    view! { <span class=if is_active { "badge delivered" } else { "badge" }>{if is_active { "Active" } else { "Paused" }}</span> }
}

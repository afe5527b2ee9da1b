//! The sequences: list, editor, and the page of one with its runs.

pub mod detail;
mod dialog;
pub mod editor;
mod run;
mod step;

use crate::{
    api::{error::ApiError, sequence::list_sequences},
    domain::{channel::Channel, page::Page, sequence::Sequence},
    ui::part::{
        badge::ChannelBadge, empty_state::EmptyState, error_box::ErrorBox, icon::Icon, lazy::lazy_page, live::Live,
        page_head::PageHead, pager::Pager, shown::Shown, skeleton::TableSkeleton, time::Time,
    },
};
use leptos::{either::EitherOf4, prelude::*};
use leptos_router::hooks::use_query_map;

/// The page.
const HERE: &str = "/sequences";

// One part for all pages of sequences and their dialogs: every part more multiplies the pieces that parts share, and the list of
// all pieces belongs to the first load.
lazy_page! {
    /// The page, loaded when it is visited.
    SequencesPage, sequence_page, Sequences
}

/// The page.
#[component]
fn Sequences() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let sequences =
        Resource::new_blocking(move || (cursor.get(), live.sequences.get()), |(cursor, _)| list_sequences(cursor));
    view! {
        <PageHead title="Sequences" line="Messages that follow each other until somebody answers">
            <a class="btn primary" href="/sequences/new">
                "New sequence"
            </a>
        </PageHead>
        <Transition fallback=|| view! { <TableSkeleton columns=4 /> }>
            <SequenceList cursor sequences />
        </Transition>
    }
}

#[component]
fn SequenceList(cursor: Memo<Option<String>>, sequences: Resource<Result<Page<Sequence>, ApiError>>) -> impl IntoView {
    let shown = Shown::of(sequences, |page| page.data.is_empty());
    let page = Memo::new(move |_| sequences.get().and_then(Result::ok));
    move || match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=4 /> }),
        Shown::Failed(error) => EitherOf4::B(view! { <ErrorBox error retry=move |()| sequences.refetch() /> }),
        Shown::Empty => EitherOf4::C(view! {
            <EmptyState
                icon=Icon::Steps
                title="No sequences yet"
                text="Write the messages that follow a first contact once; Tern sends them one after the other, by each lead's own clock, and stops when somebody answers."
            >
                <a class="btn primary" href="/sequences/new">
                    "Write your first sequence"
                </a>
            </EmptyState>
        }),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(Unsuspend::new(move || view! { <Table cursor page /> })),
    }
}

#[component]
fn Table(cursor: Memo<Option<String>>, page: Memo<Option<Page<Sequence>>>) -> impl IntoView {
    let rows = move || page.get().map(|page| page.data).unwrap_or_default();
    let newest = Signal::derive(move || cursor.get().map(|_| HERE.to_owned()));
    let older = Signal::derive(move || {
        let next = page.with(|page| page.as_ref().and_then(|page| page.next_cursor.clone()));
        next.map(|cursor| format!("{HERE}?cursor={cursor}"))
    });
    view! {
        <div class="card table sequences">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Sequence"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Channels"</th>
                        <th scope="col">"Changed"</th>
                    </tr>
                </thead>
                <tbody>
                    <For each=rows key=|sequence| (sequence.id.clone(), sequence.updated_at, sequence.is_active) let:sequence>
                        <Row sequence />
                    </For>
                </tbody>
            </table>
        </div>
        <Pager newest older />
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

//! Whom nothing may be sent to: the list, a look for one address, and the two ways to change it. All in the URL.

use crate::{
    api::suppression::{CreateSuppression, DeleteSuppression, list_suppressions},
    domain::{
        channel::Channel,
        consent::{Suppression, Teller},
    },
    ui::part::{
        badge::ChannelBadge,
        empty_state::EmptyState,
        error_box::FormError,
        field::Field,
        form::Faults,
        icon::Icon,
        late::late,
        lazy::lazy_page,
        listing::{Listing, Loaded},
        live::Live,
        modal::Modal,
        page_head::PageHead,
        pager::{NoMatch, address},
        post::{Post, PostForm},
        question::Question,
        select::entries,
        shown::once,
        submit::Submit,
        time::Time,
    },
};
use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};

/// The page without a dialog.
const HERE: &str = "/suppressions";

/// Makes addresses of the same page of the list, with one thing more.
type Here = Callback<(&'static str, Option<String>), String>;

/// The dialogs there are.
#[derive(Debug, Clone, PartialEq)]
enum Open {
    Add,
    Remove(String),
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let removed = || query.get("remove").map(Self::Remove);
        query.get("add").map(|_| Self::Add).or_else(removed)
    }
}

lazy_page! {
    /// The page, loaded when it is visited.
    SuppressionsPage, suppressions_page, SuppressionsView
}

/// The page.
#[component]
fn SuppressionsView() -> impl IntoView {
    let (live, query) = (Live::get(), use_query_map());
    let text = move |name: &str| query.with(|query| query.get(name)).filter(|text| !text.trim().is_empty());
    let sought = Memo::new(move |_| text("address"));
    let cursor = Memo::new(move |_| text("cursor"));
    let open = Memo::new(move |_| query.with(Open::read));
    let listed = Resource::new_blocking(
        move || (sought.get(), cursor.get(), live.leads.get()),
        |(sought, cursor, _)| list_suppressions(sought, cursor),
    );
    let href = Callback::new(|cursor: Option<String>| address(HERE, [("cursor", cursor.as_deref())]));
    let empty =
        Callback::new(move |_: Option<String>| view! { <Nobody is_sought=sought.with(Option::is_some) /> }.into_any());
    // The same page of the list, with one thing more.
    let here = Callback::new(move |(name, value): (&'static str, Option<String>)| {
        let (sought, cursor) = (sought.get(), cursor.get());
        address(HERE, [("address", sought.as_deref()), ("cursor", cursor.as_deref()), (name, value.as_deref())])
    });
    let rows = Callback::new(move |rows: Memo<Vec<Suppression>>| {
        view! {
            <For each=move || rows.get() key=|one| (one.id.clone(), one.reason.as_str()) let:one>
                <Row one here />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Suppressions" line="Whom nothing is sent to, whatever anybody plans">
            <a id="add-suppression" class="btn primary" href="/suppressions?add=1" data-noscroll="">
                "Suppress an address"
            </a>
        </PageHead>
        <Search sought />
        <Listing
            loaded=listed
            class="suppressions"
            columns=&["Address", "Channel", "Why", "Since", ""]
            is_later=Signal::derive(move || cursor.with(Option::is_some))
            href
            empty
            rows
        />
        {late(open, move |open| Box::pin(dialog(open, listed, here)))}
    }
}

#[component]
fn Search(sought: Memo<Option<String>>) -> impl IntoView {
    move || {
        let typed = sought.get();
        let is_filtered = typed.is_some();
        view! {
            <Form method="GET" action=HERE>
                <div class="filters" role="search">
                    <div class="field">
                        <label for="address">"Address"</label>
                        <input
                            id="address"
                            name="address"
                            type="search"
                            placeholder="A whole e-mail address or number"
                            value=typed.unwrap_or_default()
                        />
                    </div>
                    <div class="row">
                        <button class="btn">"Look up"</button>
                        {is_filtered.then(|| view! { <a class="btn quiet" href=HERE>"Clear"</a> })}
                    </div>
                </div>
            </Form>
        }
    }
}

#[component]
fn Nobody(is_sought: bool) -> impl IntoView {
    if is_sought {
        view! { <NoMatch title="This address is not on the list" text="It can be written to. Look for a whole address, or a number with its country." all=HERE older=None /> }.into_any()
    } else {
        view! {
            <EmptyState
                icon=Icon::Tick
                title="Nobody is suppressed"
                text="Whoever answers STOP, unsubscribes, or cannot be reached any more is put here by itself, and is left alone from then on."
            >
                <a class="btn" href="/suppressions?add=1" data-noscroll="">
                    "Suppress an address"
                </a>
            </EmptyState>
        }
        .into_any()
    }
}

/// Who says so, for people.
fn told_by(teller: Teller) -> &'static str {
    match teller {
        Teller::Recipient => "by themselves",
        Teller::Provider => "by the provider",
        Teller::User => "by your team",
    }
}

/// The address, if anybody still knows it.
fn name(one: &Suppression) -> String {
    one.address.clone().unwrap_or_else(|| "Somebody who was deleted".to_owned())
}

#[component]
fn Row(one: Suppression, here: Here) -> impl IntoView {
    let label = name(&one);
    let id = one.id.to_string();
    let remove = format!("remove-{}", one.id);
    view! {
        <tr>
            <td>
                <b>{label.clone()}</b>
            </td>
            <td>
                <ChannelBadge channel=one.channel />
            </td>
            <td class="wide">
                {one.reason.label()} " " <span class="soft">{told_by(one.source)}</span>
            </td>
            <td class="when">
                <Time at=one.created_at />
            </td>
            <td class="act">
                <div>
                    <a
                        id=remove
                        class="btn small"
                        href=move || here.run(("remove", Some(id.clone())))
                        data-noscroll=""
                        aria-label=format!("Allow {label} again")
                    >
                        "Allow again"
                    </a>
                </div>
            </td>
        </tr>
    }
}

#[wasm_split(suppression_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn dialog(open: Open, listed: Loaded<Suppression>, here: Here) -> Result<AnyView, SplitLoaderError> {
    Ok(match open {
        Open::Add => view! { <AddDialog /> }.into_any(),
        Open::Remove(id) => {
            let one =
                once(move || listed.get().and_then(Result::ok)?.data.into_iter().find(|one| one.id.as_str() == id));
            let back = here.run(("remove", None));
            view! { <Suspense>{move || one.get().map(|one| view! { <RemoveDialog one back=back.clone() /> })}</Suspense> }
                .into_any()
        }
    })
}

#[component]
fn AddDialog() -> impl IntoView {
    let action = Post::to::<CreateSuppression>(|_| {});
    let faults = Faults::of_post(action);
    let chosen = faults.typed("channel").unwrap_or_else(|| "email".to_owned());
    let channels = [Channel::Email, Channel::Sms, Channel::Whatsapp].map(|channel| (channel.as_str(), channel.label()));
    view! {
        <Modal title="Suppress an address" back=HERE opener="add-suppression">
            <PostForm to=action>
                <div class="stack">
                    <div class="field">
                        <label for="channel">"Channel"</label>
                        <select id="channel" name="channel">
                            {entries(channels, &chosen)}
                        </select>
                    </div>
                    <Field
                        name="address"
                        label="Address"
                        placeholder="kim@example.com or +14155550132"
                        value=faults.typed("address").unwrap_or_default()
                        faults
                    />
                    <Field
                        name="reason"
                        label="Reason"
                        aside="optional"
                        hint="Kept in the record of consent."
                        required=false
                        value=faults.typed("reason").unwrap_or_default()
                        faults
                    />
                    <FormError error=faults.answer() />
                    <div class="foot">
                        <a class="btn" href=HERE data-noscroll="">
                            "Cancel"
                        </a>
                        <Submit pending=action.pending() busy="Suppressing…">
                            "Suppress"
                        </Submit>
                    </div>
                </div>
            </PostForm>
        </Modal>
    }
}

#[component]
fn RemoveDialog(one: Suppression, back: String) -> impl IntoView {
    let to = Post::to::<DeleteSuppression>(|()| {});
    let opener = format!("remove-{}", one.id);
    let warning = if one.reason.is_of_person() {
        " asked for this. Only allow it again if they have told you so since; that it was you who allowed it is recorded."
    } else {
        " can be written to again. That it was you who allowed it is recorded."
    };
    view! {
        <Question to id=one.id.to_string() title="Allow again?" back opener verb="Allow again" busy="Allowing…">
            <b>{name(&one)}</b>
            {format!(" ({})", one.channel.label())}
            {warning}
        </Question>
    }
}

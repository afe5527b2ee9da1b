//! One lead: who it is, and all that was sent and answered, on every channel, as one timeline.

use super::{
    HERE, Tags,
    dialog::LeadDialog,
    merge::MergeDialog,
    run::{self, Runs},
};
use crate::{
    api::{
        error::ApiError,
        lead::{DeleteLead, UnmergeLead, load_lead},
        message::list_messages,
        suppression::{AllowLead, SuppressLead},
    },
    domain::{
        consent::Suppression,
        id::LeadId,
        lead::{Lead, Profile},
        message::{Direction, Message},
        page::Page,
    },
    ui::part::{
        badge::{ChannelBadge, StatusBadge},
        error_box::ErrorBox,
        late::late,
        lazy::lazy_page,
        live::Live,
        page_head::PageHead,
        post::{Post, PostForm},
        question::Question,
        shown::once,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{
    either::Either,
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

lazy_page! {
    /// The page, loaded when it is visited.
    LeadDetailPage, lead_detail_page, LeadDetail
}

/// The dialogs there are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Edit,
    Merge,
    Delete,
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let named = [("edit", Self::Edit), ("merge", Self::Merge), ("delete", Self::Delete)];
        named.into_iter().find(|(name, _)| query.get(name).is_some()).map(|(_, open)| open)
    }
}

type Story = Resource<Result<Profile, ApiError>>;

/// The page.
#[component]
fn LeadDetail() -> impl IntoView {
    let live = Live::get();
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let open = Memo::new(move |_| query.with(Open::read));
    let profile = Resource::new_blocking(move || (id.get(), live.leads.get()), |(id, _)| load_lead(id));
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let messages = Resource::new_blocking(
        move || (id.get(), cursor.get(), live.messages.get()),
        |(id, cursor, _)| list_messages(None, None, None, Some(id), None, cursor),
    );
    let runs = run::Story::of(id);
    view! {
        <p class="crumb">
            <a href=HERE>"Leads"</a>
        </p>
        <Transition>
            {move || Suspend::new(async move {
                match profile.await {
                    Ok(profile) => Either::Left(view! { <Whole profile messages runs /> }),
                    Err(error) => {
                        Either::Right(
                            view! {
                                <PageHead title="Lead" />
                                <ErrorBox error retry=move |()| profile.refetch() />
                            },
                        )
                    }
                }
            })}
        </Transition>
        {late(open, move |open| Box::pin(detail_dialog(open, id.get_untracked(), profile)))}
    }
}

#[component]
fn Whole(profile: Profile, messages: Resource<Result<Page<Message>, ApiError>>, runs: run::Story) -> impl IntoView {
    let Profile { lead, merged, suppressions } = profile;
    let is_alone = !suppressions.is_empty();
    let (here, id) = (format!("{HERE}/{}", lead.id), StoredValue::new(lead.id.clone()));
    let to = {
        let here = here.clone();
        move |query: &str| format!("{here}?{query}")
    };
    view! {
        <PageHead title=lead.label().to_owned() line=lead.company.clone().unwrap_or_default()>
            <a id="edit-lead" class="btn" href=to("edit=1") data-noscroll="">
                "Edit"
            </a>
            <a id="merge-lead" class="btn" href=to("merge=1") data-noscroll="">
                "Merge"
            </a>
            {(!is_alone).then(|| view! { <Suppress id=id.get_value() /> })}
            <a id="delete-lead" class="btn" href=to("delete=1") data-noscroll="">
                "Delete"
            </a>
        </PageHead>
        {is_alone.then(|| view! { <LeftAlone id=id.get_value() suppressions /> })}
        {merged.map(|other| view! { <Merged id=lead.id.clone() other /> })}
        <div class="two">
            <section class="card inner stack">
                <h2 class="unseen">"Facts"</h2>
                <Facts lead />
                <Runs id=id.get_value() story=runs />
            </section>
            <section class="card inner stack">
                <h2>"Messages"</h2>
                <Timeline messages here />
            </section>
        </div>
    }
}

/// Nothing is sent to them any more, on any channel.
#[component]
fn Suppress(id: LeadId) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let stop = Post::to::<SuppressLead>(move |()| {
        toasts.good("Nothing is sent to this lead any more.".to_owned());
        live.resync();
    })
    .or_toast();
    view! {
        <PostForm to=stop>
            <input type="hidden" name="id" value=id.to_string() />
            <button class="btn" disabled=stop.pending()>
                "Do not contact"
            </button>
        </PostForm>
    }
}

/// Why nothing is sent to them, and a way back.
#[component]
fn LeftAlone(id: LeadId, suppressions: Vec<Suppression>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let allow = Post::to::<AllowLead>(move |()| {
        toasts.good("This lead can be written to again.".to_owned());
        live.resync();
    })
    .or_toast();
    let since = suppressions.iter().map(|one| one.created_at).min();
    let mut reasons: Vec<&str> = suppressions.iter().map(|one| one.reason.label()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut channels: Vec<&str> = suppressions.iter().map(|one| one.channel.label()).collect();
    channels.sort_unstable();
    channels.dedup();
    view! {
        <div class="notice warn">
            <p>
                <b>{reasons.join(", ")}</b>
                {format!(": nothing is sent by {}", channels.join(", "))}
                {since.map(|since| view! { ", since " <Time at=since /> })}
                "."
            </p>
            <PostForm to=allow>
                <input type="hidden" name="id" value=id.to_string() />
                <button class="btn small" disabled=allow.pending()>
                    "They agreed to be contacted again"
                </button>
            </PostForm>
        </div>
    }
}

/// Who was merged into it last, and a way back.
#[component]
fn Merged(id: LeadId, other: String) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let undo = Post::to::<UnmergeLead>(move |lead| {
        toasts.good(format!("{} is a lead of its own again.", lead.label()));
        live.resync();
    })
    .or_toast();
    view! {
        <div class="notice">
            <p>{format!("{other} was merged into this lead.")}</p>
            <PostForm to=undo>
                <input type="hidden" name="id" value=id.to_string() />
                <button class="btn small" disabled=undo.pending()>
                    "Undo the merge"
                </button>
            </PostForm>
        </div>
    }
}

#[component]
fn Facts(lead: Lead) -> impl IntoView {
    let fact = |name: String, value: String| {
        view! {
            <dt>{name}</dt>
            <dd>{value}</dd>
        }
    };
    let known =
        [("E-mail", lead.email), ("Phone", lead.phone), ("WhatsApp", lead.whatsapp), ("Time zone", lead.time_zone)];
    view! {
        <dl class="facts">
            {known.into_iter().filter_map(|(name, value)| Some(fact(name.to_owned(), value?))).collect_view()}
            {lead.custom.into_iter().map(|(name, value)| fact(name.replace('_', " "), value)).collect_view()}
            {(!lead.tags.is_empty())
                .then(|| {
                    view! {
                        <dt>"Tags"</dt>
                        <dd>
                            <Tags tags=lead.tags />
                        </dd>
                    }
                })}
            <dt>"Added"</dt>
            <dd>
                <Time at=lead.created_at />
            </dd>
            <dt>"Id"</dt>
            <dd>
                <code>{lead.id.to_string()}</code>
            </dd>
        </dl>
        {(!lead.notes.is_empty()).then(|| view! { <p class="body-text">{lead.notes}</p> })}
    }
}

#[component]
fn Timeline(messages: Resource<Result<Page<Message>, ApiError>>, here: String) -> impl IntoView {
    view! {
        <Transition>
            {move || {
                let here = here.clone();
                Suspend::new(async move {
                    match messages.await {
                        Err(error) => view! { <ErrorBox error retry=move |()| messages.refetch() /> }.into_any(),
                        Ok(page) if page.data.is_empty() => {
                            view! { <p class="soft">"Nothing was sent yet, and nothing came."</p> }.into_any()
                        }
                        Ok(page) => {
                            view! {
                                <ol class="timeline">
                                    {page.data.into_iter().map(|message| view! { <Step message /> }).collect_view()}
                                </ol>
                                {page
                                    .next_cursor
                                    .map(|cursor| {
                                        view! {
                                            <a class="btn fit" href=format!("{here}?cursor={cursor}")>
                                                "Older"
                                            </a>
                                        }
                                    })}
                            }
                                .into_any()
                        }
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn Step(message: Message) -> impl IntoView {
    let is_inbound = message.direction == Direction::Inbound;
    let title = message.subject.unwrap_or_else(|| message.channel.label().to_owned());
    view! {
        <li class=if is_inbound { "delivered" } else { message.status.as_str() }>
            <a href=format!("/messages/{}", message.id)>
                <b>{title}</b>
            </a>
            <Time at=message.created_at />
            <p class="body-text">{message.body}</p>
            <div class="row">
                <ChannelBadge channel=message.channel />
                {if is_inbound {
                    view! { <span class="badge">"Received"</span> }.into_any()
                } else {
                    view! { <StatusBadge status=message.status /> }.into_any()
                }}
            </div>
        </li>
    }
}

#[wasm_split(lead_detail_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn detail_dialog(open: Open, id: String, profile: Story) -> Result<AnyView, SplitLoaderError> {
    let back = format!("{HERE}/{id}");
    let lead = once(move || profile.get().and_then(Result::ok).map(|profile| profile.lead));
    let drawn = move || {
        let lead = lead.get()?;
        let back = back.clone();
        Some(match open {
            Open::Edit => view! { <LeadDialog lead back opener="edit-lead" /> }.into_any(),
            Open::Merge => view! { <MergeDialog lead back /> }.into_any(),
            Open::Delete => view! { <DeleteDialog lead back /> }.into_any(),
        })
    };
    Ok(view! { <Suspense>{drawn}</Suspense> }.into_any())
}

#[component]
fn DeleteDialog(lead: Lead, back: String) -> impl IntoView {
    let to = Post::to::<DeleteLead>(|()| {});
    view! {
        <Question to id=lead.id.to_string() title="Delete lead?" back opener="delete-lead" verb="Delete lead" busy="Deleting…">
            <b>{lead.label().to_owned()}</b>
            " is forgotten. What was sent stays among the messages, and whoever asked not to be written to is still not written to."
        </Question>
    }
}

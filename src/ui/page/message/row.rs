//! One message in the list: where it is, why it waits, and what a person can do about it.

use super::{Accounts, known};
use crate::{
    api::message::{CancelMessage, ResolveMessage},
    domain::{
        id::MessageId,
        message::{Direction, Message, Status, Waiting},
    },
    ui::part::{
        badge::{ChannelBadge, ChannelTile, StatusBadge},
        live::Live,
        post::{Post, PostForm},
        time::Time,
    },
};
use leptos::prelude::*;

/// What the rows post; one for all of them, so that a long list has no more of them than a short one.
#[derive(Clone, Copy)]
pub struct Posts {
    cancel: Post<Message>,
    resolve: Post<Message>,
}

impl Posts {
    /// Failures are told in the corner.
    pub fn new() -> Self {
        let live = Live::get();
        let again = move |_: Message| {
            let _ = live.messages.try_update(|n| *n += 1);
        };
        Self {
            cancel: Post::to::<CancelMessage>(again).or_toast(),
            resolve: Post::to::<ResolveMessage>(again).or_toast(),
        }
    }
}

/// A row that lives as long as its message: the status moves in place.
#[component]
pub fn Row(first: Message, rows: Memo<Vec<Message>>, accounts: Accounts, posts: Posts) -> impl IntoView {
    let id = first.id.clone();
    let at_first = (first.status, first.waiting.clone());
    let state = Memo::new(move |last: Option<&(Status, Option<Waiting>)>| {
        let found = rows.with(|rows| {
            rows.iter().find(|message| message.id == id).map(|message| (message.status, message.waiting.clone()))
        });
        found.or_else(|| last.cloned()).unwrap_or_else(|| at_first.clone())
    });
    let is_inbound = first.direction == Direction::Inbound;
    let contact = if is_inbound { first.from.unwrap_or_default() } else { first.to };
    let account = first.account_id;
    let through = move || {
        if account.is_none() {
            return "Platform default".to_owned();
        }
        let name = known(accounts).into_iter().find(|a| Some(&a.id) == account.as_ref()).map(|a| a.display_name);
        name.unwrap_or_default()
    };
    let (id, to) = (first.id.clone(), contact.clone());
    view! {
        <tr>
            <td>
                <div class="who">
                    <ChannelTile channel=first.channel />
                    <div>
                        <a href=format!("/messages/{}", first.id)>
                            <b>{contact}</b>
                        </a>
                        <span>{if is_inbound { "to " } else { "from " }} {through}</span>
                    </div>
                </div>
            </td>
            <td class="wide">
                <span class="clip">{first.subject.map(|subject| format!("{subject} — "))} {first.body}</span>
            </td>
            <td>
                <ChannelBadge channel=first.channel />
            </td>
            <td>
                {if is_inbound {
                    view! { <span class="badge">"Received"</span> }.into_any()
                } else {
                    (move || {
                        let (status, waiting) = state.get();
                        view! {
                            <StatusBadge status />
                            {waiting.map(brief)}
                            {actions(status, &id, &to, posts)}
                        }
                    })
                        .into_any()
                }}
            </td>
            <td class="when">
                <Time at=first.created_at />
            </td>
        </tr>
    }
}

/// Why it waits and until when, in a line; the whole sentence is on the message's page.
fn brief(waiting: Waiting) -> impl IntoView {
    view! {
        <small class="soft line">
            {waiting.reason.label()}
            {waiting.until.map(|at| view! { ", until " <Time at /> })}
        </small>
    }
}

/// What can be done here without reading more. To send a failed one again wants a look at why it failed.
fn actions(status: Status, id: &MessageId, to: &str, posts: Posts) -> AnyView {
    let id = id.to_string();
    let unseen = format!(" to {to}");
    match status {
        Status::Queued => view! {
            <PostForm to=posts.cancel>
                <input type="hidden" name="id" value=id />
                <button class="btn small" disabled=posts.cancel.pending()>
                    "Cancel"
                    <span class="unseen">" the message" {unseen}</span>
                </button>
            </PostForm>
        }
        .into_any(),
        Status::Unknown => view! {
            <PostForm to=posts.resolve>
                <input type="hidden" name="id" value=id />
                <div class="row">
                    <button class="btn small" name="was_sent" value="true" disabled=posts.resolve.pending()>
                        "It was sent"
                        <span class="unseen">{unseen.clone()}</span>
                    </button>
                    <button class="btn small" name="was_sent" value="false" disabled=posts.resolve.pending()>
                        "It was not sent"
                        <span class="unseen">{unseen}</span>
                    </button>
                </div>
            </PostForm>
        }
        .into_any(),
        _ => ().into_any(),
    }
}

//! One message: what it says, where it is, and its whole story.

use crate::{
    api::{
        account::TryAccount,
        message::{CancelMessage, ResolveMessage, RetryMessage, load_message},
    },
    domain::message::{Direction, Event, Message, Source, Status, Story, Waiting, WaitingReason},
    ui::part::{
        badge::{ChannelBadge, StatusBadge},
        error_box::ErrorBox,
        lazy::lazy_page,
        live::Live,
        page_head::PageHead,
        post::{Post, PostForm},
        submit::Submit,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_params_map;

lazy_page! {
    /// The page, loaded when it is visited.
    MessageDetailPage, message_detail_page, MessageDetail
}

/// The page.
#[component]
fn MessageDetail() -> impl IntoView {
    let live = Live::get();
    let params = use_params_map();
    let story = Resource::new_blocking(
        move || (params.with(|params| params.get("id")).unwrap_or_default(), live.messages.get()),
        |(id, _)| load_message(id),
    );
    view! {
        <p class="crumb">
            <a href="/messages">"Messages"</a>
        </p>
        <PageHead title="Message" />
        <Transition>
            {move || Suspend::new(async move {
                match story.await {
                    Ok(story) => Either::Left(view! { <Whole story /> }),
                    Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| story.refetch() /> }),
                }
            })}
        </Transition>
    }
}

#[component]
fn Whole(story: Story) -> impl IntoView {
    let Story { message, events } = story;
    view! {
        <div class="two">
            <div class="stack">
                <section class="card inner stack" aria-label="Text">
                    {message.subject.clone().map(|subject| view! { <h2>{subject}</h2> })}
                    <p class="body-text">{message.body.clone()}</p>
                    <Trouble message=message.clone() />
                    <Actions message=message.clone() />
                </section>
                <section class="card inner">
                    <h2 class="unseen">"Facts"</h2>
                    <Facts message />
                </section>
            </div>
            <section class="card inner stack">
                <h2>"Timeline"</h2>
                <ol class="timeline">{events.into_iter().map(|event| view! { <Step event /> }).collect_view()}</ol>
            </section>
        </div>
    }
}

/// Why it waits, since when, and what comes next and when; or what went wrong.
#[component]
fn Trouble(message: Message) -> impl IntoView {
    let next = next_of(message.status);
    let account = message.account_id.map(|id| id.to_string());
    view! {
        {message.waiting.map(|waiting| view! { <Wait waiting account /> })}
        {next.map(|next| view! { <p class="notice">{next}</p> })}
        {message
            .error
            .map(|error| {
                view! { <div class="notice bad">{error.message} <small>"Code " {error.code}</small></div> }
            })}
    }
}

/// What happens next to a message that is on its way.
fn next_of(status: Status) -> Option<&'static str> {
    match status {
        Status::Sending => Some("It is being handed to the provider right now."),
        Status::Accepted => Some("The provider has it, and will say what becomes of it."),
        Status::Sent => Some("It left. A receipt may still come; not every carrier and mail server sends one."),
        _ => None,
    }
}

/// Why, since when, until when, and what a person can do so that it need not wait.
#[component]
fn Wait(waiting: Waiting, account: Option<String>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let again = Post::to::<TryAccount>(move |account| {
        toasts.good(format!("{} tries again.", account.display_name));
        live.resync();
    })
    .or_toast();
    let until = match (waiting.reason, waiting.until) {
        (WaitingReason::Evidence, Some(at)) => view! { "Decided by " <Time at precise=true /> "." }.into_any(),
        (WaitingReason::DailyLimit, Some(at)) => view! { "That is " <Time at /> "." }.into_any(),
        (WaitingReason::Scheduled, Some(at)) => view! { "It goes out " <Time at /> "." }.into_any(),
        (_, Some(at)) => view! { "It is tried next " <Time at /> "." }.into_any(),
        (WaitingReason::Turn, None) => "It goes out by itself.".into_any(),
        (WaitingReason::Evidence, None) => ().into_any(),
        (_, None) => "It goes out as soon as that is done.".into_any(),
    };
    let action = account.and_then(|id| match waiting.reason {
        WaitingReason::Provider => Some(
            view! {
                <PostForm to=again>
                    <input type="hidden" name="id" value=id />
                    <button class="btn small" disabled=again.pending()>
                        "Try now"
                    </button>
                </PostForm>
            }
            .into_any(),
        ),
        WaitingReason::DailyLimit | WaitingReason::AccountError => {
            let words =
                if waiting.reason == WaitingReason::DailyLimit { "Change the limit" } else { "Enter credentials" };
            let href = format!("/accounts?edit={id}");
            Some(view! { <a class="btn small" href=href>{words}</a> }.into_any())
        }
        WaitingReason::AccountInactive => {
            Some(view! { <a class="btn small" href="/accounts">"Open the accounts"</a> }.into_any())
        }
        WaitingReason::Scheduled
        | WaitingReason::QuietHours
        | WaitingReason::ContactCap
        | WaitingReason::Paused
        | WaitingReason::Turn
        | WaitingReason::Evidence => None,
    });
    view! {
        <div class="notice warn">
            <b>{waiting.reason.label()}</b>
            <p>{waiting.detail} " " {until}</p>
            <small>"Since " <Time at=waiting.since /></small>
            {action}
        </div>
    }
}

/// What a person can do about it.
#[component]
fn Actions(message: Message) -> impl IntoView {
    let live = Live::get();
    let again = move |_: Message| {
        let _ = live.messages.try_update(|n| *n += 1);
    };
    let cancel = Post::to::<CancelMessage>(again).or_toast();
    let retry = Post::to::<RetryMessage>(again).or_toast();
    let resolve = Post::to::<ResolveMessage>(again).or_toast();
    let id = message.id.to_string();
    match message.status {
        Status::Queued => view! {
            <PostForm to=cancel>
                <input type="hidden" name="id" value=id />
                <Submit pending=cancel.pending() busy="Canceling…" class="">
                    "Cancel message"
                </Submit>
            </PostForm>
        }
        .into_any(),
        Status::Failed | Status::Undelivered => view! {
            <PostForm to=retry>
                <input type="hidden" name="id" value=id />
                <Submit pending=retry.pending() busy="Queuing…" class="">
                    "Send again"
                </Submit>
            </PostForm>
        }
        .into_any(),
        Status::Unknown => view! {
            <PostForm to=resolve>
                <input type="hidden" name="id" value=id />
                <div class="row">
                    <button class="btn" name="was_sent" value="true" disabled=resolve.pending()>
                        "It was sent"
                    </button>
                    <button class="btn" name="was_sent" value="false" disabled=resolve.pending()>
                        "It was not: send it"
                    </button>
                </div>
            </PostForm>
        }
        .into_any(),
        _ => ().into_any(),
    }
}

#[component]
fn Facts(message: Message) -> impl IntoView {
    let is_inbound = message.direction == Direction::Inbound;
    let fact = |name: &'static str, value: String| {
        view! {
            <dt>{name}</dt>
            <dd>{value}</dd>
        }
    };
    view! {
        <dl class="facts">
            <dt>"Status"</dt>
            <dd>
                {if is_inbound {
                    view! { <span class="badge">"Received"</span> }.into_any()
                } else {
                    view! { <StatusBadge status=message.status /> }.into_any()
                }}
            </dd>
            <dt>"Channel"</dt>
            <dd>
                <ChannelBadge channel=message.channel />
            </dd>
            {fact("To", message.to)}
            {message.from.map(|from| fact("From", from))}
            <dt>"Created"</dt>
            <dd>
                <Time at=message.created_at />
            </dd>
            {(!is_inbound).then(|| fact("Attempts", message.attempts.to_string()))}
            {(message.segments > 1).then(|| fact("Segments", message.segments.to_string()))}
            {message
                .provider_message_id
                .map(|id| {
                    view! {
                        <dt>"Provider's id"</dt>
                        <dd>
                            <code>{id}</code>
                        </dd>
                    }
                })}
            <dt>"Id"</dt>
            <dd>
                <code>{message.id.to_string()}</code>
            </dd>
        </dl>
    }
}

#[component]
fn Step(event: Event) -> impl IntoView {
    let source = match event.source {
        Source::Api => "by request",
        Source::Worker => "by Tern",
        Source::Webhook => "told by the provider",
        Source::Poll => "asked of the provider",
        Source::User => "by a person",
    };
    view! {
        <li class=event.status.as_str()>
            <b>{event.status.label()}</b>
            <Time at=event.at precise=true />
            <p>{source}</p>
            {event.detail.map(|detail| view! { <p>{detail}</p> })}
            {event
                .error
                .map(|error| view! { <p class="bad">{format!("{} (code {})", error.message, error.code)}</p> })}
        </li>
    }
}

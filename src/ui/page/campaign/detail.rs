//! One campaign: what can be done with it, what came of it, and what will.

use super::{
    HERE, StateBadge,
    dialog::{CancelDialog, DeleteDialog},
};
use crate::{
    api::{
        campaign::{MoveCampaign, RetryCampaign, forecast_campaign, load_story},
        error::ApiError,
    },
    domain::{
        campaign::{Campaign, CampaignCounts, CampaignState, CampaignStory, Excluded, Told, reason_label},
        id::CampaignId,
        window::Window,
    },
    ui::{
        page::sequence::{
            forecast::{Answer, asked},
            progress::{progress, refused},
        },
        part::{
            badge::ChannelBadge,
            error_box::ErrorBox,
            late::late,
            live::Live,
            page_head::PageHead,
            post::{Post, PostForm},
            shown::{Kept, kept, once},
            submit::Submit,
            time::Time,
            toast::Toasts,
        },
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

/// The dialogs there are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Cancel,
    Delete,
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let named = [("cancel", Self::Cancel), ("delete", Self::Delete)];
        named.into_iter().find(|(name, _)| query.get(name).is_some()).map(|(_, open)| open)
    }
}

type Story = Resource<Result<Told<CampaignStory>, ApiError>>;

/// The page.
#[component]
pub fn CampaignOf() -> impl IntoView {
    let live = Live::get();
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let open = Memo::new(move |_| query.with(Open::read));
    let story = Resource::new_blocking(
        move || (id.get(), live.sequences.get(), live.messages.get()),
        |(id, ..)| load_story(id),
    );
    view! {
        <p class="crumb">
            <a href=HERE>"Campaigns"</a>
        </p>
        <Transition>
            <Whole story />
        </Transition>
        {late(open, move |open| Box::pin(campaign_dialog(open, id.get_untracked(), story)))}
    }
}

/// Inside of what waits for it: a memo made outside would wait for nothing.
#[component]
fn Whole(story: Story) -> impl IntoView {
    let failure = kept(move || story.get().and_then(Result::err));
    let told = kept(move || story.get().and_then(Result::ok));
    let campaign = kept(move || {
        told.with(|told| told.as_ref().map(|told| (told.campaign.campaign.clone(), told.template.clone())))
    });
    let has_failed = kept(move || told.with(|told| told.as_ref().is_some_and(|told| told.campaign.counts.failed > 0)));
    let can_be_forecast = kept(move || {
        campaign.with(|campaign| {
            campaign
                .as_ref()
                .filter(|(campaign, _)| campaign.state == CampaignState::Draft || campaign.state.is_open())
                .map(|(campaign, _)| campaign.id.clone())
        })
    });
    view! {
        {move || match failure.get() {
            Some(error) => {
                Either::Left(
                    view! {
                        <PageHead title="Campaign" />
                        <ErrorBox error retry=move |()| story.refetch() />
                    },
                )
            }
            // Head and buttons are drawn anew only when the campaign itself has changed.
            None => {
                Either::Right(move || campaign.get().map(|(campaign, _)| view! { <Head campaign has_failed /> }))
            }
        }}
        <div class="stack wide-gap">
            {move || told.get().map(|told| view! { <Progress story=told.campaign /> })}
            {move || can_be_forecast.get().map(|id| view! { <Forecast id /> })}
            {move || campaign.get().map(|(campaign, template)| view! { <Facts campaign template /> })}
        </div>
    }
}

#[component]
fn Head(campaign: Campaign, has_failed: Kept<bool>) -> impl IntoView {
    let to = format!("{HERE}/{}", campaign.id);
    let [edit, forecast, cancel, delete] =
        ["?edit=1", "?forecast=1", "?cancel=1", "?delete=1"].map(|rest| format!("{to}{rest}"));
    let state = campaign.state;
    let is_draft = state == CampaignState::Draft;
    let can_be_retried = matches!(state, CampaignState::Running | CampaignState::Done);
    view! {
        <PageHead title=campaign.name.clone() line=campaign.audience.words()>
            <StateBadge state />
            {(is_draft || state.is_open())
                .then(|| {
                    view! {
                        <a class="btn" href=forecast data-noscroll="">
                            "Forecast"
                        </a>
                    }
                })}
            {is_draft
                .then(|| {
                    view! {
                        <a class="btn" href=edit.clone()>
                            "Edit"
                        </a>
                    }
                })}
            {(!state.is_open())
                .then(|| {
                    view! {
                        <a id="delete-campaign" class="btn" href=delete data-noscroll="">
                            "Delete"
                        </a>
                    }
                })}
            {state
                .is_open()
                .then(|| {
                    view! {
                        <a id="cancel-campaign" class="btn" href=cancel data-noscroll="">
                            "Cancel campaign"
                        </a>
                    }
                })}
            {can_be_retried.then(|| view! { <Retry id=campaign.id.clone() has_failed /> })}
            <Move id=campaign.id.clone() state edit />
        </PageHead>
    }
}

/// Starts it, holds it or goes on with it; where it cannot send, what to do about it.
#[component]
fn Move(id: CampaignId, state: CampaignState, edit: String) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let action = Post::to::<MoveCampaign>(move |campaign| {
        let words = match campaign.state {
            CampaignState::Scheduled => "is scheduled.",
            CampaignState::Paused => "is paused: nothing of it leaves.",
            _ => "is running.",
        };
        toasts.good(format!("{} {words}", campaign.name));
        live.resync();
    });
    let button = match state {
        CampaignState::Draft => Some(("start", "Start", "primary")),
        CampaignState::Scheduled | CampaignState::Running => Some(("pause", "Pause", "")),
        CampaignState::Paused => Some(("resume", "Resume", "primary")),
        CampaignState::Done | CampaignState::Canceled => None,
    };
    // A campaign that was started has no editor any more.
    let edit = if state == CampaignState::Draft { edit } else { "/accounts".to_owned() };
    let noun = if state == CampaignState::Draft { "campaign" } else { "accounts" };
    let why = move || action.failure().get().map(|error| refused(&error, edit.clone(), noun));
    button.map(|(what, words, class)| {
        view! {
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="what" value=what />
                <Submit pending=action.pending() busy="…" class>
                    {words}
                </Submit>
            </PostForm>
            <div class="refusal" role="alert">
                {why}
            </div>
        }
    })
}

/// Queues again what failed, once something has.
#[component]
fn Retry(id: CampaignId, has_failed: Kept<bool>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let retry = Post::to::<RetryCampaign>(move |count| {
        toasts.good(match count {
            0 => "Nothing can be sent again: what failed would fail again.".to_owned(),
            1 => "1 message is queued again.".to_owned(),
            count => format!("{count} messages are queued again."),
        });
        live.resync();
    })
    .or_toast();
    let id = StoredValue::new(id.to_string());
    move || {
        has_failed.get().then(|| {
            view! {
                <PostForm to=retry>
                    <input type="hidden" name="id" value=id.get_value() />
                    <Submit pending=retry.pending() busy="Queuing…" class="">
                        "Retry failed"
                    </Submit>
                </PostForm>
            }
        })
    }
}

/// What came of it so far, and whom it leaves out.
#[component]
fn Progress(story: CampaignStory) -> impl IntoView {
    let CampaignStory { campaign, counts, excluded } = story;
    (campaign.state != CampaignState::Draft).then(|| {
        let gathering = (campaign.state.is_open() && !campaign.is_gathered)
            .then(|| view! { <p class="soft">"Not all of its people are gathered yet."</p> });
        view! {
            <section class="card inner stack progress">
                <h2>"Progress"</h2>
                {counted(counts)}
                {gathering}
                {left_out(excluded)}
            </section>
        }
    })
}

fn counted(counts: CampaignCounts) -> impl IntoView {
    let parts = [
        ("queued", counts.queued),
        ("sent", counts.on_the_way()),
        ("delivered", counts.delivered),
        ("unknown", counts.unknown),
        ("failed", counts.failed),
    ];
    let numbers = [
        ("queued", "Queued", counts.queued),
        ("sent", "On the way", counts.on_the_way()),
        ("delivered", "Delivered", counts.delivered),
        ("unknown", "Unknown", counts.unknown),
        ("failed", "Failed", counts.failed),
        ("replied", "Replied", counts.replied),
    ];
    progress(parts, numbers)
}

fn left_out(excluded: Vec<Excluded>) -> impl IntoView {
    let reason = |of: Excluded| {
        let words = match reason_label(&of.reason) {
            "" => of.reason,
            words => words.to_owned(),
        };
        view! { <li>{format!("{words}: {}", of.count)}</li> }
    };
    (!excluded.is_empty()).then(|| {
        view! {
            <div>
                <h3>"Who gets nothing"</h3>
                <ul class="left-out">{excluded.into_iter().map(reason).collect_view()}</ul>
            </div>
        }
    })
}

/// The forecast, while the address asks for it.
#[component]
fn Forecast(id: CampaignId) -> impl IntoView {
    let asked = asked();
    let is_open = Memo::new(move |_| asked.get().0);
    let id = StoredValue::new(id.to_string());
    let panel = move || {
        let made = Resource::new(
            move || asked.get().1,
            move |is_now| async move { if is_now { forecast_campaign(id.get_value()).await.map(Some) } else { Ok(None) } },
        );
        let here = format!("{HERE}/{}", id.get_value());
        view! {
            <section class="card inner stack forecast" aria-labelledby="forecast">
                <div class="row between">
                    <h2 id="forecast">"Forecast"</h2>
                    <a class="btn small quiet" href=here.clone() data-noscroll="">
                        "Close"
                    </a>
                </div>
                <p class="soft">"What will leave if nobody answers, nothing fails and nothing is changed meanwhile."</p>
                <Answer made whole=Signal::from("?forecast=whole".to_owned()) edit=format!("{here}?edit=1") noun="campaign" />
            </section>
        }
    };
    // The server walks through a boundary more than once: a forecast is made once.
    move || is_open.get().then(|| Unsuspend::new(panel))
}

/// What was decided in its editor.
#[component]
fn Facts(campaign: Campaign, template: String) -> impl IntoView {
    let hours = campaign.window.as_ref().map_or_else(|| "At any time".to_owned(), Window::words);
    let holidays = if campaign.skip_holidays { ", not on holidays" } else { "" };
    let accounts = match campaign.account_ids.len() {
        0 => "All active ones of the channel".to_owned(),
        1 => "1 account".to_owned(),
        count => format!("{count} accounts"),
    };
    let begins = match campaign.send_at {
        Some(at) => view! { "Not before " <Time at /> }.into_any(),
        None => "As soon as it is started".into_any(),
    };
    let instant = |label: &'static str, at: Option<crate::domain::time::Timestamp>| {
        at.map(|at| view! { <dt>{label}</dt><dd><Time at /></dd> })
    };
    view! {
        <section class="card inner stack">
            <h2>"What and when"</h2>
            <dl class="facts">
                <dt>"Channel"</dt>
                <dd>
                    <ChannelBadge channel=campaign.channel />
                </dd>
                <dt>"Template"</dt>
                <dd>
                    <a href=format!("/templates/{}", campaign.template_id)>{template}</a>
                </dd>
                <dt>"To"</dt>
                <dd>{campaign.audience.words()}</dd>
                <dt>"Begins"</dt>
                <dd>{begins}</dd>
                <dt>"Hours"</dt>
                <dd>{hours} {holidays}</dd>
                <dt>"Accounts"</dt>
                <dd>{accounts}</dd>
                {instant("Started", campaign.started_at)}
                {instant("Ended", campaign.ended_at)}
            </dl>
        </section>
    }
}

#[wasm_split(sequence_page, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn campaign_dialog(open: Open, id: String, story: Story) -> Result<AnyView, SplitLoaderError> {
    let back = format!("{HERE}/{id}");
    let campaign = once(move || {
        story.get().and_then(Result::ok).map(|told| (told.campaign.campaign.id, told.campaign.campaign.name))
    });
    let drawn = move || {
        let (id, name) = campaign.get()?;
        let back = back.clone();
        Some(match open {
            Open::Cancel => view! { <CancelDialog id name back /> }.into_any(),
            Open::Delete => view! { <DeleteDialog id name back /> }.into_any(),
        })
    };
    Ok(view! { <Suspense>{drawn}</Suspense> }.into_any())
}

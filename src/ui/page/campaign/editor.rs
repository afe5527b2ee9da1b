//! The editor of a campaign: what, to whom, when, through whom.

use super::HERE;
use crate::{
    api::campaign::{SaveCampaign, load_campaign_editor},
    domain::{
        audience::Segment,
        campaign::{Campaign, CampaignState, draft::Draft},
        channel::Channel,
        sequence::{Choice, Choices},
        time::{MINUTE, Timestamp},
    },
    ui::{
        page::sequence::field::{Accounts, Fault, Hours},
        part::{
            error_box::{ErrorBox, FormError},
            field::{Field, FieldFrame},
            form::Faults,
            hydrated::Hydrated,
            page_head::PageHead,
            post::{Post, PostForm},
            select::{Select, entries, of_channels},
            submit::Submit,
            time::minutes_east,
        },
    },
};
use leptos::{either::Either, html, prelude::*};

/// The editor of the one of the `id`, or of a new one when that is empty.
#[component]
pub fn EditorOf(id: String) -> impl IntoView {
    let title = if id.is_empty() { "New campaign" } else { "Edit campaign" };
    // Not again when somebody saves it or a template: what is typed here would be gone.
    let loaded = Resource::new_blocking(move || id.clone(), load_campaign_editor);
    view! {
        <p class="crumb">
            <a href=HERE>"Campaigns"</a>
        </p>
        <PageHead title />
        <Transition>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok((campaign, choices, tags, segments)) => {
                        Either::Left(
                            Unsuspend::new(move || match campaign {
                                Some(campaign) if campaign.state != CampaignState::Draft => {
                                    view! { <Started campaign /> }.into_any()
                                }
                                campaign => view! { <Editor campaign choices tags segments /> }.into_any(),
                            }),
                        )
                    }
                    Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| loaded.refetch() /> }),
                }
            })}
        </Transition>
    }
}

#[component]
fn Started(campaign: Campaign) -> impl IntoView {
    view! {
        <p class="notice warn">
            "This campaign was started and cannot be changed any more. "
            <a href=format!("{HERE}/{}", campaign.id)>"See how it goes"</a>
        </p>
    }
}

#[component]
fn Editor(campaign: Option<Campaign>, choices: Choices, tags: Vec<String>, segments: Vec<Segment>) -> impl IntoView {
    let action = Post::to::<SaveCampaign>(|_| {});
    let faults = Faults::of_post(action);
    let failed = faults
        .answer()
        .with_untracked(|error| error.as_ref().map(|error| Draft::read(&error.typed.iter().cloned().collect())));
    let draft = failed.or_else(|| campaign.as_ref().map(Draft::of)).unwrap_or_default();
    let back = campaign.as_ref().map_or_else(|| HERE.to_owned(), |campaign| format!("{HERE}/{}", campaign.id));
    let id = campaign.as_ref().map(|campaign| campaign.id.to_string()).unwrap_or_default();
    let conditions = campaign.map_or(0, |campaign| campaign.audience.conditions.len());
    let Draft { rules, channel, template_id, is_for_all, segment, tag, q, is_later, send_at, minutes_east } = draft;
    view! {
        <PostForm to=action>
            <div class="stack wide-gap sequence-editor">
                <section class="card inner stack">
                    <input type="hidden" name="id" value=id />
                    <Field name="name" label="Name" placeholder="Spring sale" value=rules.name faults />
                    <h2>"What"</h2>
                    <What channel template_id templates=choices.templates faults />
                </section>
                <section class="card inner stack">
                    <h2>"To whom"</h2>
                    <Whom is_for_all segment segments tag q tags conditions faults />
                </section>
                <section class="card inner stack">
                    <h2>"When it begins"</h2>
                    <When is_later send_at minutes_east faults />
                </section>
                <section class="card inner stack">
                    <h2>"When messages may leave"</h2>
                    <Hours has_window=rules.has_window window=rules.window skip_holidays=rules.skip_holidays faults />
                </section>
                <section class="card inner stack">
                    <h2>"Who sends"</h2>
                    <Accounts all=choices.accounts chosen=rules.accounts then="start the campaign" />
                    <Fault of="account_ids" faults />
                </section>
                <div>
                    <FormError error=faults.answer() />
                    <div class="row end">
                        <a class="btn" href=back>
                            "Cancel"
                        </a>
                        <Submit pending=action.pending() busy="Saving…">
                            "Save draft"
                        </Submit>
                    </div>
                </div>
            </div>
        </PostForm>
    }
}

/// Channel and template; the list of templates shows those of the channel (the style sheet does it, also without a script).
#[component]
fn What(channel: String, template_id: String, templates: Vec<Choice>, faults: Faults) -> impl IntoView {
    let fault = |name: &'static str| Memo::new(move |_| faults.of(name));
    let (of_channel, of_template) = (fault("channel"), fault("template_id"));
    // A template of another channel cannot stay chosen.
    let select = NodeRef::<html::Select>::new();
    let on_channel = move |_| {
        if let Some(select) = select.get_untracked() {
            select.set_value("");
        }
    };
    let channels = Channel::ALL.map(|of| (of.as_str(), of.label()));
    let invalid = |fault: Memo<Option<String>>| move || fault.get().map(|_| "true");
    view! {
        <div class="step pairs">
            <FieldFrame id="f-channel" label="Channel" message=of_channel hint=String::new()>
                <select
                    id="f-channel"
                    class="channel"
                    name="message[channel]"
                    on:change=on_channel
                    aria-invalid=invalid(of_channel)
                    aria-describedby="f-channel-fault"
                >
                    {entries(channels, &channel)}
                </select>
            </FieldFrame>
            <FieldFrame id="f-template" label="Template" message=of_template hint=String::new()>
                <select
                    id="f-template"
                    name="message[template_id]"
                    node_ref=select
                    aria-invalid=invalid(of_template)
                    aria-describedby="f-template-fault"
                >
                    <option value="">"Choose…"</option>
                    {of_channels(&templates, &template_id)}
                </select>
            </FieldFrame>
        </div>
        <p>
            <a href="/templates/new">"Write a template"</a>
        </p>
    }
}

#[component]
fn Whom(
    is_for_all: bool,
    segment: String,
    segments: Vec<Segment>,
    tag: String,
    q: String,
    tags: Vec<String>,
    /// What else must hold, which only the API can say.
    conditions: usize,
    faults: Faults,
) -> impl IntoView {
    // A tag that nobody has any more stays what it is.
    let gone = (!tag.is_empty() && !tags.contains(&tag)).then(|| tag.clone());
    let tags = tags.into_iter().chain(gone).map(|name| (name.clone(), name)).collect();
    let segments = segments.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
    let others = match conditions {
        0 => None,
        1 => Some("1 more condition".to_owned()),
        count => Some(format!("{count} more conditions")),
    };
    let others = others.map(|others| {
        view! {
            <p class="notice">
                {format!("{others} must hold for each of them, set through the API. What you choose here leaves that as it is.")}
            </p>
        }
    });
    view! {
        <fieldset class="stack">
            <legend class="unseen">"To whom"</legend>
            <label class="check">
                <input type="radio" name="audience[who]" value="some" checked=!is_for_all />
                "Leads of a segment, with a tag, or that a search finds"
            </label>
            <div class="some stack">
                <div class="pairs">
                    <Select id="f-segment" name="audience[segment]" fault="segment" label="Segment" none="Any" given=segments chosen=segment faults />
                    <Select id="f-tag" name="audience[tag]" fault="tag" label="Tag" none="Any" given=tags chosen=tag faults />
                    <Field
                        name="audience[q]"
                        fault="q"
                        label="Search"
                        placeholder="Name, company, e-mail or number"
                        value=q
                        required=false
                        hint="All that you choose must hold."
                        faults
                    />
                </div>
            </div>
            <label class="check">
                <input type="radio" name="audience[who]" value="all" checked=is_for_all />
                "All leads"
            </label>
        </fieldset>
        {others}
        <p class="soft">"Whoever asked not to be contacted, or has no address for the channel, is left out."</p>
    }
}

/// The instant of a field, which is in UTC, as the viewer's clock shows it, with the viewer's zone.
fn local(utc: &str) -> Option<(String, String)> {
    let at = Timestamp::parse_local(utc, 0).ok()?;
    let east = minutes_east(&at.to_string());
    let shown = at.plus(east.parse::<i64>().ok()? * MINUTE).to_string();
    Some((shown.get(..16)?.to_owned(), east))
}

/// At once or later. An instant is in the viewer's zone, which goes along with it; without a script in UTC.
#[component]
fn When(is_later: bool, send_at: String, minutes_east: String, faults: Faults) -> impl IntoView {
    let hydrated = Hydrated::get();
    let message = Memo::new(move |_| faults.of("send_at"));
    let is_utc = minutes_east.is_empty() && !send_at.is_empty();
    let (at, east) = (RwSignal::new(send_at), RwSignal::new(minutes_east));
    if is_utc {
        Effect::new(move || {
            if let Some((shown, zone)) = local(&at.get_untracked()) {
                at.set(shown);
                east.set(zone);
            }
        });
    }
    let typed = move |event| {
        let text = event_target_value(&event);
        east.set(crate::ui::part::time::minutes_east(&text));
        at.set(text);
    };
    view! {
        <fieldset class="stack">
            <legend class="unseen">"When it begins"</legend>
            <label class="check">
                <input type="radio" name="send[when]" value="now" checked=!is_later />
                "As soon as it is started"
            </label>
            <label class="check">
                <input type="radio" name="send[when]" value="later" checked=is_later />
                "Later"
            </label>
            <div class="later field">
                <label for="f-send_at">
                    "Not before " <small>{move || if hydrated.get() { "in your time zone" } else { "in UTC" }}</small>
                </label>
                <input
                    id="f-send_at"
                    name="send[at]"
                    type="datetime-local"
                    value=at.get_untracked()
                    prop:value=at
                    aria-invalid=move || message.get().map(|_| "true")
                    aria-describedby="f-send_at-fault"
                    on:input=typed
                />
                <span class="fault" id="f-send_at-fault">
                    {message}
                </span>
            </div>
            <input type="hidden" name="send[minutes_east]" prop:value=east value=east.get_untracked() />
        </fieldset>
    }
}

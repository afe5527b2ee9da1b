//! One sequence: whether it goes on, what came of its steps, and the runs of leads through it.

use super::{
    HERE, StateBadge,
    dialog::{DeleteDialog, EnrollDialog},
    forecast::ForecastOfSequence,
    progress::{progress, refused},
    run::Runs,
};
use crate::{
    api::{
        error::ApiError,
        sequence::{SwitchSequence, load_report},
    },
    domain::{
        id::SequenceId,
        sequence::{OnMissing, Report, SKIPPED, Sequence, Step, StepCounts},
    },
    ui::part::{
        badge::ChannelBadge,
        error_box::ErrorBox,
        late::late,
        live::Live,
        page_head::PageHead,
        post::{Post, PostForm},
        shown::{kept, once},
        submit::Submit,
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

/// The dialogs there are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Enroll,
    Delete,
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let named = [("enroll", Self::Enroll), ("delete", Self::Delete)];
        named.into_iter().find(|(name, _)| query.get(name).is_some()).map(|(_, open)| open)
    }
}

type Story = Resource<Result<Report, ApiError>>;

/// The page.
#[component]
pub fn SequenceOf() -> impl IntoView {
    let live = Live::get();
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let open = Memo::new(move |_| query.with(Open::read));
    let report = Resource::new_blocking(
        move || (id.get(), live.sequences.get(), live.messages.get()),
        |(id, ..)| load_report(id),
    );
    view! {
        <p class="crumb">
            <a href=HERE>"Sequences"</a>
        </p>
        <Transition>
            <Whole report />
        </Transition>
        <Runs id />
        {late(open, move |open| Box::pin(sequence_dialog(open, id.get_untracked(), report)))}
    }
}

/// Inside of what waits for it: a memo made outside would wait for nothing.
#[component]
fn Whole(report: Story) -> impl IntoView {
    let failure = kept(move || report.get().and_then(Result::err));
    let told = kept(move || report.get().and_then(Result::ok));
    let sequence = kept(move || told.with(|told| told.as_ref().map(|told| told.sequence.clone())));
    view! {
        {move || match failure.get() {
            Some(error) => {
                Either::Left(
                    view! {
                        <PageHead title="Sequence" />
                        <ErrorBox error retry=move |()| report.refetch() />
                    },
                )
            }
            // Head and buttons are drawn anew only when the sequence itself has changed.
            None => Either::Right(move || sequence.get().map(|sequence| view! { <Head sequence /> })),
        }}
        <Enrolled />
        <ForecastOfSequence />
        {move || told.get().map(|report| view! { <Steps report /> })}
    }
}

#[component]
fn Head(sequence: Sequence) -> impl IntoView {
    let to = format!("{HERE}/{}", sequence.id);
    let [edit, enroll, forecast, delete] =
        ["?edit=1", "?enroll=1", "?forecast=1", "?delete=1"].map(|rest| format!("{to}{rest}"));
    let plan = &sequence.plan;
    let mut rules = vec![match &plan.window {
        Some(window) => window.words(),
        None => "At any time".to_owned(),
    }];
    if plan.skip_holidays {
        rules.push("not on holidays".to_owned());
    }
    if sequence.stop_on_reply {
        rules.push("until somebody answers".to_owned());
    }
    if !sequence.stop_tags.is_empty() {
        rules.push(format!("until a tag says {}", sequence.stop_tags.join(" or ")));
    }
    view! {
        <PageHead title=sequence.name.clone() line=rules.join(", ")>
            <StateBadge is_active=sequence.is_active />
            <a id="enroll-leads" class="btn" href=enroll data-noscroll="">
                "Enroll leads"
            </a>
            <a class="btn" href=forecast data-noscroll="">
                "Forecast"
            </a>
            <a class="btn" href=edit.clone()>
                "Edit"
            </a>
            <a id="delete-sequence" class="btn" href=delete data-noscroll="">
                "Delete"
            </a>
            <Switch id=sequence.id.clone() is_active=sequence.is_active edit />
        </PageHead>
    }
}

/// Switches it on or holds it; where it cannot send, what to do about it.
#[component]
fn Switch(id: SequenceId, is_active: bool, edit: String) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let switch = Post::to::<SwitchSequence>(move |sequence| {
        let state = if sequence.is_active { "is on." } else { "is paused: nothing of it leaves." };
        toasts.good(format!("{} {state}", sequence.name));
        live.resync();
    });
    let (value, words, class) = if is_active { ("no", "Pause", "") } else { ("yes", "Switch on", "primary") };
    let edit = StoredValue::new(edit);
    let why = move || switch.failure().get().map(|error| refused(&error, edit.get_value(), "sequence"));
    view! {
        <PostForm to=switch>
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="active" value=value />
            <Submit pending=switch.pending() busy="…" class>
                {words}
            </Submit>
        </PostForm>
        <div class="refusal" role="alert">
            {why}
        </div>
    }
}

/// What became of the wish to enroll leads, which is in the address.
#[component]
fn Enrolled() -> impl IntoView {
    let query = use_query_map();
    let number = move |name: &str| query.with(|query| query.get(name)).and_then(|text| text.parse::<u32>().ok());
    move || {
        let enrolled = number("enrolled")?;
        let skipped: Vec<String> = SKIPPED
            .iter()
            .filter_map(|(reason, words)| number(reason).map(|count| format!("{count} {words}")))
            .collect();
        let leads =
            if enrolled == 1 { "1 lead is enrolled.".to_owned() } else { format!("{enrolled} leads are enrolled.") };
        let skipped = if skipped.is_empty() { String::new() } else { format!(" Skipped: {}.", skipped.join(", ")) };
        let class = if enrolled == 0 { "notice warn" } else { "notice ok" };
        Some(view! {
            <p class=class role="status">
                {leads}
                {skipped}
            </p>
        })
    }
}

#[component]
fn Steps(report: Report) -> impl IntoView {
    let Report { sequence, counts, templates } = report;
    if sequence.plan.steps.is_empty() {
        return view! {
            <section class="card inner">
                <h2>"Steps"</h2>
                <p class="soft">"There is none yet. " <a href=format!("{HERE}/{}?edit=1", sequence.id)>"Write the first one"</a></p>
            </section>
        }
        .into_any();
    }
    let steps = sequence.plan.steps.into_iter().zip(templates).zip(counts).enumerate();
    let step = |(at, ((step, template), counts)): (usize, ((Step, String), StepCounts))| {
        view! {
            <li>
                <div class="row">
                    <b>{format!("{}.", at + 1)}</b>
                    <ChannelBadge channel=step.channel />
                    <a href=format!("/templates/{}", step.template_id)>{template}</a>
                </div>
                <p class="soft">
                    {delay(at, step.delay_hours)}
                    {(step.on_missing == OnMissing::Stop).then_some(". Without an address the run ends")}
                </p>
                {counted(counts)}
            </li>
        }
    };
    view! {
        <section class="card inner stack">
            <h2>"Steps"</h2>
            <ol class="step-list">{steps.map(step).collect_view()}</ol>
        </section>
    }
    .into_any()
}

/// "2 days after the step before".
fn delay(at: usize, hours: u32) -> String {
    let after = if at == 0 { "enrolling" } else { "the step before" };
    let (count, unit) = if hours.is_multiple_of(24) { (hours / 24, "day") } else { (hours, "hour") };
    match count {
        0 => format!("At once after {after}"),
        1 => format!("1 {unit} after {after}"),
        _ => format!("{count} {unit}s after {after}"),
    }
}

/// The numbers of a step.
fn counted(counts: StepCounts) -> impl IntoView {
    let parts = [
        ("waiting", counts.waiting),
        ("queued", counts.queued),
        ("sent", counts.on_the_way()),
        ("delivered", counts.delivered),
        ("failed", counts.failed),
    ];
    let numbers = [
        ("waiting", "Waiting", counts.waiting),
        ("queued", "Queued", counts.queued),
        ("sent", "Sent", counts.sent),
        ("delivered", "Delivered", counts.delivered),
        ("replied", "Replied", counts.replied),
        ("failed", "Failed", counts.failed),
    ];
    progress(parts, numbers)
}

#[wasm_split(sequence_page, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn sequence_dialog(open: Open, id: String, report: Story) -> Result<AnyView, SplitLoaderError> {
    let back = format!("{HERE}/{id}");
    let sequence =
        once(move || report.get().and_then(Result::ok).map(|report| (report.sequence.id, report.sequence.name)));
    let drawn = move || {
        let (id, name) = sequence.get()?;
        let back = back.clone();
        Some(match open {
            Open::Enroll => view! { <EnrollDialog id back /> }.into_any(),
            Open::Delete => view! { <DeleteDialog id name back /> }.into_any(),
        })
    };
    Ok(view! { <Suspense>{drawn}</Suspense> }.into_any())
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn delays_are_said_in_words() {
        assert_eq!(delay(0, 0), "At once after enrolling");
        assert_eq!(delay(1, 48), "2 days after the step before");
        assert_eq!(delay(1, 1), "1 hour after the step before");
        assert_eq!(delay(2, 36), "36 hours after the step before");
    }
}

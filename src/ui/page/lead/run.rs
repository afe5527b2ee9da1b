//! The runs of a lead through sequences, and a way into another one.

use crate::{
    api::{
        error::ApiError,
        sequence::{EnrollLead, StopRun, runs_of_lead},
    },
    domain::{
        id::{LeadId, SequenceId},
        sequence::{Enrollment, EnrollmentStatus, LeadRuns},
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        form::Faults,
        live::Live,
        post::{Post, PostForm},
        select::entries,
        submit::Submit,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};

/// What the part loads and posts. It is made by the page: a resource that is made behind another one cannot be hydrated, and what a
/// form was told stays when the lead is drawn anew.
#[derive(Clone, Copy)]
pub struct Story {
    runs: Resource<Result<LeadRuns, ApiError>>,
    enroll: Post<()>,
    stop: Post<()>,
}

impl Story {
    /// Of the lead that the page shows.
    pub fn of(id: Memo<String>) -> Self {
        let (live, toasts) = (Live::get(), Toasts::get());
        let runs = Resource::new_blocking(move || (id.get(), live.sequences.get()), |(id, _)| runs_of_lead(id));
        let done = move |words: &'static str| {
            move |()| {
                toasts.good(words);
                live.resync();
            }
        };
        let enroll = Post::to::<EnrollLead>(done("The lead is enrolled."));
        // Another lead has not heard what this one was refused.
        Effect::watch(move || id.get(), move |_, _, _| enroll.clear(), false);
        Self { runs, enroll, stop: Post::to::<StopRun>(done("The run is stopped.")).or_toast() }
    }
}

/// The part of the page.
#[component]
pub fn Runs(id: LeadId, story: Story) -> impl IntoView {
    let Story { runs, enroll, stop } = story;
    view! {
        <h2>"Sequences"</h2>
        <Transition>
            {move || {
                let id = id.clone();
                Suspend::new(async move {
                    match runs.await {
                        Ok(LeadRuns { runs, sequences }) => {
                            Either::Left(
                                view! {
                                    <List runs stop />
                                    <Enroll id sequences action=enroll />
                                },
                            )
                        }
                        Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| runs.refetch() /> }),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn List(runs: Vec<Enrollment>, stop: Post<()>) -> impl IntoView {
    let row = move |run: Enrollment| {
        let state = match (run.status, run.stop_reason) {
            (EnrollmentStatus::Active, _) => format!("Step {} is next", run.step + 1),
            (EnrollmentStatus::Finished, _) => "Finished".to_owned(),
            (EnrollmentStatus::Stopped, why) => why.map_or("Stopped", |why| why.label()).to_owned(),
        };
        let (id, label) = (run.id.to_string(), format!("Stop the run through {}", run.lead));
        let button = (run.status == EnrollmentStatus::Active).then(|| {
            view! {
                <PostForm to=stop>
                    <input type="hidden" name="id" value=id />
                    <button class="btn small" aria-label=label>
                        "Stop"
                    </button>
                </PostForm>
            }
        });
        view! {
            <li>
                <div>
                    <a href=format!("/sequences/{}", run.sequence_id)>{run.lead}</a>
                    <p class="soft">{state} {run.next_step_at.map(|at| view! { ": " <Time at /> })}</p>
                </div>
                {button}
            </li>
        }
    };
    (!runs.is_empty()).then(|| view! { <ul class="run-list">{runs.into_iter().map(row).collect_view()}</ul> })
}

#[component]
fn Enroll(id: LeadId, sequences: Vec<(SequenceId, String)>, action: Post<()>) -> impl IntoView {
    let faults = Faults::of_post(action);
    if sequences.is_empty() {
        return view! { <p class="soft">"There is no sequence yet. " <a href="/sequences/new">"Write one"</a></p> }
            .into_any();
    }
    let sequences = sequences.into_iter().map(|(id, name)| (id.to_string(), name));
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=id.to_string() />
            <div class="inline-form">
                <div class="field">
                    <label for="f-sequence">"Enroll in a sequence"</label>
                    <select id="f-sequence" name="sequence" required>
                        <option value="">"Choose…"</option>
                        {entries(sequences, "")}
                    </select>
                </div>
                <Submit pending=action.pending() busy="Enrolling…" class="">
                    "Enroll"
                </Submit>
            </div>
            <FormError error=faults.answer() />
        </PostForm>
    }
    .into_any()
}

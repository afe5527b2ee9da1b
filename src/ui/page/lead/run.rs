//! The runs of a lead through sequences, and a way into another one.

use crate::{
    api::sequence::{EnrollLead, StopRun, runs_of_lead},
    domain::{
        id::{LeadId, SequenceId},
        sequence::{Enrollment, EnrollmentStatus, LeadRuns},
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        form::Faults,
        live::Live,
        post::{Post, PostForm},
        submit::Submit,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};

/// The part of the page.
#[component]
pub fn Runs(id: LeadId) -> impl IntoView {
    let live = Live::get();
    let lead = id.to_string();
    let runs = Resource::new_blocking(move || (lead.clone(), live.sequences.get()), |(lead, _)| runs_of_lead(lead));
    let id = StoredValue::new(id);
    view! {
        <h2>"Sequences"</h2>
        <Transition>
            {move || Suspend::new(async move {
                match runs.await {
                    Ok(LeadRuns { runs, sequences }) => {
                        Either::Left(
                            view! {
                                <List runs />
                                <Enroll id=id.get_value() sequences />
                            },
                        )
                    }
                    Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| runs.refetch() /> }),
                }
            })}
        </Transition>
    }
}

#[component]
fn List(runs: Vec<Enrollment>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let stop = Post::to::<StopRun>(move |()| {
        toasts.good("The run is stopped.");
        live.resync();
    })
    .or_toast();
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
fn Enroll(id: LeadId, sequences: Vec<(SequenceId, String)>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let action = Post::to::<EnrollLead>(move |()| {
        toasts.good("The lead is enrolled.");
        live.resync();
    });
    let faults = Faults::of_post(action);
    if sequences.is_empty() {
        return view! { <p class="soft">"There is no sequence yet. " <a href="/sequences/new">"Write one"</a></p> }
            .into_any();
    }
    let option = |(id, name): (SequenceId, String)| view! { <option value=id.to_string()>{name}</option> };
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=id.to_string() />
            <div class="inline-form">
                <div class="field">
                    <label for="f-sequence">"Enroll in a sequence"</label>
                    <select id="f-sequence" name="sequence" required>
                        <option value="">"Choose…"</option>
                        {sequences.into_iter().map(option).collect_view()}
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

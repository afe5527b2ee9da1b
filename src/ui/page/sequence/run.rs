//! The runs of leads through a sequence, page by page.

use super::HERE;
use crate::{
    api::sequence::{StopRun, list_runs},
    domain::sequence::{Enrollment, EnrollmentStatus},
    ui::part::{
        error_box::ErrorBox,
        live::Live,
        pager::{Pager, address},
        post::{Post, PostForm},
        shown::Shown,
        skeleton::TableSkeleton,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{either::EitherOf4, prelude::*};
use leptos_router::{components::Form, hooks::use_query_map};

/// What can be asked for: name and words.
const STATES: [(&str, &str); 4] =
    [("", "All"), ("active", "In progress"), ("finished", "Finished"), ("stopped", "Stopped")];

/// The section.
#[component]
pub fn Runs(id: Memo<String>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let query = use_query_map();
    let read = move |name: &'static str| {
        Memo::new(move |_| query.with(|query| query.get(name)).filter(|text| !text.is_empty()))
    };
    let (status, cursor) = (read("status"), read("cursor"));
    let runs = Resource::new_blocking(
        move || (id.get(), status.get(), cursor.get(), live.sequences.get(), live.messages.get()),
        |(id, status, cursor, ..)| list_runs(id, status, cursor),
    );
    let stop = Post::to::<StopRun>(move |()| {
        toasts.good("The run is stopped.");
        live.resync();
    })
    .or_toast();
    let shown = Shown::of(runs, |page| page.data.is_empty());
    let rows = move || runs.get().and_then(Result::ok).map(|page| page.data).unwrap_or_default();
    let to = move |cursor: Option<&str>| {
        address(&format!("{HERE}/{}", id.get()), [("status", status.get().as_deref()), ("cursor", cursor)])
    };
    let newest = Signal::derive(move || cursor.get().map(|_| to(None)));
    let older = Signal::derive(move || {
        let next = runs.get().and_then(Result::ok).and_then(|page| page.next_cursor);
        next.map(|next| to(Some(&next)))
    });
    let filter = move || {
        let chosen = status.get().unwrap_or_default();
        let option = move |(name, words): (&'static str, &'static str)| {
            view! {
                <option value=name selected=name == chosen>
                    {words}
                </option>
            }
        };
        view! {
            <Form method="GET" action=format!("{HERE}/{}", id.get())>
                <div class="inline-form">
                    <div class="field">
                        <label for="status">"Show"</label>
                        <select id="status" name="status">
                            {STATES.map(option).into_iter().collect_view()}
                        </select>
                    </div>
                    <button class="btn">"Filter"</button>
                </div>
            </Form>
        }
    };
    let list = move || {
        match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=4 /> }),
        // The page has said already that there is no such sequence.
        Shown::Failed(error) if error.kind == crate::api::error::Kind::NotFound => EitherOf4::D(().into_any()),
        Shown::Failed(error) => EitherOf4::B(view! { <ErrorBox error retry=move |()| runs.refetch() /> }),
        Shown::Empty => EitherOf4::C(view! {
            <p class="soft">
                {move || if status.get().is_some() { "No lead is in this state." } else { "No lead is enrolled yet." }}
            </p>
        }),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(
            Unsuspend::new(move || {
                view! {
                    <div class="card table runs">
                        <table>
                            <thead>
                                <tr>
                                    <th scope="col">"Lead"</th>
                                    <th scope="col">"State"</th>
                                    <th scope="col">"Next step"</th>
                                    <th scope="col">"Enrolled"</th>
                                    <th scope="col">
                                        <span class="unseen">"Actions"</span>
                                    </th>
                                </tr>
                            </thead>
                            <tbody>
                                <For each=rows key=|run| (run.id.clone(), run.status, run.step, run.next_step_at) let:run>
                                    <Row run stop />
                                </For>
                            </tbody>
                        </table>
                    </div>
                    <Pager newest older />
                }
            })
            .into_any(),
        ),
    }
    };
    view! {
        <section class="stack runs-of-sequence">
            <h2>"Leads"</h2>
            <Transition>{filter}</Transition>
            <Transition fallback=|| view! { <TableSkeleton columns=4 /> }>{list}</Transition>
        </section>
    }
}

#[component]
fn Row(run: Enrollment, stop: Post<()>) -> impl IntoView {
    let name = if run.lead.is_empty() { "A lead without a name".to_owned() } else { run.lead.clone() };
    let (id, label, state) = (run.id.to_string(), format!("Stop the run of {name}"), state(&run));
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
        <tr>
            <td>
                <a href=format!("/leads/{}", run.lead_id)>
                    <b>{name}</b>
                </a>
            </td>
            <td>{state}</td>
            <td class="when">{run.next_step_at.map(|at| view! { <Time at /> })}</td>
            <td class="when">
                <Time at=run.created_at />
            </td>
            <td class="act">{button}</td>
        </tr>
    }
}

/// Where a run is, and why it ended.
fn state(run: &Enrollment) -> impl IntoView + use<> {
    let step = run.step + 1;
    let (class, words, why) = match run.status {
        EnrollmentStatus::Active => ("badge sent", format!("Step {step} is next"), None),
        EnrollmentStatus::Finished => ("badge delivered", "Finished".to_owned(), None),
        EnrollmentStatus::Stopped => ("badge suppressed", "Stopped".to_owned(), run.stop_reason),
    };
    view! {
        <span class=class>{words}</span>
        {why.map(|why| view! { " " <span class="soft">{why.label()}</span> })}
    }
}

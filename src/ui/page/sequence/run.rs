//! The runs of leads through a sequence, page by page.

use super::HERE;
use crate::{
    api::{
        error::Kind,
        sequence::{StopRun, list_runs},
    },
    domain::sequence::{Enrollment, EnrollmentStatus},
    ui::part::{
        listing::Listing,
        live::Live,
        pager::address,
        post::{Post, PostForm},
        time::Time,
        toast::Toasts,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

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
    let is_known = move || !matches!(runs.get(), Some(Err(error)) if error.kind == Kind::NotFound);
    let href = Callback::new(move |cursor: Option<String>| of(&id.read(), status.read().as_deref(), cursor.as_deref()));
    let empty = Callback::new(move |_: Option<String>| {
        let words = if status.with(Option::is_some) { "No lead is in this state." } else { "No lead is enrolled yet." };
        view! { <p class="card inner soft">{words}</p> }.into_any()
    });
    let rows = Callback::new(move |rows: Memo<Vec<Enrollment>>| {
        view! {
            <For each=move || rows.get() key=|run| (run.id.clone(), run.status, run.step, run.next_step_at) let:run>
                <Row run stop />
            </For>
        }
        .into_any()
    });
    view! {
        <section class="stack runs-of-sequence">
            <Transition>
                <Filter id status is_known=Memo::new(move |_| is_known()) />
            </Transition>
            <Listing
                loaded=runs
                class="runs"
                columns=&["Lead", "State", "Next step", "Enrolled", ""]
                is_later=Signal::derive(move || cursor.with(Option::is_some))
                href
                empty
                rows
            />
        </section>
    }
}

/// The address of runs of the sequence `id`.
fn of(id: &str, status: Option<&str>, cursor: Option<&str>) -> String {
    address(&format!("{HERE}/{id}"), [("status", status), ("cursor", cursor)])
}

/// The heading, and which of the runs are shown; nothing when there is no such sequence, as the page has said already.
#[component]
fn Filter(id: Memo<String>, status: Memo<Option<String>>, is_known: Memo<bool>) -> impl IntoView {
    let way = move |(name, words): (&'static str, &'static str)| {
        let wanted = (!name.is_empty()).then_some(name);
        let is_here = move || (status.get().as_deref() == wanted).then_some("true");
        view! {
            <a href=move || of(&id.read(), wanted, None) data-noscroll="" aria-current=is_here>
                {words}
            </a>
        }
    };
    move || {
        is_known.get().then(|| {
            view! {
                <div class="row between">
                    <h2>"Leads"</h2>
                    <nav class="segments" aria-label="Which leads">
                        {STATES.map(way).into_iter().collect_view()}
                    </nav>
                </div>
            }
        })
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
    let why = run.stop_reason.map_or("Stopped", |why| why.label());
    let (class, words) = match run.status {
        EnrollmentStatus::Active => ("badge sent", format!("Step {step} is next")),
        EnrollmentStatus::Finished => ("badge delivered", "Finished".to_owned()),
        EnrollmentStatus::Stopped => ("badge suppressed", why.to_owned()),
    };
    view! { <span class=class>{words}</span> }
}

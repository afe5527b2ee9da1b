//! The runs of leads through a sequence, page by page.

use super::HERE;
use crate::{
    api::{
        error::{ApiError, Kind},
        sequence::{StopRun, list_runs},
    },
    domain::{
        page::Page,
        sequence::{Enrollment, EnrollmentStatus},
    },
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

/// What the page asks for.
#[derive(Clone, Copy)]
struct Asked {
    id: Memo<String>,
    status: Memo<Option<String>>,
    cursor: Memo<Option<String>>,
}

impl Asked {
    /// The same runs, from a place on.
    fn from(self, cursor: Option<&str>) -> String {
        let here = format!("{HERE}/{}", self.id.get());
        address(&here, [("status", self.status.get().as_deref()), ("cursor", cursor)])
    }
}

/// The section.
#[component]
pub fn Runs(id: Memo<String>) -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let read = move |name: &'static str| {
        Memo::new(move |_| query.with(|query| query.get(name)).filter(|text| !text.is_empty()))
    };
    let asked = Asked { id, status: read("status"), cursor: read("cursor") };
    let runs = Resource::new_blocking(
        move || (id.get(), asked.status.get(), asked.cursor.get(), live.sequences.get(), live.messages.get()),
        |(id, status, cursor, ..)| list_runs(id, status, cursor),
    );
    view! {
        <section class="stack runs-of-sequence">
            <h2>"Leads"</h2>
            {move || filter(id.get(), asked.status.get().unwrap_or_default())}
            <Transition fallback=|| view! { <TableSkeleton columns=4 /> }>
                <List asked runs />
            </Transition>
        </section>
    }
}

fn filter(id: String, chosen: String) -> impl IntoView {
    let option = move |(name, words): (&'static str, &'static str)| {
        view! {
            <option value=name selected=name == chosen>
                {words}
            </option>
        }
    };
    view! {
        <Form method="GET" action=format!("{HERE}/{id}")>
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
}

#[component]
fn List(asked: Asked, runs: Resource<Result<Page<Enrollment>, ApiError>>) -> impl IntoView {
    let shown = Shown::of(runs, |page| page.data.is_empty());
    let page = Memo::new(move |_| runs.get().and_then(Result::ok));
    move || match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=4 /> }),
        // The page has said already that there is no such sequence.
        Shown::Failed(error) => EitherOf4::B(
            (error.kind != Kind::NotFound).then(|| view! { <ErrorBox error retry=move |()| runs.refetch() /> }),
        ),
        Shown::Empty => EitherOf4::C(view! {
            <p class="soft">
                {if asked.status.get().is_some() { "No lead is in this state." } else { "No lead is enrolled yet." }}
            </p>
        }),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(Unsuspend::new(move || view! { <Table asked page /> })),
    }
}

#[component]
fn Table(asked: Asked, page: Memo<Option<Page<Enrollment>>>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let stop = Post::to::<StopRun>(move |()| {
        toasts.good("The run is stopped.");
        live.resync();
    })
    .or_toast();
    let rows = move || page.get().map(|page| page.data).unwrap_or_default();
    let newest = Signal::derive(move || asked.cursor.get().map(|_| asked.from(None)));
    let older = Signal::derive(move || {
        let next = page.with(|page| page.as_ref().and_then(|page| page.next_cursor.clone()));
        next.map(|next| asked.from(Some(&next)))
    });
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

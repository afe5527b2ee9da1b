//! How far an import is, what would become of its rows, and what did.

use crate::{
    api::import::{CancelImport, StartImport},
    domain::import::{Import, Rejected, Review, State},
    ui::part::{
        error_box::FormError,
        form::Faults,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;

fn import_of(review: Memo<Option<Review>>) -> Memo<Option<Import>> {
    Memo::new(move |_| review.with(|review| review.as_ref().map(|review| review.import.clone())))
}

fn state_of(review: Memo<Option<Review>>) -> Memo<Option<State>> {
    Memo::new(move |_| review.with(|review| review.as_ref().map(|review| review.import.state)))
}

fn id_of(review: Memo<Option<Review>>) -> String {
    review.with_untracked(|review| review.as_ref().map(|review| review.import.id.to_string())).unwrap_or_default()
}

/// What would become of the rows, and the button that does it.
#[component]
pub fn Check(review: Memo<Option<Review>>) -> impl IntoView {
    let import = import_of(review);
    let state = state_of(review);
    let counts = move || import.with(|import| import.as_ref().map(|import| import.counts)).unwrap_or_default();
    let is_none = Signal::derive(move || counts().created + counts().updated == 0);
    let id = StoredValue::new(id_of(review));
    let action = Post::to::<StartImport>(|_| {});
    let faults = Faults::of_post(action);
    view! {
        <section class="card inner stack">
            <h2>"What would become of the rows"</h2>
            <Bar import label="Checking" />
            <Counts import would=true />
            <Rejects review />
            <FormError error=faults.answer() />
            {move || match state.get() {
                Some(State::Running) => view! { <Cancel id=id.get_value() /> }.into_any(),
                _ => {
                    view! {
                        <PostForm to=action>
                            <input type="hidden" name="id" value=id.get_value() />
                            <Submit pending=action.pending() busy="Starting…" blocked=is_none>
                                {move || {
                                    let good = counts().created + counts().updated;
                                    format!("Import {good} {}", if good == 1 { "row" } else { "rows" })
                                }}
                            </Submit>
                        </PostForm>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// How far it is, then what came of it.
#[component]
pub fn Outcome(review: Memo<Option<Review>>) -> impl IntoView {
    let import = import_of(review);
    let state = state_of(review);
    let id = StoredValue::new(id_of(review));
    // A check that broke off has changed nothing.
    let was_check = import.with_untracked(|import| import.as_ref().is_some_and(|import| import.dry_run));
    let title = move || match (state.get(), was_check) {
        (Some(State::Running), _) => "Importing",
        (Some(State::Failed), false) => "The import failed",
        (Some(State::Failed), true) => "The check failed: nothing was imported",
        (Some(State::Canceled), false) => "The import was canceled",
        (Some(State::Canceled), true) => "The check was canceled: nothing was imported",
        _ => "Imported",
    };
    let reason = move || import.with(|import| import.as_ref().and_then(|import| import.reason.clone()));
    view! {
        <section class="card inner stack">
            <h2>{title}</h2>
            {move || reason().map(|reason| view! { <div class="notice bad">{reason}</div> })}
            <Bar import label="Importing" />
            <Counts import would=was_check />
            <Rejects review />
            {move || match state.get() {
                Some(State::Running) => view! { <Cancel id=id.get_value() /> }.into_any(),
                _ => {
                    view! {
                        <div class="row">
                            <a class="btn primary" href="/leads">
                                "Go to the leads"
                            </a>
                            <a class="btn" href=super::HERE>
                                "Import another file"
                            </a>
                        </div>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// It moves by hints; it is told aloud in steps of ten.
#[component]
fn Bar(import: Memo<Option<Import>>, label: &'static str) -> impl IntoView {
    let is_running =
        Memo::new(move |_| import.with(|import| import.as_ref().is_some_and(|import| import.state == State::Running)));
    let done = Memo::new(move |_| import.with(|import| import.as_ref().map_or(0, |import| import.rows_done)));
    let total = import.with_untracked(|import| import.as_ref().map_or(0, |import| import.rows_total));
    let percent =
        Memo::new(move |_| import.with(|import| import.as_ref().map_or(0, |import| import.percent() / 10 * 10)));
    move || {
        is_running.get().then(|| {
            view! {
                <div class="import-progress">
                    <progress aria-label=label max=total.to_string() value=move || done.get().to_string()></progress>
                    <span>{move || format!("{} of {total} rows", done.get())}</span>
                    <span class="unseen" role="status">
                        {move || format!("{label}: {} percent", percent.get())}
                    </span>
                    <noscript>
                        <a class="btn" href="">
                            "Look again"
                        </a>
                    </noscript>
                </div>
            }
        })
    }
}

#[component]
fn Counts(import: Memo<Option<Import>>, would: bool) -> impl IntoView {
    let counts =
        Memo::new(move |_| import.with(|import| import.as_ref().map(|import| import.counts).unwrap_or_default()));
    let words = if would {
        ["Would be created", "Would be updated", "Would be skipped", "Would be rejected"]
    } else {
        ["Created", "Updated", "Skipped", "Rejected"]
    };
    let tile = move |at: usize| {
        let number = move || {
            let counts = counts.get();
            [counts.created, counts.updated, counts.skipped, counts.failed][at]
        };
        view! {
            <div class="tile">
                <dt>{words[at]}</dt>
                <dd>
                    <b>{number}</b>
                </dd>
            </div>
        }
    };
    view! { <dl class="strip four">{(0..4).map(tile).collect_view()}</dl> }
}

/// The first rejected rows, and all of them as a file.
#[component]
fn Rejects(review: Memo<Option<Review>>) -> impl IntoView {
    let rejected = Memo::new(move |_| {
        review.with(|review| review.as_ref().map(|review| review.rejected.clone()).unwrap_or_default())
    });
    let file = format!("/api/imports/{}/errors.csv", id_of(review));
    let row = |rejected: Rejected| {
        let cells = rejected.cells.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" · ");
        view! {
            <tr>
                <td>{format!("Line {}", rejected.line)}</td>
                <td>{rejected.column} " " {rejected.reason}</td>
                <td class="soft">{cells}</td>
            </tr>
        }
    };
    move || {
        let rejected = rejected.get();
        (!rejected.is_empty()).then(|| {
            view! {
                <div class="stack">
                    <h3>"The first rejected rows"</h3>
                    <div class="table bare rejects">
                        <table>
                            <thead class="unseen">
                                <tr>
                                    <th scope="col">"Line"</th>
                                    <th scope="col">"Reason"</th>
                                    <th scope="col">"Row"</th>
                                </tr>
                            </thead>
                            <tbody>{rejected.into_iter().map(row).collect_view()}</tbody>
                        </table>
                    </div>
                    <div>
                        <a class="btn" href=file.clone() rel="external" download="errors.csv">
                            "Download all rejected rows"
                        </a>
                    </div>
                </div>
            }
        })
    }
}

#[component]
fn Cancel(id: String) -> impl IntoView {
    let action = Post::to::<CancelImport>(|_| {}).or_toast();
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=id />
            <Submit pending=action.pending() busy="Stopping…" class="quiet">
                "Cancel the import"
            </Submit>
        </PostForm>
    }
}

//! One import, step by step. The step is in the URL.

use super::{
    HERE,
    columns::Columns,
    options::OptionsForm,
    progress::{Check, Outcome},
};
use crate::{
    api::{error::ApiError, import::load_import},
    domain::import::{Import, Review, State},
    ui::part::{
        error_box::ErrorBox, lazy::lazy_page, live::Live, page_head::PageHead, shown::Shown, skeleton::TableSkeleton,
    },
};
use leptos::{either::EitherOf3, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};

lazy_page! {
    /// The page, loaded when it is visited.
    ImportDetailPage, import_detail_page, Wizard
}

/// What a visitor does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Columns,
    Options,
    Check,
    Result,
}

const STEPS: [(Step, &str, &str); 4] = [
    (Step::Columns, "columns", "Columns"),
    (Step::Options, "options", "Options"),
    (Step::Check, "check", "Check"),
    (Step::Result, "result", "Result"),
];

impl Step {
    /// As asked for, if the import is as far, and not farther.
    fn of(asked: Option<&str>, import: &Import) -> Self {
        let asked = STEPS.into_iter().find(|(_, name, _)| asked == Some(name)).map(|(step, ..)| step);
        let last = match (import.state, import.dry_run) {
            (State::Uploading | State::Draft, _) => Self::Options,
            (State::Running, true) => return Self::Check,
            (State::Done, true) => Self::Check,
            _ => return Self::Result,
        };
        let usual = if last == Self::Check { Self::Check } else { Self::Columns };
        asked.map_or(usual, |asked| asked.min(last))
    }
}

/// The page.
#[component]
fn Wizard() -> impl IntoView {
    let live = Live::get();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let loaded = Resource::new_blocking(move || (id.get(), live.imports.get()), |(id, _)| load_import(id));
    let asked = Memo::new(move |_| query.with(|query| query.get("step")));
    view! {
        <PageHead title="Import leads">
            <a class="btn" href=HERE>
                "All imports"
            </a>
        </PageHead>
        <Transition fallback=|| view! { <TableSkeleton columns=3 /> }>
            <Body asked loaded />
        </Transition>
    }
}

#[component]
fn Body(asked: Memo<Option<String>>, loaded: Resource<Result<Review, ApiError>>) -> impl IntoView {
    let shown = Shown::of(loaded, |_| false);
    move || match shown.get() {
        Shown::Failed(error) => EitherOf3::A(view! { <ErrorBox error retry=move |()| loaded.refetch() /> }),
        // The server walks through a `Suspense` more than once to find what to wait for.
        Shown::Full => EitherOf3::B(Unsuspend::new(move || {
            let review = Memo::new(move |_| loaded.get().and_then(Result::ok));
            let step = Memo::new(move |_| {
                review.with(|review| review.as_ref().map(|review| Step::of(asked.get().as_deref(), &review.import)))
            });
            view! { <Steps review step /> }
        })),
        _ => EitherOf3::C(view! { <TableSkeleton columns=3 /> }),
    }
}

#[component]
fn Steps(review: Memo<Option<Review>>, step: Memo<Option<Step>>) -> impl IntoView {
    // The header may turn into a row: then the columns are other ones.
    let table = Memo::new(move |_| review.with(|review| review.as_ref().map(|review| review.import.has_header)));
    view! {
        {move || step.get().map(|step| view! { <Trail step review /> })}
        {move || {
            let _ = table.get();
            let review_now = review.get_untracked()?;
            Some(match step.get()? {
                Step::Columns => view! { <Columns review=review_now /> }.into_any(),
                Step::Options => view! { <OptionsForm import=review_now.import /> }.into_any(),
                Step::Check => view! { <Check review /> }.into_any(),
                Step::Result => view! { <Outcome review /> }.into_any(),
            })
        }}
    }
}

/// Where the visitor is; the way back is open as long as nothing was imported.
#[component]
fn Trail(step: Step, review: Memo<Option<Review>>) -> impl IntoView {
    let review = review.get_untracked();
    let (here, can_go) =
        review.map_or_else(Default::default, |review| (format!("{HERE}/{}", review.import.id), review.can_start));
    let item = move |(at, name, label): (Step, &'static str, &'static str)| {
        let is_here = at == step;
        let label = if can_go && at < step {
            view! { <a href=format!("{here}?step={name}")>{label}</a> }.into_any()
        } else {
            label.into_any()
        };
        view! { <li aria-current=is_here.then_some("step")>{label}</li> }
    };
    view! {
        <nav aria-label="Steps">
            <ol class="steps">{STEPS.into_iter().map(item).collect_view()}</ol>
        </nav>
    }
}

//! One sequence: what came of it, or its editor when the address asks for that. A route for each would weigh on the first load.

use super::{NEW, detail::SequenceOf, editor::EditorOf};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};

/// The page.
#[component]
pub fn SequencePage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let edited = Memo::new(move |_| {
        let id = params.with(|params| params.get("id")).unwrap_or_default();
        match id.as_str() {
            NEW => Some(String::new()),
            _ => query.with(|query| query.get("edit").is_some()).then_some(id),
        }
    });
    move || match edited.get() {
        Some(id) => Either::Left(view! { <EditorOf id /> }),
        None => Either::Right(view! { <SequenceOf /> }),
    }
}

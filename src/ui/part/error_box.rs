//! What stands where data should be when it could not be loaded.

use super::form::sentence;
use crate::api::error::ApiError;
use leptos::{html, prelude::*};

/// The sentence, the reference for the log, and another try. Without a script the page is loaded again.
#[component]
pub fn ErrorBox(error: ApiError, #[prop(into)] retry: Callback<()>) -> impl IntoView {
    view! {
        <div class="card error-box" role="alert">
            <h2>"This could not be loaded"</h2>
            <p>{error.message}</p>
            {error.reference.map(|reference| view! { <p class="small">"Reference: " <code>{reference}</code></p> })}
            <a
                class="btn"
                rel="external"
                href=""
                on:click=move |event| {
                    event.prevent_default();
                    retry.run(());
                }
            >
                "Try again"
            </a>
        </div>
    }
}

/// A failed form: what to do, in a red box. Nothing while there is no failure.
#[component]
pub fn FormError(
    /// The failure; faults of single fields stand beside them.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    // On a small screen it may stand below the fold.
    let node = NodeRef::<html::Div>::new();
    Effect::new(move || {
        if error.try_get().flatten().is_some() {
            request_animation_frame(move || {
                if let Some(node) = node.try_get_untracked().flatten() {
                    node.scroll_into_view_with_bool(false);
                }
            });
        }
    });
    view! {
        <div role="alert" node_ref=node>
            {move || {
                error
                    .try_get()
                    .flatten()
                    .map(|error| {
                        view! {
                            <div class="notice bad">
                                {sentence(&error.message)}
                                {error.retry_after.map(|seconds| format!(" Try again in {seconds} seconds."))}
                                {error.reference.map(|reference| view! { <small>"Reference: " {reference}</small> })}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

//! Lists page by page: addresses, ways on, and what stands in place of a list in which nothing matches.

use super::{empty_state::EmptyState, icon::Icon};
use leptos::prelude::*;
use leptos_router::location::Url;

/// The address of a page with what is given of the parameters.
pub fn address<'a>(page: &str, parameters: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let given = parameters.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let query: Vec<String> = given.map(|(name, text)| format!("{name}={}", Url::escape(text))).collect();
    if query.is_empty() { page.to_owned() } else { format!("{page}?{}", query.join("&")) }
}

/// Ways to the newest page and to the next one.
#[component]
pub fn Pager(
    /// Nothing on the newest page itself.
    newest: Signal<Option<String>>,
    /// Nothing on the last page.
    older: Signal<Option<String>>,
) -> impl IntoView {
    let way = |href: Signal<Option<String>>, label: &'static str| {
        view! { <span>{move || href.get().map(|href| view! { <a class="btn" href=href>{label}</a> })}</span> }
    };
    view! {
        <nav class="pager" aria-label="Pages">
            {way(newest, "Newest")} {way(older, "Older")}
        </nav>
    }
}

/// No row of this page matches.
#[component]
pub fn NoMatch(
    /// "No message matches".
    title: &'static str,
    /// What to do about it.
    #[prop(default = "Try fewer words, or another filter.")]
    text: &'static str,
    /// The list without filters.
    all: &'static str,
    /// A search reads so many rows and no more: where it goes on.
    older: Option<String>,
) -> impl IntoView {
    let show_all = move || view! { <a class="btn" href=all>"Show all"</a> };
    match older {
        Some(older) => view! {
            <EmptyState icon=Icon::Search title="No match so far" text="The newest ones are searched; there are older ones.">
                <a class="btn primary" href=older>
                    "Search older ones"
                </a>
                {show_all()}
            </EmptyState>
        }
        .into_any(),
        None => view! {
            <EmptyState icon=Icon::Search title text>
                {show_all()}
            </EmptyState>
        }
        .into_any(),
    }
}

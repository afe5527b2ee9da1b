//! What a list shows when there is nothing in it.

use super::icon::{Draw, Icon};
use leptos::prelude::*;

/// Drawing, heading, one sentence, and what to do (the children).
#[component]
pub fn EmptyState(
    icon: Icon,
    title: &'static str,
    text: &'static str,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="card empty">
            <Draw icon />
            <h2>{title}</h2>
            <p>{text}</p>
            {children.map(|children| view! { <div class="row">{children()}</div> })}
        </div>
    }
}

//! The top of a page.

use super::hydrated::Hydrated;
use leptos::{html, prelude::*};
use leptos_meta::Title;

/// Title of the document, the one `h1` (which takes the focus after navigation), a line under it, and actions (the children).
#[component]
pub fn PageHead(
    #[prop(into)] title: String,
    #[prop(optional, into)] line: Option<String>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    // A page that is navigated to is announced by its heading, as a loaded one would be.
    let heading = NodeRef::<html::H1>::new();
    if Hydrated::get().get_untracked() {
        Effect::new(move || {
            if let Some(heading) = heading.get() {
                let _ = heading.focus();
            }
        });
    }
    view! {
        <Title text=title.clone() />
        <div class="head">
            <div>
                <h1 id="title" tabindex="-1" node_ref=heading>{title}</h1>
                {line.map(|line| view! { <p>{line}</p> })}
            </div>
            {children.map(|children| view! { <div class="row">{children()}</div> })}
        </div>
    }
}

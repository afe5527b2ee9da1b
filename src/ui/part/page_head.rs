//! The top of a page.

use leptos::prelude::*;
use leptos_meta::Title;

/// Title of the document, the one `h1` (which takes the focus after navigation), a line under it, and actions (the children).
#[component]
pub fn PageHead(
    #[prop(into)] title: String,
    #[prop(optional, into)] line: Option<String>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.clone() />
        <div class="head">
            <div>
                <h1 id="title" tabindex="-1">{title}</h1>
                {line.map(|line| view! { <p>{line}</p> })}
            </div>
            {children.map(|children| view! { <div class="row">{children()}</div> })}
        </div>
    }
}

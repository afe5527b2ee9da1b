//! The page for addresses that lead nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

/// Says so, and leads back.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found" />
        <main id="main" class="alone">
            <div class="card stack">
                <h1 id="title" tabindex="-1">"Not found"</h1>
                <p class="soft">"There is nothing at this address. It may have been removed, or the link is incomplete."</p>
                <p>
                    <a class="btn primary" href="/">"Go to the start"</a>
                </p>
            </div>
        </main>
    }
}

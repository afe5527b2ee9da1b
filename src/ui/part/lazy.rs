//! Pages whose code the browser loads when they are visited.
//!
//! They are cut with `wasm_split` and its option `fallible`, as dialogs are (`late`): with Leptos' own `lazy_route` a part that
//! does not arrive, offline or because another version was deployed, ends the whole application.

use super::{hydrated::Hydrated, page_head::PageHead};
use leptos::{prelude::*, wasm_split::SplitLoaderError};
use std::pin::Pin;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::Event;

/// What comes with a part, whichever it is: pages share the code that waits.
pub type Loaded<T> = Pin<Box<dyn Future<Output = Result<T, SplitLoaderError>>>>;

/// Waits for a page's code before the page takes its place. Where the server has drawn the page already and it only cannot
/// be taken over, it stays and works as without a script; then this never ends, and says so once.
pub async fn preloaded(loaded: Loaded<()>) {
    if !cfg!(target_family = "wasm") {
        return;
    }
    if loaded.await.is_err() && !Hydrated::get().get_untracked() {
        // What was taken over of the application took the title away, and waits for the page to say it.
        if let Some(heading) = document().query_selector("h1").ok().flatten() {
            document().set_title(&format!("{} · Tern", heading.text_content().unwrap_or_default()));
        }
        if let Some(toasts) = document().query_selector(".toasts [role=alert]").ok().flatten() {
            let note = "<div class=\"toast bad\"><p>Part of this page could not be loaded: it works, but does not update by itself. \
                <a href=\"\">Reload</a></p></div>";
            toasts.set_inner_html(note);
        }
        // The router listens already, and has no page to change: links are the browser's own.
        let stop = Closure::<dyn Fn(Event)>::new(|click: Event| click.stop_propagation()).into_js_value();
        let _ = document().add_event_listener_with_callback_and_bool("click", stop.unchecked_ref(), true);
        std::future::pending::<()>().await;
    }
}

/// The page, or what to do when it did not come. Trying again is up to the next visit.
pub async fn drawn(name: &'static str, page: Loaded<AnyView>) -> AnyView {
    if !cfg!(target_family = "wasm") {
        // The server tells the browser in the page's head what to fetch at once.
        leptos::prefetch_lazy_fn_on_server(name);
    }
    match page.await {
        Ok(page) => page,
        Err(_) => view! { <NotLoaded /> }.into_any(),
    }
}

#[component]
fn NotLoaded() -> impl IntoView {
    view! {
        <PageHead
            title="This page could not be loaded"
            line="The connection may be lost, or Tern was updated meanwhile."
        />
        // The browser's own navigation: it brings the version that the server has now.
        <a class="btn" rel="external" href="">
            "Reload"
        </a>
    }
}

/// Makes `$page` a page that is loaded when it is visited: `$name` names its part, `$view` draws it.
macro_rules! lazy_page {
    ($(#[$doc:meta])* $page:ident, $name:ident, $view:ident) => {
        $(#[$doc])*
        pub struct $page;

        impl ::leptos_router::LazyRoute for $page {
            fn data() -> Self {
                Self
            }

            fn view(_: Self) -> impl Future<Output = ::leptos::prelude::AnyView> {
                $crate::ui::part::lazy::drawn(stringify!($name), Box::pin($name()))
            }

            fn preload() -> impl Future<Output = ()> {
                $crate::ui::part::lazy::preloaded(Box::pin(preload()))
            }
        }

        #[::leptos::wasm_split::wasm_split($name, wasm_split_path = ::leptos::wasm_split, preload(preload), fallible)]
        #[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
        fn $name() -> Result<::leptos::prelude::AnyView, ::leptos::wasm_split::SplitLoaderError> {
            use ::leptos::prelude::*;
            Ok(view! { <$view /> }.into_any())
        }
    };
}
pub(crate) use lazy_page;

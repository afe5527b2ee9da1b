//! Dialogs whose code the browser loads when they are opened.
//!
//! With Leptos 0.8.23 an open dialog whose code is still on its way cannot be hydrated. So the browser leaves the server's
//! drawing alone, on an island that works as a page without a script does; once page and code are there, the browser's
//! own drawing takes its place, with what was typed meanwhile.

use super::{hydrated::Hydrated, toast::Toasts};
use js_sys::Reflect;
use leptos::{html, prelude::*, wasm_split::SplitLoaderError};
use std::pin::Pin;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, EventInit, HtmlElement};

/// A view that is there when its code is. Made by `wasm_split` itself, with its option `fallible`: with Leptos' `lazy` a part
/// that cannot be loaded ends the whole application, and a dialog may be opened while the server restarts.
pub type Coming = Pin<Box<dyn Future<Output = Result<AnyView, SplitLoaderError>> + Send>>;

/// What `draw` makes of `open`, while that is something.
pub fn late<T>(open: Memo<Option<T>>, draw: impl Fn(T) -> Coming + Copy + Send + Sync + 'static) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let (hydrated, toasts) = (Hydrated::get(), Toasts::get());
    let node = NodeRef::<html::Div>::new();
    // What the server draws on it is no business of the browser's.
    let island = if cfg!(target_family = "wasm") {
        view! { <div data-island="" node_ref=node></div> }.into_any()
    } else {
        view! { <div data-island="">{move || open.get().map(|open| Suspend::new(async move { draw(open).await.ok() }))}</div> }.into_any()
    };
    let drawn = move || {
        if !hydrated.get() {
            return None;
        }
        let Some(open) = open.get() else {
            clear(node);
            return None;
        };
        let coming = draw(open);
        Some(Suspend::new(async move {
            if let Ok(view) = coming.await {
                clear(node);
                return Some(view);
            }
            toasts.bad("The dialog could not be loaded. Check the connection, then reload the page.");
            None
        }))
    };
    // A boundary of its own, or the whole page would be away while the code is on its way.
    view! {
        {island}
        <Transition>{drawn}</Transition>
    }
}

/// Empties the island; what was typed on it goes into the fields that come instead.
fn clear(node: NodeRef<html::Div>) {
    let Some(island) = node.get_untracked().filter(|island| island.first_element_child().is_some()) else { return };
    let (old, active) = (fields(&island), document().active_element());
    island.set_inner_html("");
    request_animation_frame(move || {
        if let Some(dialog) = document().query_selector("dialog.modal").ok().flatten() {
            for (old, new) in old.iter().zip(fields(&dialog)) {
                copy(old, &new);
                if active.as_ref() == Some(old) {
                    let _ = new.unchecked_ref::<HtmlElement>().focus();
                }
            }
        }
        Hydrated::mark();
    });
}

/// Everything that can be filled in.
fn fields(within: &Element) -> Vec<Element> {
    let Ok(found) = within.query_selector_all("input, select, textarea") else { return Vec::new() };
    (0..found.length()).filter_map(|at| found.get(at)).map(JsCast::unchecked_into).collect()
}

/// Fills a field in as another one is, and tells the form.
fn copy(old: &Element, new: &Element) {
    for name in ["value", "checked"].map(JsValue::from_str) {
        let _ = Reflect::get(old, &name).and_then(|filled| Reflect::set(new, &name, &filled));
    }
    let init = EventInit::new();
    init.set_bubbles(true);
    if let Ok(event) = Event::new_with_event_init_dict("input", &init) {
        let _ = new.dispatch_event(&event);
    }
}

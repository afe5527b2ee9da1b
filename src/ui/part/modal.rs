//! Dialogs whose being open is in the URL: they work without a script, and with one they are modal.

use super::icon::{Draw, Icon};
use leptos::{html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use wasm_bindgen::JsCast;
use web_sys::{HtmlDialogElement, HtmlElement};

/// How a dialog is left: without a jump, and without one more step for "back".
pub fn leave() -> NavigateOptions {
    NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() }
}

/// Makes a dialog modal, and takes the person into it.
fn show(dialog: &HtmlDialogElement) {
    let active = document().active_element().filter(|active| dialog.contains(Some(active)));
    // The server drew it open, which is not modal.
    let _ = dialog.remove_attribute("open");
    let _ = dialog.show_modal();
    // Into the first field; a browser would choose the close button.
    let first = ".inside :is(input:not([type=hidden]), select, textarea, .btn)";
    let first = active.or_else(|| dialog.query_selector(first).ok().flatten());
    if let Some(first) = first.and_then(|first| first.dyn_into::<HtmlElement>().ok()) {
        let _ = first.focus();
    }
}

/// A dialog with heading and close button. Escape and the button lead to `back`; the focus goes to the element `opener`.
#[component]
pub fn Modal(
    #[prop(into)] title: String,
    /// The URL without the dialog.
    #[prop(into)]
    back: String,
    /// Id of the element that opened it.
    #[prop(into)]
    opener: String,
    children: Children,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    let navigate = use_navigate();
    Effect::new(move || {
        if let Some(dialog) = node.get() {
            // A dialog whose code came late is drawn before it is in the document, where alone it can be modal.
            request_animation_frame(move || show(&dialog));
            let opener = opener.clone();
            on_cleanup(move || {
                request_animation_frame(move || {
                    let element = document().get_element_by_id(&opener);
                    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
                        let _ = element.focus();
                    }
                });
            });
        }
    });
    let to = back.clone();
    let on_cancel = move |event: web_sys::Event| {
        event.prevent_default();
        navigate(&to, leave());
    };
    view! {
        <dialog class="modal" open node_ref=node aria-labelledby="modal-title" on:cancel=on_cancel>
            <div class="top">
                <h2 id="modal-title">{title}</h2>
                <a class="btn quiet icon-only" href=back data-noscroll="" aria-label="Close">
                    <Draw icon=Icon::Cross />
                </a>
            </div>
            <div class="inside">{children()}</div>
        </dialog>
    }
}

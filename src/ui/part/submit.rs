//! The button that sends a form.

use leptos::prelude::*;

/// Says what it does, says so while it does it, and cannot be pressed twice. The children are the words at rest.
#[component]
pub fn Submit(
    /// True while the form is on its way.
    #[prop(into)]
    pending: Signal<bool>,
    /// The words while it is.
    busy: &'static str,
    /// True while something required is missing.
    #[prop(optional, into)]
    blocked: Signal<bool>,
    /// More classes than `btn`.
    #[prop(default = "primary")]
    class: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    view! {
        <button type="submit" class=format!("btn {class}") disabled=move || pending.get() || blocked.try_get().unwrap_or_default()>
            {move || {
                if pending.get() {
                    view! {
                        <span class="spin" aria-hidden="true"></span>
                        {busy}
                    }
                        .into_any()
                } else {
                    children().into_any()
                }
            }}
        </button>
    }
}

//! The bars above a page: what a person must know before anything else.

use super::{
    icon::{Draw, Icon},
    live::{Line, Live},
    post::{Post, PostForm},
    submit::Submit,
    toast::Toasts,
};
use crate::{
    api::{demo::RemoveDemo, installation::installation},
    domain::installation::Installation,
};
use leptos::prelude::*;

/// The connection, the key, the sandbox and the demo data, as far as there is something to say.
#[component]
pub fn Bars() -> impl IntoView {
    let live = Live::get();
    let state = Resource::new_blocking(move || live.accounts.get(), |_| installation());
    view! {
        <div class="bars">
            <div role="status">
                {move || match live.line.get() {
                    Line::Open => None,
                    Line::Stopping => Some("Tern is restarting. This page goes on by itself in a moment."),
                    Line::Lost => Some("The connection to Tern is lost. Trying to reconnect…"),
                }
                    .map(|text| {
                        view! {
                            <div class="bar-note warn">
                                <Draw icon=Icon::Warning />
                                <span>{text}</span>
                            </div>
                        }
                    })}
            </div>
            <Transition>
                {move || state.get().and_then(Result::ok).map(|state| view! { <StateBars state /> })}
            </Transition>
        </div>
    }
}

#[component]
fn StateBars(state: Installation) -> impl IntoView {
    view! {
        {state
            .wrong_key
            .then(|| {
                view! {
                    <div class="bar-note bad" role="alert">
                        <Draw icon=Icon::Warning />
                        <span>
                            "The encryption key does not open the stored credentials, so nothing can be sent. Start Tern with the key it had before."
                        </span>
                    </div>
                }
            })}
        {state.has_demo.then(|| view! { <DemoBar /> })}
        {(state.only_sandbox && !state.has_demo)
            .then(|| {
                view! {
                    <div class="bar-note">
                        <span>
                            <b>"Sandbox only. "</b>
                            "Messages show their whole life here and reach nobody. Connect a real account to send."
                        </span>
                    </div>
                }
            })}
    }
}

#[component]
fn DemoBar() -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let remove = Post::to::<RemoveDemo>(move |()| {
        live.resync();
        toasts.good("Demo data removed.");
    })
    .or_toast();
    view! {
        <div class="bar-note">
            <span>
                <b>"You are looking at demo data. "</b>
                "Nothing of it leaves this server."
            </span>
            <PostForm to=remove>
                <Submit pending=remove.pending() busy="Removing…" class="small">
                    "Remove demo data"
                </Submit>
            </PostForm>
        </div>
    }
}

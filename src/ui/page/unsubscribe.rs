//! The page behind the link in a mail: for whoever leaves, signed in nowhere, with or without a script. Looking at it
//! changes nothing.

use crate::{
    api::{error::Kind, unsubscribe::load_leaving},
    domain::{channel::Channel, unsubscribe::Leaving},
    ui::part::lazy::lazy_page,
};
use leptos::prelude::*;
use leptos_meta::{Meta, Title};
use leptos_router::hooks::use_params_map;

lazy_page! {
    /// The page, loaded when it is visited.
    UnsubscribePage, unsubscribe_page, Unsubscribe
}

#[component]
fn Unsubscribe() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token")).unwrap_or_default();
    let leaving = {
        let token = token.clone();
        Resource::new_blocking(move || token.clone(), load_leaving)
    };
    view! {
        <Title text="Unsubscribe" />
        <Meta name="robots" content="noindex" />
        <main id="main" class="alone">
            <div class="card">
                <Suspense>
                    {move || {
                        let token = token.clone();
                        Suspend::new(async move {
                            match leaving.await {
                                Ok(leaving) if leaving.is_gone => view! { <Gone leaving /> }.into_any(),
                                Ok(leaving) => view! { <Ask leaving token /> }.into_any(),
                                Err(error) if error.kind == Kind::NotFound => view! { <Unknown /> }.into_any(),
                                Err(_) => view! { <Later /> }.into_any(),
                            }
                        })
                    }}
                </Suspense>
            </div>
        </main>
    }
}

fn kind(channel: Channel) -> &'static str {
    if channel == Channel::Email { "mail" } else { "messages" }
}

/// A plain form: no script has to be there for it.
#[component]
fn Ask(leaving: Leaving, token: String) -> impl IntoView {
    view! {
        <form method="post" action=format!("/u/{token}") class="stack">
            <h1 id="title" tabindex="-1">
                "Unsubscribe?"
            </h1>
            <p>
                {format!("Do you want no more {} from ", kind(leaving.channel))} <b>{leaving.organization}</b> " to "
                <b>{leaving.address}</b> "?"
            </p>
            <p class="soft">"It ends at once, on all channels on which they know you. You need no account for it."</p>
            <input type="hidden" name="page" value="1" />
            <button class="btn primary">"Unsubscribe"</button>
        </form>
    }
}

#[component]
fn Gone(leaving: Leaving) -> impl IntoView {
    view! {
        <div class="stack">
            <h1 id="title" tabindex="-1">
                "You are unsubscribed"
            </h1>
            <p role="status">
                <b>{leaving.organization}</b> " sends nothing more to " <b>{leaving.address}</b> "."
            </p>
            <p class="soft">"What was on its way already may still arrive. If you change your mind, tell them."</p>
        </div>
    }
}

/// It is not their link's fault.
#[component]
fn Later() -> impl IntoView {
    view! {
        <div class="stack">
            <h1 id="title" tabindex="-1">
                "Please try again in a moment"
            </h1>
            <p>"Your wish could not be looked up just now. The link itself is good."</p>
            <a class="btn" rel="external" href="">
                "Try again"
            </a>
        </div>
    }
}

#[component]
fn Unknown() -> impl IntoView {
    view! {
        <div class="stack">
            <h1 id="title" tabindex="-1">
                "This link does not work"
            </h1>
            <p>
                "It may have been cut off on its way. Copy the whole link of the mail, or answer the mail with the word STOP."
            </p>
        </div>
    }
}

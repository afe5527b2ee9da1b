//! The frame around every page of somebody who is signed in.

use super::{
    bars::Bars,
    error_box::ErrorBox,
    icon::{Draw, Icon},
    live::Live,
    post::{Post, PostForm},
    theme::ThemeSwitch,
};
use crate::{
    api::session::{SignOut, me},
    domain::user::Me,
};
use leptos::{either::EitherOf3, prelude::*};
use leptos_router::{
    components::{A, Outlet, Redirect},
    hooks::use_location,
};

/// The frame with a page in it; whoever is not signed in is sent to do so, and comes back.
#[component]
pub fn Shell() -> impl IntoView {
    let visitor = Resource::new_blocking(|| (), |()| me());
    let location = use_location();
    let sign_in = move || {
        let here = format!("{}{}", location.pathname.get_untracked(), query(&location.search.get_untracked()));
        format!("/sign-in?next={}", leptos_router::location::Url::escape(&here))
    };
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match visitor.await {
                    // The server walks through a `Suspense` more than once to find what to wait for, and would ask for the
                    // data of the page each time.
                    Ok(Some(me)) => EitherOf3::A(Unsuspend::new(move || view! { <Frame me /> })),
                    Ok(None) => EitherOf3::B(view! { <Redirect path=sign_in() /> }),
                    Err(error) => {
                        EitherOf3::C(
                            view! {
                                <main id="main" class="alone">
                                    <ErrorBox error retry=move |()| visitor.refetch() />
                                </main>
                            },
                        )
                    }
                }
            })}
        </Suspense>
    }
}

/// The query with its question mark, if there is one.
fn query(search: &str) -> String {
    match search.trim_start_matches('?') {
        "" => String::new(),
        search => format!("?{search}"),
    }
}

/// The pages of the navigation.
const PAGES: [(&str, &str, Icon); 9] = [
    ("/", "Dashboard", Icon::Bars),
    ("/accounts", "Accounts", Icon::Phone),
    ("/messages", "Messages", Icon::Messages),
    ("/leads", "Leads", Icon::People),
    ("/templates", "Templates", Icon::Sheet),
    ("/campaigns", "Campaigns", Icon::Horn),
    ("/sequences", "Sequences", Icon::Steps),
    ("/suppressions", "Suppressions", Icon::Stop),
    ("/settings", "Settings", Icon::Settings),
];

#[component]
fn Frame(me: Me) -> impl IntoView {
    Live::provide();
    let leave = Post::to::<SignOut>(|()| {}).or_toast();
    let organization = me.organization.map_or_else(String::new, |organization| organization.name);
    view! {
        <a class="skip" href="#main">
            "Skip to the content"
        </a>
        <div class="shell">
            <header class="side">
                <a class="logo" href="/">
                    <Draw icon=Icon::Tern />
                    "Tern"
                </a>
                <nav aria-label="Main">
                    {PAGES
                        .map(|(href, label, icon)| {
                            view! {
                                <A href exact=href == "/">
                                    <Draw icon />
                                    {label}
                                </A>
                            }
                        })
                        .collect_view()}
                </nav>
                <div class="who-am-i">
                    <div class="me">
                        <b>{organization}</b>
                        <span>{me.user.email.to_string()}</span>
                    </div>
                    <div class="row">
                        <ThemeSwitch />
                        <PostForm to=leave>
                            <button class="btn quiet icon-only" aria-label="Sign out" title="Sign out">
                                <Draw icon=Icon::Leave />
                            </button>
                        </PostForm>
                    </div>
                </div>
            </header>
            <div class="content">
                <Bars />
                <main id="main" tabindex="-1">
                    <Outlet />
                </main>
            </div>
        </div>
    }
}

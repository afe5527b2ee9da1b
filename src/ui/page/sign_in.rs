//! Signing in.

use crate::{
    api::session::{SignIn as SignInAction, first_run},
    ui::part::{
        error_box::FormError,
        field::Field,
        form::Faults,
        icon::{Draw, Icon},
        lazy::lazy_page,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{components::Redirect, hooks::use_query_map};

lazy_page! {
    /// The page, loaded when it is visited.
    SignInPage, sign_in_page, SignIn
}

/// The form; on a fresh installation it leads to the welcome.
#[component]
fn SignIn() -> impl IntoView {
    let is_first = Resource::new_blocking(|| (), |()| first_run());
    let action = Post::to::<SignInAction>(|()| {});
    let faults = Faults::of_post(action);
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    view! {
        <Title text="Sign in" />
        <Suspense>
            {move || Suspend::new(async move {
                matches!(is_first.await, Ok(true)).then(|| view! { <Redirect path="/welcome" /> })
            })}
        </Suspense>
        <main id="main" class="alone">
            <div class="logo">
                <Draw icon=Icon::Tern />
                "Tern"
            </div>
            <div class="card">
                <PostForm to=action>
                    <div class="stack">
                        <h1 id="title" tabindex="-1">
                            "Sign in"
                        </h1>
                        <input type="hidden" name="next" value=next />
                        <Field
                            name="email"
                            label="E-mail"
                            kind="email"
                            autocomplete="username"
                            value=faults.typed("email").unwrap_or_default()
                            faults
                        />
                        <Field
                            name="password"
                            label="Password"
                            kind="password"
                            autocomplete="current-password"
                            faults
                        />
                        <FormError error=faults.answer() />
                        <Submit pending=action.pending() busy="Signing in…">
                            "Sign in"
                        </Submit>
                    </div>
                </PostForm>
            </div>
        </main>
    }
}

//! The first page of a fresh installation.

use crate::{
    api::session::{SignUp, first_run},
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
use leptos_router::components::Redirect;

lazy_page! {
    /// The page, loaded when it is visited.
    WelcomePage, welcome_page, Welcome
}

/// Makes the owner; once there is one, it leads to signing in.
#[component]
fn Welcome() -> impl IntoView {
    let is_first = Resource::new_blocking(|| (), |()| first_run());
    let action = Post::to::<SignUp>(|()| {});
    let faults = Faults::of_post(action);
    let typed = move |field| faults.typed(field).unwrap_or_default();
    view! {
        <Title text="Welcome" />
        <Suspense>
            {move || Suspend::new(async move {
                matches!(is_first.await, Ok(false)).then(|| view! { <Redirect path="/sign-in" /> })
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
                        <div>
                            <h1 id="title" tabindex="-1">
                                "Welcome to Tern"
                            </h1>
                            <p class="soft">"Create the owner of this installation. Everything stays on this machine."</p>
                        </div>
                        <Field
                            name="organization"
                            label="Organization"
                            placeholder="Northwind Supply"
                            autocomplete="organization"
                            value=typed("organization")
                            faults
                        />
                        <Field
                            name="email"
                            label="Your e-mail"
                            kind="email"
                            placeholder="ann@northwind.example"
                            autocomplete="username"
                            value=typed("email")
                            faults
                        />
                        <Field
                            name="password"
                            label="Password"
                            kind="password"
                            autocomplete="new-password"
                            hint="At least 8 characters; a few words are easier to remember."
                            faults
                        />
                        <label class="check">
                            <input type="checkbox" name="demo" value="true" />
                            "Explore with demo data"
                        </label>
                        <FormError error=faults.answer() />
                        <Submit pending=action.pending() busy="Creating…">
                            "Create owner"
                        </Submit>
                    </div>
                </PostForm>
            </div>
        </main>
    }
}

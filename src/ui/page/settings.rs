//! Settings: rules for what is sent by plan, keys for programs, and the signed-in browsers.

use super::rules::RulesSection;
use crate::{
    api::{
        api_key::{CreateApiKey, DeleteApiKey, list_api_keys},
        session::{RevokeSession, list_sessions},
    },
    domain::{
        api_key::{ApiKey, NewApiKey},
        session::Session,
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        field::Field,
        form::Faults,
        hydrated::Hydrated,
        lazy::lazy_page,
        page_head::PageHead,
        post::{Post, PostForm},
        submit::Submit,
        time::Time,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};

lazy_page! {
    /// The page, loaded when it is visited.
    SettingsPage, settings_page, Settings
}

/// The page.
#[component]
fn Settings() -> impl IntoView {
    view! {
        <PageHead title="Settings" line="Rules for what is sent, keys for programs, and where you are signed in" />
        <div class="stack wide-gap">
            <RulesSection />
            <ApiKeys />
            <Sessions />
        </div>
    }
}

#[component]
fn ApiKeys() -> impl IntoView {
    let toasts = Toasts::get();
    // Without a script the key is in the answer to the form, which is this page.
    let before = SharedValue::new(use_context::<NewApiKey>).into_inner();
    let (made, changes) = (RwSignal::new(before), RwSignal::new(0_u32));
    let changed = move || {
        let _ = changes.try_update(|n| *n += 1);
    };
    let create = Post::to::<CreateApiKey>(move |key| {
        let _ = made.try_set(Some(key));
        changed();
    });
    let delete = Post::to::<DeleteApiKey>(move |()| {
        toasts.good("The key is deleted and no longer works.");
        changed();
    })
    .or_toast();
    let keys = Resource::new_blocking(move || changes.get(), |_| list_api_keys());
    let faults = Faults::of_post(create);
    view! {
        <section class="card inner stack">
            <div>
                <h2>"API keys"</h2>
                <p class="soft">"A program signs in with a key: " <code>"Authorization: Bearer tern_…"</code></p>
            </div>
            <PostForm to=create plain="/settings">
                <div class="inline-form">
                    <Field name="name" label="What it is for" placeholder="CRM import" faults />
                    <Submit pending=create.pending() busy="Creating…">
                        "Create key"
                    </Submit>
                </div>
            </PostForm>
            <FormError error=faults.answer() />
            {move || made.get().map(|made| view! { <MadeKey made /> })}
            <Transition>
                {move || Suspend::new(async move {
                    match keys.await {
                        Ok(keys) => Either::Left(view! { <KeyTable keys delete /> }),
                        Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| keys.refetch() /> }),
                    }
                })}
            </Transition>
        </section>
    }
}

/// The only time that a key is shown.
#[component]
fn MadeKey(made: NewApiKey) -> impl IntoView {
    let (hydrated, is_copied) = (Hydrated::get(), RwSignal::new(false));
    let key = made.key.clone();
    let copy = move |_| {
        let promise = window().navigator().clipboard().write_text(&key);
        leptos::task::spawn_local(async move {
            let done = wasm_bindgen_futures::JsFuture::from(promise).await;
            let _ = is_copied.try_set(done.is_ok());
        });
    };
    view! {
        <div class="notice ok" role="status">
            "Copy the key now: it is stored only as a hash and cannot be shown again."
            <div class="key">
                <code>{made.key}</code>
                <button type="button" class="btn" hidden=move || !hydrated.get() on:click=copy>
                    {move || if is_copied.get() { "Copied" } else { "Copy" }}
                </button>
            </div>
        </div>
    }
}

#[component]
fn KeyTable(keys: Vec<ApiKey>, delete: Post<()>) -> impl IntoView {
    if keys.is_empty() {
        return view! { <p class="soft">"No keys yet."</p> }.into_any();
    }
    let row = move |key: ApiKey| {
        view! {
            <tr>
                <td>
                    <b>{key.name.clone()}</b>
                </td>
                <td>
                    <code>{key.prefix} "…"</code>
                </td>
                <td>
                    "Created " <Time at=key.created_at />
                </td>
                <td>
                    {match key.last_used_at {
                        Some(at) => view! { "Last used " <Time at /> }.into_any(),
                        None => "Never used".into_any(),
                    }}
                </td>
                <td class="act">
                    <PostForm to=delete>
                        <input type="hidden" name="id" value=key.id.to_string() />
                        <button class="btn quiet" aria-label=format!("Delete the key {}", key.name)>
                            "Delete"
                        </button>
                    </PostForm>
                </td>
            </tr>
        }
    };
    view! {
        <div class="table bare">
            <table>
                <thead class="unseen">
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Begins with"</th>
                        <th scope="col">"Created"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col">"Actions"</th>
                    </tr>
                </thead>
                <tbody>{keys.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Sessions() -> impl IntoView {
    let toasts = Toasts::get();
    let changes = RwSignal::new(0_u32);
    let revoke = Post::to::<RevokeSession>(move |()| {
        toasts.good("That browser is signed out.");
        let _ = changes.try_update(|n| *n += 1);
    })
    .or_toast();
    let sessions = Resource::new_blocking(move || changes.get(), |_| list_sessions());
    view! {
        <section class="card inner stack">
            <div>
                <h2>"Sessions"</h2>
                <p class="soft">"The browsers that are signed in as you."</p>
            </div>
            <Transition>
                {move || Suspend::new(async move {
                    match sessions.await {
                        Ok(sessions) => Either::Left(view! { <SessionTable sessions revoke /> }),
                        Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| sessions.refetch() /> }),
                    }
                })}
            </Transition>
        </section>
    }
}

#[component]
fn SessionTable(sessions: Vec<Session>, revoke: Post<()>) -> impl IntoView {
    let row = move |session: Session| {
        let end = (!session.is_current).then(|| {
            view! {
                <PostForm to=revoke>
                    <input type="hidden" name="id" value=session.id.to_string() />
                    <button class="btn quiet">"Sign out"</button>
                </PostForm>
            }
        });
        view! {
            <tr>
                <td>
                    <b>{browser(&session.user_agent)}</b>
                    {session.is_current.then(|| view! { " " <span class="badge delivered">"This browser"</span> })}
                </td>
                <td>
                    "Signed in " <Time at=session.created_at />
                </td>
                <td>
                    "Last seen " <Time at=session.seen_at />
                </td>
                <td class="act">{end}</td>
            </tr>
        }
    };
    view! {
        <div class="table bare">
            <table>
                <thead class="unseen">
                    <tr>
                        <th scope="col">"Browser"</th>
                        <th scope="col">"Signed in"</th>
                        <th scope="col">"Last seen"</th>
                        <th scope="col">"Actions"</th>
                    </tr>
                </thead>
                <tbody>{sessions.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// "Firefox on Linux" of a user agent; the first words of one that is not known. Order matters: most of them also name
/// the browsers that they want to be taken for.
fn browser(agent: &str) -> String {
    let first =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let program = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        _ if agent.is_empty() => "Unknown browser".to_owned(),
        _ => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_named_as_people_know_them() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(
            browser("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!(browser("curl/8.0"), "curl/8.0");
        assert_eq!(browser(""), "Unknown browser");
    }
}

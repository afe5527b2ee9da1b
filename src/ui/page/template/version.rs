//! What a template said before, and a way back to it.

use crate::{
    api::{
        error::ApiError,
        template::{RestoreTemplate, list_versions},
    },
    domain::{
        page::Page,
        template::{Template, Version},
    },
    ui::part::{
        error_box::ErrorBox,
        live::Live,
        post::{Post, PostForm},
        time::Time,
        toast::Toasts,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

type Loaded = Resource<Result<Page<Version>, ApiError>>;

/// The versions, newest first.
#[component]
pub fn Versions(
    id: String,
    /// Hears that the template says something else now.
    restored: RwSignal<Option<Template>>,
) -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let of = id.clone();
    let versions: Loaded = Resource::new_blocking(
        move || (of.clone(), cursor.get(), live.templates.get()),
        |(id, cursor, _)| list_versions(id, cursor),
    );
    view! {
        <section class="card inner stack versions">
            <h2>"Versions"</h2>
            <p class="soft">"Each change of the text is a version. Whatever runs keeps the one that it began with."</p>
            <Transition>
                {move || {
                    let id = id.clone();
                    Suspend::new(async move {
                        match versions.await {
                            Err(error) => view! { <ErrorBox error retry=move |()| versions.refetch() /> }.into_any(),
                            Ok(page) => {
                                let next = page.next_cursor.map(|cursor| format!("/templates/{id}?cursor={cursor}"));
                                let is_first = cursor.get_untracked().is_none();
                                let row = |(at, version)| {
                                    view! { <Row id=id.clone() version is_current=is_first && at == 0 restored /> }
                                };
                                view! {
                                    <ol class="plain stack">{page.data.into_iter().enumerate().map(row).collect_view()}</ol>
                                    {next.map(|href| view! { <a class="btn fit" href=href>"Older"</a> })}
                                }
                                    .into_any()
                            }
                        }
                    })
                }}
            </Transition>
        </section>
    }
}

#[component]
fn Row(id: String, version: Version, is_current: bool, restored: RwSignal<Option<Template>>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let number = version.version;
    let restore = Post::to::<RestoreTemplate>(move |template| {
        toasts.good(format!("Version {number} is there again, as version {}.", template.version));
        live.resync();
        let _ = restored.try_set(Some(template));
    })
    .or_toast();
    view! {
        <li>
            <details>
                <summary>
                    <b>{format!("Version {number}")}</b>
                    " "
                    <Time at=version.created_at />
                    {is_current.then(|| view! { " " <span class="badge">"Current"</span> })}
                </summary>
                <div class="stack">
                    {version.subject.map(|subject| view! { <b>{subject}</b> })}
                    <p class="body-text">{version.body}</p>
                    {(!is_current)
                        .then(|| {
                            view! {
                                <PostForm to=restore>
                                    <input type="hidden" name="id" value=id />
                                    <input type="hidden" name="version" value=number.to_string() />
                                    <button class="btn small" disabled=restore.pending()>
                                        {format!("Restore version {number}")}
                                    </button>
                                </PostForm>
                            }
                        })}
                </div>
            </details>
        </li>
    }
}

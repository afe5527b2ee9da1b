//! The snippets: pieces that templates share, each changed where it stands.

use crate::{
    api::{
        error::ApiError,
        snippet::{DeleteSnippet, SaveSnippet, list_snippets},
    },
    domain::{
        page::Page,
        template::{SOURCE_MAX, Snippet},
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        form::Faults,
        lazy::lazy_page,
        live::Live,
        page_head::PageHead,
        pager::Pager,
        post::{Post, PostForm},
        shown::kept,
        submit::Submit,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_query_map;

const HERE: &str = "/templates/snippets";

lazy_page! {
    /// The page, loaded when it is visited.
    SnippetsPage, snippets_page, Snippets
}

/// The page.
#[component]
fn Snippets() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let cursor = Memo::new(move |_| query.with(|query| query.get("cursor")));
    let snippets =
        Resource::new_blocking(move || (cursor.get(), live.templates.get()), |(cursor, _)| list_snippets(cursor));
    view! {
        <p class="crumb">
            <a href="/templates">"Templates"</a>
        </p>
        <PageHead title="Snippets" line="Pieces that many templates share" />
        <div class="two">
            <section class="card inner stack">
                <h2>"New snippet"</h2>
                <SnippetForm />
            </section>
            <Transition>
                <SnippetList snippets cursor />
            </Transition>
        </div>
    }
}

#[component]
fn SnippetList(snippets: Resource<Result<Page<Snippet>, ApiError>>, cursor: Memo<Option<String>>) -> impl IntoView {
    let page = kept(move || snippets.get());
    let rows = move || page.get().and_then(Result::ok).map(|page| page.data).unwrap_or_default();
    let is_empty = kept(move || rows().is_empty());
    let failure = kept(move || page.get().and_then(Result::err));
    let newest = Signal::derive(move || cursor.get().map(|_| HERE.to_owned()));
    let older = Signal::derive(move || {
        let next = page.get().and_then(Result::ok).and_then(|page| page.next_cursor);
        next.map(|cursor| format!("{HERE}?cursor={cursor}"))
    });
    view! {
        <div class="stack">
            {move || match failure.get() {
                Some(error) => Either::Left(view! { <ErrorBox error retry=move |()| snippets.refetch() /> }),
                None => {
                    Either::Right(
                        is_empty
                            .get()
                            .then(|| view! { <p class="soft">"No snippets yet. A signature or an opt-out line is a good first one."</p> }),
                    )
                }
            }}
            <For each=rows key=|snippet| (snippet.id.clone(), snippet.updated_at, snippet.used_by) let:snippet>
                <Card snippet />
            </For>
            <Pager newest older />
        </div>
    }
}

#[component]
fn Card(snippet: Snippet) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let gone = snippet.name.clone();
    let delete = Post::to::<DeleteSnippet>(move |()| {
        toasts.good(format!("{gone} is deleted."));
        live.resync();
    })
    .or_toast();
    let used = match snippet.used_by {
        0 => "Used by no template".to_owned(),
        1 => "Used by 1 template".to_owned(),
        many => format!("Used by {many} templates"),
    };
    let id = snippet.id.to_string();
    let is_used = snippet.used_by > 0;
    view! {
        <article class="card inner stack snippet">
            <h2>{snippet.name.clone()}</h2>
            <p class="soft small">
                {used} ". " <code>{format!("{{% include \"{}\" %}}", snippet.name)}</code>
            </p>
            <p class="body-text">{snippet.body.clone()}</p>
            <SnippetForm snippet />
            {(!is_used)
                .then(|| {
                    view! {
                        <PostForm to=delete>
                            <input type="hidden" name="id" value=id />
                            <button class="btn small" disabled=delete.pending()>
                                "Delete"
                            </button>
                        </PostForm>
                    }
                })}
        </article>
    }
}

/// Takes one in, or changes one.
#[component]
fn SnippetForm(#[prop(optional)] snippet: Option<Snippet>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let is_new = snippet.is_none();
    let action = Post::to::<SaveSnippet>(move |snippet| {
        toasts.good(match snippet.used_by {
            0 => format!("{} is saved.", snippet.name),
            many => format!("{} is saved, and in new versions of {many} templates.", snippet.name),
        });
        live.resync();
    });
    let faults = Faults::of_post(action);
    let id = snippet.as_ref().map(|snippet| snippet.id.to_string()).unwrap_or_default();
    // Without a script all forms of the page hear of a failure: only the one that was sent shows it.
    let is_own = faults.typed("id").is_none_or(|typed| typed == id);
    let value = |name: &str, stored: fn(&Snippet) -> String| {
        let typed = faults.typed(name).filter(|_| is_own);
        typed.or_else(|| snippet.as_ref().map(stored)).unwrap_or_default()
    };
    let (name, body) = (value("name", |s| s.name.clone()), value("body", |s| s.body.clone()));
    let error = Signal::derive(move || faults.answer().get().filter(|_| is_own));
    let message = Memo::new(move |_| faults.of("body").filter(|_| is_own));
    let hint = Signal::derive(move || match &snippet {
        Some(snippet) if snippet.used_by > 0 => {
            format!("Saving makes new versions of the templates that use it ({}).", snippet.used_by)
        }
        _ => "It may have variables and variants like a template.".to_owned(),
    });
    let field = if is_new { "f-snippet".to_owned() } else { format!("f-{id}") };
    // Not behind a fold when something was wrong with it.
    let is_open = faults.typed("id").is_some_and(|typed| typed == id);
    let form = view! {
        <PostForm to=action>
            <div class="stack">
                <input type="hidden" name="id" value=id.clone() />
                <NameField id=format!("{field}-name") value=name faults is_own />
                <BodyField id=field value=body message hint />
                <FormError error />
                <div class="foot">
                    <Submit pending=action.pending() busy="Saving…">
                        {if is_new { "Add snippet" } else { "Save" }}
                    </Submit>
                </div>
            </div>
        </PostForm>
    };
    if is_new {
        return form.into_any();
    }
    view! {
        <details open=is_open>
            <summary>"Edit"</summary>
            {form}
        </details>
    }
    .into_any()
}

/// Many forms stand on this page: every field has an id of its own.
#[component]
fn NameField(id: String, value: String, faults: Faults, is_own: bool) -> impl IntoView {
    let message = Memo::new(move |_| faults.of("name").filter(|_| is_own));
    view! {
        <div class="field">
            <label for=id.clone()>"Name"</label>
            <input
                id=id.clone()
                name="name"
                autocomplete="off"
                placeholder="opt_out"
                value=value
                required
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby=format!("{id}-fault")
            />
            <span class="fault" id=format!("{id}-fault")>
                {message}
            </span>
        </div>
    }
}

#[component]
fn BodyField(id: String, value: String, message: Memo<Option<String>>, hint: Signal<String>) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id.clone()>"Text"</label>
            <textarea
                id=id.clone()
                name="body"
                rows="4"
                required
                maxlength=SOURCE_MAX.to_string()
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby=format!("{id}-fault {id}-hint")
            >
                {value}
            </textarea>
            <span class="fault" id=format!("{id}-fault")>
                {message}
            </span>
            <span class="hint" id=format!("{id}-hint")>
                {hint}
            </span>
        </div>
    }
}

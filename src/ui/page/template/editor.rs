//! One template: the text on one side, what a lead gets on the other, made by the code that sends.
//!
//! Without a script the preview is drawn by a button that asks for the page anew, with what was typed in its address.

use super::{HERE, preview::PreviewPane, version::Versions};
use crate::{
    api::{
        error::ApiError,
        lead::list_leads,
        template::{DeleteTemplate, SaveTemplate, load_template, preview_template, template_words},
    },
    domain::{
        channel::Channel,
        template::{SOURCE_MAX, Template, VARIABLES},
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        field::{Field, FieldFrame},
        form::{Faults, sentence, text_of},
        hydrated::Hydrated,
        icon::{Draw, Icon},
        late::late,
        lazy::lazy_page,
        live::Live,
        page_head::PageHead,
        post::{Post, PostForm},
        question::Question,
        select::entries,
        submit::Submit,
        toast::Toasts,
    },
};
use leptos::{
    either::EitherOf3,
    html,
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{HtmlFormElement, HtmlInputElement, HtmlTextAreaElement};

/// How long nobody types before the preview is made.
const PAUSE: Duration = Duration::from_millis(250);

lazy_page! {
    /// The page, loaded when it is visited.
    TemplatePage, template_page, TemplateOf
}

/// What is being written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// The template; empty: a new one.
    pub id: String,
    /// Name of the channel.
    pub channel: String,
    /// E-mail only.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Who it is looked at with; empty: the newest that is found.
    pub lead: String,
    /// What leads are searched for.
    pub q: String,
}

impl Draft {
    fn of_form(id: String, form: &HtmlFormElement) -> Self {
        let text = |name| text_of(form, name);
        Self {
            id,
            channel: text("channel"),
            subject: text("subject"),
            body: text("body"),
            lead: text("lead"),
            q: text("q"),
        }
    }

    pub fn channel(&self) -> Channel {
        Channel::from_name(&self.channel).unwrap_or(Channel::Email)
    }
}

/// The page of one that is there, or of a new one.
#[component]
fn TemplateOf() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id")).filter(|id| id != "new").unwrap_or_default());
    // Not again when somebody saves it: what is typed here would be gone.
    let template_of = Resource::new_blocking(
        move || id.get(),
        |id| async move { if id.is_empty() { Ok(None) } else { load_template(id).await.map(Some) } },
    );
    view! {
        <p class="crumb">
            <a href=HERE>"Templates"</a>
        </p>
        <Transition>
            {move || Suspend::new(async move {
                match template_of.await {
                    // What is inside loads by itself: the server must not walk through it twice (see the shell).
                    Ok(Some(template)) => {
                        EitherOf3::A(Unsuspend::new(move || view! { <Existing template /> }))
                    }
                    Ok(None) => {
                        EitherOf3::B(
                            Unsuspend::new(move || {
                                view! {
                                    <PageHead title="New template" />
                                    <Editor />
                                }
                            }),
                        )
                    }
                    Err(error) => {
                        EitherOf3::C(
                            view! {
                                <PageHead title="Template" />
                                <ErrorBox error retry=move |()| template_of.refetch() />
                            },
                        )
                    }
                }
            })}
        </Transition>
    }
}

#[component]
fn Existing(template: Template) -> impl IntoView {
    let id = template.id.to_string();
    let name = RwSignal::new(template.name.clone());
    let restored = RwSignal::new(None::<Template>);
    let query = use_query_map();
    let open = Memo::new(move |_| query.with(|query| query.get("delete").is_some()).then_some(()));
    let stored = StoredValue::new(template.clone());
    // The dialog comes last: what the server draws of it alone must not come before what both make.
    view! {
        <Head template=template.clone() name />
        <Editor template saved=name restored />
        <Versions id restored />
        {late(open, move |()| Box::pin(delete_dialog(stored.get_value())))}
    }
}

#[component]
fn Head(template: Template, name: RwSignal<String>) -> impl IntoView {
    let name = Memo::new(move |_| name.get());
    let line = template.channel.label();
    let delete = format!("{HERE}/{}?delete=1", template.id);
    move || {
        let href = delete.clone();
        view! {
            <PageHead title=name.get() line>
                <a id="delete-template" class="btn" href=href data-noscroll="">
                    "Delete"
                </a>
            </PageHead>
        }
    }
}

/// What stands in the fields at first: what was typed before a failure or for a preview, else what is stored.
fn first(template: Option<&Template>, faults: Faults, query: &ParamsMap) -> (String, Draft) {
    let given = |name: &str, stored: Option<String>| {
        faults.typed(name).or_else(|| query.get(name)).or(stored).unwrap_or_default()
    };
    let name = given("name", template.map(|template| template.name.clone()));
    let draft = Draft {
        id: template.map(|template| template.id.to_string()).unwrap_or_default(),
        channel: match template {
            Some(template) => template.channel.as_str().to_owned(),
            None => given("channel", Some(Channel::Email.as_str().to_owned())),
        },
        subject: given("subject", template.and_then(|template| template.subject.clone())),
        body: given("body", template.map(|template| template.body.clone())),
        lead: given("lead", None),
        q: given("q", None),
    };
    (name, draft)
}

#[component]
fn Editor(
    /// Nothing: a new one.
    #[prop(optional)]
    template: Option<Template>,
    /// Hears what it is called, when it is saved.
    #[prop(optional)]
    saved: RwSignal<String>,
    /// What it says again, after somebody went back to another version.
    #[prop(optional)]
    restored: RwSignal<Option<Template>>,
) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let hydrated = Hydrated::get();
    let action = Post::to::<SaveTemplate>(move |template| {
        toasts.good(format!("{} is saved, as version {}.", template.name, template.version));
        let _ = saved.try_set(template.name);
        live.resync();
    });
    let faults = Faults::of_post(action);
    let (name, begun) = first(template.as_ref(), faults, &use_query_map().get_untracked());
    let here =
        format!("{HERE}/{}", template.as_ref().map_or_else(|| "new".to_owned(), |template| template.id.to_string()));
    let draft = RwSignal::new(begun.clone());
    let preview = Resource::new_blocking(
        move || (draft.get(), live.templates.get(), live.leads.get()),
        |(draft, ..)| async move {
            if draft.body.trim().is_empty() {
                return Ok(None);
            }
            let Draft { id, channel, subject, body, lead, q } = draft;
            // A mail without a subject yet has a preview, too.
            let subject = if subject.trim().is_empty() { "…".to_owned() } else { subject };
            preview_template(id, channel, subject, body, lead, q).await.map(Some)
        },
    );
    // Not in the first drawing, for which the server waits only inside of the preview's boundary.
    let found: Memo<Option<ApiError>> = Memo::new(move |_| if hydrated.get() { preview.get()?.err() } else { None });
    let form = NodeRef::<html::Form>::new();
    let id = StoredValue::new(begun.id.clone());
    let look = move || {
        if let (Some(form), Some(id)) = (form.try_get_untracked().flatten(), id.try_get_value()) {
            let mut read = Draft::of_form(id, &form);
            let _ = draft.try_update(|draft| {
                // Another search finds others.
                if read.q != draft.q {
                    read.lead.clear();
                }
                *draft = read;
            });
        }
    };
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let changed = move || {
        action.clear();
        if let Some(Some(handle)) = waiting.try_update_value(Option::take) {
            handle.clear();
        }
        let _ = waiting.try_set_value(set_timeout_with_handle(look, PAUSE).ok());
    };
    Effect::new(move || {
        if let Some(Template { subject, body, .. }) = restored.get() {
            fill(&subject.unwrap_or_default(), &body);
            changed();
        }
    });
    // Where the cursor was last: what is inserted goes there.
    let in_subject = RwSignal::new(false);
    view! {
        <PostForm to=action node_ref=form on:input=move |_| changed()>
            <div class="editor">
                <div class="card inner stack">
                    <input type="hidden" name="id" value=begun.id.clone() />
                    <Field name="name" label="Name" placeholder="Welcome" value=name faults />
                    <Channels only=template.as_ref().map(|template| template.channel) chosen=begun.channel() />
                    <div class="for-email">
                        <TextField name="subject" label="Subject" value=begun.subject.clone() faults found in_subject />
                    </div>
                    <Words in_subject changed=Callback::new(move |()| changed()) />
                    <TextField name="body" label="Text" value=begun.body.clone() faults found in_subject />
                    <FormError error=faults.answer() />
                    <div class="foot">
                        <button class="btn" formaction=here formmethod="get" formnovalidate hidden=move || hydrated.get()>
                            "Preview"
                        </button>
                        <Submit pending=action.pending() busy="Saving…">
                            "Save"
                        </Submit>
                    </div>
                </div>
                <div class="card inner stack">
                    <LeadField draft />
                    <PreviewPane draft preview />
                </div>
            </div>
        </PostForm>
    }
}

/// The channels to choose from; only one when it is chosen for good.
#[component]
fn Channels(only: Option<Channel>, chosen: Channel) -> impl IntoView {
    let tile = move |choice: Channel| {
        view! {
            <label class=format!("tile-choice {}", choice.as_str())>
                <input type="radio" name="channel" value=choice.as_str() checked=choice == chosen />
                <Draw icon=Icon::of(choice) />
                {choice.label()}
            </label>
        }
    };
    let choices: Vec<Channel> =
        Channel::ALL.into_iter().filter(|choice| only.is_none_or(|only| only == *choice)).collect();
    let is_fixed = only.is_some();
    view! {
        <fieldset class="choices" class:fixed=is_fixed>
            <legend>"Channel"</legend>
            <div class="tiles">{choices.into_iter().map(tile).collect_view()}</div>
        </fieldset>
    }
}

/// A text with variables: its fault is the server's last word on it, else what the preview found while it is typed.
#[component]
fn TextField(
    name: &'static str,
    label: &'static str,
    value: String,
    faults: Faults,
    found: Memo<Option<ApiError>>,
    in_subject: RwSignal<bool>,
) -> impl IntoView {
    let message = Memo::new(move |_| {
        let live = found.with(|found| found.as_ref().and_then(|error| error.fields.of(name).map(sentence)));
        live.or_else(|| faults.of(name))
    });
    let id = if name == "body" { "f-body" } else { "f-subject" };
    let hint = Signal::derive(move || {
        let how = "{{ first_name or \"there\" }} for a variable with a fallback, {Hi|Hello} for variants.";
        if name == "body" { how.to_owned() } else { String::new() }
    });
    let described = format!("{id}-fault {id}-hint");
    let invalid = move || message.get().map(|_| "true");
    view! {
        <FieldFrame id label message hint>
            {if name == "body" {
                view! {
                    <textarea
                        id=id
                        name=name
                        rows="14"
                        maxlength=SOURCE_MAX.to_string()
                        on:focus=move |_| in_subject.set(false)
                        aria-invalid=invalid
                        aria-describedby=described
                    >
                        {value}
                    </textarea>
                }
                    .into_any()
            } else {
                view! {
                    <input id=id name=name autocomplete="off" on:focus=move |_| in_subject.set(true) value=value aria-invalid=invalid aria-describedby=described />
                }
                    .into_any()
            }}
        </FieldFrame>
    }
}

/// What can be put into the texts: buttons; without a script a list to copy from.
#[component]
fn Words(in_subject: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let live = Live::get();
    let hydrated = Hydrated::get();
    let words = Resource::new_blocking(move || (live.leads.get(), live.templates.get()), |_| template_words());
    let list = move || {
        let (custom, snippets) = words.get().and_then(Result::ok).unwrap_or_default();
        let plain = VARIABLES.map(|(name, label)| (label.to_owned(), format!("{{{{ {name} }}}}")));
        let custom = custom.into_iter().map(|name| (name.replace('_', " "), format!("{{{{ custom.{name} }}}}")));
        let snippets =
            snippets.into_iter().map(|name| (format!("Snippet {name}"), format!("{{% include \"{name}\" %}}")));
        plain.into_iter().chain(custom).chain(snippets).collect::<Vec<_>>()
    };
    let word = move |(label, text): (String, String)| {
        let put = text.clone();
        view! {
            <li>
                <button
                    type="button"
                    class="btn small"
                    hidden=move || !hydrated.get()
                    title=text.clone()
                    on:click=move |_| {
                        insert(&put, in_subject.get_untracked());
                        changed.run(());
                    }
                >
                    {label}
                </button>
                <code hidden=move || hydrated.get()>{text}</code>
            </li>
        }
    };
    view! {
        <details class="words" open>
            <summary>"Insert"</summary>
            <Transition>
                <ul aria-label="Insert">{move || list().into_iter().map(word).collect_view()}</ul>
            </Transition>
        </details>
    }
}

/// The fields of the texts.
fn fields() -> (Option<HtmlInputElement>, Option<HtmlTextAreaElement>) {
    let find = |id| document().get_element_by_id(id);
    let subject = find("f-subject").and_then(|field| field.dyn_into::<HtmlInputElement>().ok());
    (subject, find("f-body").and_then(|field| field.dyn_into::<HtmlTextAreaElement>().ok()))
}

fn fill(subject: &str, body: &str) {
    let fields = fields();
    if let Some(field) = fields.0 {
        field.set_value(subject);
    }
    if let Some(field) = fields.1 {
        field.set_value(body);
    }
}

/// Puts a text where the cursor was: into the subject if that was typed into last, else into the body.
fn insert(text: &str, is_subject: bool) {
    let (subject, body) = fields();
    match (subject, body) {
        (Some(field), _) if is_subject => {
            let _ = field.set_range_text(text);
            let _ = field.focus();
        }
        (_, Some(field)) => {
            let end = field.selection_start().ok().flatten().unwrap_or_default();
            let _ = field.set_range_text(text);
            let end = end + u32::try_from(text.encode_utf16().count()).unwrap_or_default();
            let _ = field.set_selection_range(end, end);
            let _ = field.focus();
        }
        _ => {}
    }
}

/// Who it is looked at with.
#[component]
fn LeadField(draft: RwSignal<Draft>) -> impl IntoView {
    let live = Live::get();
    let asked = Memo::new(move |_| draft.with(|draft| draft.q.clone()));
    let leads = Resource::new_blocking(
        move || (asked.get(), live.leads.get()),
        |(q, _)| list_leads(Some(q), None, None, None, None),
    );
    let options = move || {
        let found = leads.get().and_then(Result::ok).map(|page| page.data).unwrap_or_default();
        let chosen = draft.with_untracked(|draft| draft.lead.clone());
        let first = match (found.is_empty(), asked.with_untracked(String::is_empty)) {
            (true, _) => "An example person",
            (false, true) => "The newest lead",
            (false, false) => "The newest one found",
        };
        let named = found.into_iter().take(20).map(|lead| (lead.id.to_string(), lead.label().to_owned()));
        view! {
            <option value="">{first}</option>
            {entries(named, &chosen)}
        }
    };
    let q = draft.with_untracked(|draft| draft.q.clone());
    view! {
        <div class="pairs">
            <div class="field">
                <label for="f-q">"Search leads"</label>
                <input id="f-q" name="q" type="search" placeholder="Name, company, e-mail or number" value=q />
            </div>
            <div class="field">
                <label for="f-lead">"Preview with"</label>
                <Transition>
                    <select id="f-lead" name="lead">
                        {options}
                    </select>
                </Transition>
            </div>
        </div>
    }
}

#[wasm_split(template_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn delete_dialog(template: Template) -> Result<AnyView, SplitLoaderError> {
    let back = format!("{HERE}/{}", template.id);
    Ok(view! { <DeleteDialog template back /> }.into_any())
}

#[component]
fn DeleteDialog(template: Template, back: String) -> impl IntoView {
    let to = Post::to::<DeleteTemplate>(|()| {});
    view! {
        <Question to id=template.id.to_string() title="Delete template?" back opener="delete-template" verb="Delete template" busy="Deleting…">
            <b>{template.name}</b>
            " and all its versions are forgotten. What was sent stays among the messages."
        </Question>
    }
}

//! Forms that are posted to a server function.
//!
//! Leptos' own `ActionForm` compiles the whole way from form to answer anew for every server function: it reads the form
//! into the function's arguments, only to write them out again. Here the browser sends the form as it is, by one piece
//! of code; what remains per function is reading its answer. Without a script the form posts itself, as with Leptos.

use super::toast::Toasts;
use crate::api::error::{ApiError, Kind};
use leptos::{
    ev::SubmitEvent,
    html,
    prelude::*,
    server::ServerActionError,
    server_fn::{
        ServerFn,
        error::{FromServerFnError, ServerFnUrlError},
        redirect::{REDIRECT_HEADER, call_redirect_hook},
    },
    task::spawn_local,
};
use serde::{Deserialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{FormData, HtmlButtonElement, HtmlFormElement, RequestInit, Response, UrlSearchParams};

/// A form's way to a server function that answers `T`.
pub struct Post<T: 'static> {
    url: &'static str,
    pending: RwSignal<bool>,
    failure: RwSignal<Option<ApiError>>,
    done: Callback<T>,
    failed: Option<Callback<ApiError>>,
    begun: Option<Callback<()>>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Post<T> {}

impl<T: DeserializeOwned + 'static> Post<T> {
    /// To the server function `S`; `done` hears of its success. A failure of before, without a script, is taken over.
    pub fn to<S>(done: impl Fn(T) + Send + Sync + 'static) -> Self
    where
        S: ServerFn<Output = T, Error = ApiError>,
    {
        let before = use_context::<ServerActionError>().filter(|error| error.path() == S::PATH);
        let before = before.map(|error| ServerFnUrlError::<ApiError>::decode_err(error.err()));
        Self {
            url: S::url(),
            pending: RwSignal::new(false),
            failure: RwSignal::new(before),
            done: Callback::new(done),
            failed: None,
            begun: None,
        }
    }

    /// Tells failures in the corner, for forms that have no room for them.
    #[must_use]
    pub fn or_toast(mut self) -> Self {
        let toasts = Toasts::get();
        self.failed = Some(Callback::new(move |error| toasts.error(&error)));
        self
    }

    /// Does something when the form has been read and is on its way. A listener of the form itself could redraw the form
    /// before it is read.
    #[must_use]
    pub fn at_once(mut self, begun: impl Fn() + Send + Sync + 'static) -> Self {
        self.begun = Some(Callback::new(move |()| begun()));
        self
    }

    /// Hears of failures.
    #[must_use]
    pub fn or_else(mut self, failed: impl Fn(ApiError) + Send + Sync + 'static) -> Self {
        self.failed = Some(Callback::new(failed));
        self
    }

    /// True while the form is on its way.
    pub fn pending(self) -> Signal<bool> {
        self.pending.into()
    }

    /// The last failure, until the next try.
    pub fn failure(self) -> Signal<Option<ApiError>> {
        self.failure.into()
    }

    /// Forgets the last failure.
    pub fn clear(self) {
        let _ = self.failure.try_set(None);
    }

    /// Sends a form, once at a time. What the form belonged to may be gone when the answer comes.
    fn send(self, form: FormData) {
        if self.pending.try_set(true).is_some() {
            return;
        }
        if let Some(begun) = self.begun {
            begun.run(());
        }
        spawn_local(async move {
            let answer = fetch(self.url, &form).await.and_then(|text| read::<T>(&text));
            let _ = self.pending.try_set(false);
            match answer {
                Ok(value) => {
                    self.clear();
                    let _ = self.done.try_run(value);
                }
                Err(error) => {
                    let _ = self.failure.try_set(Some(error.clone()));
                    if let Some(failed) = self.failed {
                        let _ = failed.try_run(error);
                    }
                }
            }
        });
    }
}

/// Where a form goes: a [`Post`] without the type of its answer.
#[derive(Clone, Copy)]
pub struct Target {
    url: &'static str,
    pending: RwSignal<bool>,
    send: Callback<(SendWrapped,)>,
}

/// A form's data on its way through a callback; there is one thread in a browser.
type SendWrapped = leptos::__reexports::send_wrapper::SendWrapper<FormData>;

impl<T: DeserializeOwned + 'static> From<Post<T>> for Target {
    fn from(post: Post<T>) -> Self {
        let send = Callback::new(move |(form,): (SendWrapped,)| post.send(form.take()));
        Self { url: post.url, pending: post.pending, send }
    }
}

/// The form. It is sent once at a time, however often its button is pressed.
#[component]
pub fn PostForm(
    /// Where it goes.
    #[prop(into)]
    to: Target,
    /// Where it goes without a script, if that is another place: one that answers with a page.
    #[prop(optional)]
    plain: Option<&'static str>,
    #[prop(optional)] node_ref: NodeRef<html::Form>,
    children: Children,
) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        if !to.pending.get_untracked()
            && let Some(form) = form_data(&event)
        {
            to.send.run((SendWrapped::new(form),));
        }
    };
    view! {
        <form action=plain.unwrap_or(to.url) method="post" node_ref=node_ref on:submit=submit>
            {children()}
        </form>
    }
}

/// The fields of the form, with the button that was pressed.
fn form_data(event: &SubmitEvent) -> Option<FormData> {
    let form = event.target()?.dyn_into::<HtmlFormElement>().ok()?;
    let data = FormData::new_with_form(&form).ok()?;
    if let Some(button) = event.submitter().and_then(|button| button.dyn_into::<HtmlButtonElement>().ok())
        && !button.name().is_empty()
    {
        data.append_with_str(&button.name(), &button.value()).ok()?;
    }
    Some(data)
}

/// Posts a form; the text of a good answer, or the failure. Follows a redirect of the server.
async fn fetch(url: &str, form: &FormData) -> Result<String, ApiError> {
    let unreachable = |_: JsValue| {
        ApiError::new(Kind::Transport, "unreachable", "Tern cannot be reached. Check the connection and try again.")
    };
    let body = UrlSearchParams::new_with_str_sequence_sequence(form).map_err(unreachable)?;
    let headers = web_sys::Headers::new().map_err(unreachable)?;
    headers.set("Accept", "application/json").map_err(unreachable)?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(&body);
    let response = JsFuture::from(window().fetch_with_str_and_init(url, &init)).await.map_err(unreachable)?;
    let response: Response = response.unchecked_into();
    let text = JsFuture::from(response.text().map_err(unreachable)?).await.map_err(unreachable)?;
    let text = text.as_string().unwrap_or_default();
    let header = |name: &str| response.headers().get(name).ok().flatten();
    if let (Some(_), Some(location)) = (header(REDIRECT_HEADER), header("location")) {
        call_redirect_hook(&location);
    }
    if response.ok() { Ok(text) } else { Err(failure(&text)) }
}

/// Reads a failure: that of a server function, or the short one of what stands before them all.
fn failure(text: &str) -> ApiError {
    /// As the public API tells it.
    #[derive(Deserialize)]
    struct Short {
        error: String,
        code: String,
    }
    match serde_json::from_str::<Short>(text) {
        Ok(short) => ApiError::new(Kind::Unavailable, &short.code, short.error),
        Err(_) => ApiError::de(text.as_bytes().to_vec().into()),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_str(text).map_err(|_| {
        ApiError::new(Kind::Transport, "transport", "The answer could not be read. Reload the page and try again.")
    })
}

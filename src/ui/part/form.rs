//! What every form needs: its faults, and the text in it.

use super::post::Post;
use crate::{api::error::ApiError, domain::field_error::FieldErrors};
use leptos::prelude::*;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlElement, HtmlFormElement, SubmitEvent};

/// The faults of a form: those the browser found, else those of the server's last answer.
///
/// All reads are `try_get`: a dialog that closes on success is disposed while the answer is still being told.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    local: RwSignal<Option<FieldErrors>>,
    answer: Signal<Option<ApiError>>,
}

impl Faults {
    /// Those that a post comes back with.
    pub fn of_post<T: DeserializeOwned>(post: Post<T>) -> Self {
        Self { local: RwSignal::new(None), answer: post.failure() }
    }

    /// The message for a field.
    pub fn of(self, field: &str) -> Option<String> {
        let pick = |errors: &FieldErrors| errors.of(field).map(sentence);
        match self.local.try_get().flatten() {
            Some(local) => pick(&local),
            None => self.answer.try_get().flatten().and_then(|error| pick(&error.fields)),
        }
    }

    /// The server's answer, unless the browser found something first.
    pub fn answer(self) -> Signal<Option<ApiError>> {
        Signal::derive(move || match self.local.try_get().flatten() {
            Some(_) => None,
            None => self.answer.try_get().flatten(),
        })
    }

    /// What was typed before the server's answer; only the first drawing needs it.
    pub fn typed(self, field: &str) -> Option<String> {
        self.answer.with_untracked(|error| error.as_ref().and_then(|error| error.typed(field).map(str::to_owned)))
    }

    /// Keeps the form from being sent when something is wrong, and takes the person to the first fault.
    pub fn stop(self, event: &SubmitEvent, found: FieldErrors) {
        if found.is_empty() {
            self.local.set(None);
            return;
        }
        event.prevent_default();
        self.local.set(Some(found));
        let form = form_of(event);
        request_animation_frame(move || {
            let first = form.and_then(|form| form.query_selector("[aria-invalid=true]").ok().flatten());
            if let Some(first) = first.and_then(|first| first.dyn_into::<HtmlElement>().ok()) {
                let _ = first.focus();
            }
        });
    }
}

/// "is required" becomes "Is required."
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// The form that an event came from.
pub fn form_of(event: &web_sys::Event) -> Option<HtmlFormElement> {
    let target = event.current_target().or_else(|| event.target())?;
    target.dyn_into::<HtmlFormElement>().ok()
}

/// The text of a field; empty when there is none.
pub fn text_of(form: &HtmlFormElement, name: &str) -> String {
    FormData::new_with_form(form).ok().and_then(|data| data.get(name).as_string()).unwrap_or_default()
}

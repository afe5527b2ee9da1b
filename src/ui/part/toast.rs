//! Short notes in the corner: what was done, or why not.

use super::icon::{Draw, Icon};
use crate::api::error::ApiError;
use leptos::prelude::*;
use std::time::Duration;

/// How long a good note stays; a bad one stays until it is closed.
const STAY: Duration = Duration::from_secs(6);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    id: u32,
    is_bad: bool,
    text: String,
}

/// The notes of the application.
#[derive(Debug, Clone, Copy)]
pub struct Toasts {
    notes: RwSignal<Vec<Note>>,
    next: StoredValue<u32>,
}

impl Toasts {
    /// For the whole application.
    pub fn provide() -> Self {
        let toasts = Self { notes: RwSignal::new(Vec::new()), next: StoredValue::new(0) };
        provide_context(toasts);
        toasts
    }

    /// The one of the application.
    pub fn get() -> Self {
        use_context::<Self>().unwrap_or_else(Self::provide)
    }

    /// Something worked.
    pub fn good(self, text: impl Into<String>) {
        let id = self.push(false, text.into());
        set_timeout(move || self.close(id), STAY);
    }

    /// Something did not.
    pub fn bad(self, text: impl Into<String>) {
        self.push(true, text.into());
    }

    /// Something did not, and there may be a reference for the log.
    pub fn error(self, error: &ApiError) {
        self.bad(match &error.reference {
            Some(reference) => format!("{} (reference {reference})", error.message),
            None => error.message.clone(),
        });
    }

    fn push(self, is_bad: bool, text: String) -> u32 {
        let id = self.next.get_value();
        self.next.set_value(id.wrapping_add(1));
        let _ = self.notes.try_update(|notes| {
            notes.retain(|note| note.text != text);
            notes.push(Note { id, is_bad, text });
        });
        id
    }

    fn of(self, is_bad: bool) -> Vec<Note> {
        self.notes.get().into_iter().filter(|note| note.is_bad == is_bad).collect()
    }

    fn close(self, id: u32) {
        let _ = self.notes.try_update(|notes| notes.retain(|note| note.id != id));
    }
}

/// The two regions that screen readers listen to; they are in the first HTML, or nothing would be read out.
#[component]
pub fn ToastRegions() -> impl IntoView {
    let toasts = Toasts::get();
    let list = move |is_bad: bool| {
        view! {
            <For
                each=move || toasts.of(is_bad)
                key=|note| note.id
                let:note
            >
                <div class="toast" class:bad=note.is_bad>
                    <Draw icon=if note.is_bad { Icon::Warning } else { Icon::Tick } />
                    <p>{note.text}</p>
                    <button
                        type="button"
                        class="btn quiet icon-only small"
                        aria-label="Close this note"
                        on:click=move |_| toasts.close(note.id)
                    >
                        <Draw icon=Icon::Cross />
                    </button>
                </div>
            </For>
        }
    };
    view! {
        <div class="toasts">
            <div role="status">{list(false)}</div>
            <div role="alert">{list(true)}</div>
        </div>
    }
}

//! Whether the browser has taken the page over: what needs a script is offered only then.

use leptos::prelude::*;

/// False on the server and in the first drawing, which must be the same; true once the whole page, with its lazy parts, is
/// taken over.
#[derive(Debug, Clone)]
pub struct Hydrated(ArcRwSignal<bool>);

impl Default for Hydrated {
    fn default() -> Self {
        Self(ArcRwSignal::new(false))
    }
}

impl Hydrated {
    /// The whole page is taken over.
    pub fn set(&self) {
        self.0.set(true);
        Self::mark();
    }

    /// Tests and styles can tell a page that answers from one that is only drawn: an open dialog of the server still waits
    /// for its code (`late`).
    pub fn mark() {
        let is_waiting = document().query_selector("[data-island] *").is_ok_and(|found| found.is_some());
        if let Some(body) = document().body().filter(|_| !is_waiting) {
            let _ = body.set_attribute("data-hydrated", "");
        }
    }

    /// The one of the application.
    pub fn get() -> Signal<bool> {
        use_context::<Self>().map_or_else(|| Signal::from(false), |hydrated| hydrated.0.into())
    }
}

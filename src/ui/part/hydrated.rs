//! Whether the browser has taken the page over: what needs a script is offered only then.

use leptos::prelude::*;

/// False on the server and in the first drawing, true from then on.
#[derive(Debug, Clone, Copy)]
pub struct Hydrated(RwSignal<bool>);

impl Hydrated {
    /// For the whole application.
    pub fn provide() {
        let signal = RwSignal::new(false);
        provide_context(Self(signal));
        Effect::new(move || {
            signal.set(true);
            // Tests and styles can tell a page that answers from one that is only drawn.
            if let Some(body) = document().body() {
                let _ = body.set_attribute("data-hydrated", "");
            }
        });
    }

    /// The one of the application.
    pub fn get() -> Signal<bool> {
        use_context::<Self>().map_or_else(|| Signal::from(false), |hydrated| hydrated.0.into())
    }
}

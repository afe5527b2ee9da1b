//! What the server tells open pages: "something about accounts changed". A page asks again through its own call.

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{EventSource, MessageEvent};

/// Whether hints arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// They do, or nobody has asked yet.
    Open,
    /// The server said that it stops.
    Stopping,
    /// The connection is gone.
    Lost,
}

/// Versions that grow with every hint: a resource whose source reads one is fetched again.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Of the accounts.
    pub accounts: RwSignal<u32>,
    /// Of the imports.
    pub imports: RwSignal<u32>,
    /// Of the leads.
    pub leads: RwSignal<u32>,
    /// Of the messages.
    pub messages: RwSignal<u32>,
    /// Of the sequences.
    pub sequences: RwSignal<u32>,
    /// Of the templates and snippets.
    pub templates: RwSignal<u32>,
    /// Whether hints arrive.
    pub line: RwSignal<Line>,
}

/// How long a connection may be away before anybody is told.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before a closed stream is opened again.
const PAUSE: Duration = Duration::from_secs(3);

impl Live {
    /// For the pages below; the stream is opened in the browser only, and closed with the owner.
    pub fn provide() -> Self {
        let versions = || RwSignal::new(0);
        let live = Self {
            accounts: versions(),
            imports: versions(),
            leads: versions(),
            messages: versions(),
            sequences: versions(),
            templates: versions(),
            line: RwSignal::new(Line::Open),
        };
        provide_context(live);
        Effect::new(move || {
            let source = StoredValue::new_local(None::<EventSource>);
            live.connect(source);
            on_cleanup(move || {
                if let Some(Some(source)) = source.try_get_value() {
                    source.close();
                }
            });
        });
        live
    }

    /// The one of the shell.
    pub fn get() -> Self {
        use_context::<Self>().unwrap_or_else(Self::provide)
    }

    /// Each with the name that hints have for it.
    fn all(self) -> [(&'static str, RwSignal<u32>); 6] {
        [
            ("accounts", self.accounts),
            ("imports", self.imports),
            ("leads", self.leads),
            ("messages", self.messages),
            ("sequences", self.sequences),
            ("templates", self.templates),
        ]
    }

    /// Something of these may have changed.
    fn grow(self, is_meant: impl Fn(&str) -> bool) {
        for (_, version) in self.all().into_iter().filter(|(name, _)| is_meant(name)) {
            let _ = version.try_update(|n| *n += 1);
        }
    }

    /// Everything may have changed.
    pub fn resync(self) {
        self.grow(|_| true);
    }

    fn connect(self, slot: StoredValue<Option<EventSource>, LocalStorage>) {
        let Ok(source) = EventSource::new("/live") else { return };
        let waiting = StoredValue::new(None::<TimeoutHandle>);
        let seen = StoredValue::new(false);
        listen(&source, "open", move |_| {
            if let Some(Some(handle)) = waiting.try_update_value(Option::take) {
                handle.clear();
            }
            let was_open = self.line.try_get_untracked() == Some(Line::Open);
            if !was_open || seen.try_get_value() == Some(true) {
                let _ = self.line.try_set(Line::Open);
                self.resync();
            }
            let _ = seen.try_set_value(true);
        });
        let stream = source.clone();
        listen(&source, "error", move |_| {
            let pending = waiting.try_with_value(Option::is_some).unwrap_or(true);
            if !pending {
                let tell = move || {
                    let _ = waiting.try_set_value(None);
                    if self.line.try_get_untracked() == Some(Line::Open) {
                        let _ = self.line.try_set(Line::Lost);
                    }
                };
                let _ = waiting.try_set_value(set_timeout_with_handle(tell, PATIENCE).ok());
            }
            // The browser comes back by itself unless the answer was no stream at all.
            if stream.ready_state() == EventSource::CLOSED {
                set_timeout(
                    move || {
                        if slot.try_get_value().flatten().is_some() {
                            self.connect(slot);
                        }
                    },
                    PAUSE,
                );
            }
        });
        listen(&source, "hint", move |event| {
            let text = event.data().as_string().unwrap_or_default();
            let topic = js_sys::JSON::parse(&text)
                .and_then(|hint| js_sys::Reflect::get(&hint, &JsValue::from_str("topic")))
                .ok()
                .and_then(|topic| topic.as_string());
            self.grow(|name| topic.as_deref() == Some(name));
        });
        listen(&source, "resync", move |_| self.resync());
        listen(&source, "stopping", move |_| {
            let _ = self.line.try_set(Line::Stopping);
        });
        let _ = slot.try_set_value(Some(source));
    }
}

/// Attaches a listener that lives as long as the page.
fn listen(source: &EventSource, name: &str, on_event: impl Fn(MessageEvent) + 'static) {
    let closure = Closure::<dyn Fn(MessageEvent)>::new(on_event).into_js_value();
    let _ = source.add_event_listener_with_callback(name, closure.unchecked_ref());
}

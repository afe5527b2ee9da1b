//! What a lead gets, beside the text that is being written.

use super::editor::Draft;
use crate::{
    api::error::ApiError,
    domain::{channel::Channel, template::Preview},
    ui::part::{form::sentence, shown::kept},
};
use leptos::prelude::*;

/// The preview, what is missing in it, and what it is counted as. While the text cannot be read, the last one stays.
#[component]
pub fn PreviewPane(draft: RwSignal<Draft>, preview: Resource<Result<Option<Preview>, ApiError>>) -> impl IntoView {
    view! {
        <aside class="preview" aria-label="Preview">
            <h2>"Preview"</h2>
            <Transition>
                <Seen draft preview />
            </Transition>
        </aside>
    }
}

/// Inside the boundary that waits for it.
#[component]
fn Seen(draft: RwSignal<Draft>, preview: Resource<Result<Option<Preview>, ApiError>>) -> impl IntoView {
    let last = StoredValue::new(None::<Preview>);
    let seen = kept(move || match preview.get() {
        Some(Ok(seen)) => {
            last.set_value(seen.clone());
            seen
        }
        _ => last.get_value(),
    });
    let told = move || {
        preview.get().map(|answer| match answer {
            Ok(None) => ().into_any(),
            Ok(Some(seen)) => view! { <Missing names=seen.missing lead=seen.lead /> }.into_any(),
            Err(error) => view! { <p class="notice bad">{sentence(&error.message)}</p> }.into_any(),
        })
    };
    let channel = Memo::new(move |_| draft.with(Draft::channel));
    let drawn = move || {
        let channel = channel.get();
        let seen = seen.get();
        let count = seen.as_ref().filter(|_| channel == Channel::Sms).map(count);
        view! {
            <Drawn channel seen />
            <p class="soft small">{count}</p>
        }
    };
    view! {
        <div class="stack">
            <div role="status">{told}</div>
            {drawn}
        </div>
    }
}

#[component]
fn Missing(names: Vec<String>, lead: String) -> impl IntoView {
    (!names.is_empty()).then(|| {
        view! {
            <p class="notice warn">
                {format!("{lead} has nothing for ")} <b>{names.join(", ")}</b>
                ". Without a fallback such a message is not sent."
            </p>
        }
    })
}

/// A mail, or a bubble as on a phone.
#[component]
fn Drawn(channel: Channel, seen: Option<Preview>) -> impl IntoView {
    let to = seen.as_ref().map(|seen| seen.lead.clone()).unwrap_or_default();
    let (subject, body, tone) = match seen {
        Some(seen) => (seen.subject.unwrap_or_default(), seen.body, ""),
        None => ("Subject".to_owned(), "Your text".to_owned(), "soft"),
    };
    if channel == Channel::Email {
        view! {
            <div class="letter">
                <b class=tone>{subject}</b>
                <dl>
                    <dt>"To"</dt>
                    <dd>{to}</dd>
                </dl>
                <p class=tone>{body}</p>
            </div>
        }
        .into_any()
    } else {
        view! {
            <div class=format!("phone {}", channel.as_str())>
                <span class="soft small">{to}</span>
                <p class=format!("bubble {tone}")>{body}</p>
            </div>
        }
        .into_any()
    }
}

/// "2 segments (UCS-2 because of ’)".
fn count(seen: &Preview) -> String {
    let plural = if seen.segments == 1 { "" } else { "s" };
    let few: Vec<String> = seen.forced_by.iter().take(5).map(char::to_string).collect();
    let why = if few.is_empty() { String::new() } else { format!(" because of {}", few.join(" ")) };
    let encoding = seen.encoding.clone().unwrap_or_default();
    format!("{} characters, {} segment{plural} ({encoding}{why})", seen.body.chars().count(), seen.segments)
}

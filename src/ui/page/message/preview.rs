//! What the recipient will see, drawn while it is typed. Without a script there is none: nobody could keep it up to date.

use crate::domain::{account::Account, channel::Channel};
use leptos::prelude::*;

/// What is typed so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// The recipient.
    pub to: String,
    /// E-mail only.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// A mail, or a bubble as on a phone.
#[component]
pub fn Preview(
    channel: RwSignal<Channel>,
    draft: RwSignal<Draft>,
    /// Through which account it goes.
    #[prop(into)]
    sender: Signal<Option<Account>>,
) -> impl IntoView {
    move || {
        let (channel, draft) = (channel.get(), draft.get());
        let sender = sender.get().map(|sender| (sender.display_name, sender.address));
        let (name, address) = sender.unwrap_or_else(|| ("No account".to_owned(), String::new()));
        let or = |text: String, instead: &str| {
            if text.trim().is_empty() { (instead.to_owned(), "soft") } else { (text, "") }
        };
        let (body, tone) = or(draft.body, "Your message");
        let to = or(draft.to, "Recipient").0;
        if channel == Channel::Email {
            let subject = or(draft.subject, "(no subject)").0;
            view! {
                <div class="letter">
                    <b>{subject}</b>
                    <dl>
                        <dt>"From"</dt>
                        <dd>{name} " " <span class="soft">{address}</span></dd>
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
                    <span class="soft small">{name} " to " {to}</span>
                    <p class=format!("bubble {tone}")>{body}</p>
                </div>
            }
            .into_any()
        }
    }
}

//! The text of a new message, and what it will be counted as.

use super::preview::Draft;
use crate::{
    domain::{
        channel::Channel,
        message::{BODY_MAX, EMAIL_BODY_MAX},
        segment::{Encoding, measure, plain},
    },
    ui::part::form::Faults,
};
use leptos::{html, prelude::*};

/// The field, its count, and a way out when a look-alike makes an SMS dear.
#[component]
pub fn BodyField(value: String, draft: RwSignal<Draft>, channel: RwSignal<Channel>, faults: Faults) -> impl IntoView {
    let node = NodeRef::<html::Textarea>::new();
    let message = Memo::new(move |_| faults.of("body"));
    let count = move || draft.with(|draft| describe(&draft.body, channel.get()));
    let cheaper =
        Memo::new(move |_| (channel.get() == Channel::Sms).then(|| draft.with(|draft| cheaper(&draft.body))).flatten());
    let replace = move |_| {
        if let (Some(node), Some(text)) = (node.get(), cheaper.get_untracked()) {
            node.set_value(&text);
            let _ = node.focus();
            draft.update(|draft| draft.body = text);
        }
    };
    view! {
        <div class="field">
            <label for="f-body">"Message"</label>
            <textarea
                id="f-body"
                name="body"
                rows="5"
                required
                node_ref=node
                maxlength=EMAIL_BODY_MAX.to_string()
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby="f-body-fault f-body-count"
            >
                {value}
            </textarea>
            <span class="fault" id="f-body-fault">
                {message}
            </span>
            <span class="hint" id="f-body-count">
                {count}
            </span>
            {move || {
                cheaper
                    .with(Option::is_some)
                    .then(|| {
                        view! {
                            <button type="button" class="btn small fit" on:click=replace>
                                "Use plain characters"
                            </button>
                        }
                    })
            }}
        </div>
    }
}

/// The text with plain characters, when that alone lets it travel as GSM-7.
fn cheaper(text: &str) -> Option<String> {
    let is_dear = |text: &str| measure(text).encoding == Encoding::Ucs2;
    let plain = plain(text);
    (is_dear(text) && !is_dear(&plain)).then_some(plain)
}

/// "42 characters, 1 segment (GSM-7)", and why it is Unicode if it is.
fn describe(text: &str, channel: Channel) -> String {
    let characters = text.chars().count();
    let many = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match channel {
        Channel::Email => many(characters, "character"),
        Channel::Whatsapp => format!("{} of {BODY_MAX}", many(characters, "character")),
        Channel::Sms => {
            let segments = measure(text);
            let count = many(usize::try_from(segments.count).unwrap_or_default(), "segment");
            let why = match segments.encoding {
                Encoding::Gsm7 => String::new(),
                Encoding::Ucs2 => {
                    let few: Vec<String> = segments.forced_by.iter().take(3).map(char::to_string).collect();
                    format!(" because of {}", few.join(" "))
                }
            };
            let left =
                if segments.count == 0 { String::new() } else { format!("; {} left in the last", segments.left) };
            format!("{}, {count} ({}{why}){left}", many(characters, "character"), segments.encoding.label())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_says_what_an_sms_costs_and_why() {
        assert_eq!(describe("", Channel::Sms), "0 characters, 0 segments (GSM-7)");
        assert_eq!(describe("Hello", Channel::Sms), "5 characters, 1 segment (GSM-7); 155 left in the last");
        let dear = describe("It’s", Channel::Sms);
        assert_eq!(dear, "4 characters, 1 segment (Unicode because of ’); 66 left in the last");
        assert_eq!(describe("a", Channel::Whatsapp), "1 character of 1600");
        assert_eq!(cheaper("It’s"), Some("It's".to_owned()));
        assert_eq!((cheaper("It's"), cheaper("It’s 👍")), (None, None), "nothing is gained");
    }
}

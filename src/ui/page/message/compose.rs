//! The dialog that sends a message.

use super::{Accounts, HERE, known};
use crate::{
    api::message::SendMessage,
    domain::{
        channel::Channel,
        message::{BODY_MAX, EMAIL_BODY_MAX},
        segment::{Encoding, measure},
    },
    ui::part::{
        error_box::FormError,
        field::Field,
        form::{Faults, form_of, text_of},
        hydrated::Hydrated,
        icon::{Draw, Icon},
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::{html, prelude::*};
use web_sys::HtmlFormElement;

/// The dialog; on success the visitor is on the page of the message.
#[component]
pub fn ComposeDialog(accounts: Accounts) -> impl IntoView {
    let action = Post::to::<SendMessage>(|_| {});
    let faults = Faults::of_post(action);
    let typed = move |field| faults.typed(field).unwrap_or_default();
    let hydrated = Hydrated::get();
    let channel = RwSignal::new(Channel::from_name(&typed("channel")).unwrap_or(Channel::Whatsapp));
    let text = RwSignal::new(typed("body"));
    let form = NodeRef::<html::Form>::new();
    let is_complete = RwSignal::new(false);
    let look = move |form: &HtmlFormElement| {
        let (to, body) = (text_of(form, "to"), text_of(form, "body"));
        is_complete.set(!to.trim().is_empty() && !body.trim().is_empty());
        if let Some(chosen) = Channel::from_name(&text_of(form, "channel")) {
            channel.set(chosen);
        }
        text.set(body);
    };
    Effect::new(move || {
        if let Some(form) = form.get() {
            look(&form);
        }
    });
    let is_mail = move || channel.get() == Channel::Email;
    let blocked = Signal::derive(move || hydrated.get() && !is_complete.get());
    view! {
        <Modal title="Send a message" back=HERE opener="send-message">
            <PostForm
                to=action
                node_ref=form
                on:input=move |event| {
                    if let Some(form) = form_of(&event) {
                        look(&form);
                    }
                }
            >
                <fieldset class="choices">
                    <legend>"Channel"</legend>
                    <div class="tiles">
                        {Channel::ALL
                            .map(|choice| {
                                let is_chosen = channel.get_untracked() == choice;
                                view! {
                                    <label class=format!("tile-choice {}", choice.as_str())>
                                        <input type="radio" name="channel" value=choice.as_str() checked=is_chosen />
                                        <Draw icon=Icon::of(choice) />
                                        {choice.label()}
                                    </label>
                                }
                            })
                            .collect_view()}
                    </div>
                </fieldset>
                <div class="field">
                    <label for="f-account_id">"Account"</label>
                    <Suspense>
                        <AccountChoice accounts channel chosen=typed("account_id") />
                    </Suspense>
                </div>
                <Field
                    name="to"
                    label="Recipient"
                    placeholder="+14155552671"
                    value=typed("to")
                    hint="A phone number with country code; for e-mail an address."
                    faults
                />
                <div hidden=move || hydrated.get() && !is_mail()>
                    <Field
                        name="subject"
                        label="Subject"
                        aside="e-mail only"
                        value=typed("subject")
                        required=false
                        faults
                    />
                </div>
                <BodyField value=typed("body") text channel faults />
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=HERE data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Sending…" blocked>
                        "Send message"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

/// The accounts of the channel; without a script, those of all channels.
#[component]
fn AccountChoice(accounts: Accounts, channel: RwSignal<Channel>, chosen: String) -> impl IntoView {
    let hydrated = Hydrated::get();
    view! {
        <select id="f-account_id" name="account_id">
            <option value="">"Default (the oldest active account)"</option>
            {move || {
                known(accounts)
                    .into_iter()
                    .map(|account| {
                        let is_chosen = account.id.as_str() == chosen;
                        let of = account.channel;
                        let is_other = move || hydrated.get() && channel.get() != of;
                        let state = if account.is_active { "" } else { ", inactive" };
                        view! {
                            <option
                                value=account.id.to_string()
                                selected=is_chosen
                                hidden=is_other
                                disabled=is_other
                            >
                                {format!("{} ({}{state})", account.display_name, of.label())}
                            </option>
                        }
                    })
                    .collect_view()
            }}
        </select>
    }
}

/// The text, and what it will be counted as.
#[component]
fn BodyField(value: String, text: RwSignal<String>, channel: RwSignal<Channel>, faults: Faults) -> impl IntoView {
    let message = Memo::new(move |_| faults.of("body"));
    let count = move || text.with(|text| describe(text, channel.get()));
    view! {
        <div class="field">
            <label for="f-body">"Message"</label>
            <textarea
                id="f-body"
                name="body"
                rows="5"
                required
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
        </div>
    }
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
    }
}

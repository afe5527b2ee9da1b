//! The dialog that sends a message.

use super::{
    Accounts, known,
    preview::{Draft, Preview},
    text::BodyField,
};
use crate::{
    api::message::SendMessage,
    domain::{account::Account, channel::Channel},
    ui::part::{
        error_box::FormError,
        field::Field,
        form::{Faults, form_of, text_of},
        hydrated::Hydrated,
        icon::{Draw, Icon},
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
        time::minutes_east,
    },
};
use leptos::{html, prelude::*};
use web_sys::HtmlFormElement;

/// The dialog; on success the visitor is on the page of the message.
#[component]
pub fn ComposeDialog(
    accounts: Accounts,
    /// The list that it was opened on.
    back: String,
) -> impl IntoView {
    let action = Post::to::<SendMessage>(|_| {});
    let faults = Faults::of_post(action);
    let typed = move |field| faults.typed(field).unwrap_or_default();
    let hydrated = Hydrated::get();
    let channel = RwSignal::new(Channel::from_name(&typed("channel")).unwrap_or(Channel::Whatsapp));
    let draft = RwSignal::new(Draft { to: typed("to"), subject: typed("subject"), body: typed("body") });
    let chosen = RwSignal::new(typed("account_id"));
    let form = NodeRef::<html::Form>::new();
    let look = move |form: &HtmlFormElement| {
        let text = |name| text_of(form, name);
        if let Some(chosen) = Channel::from_name(&text("channel")) {
            channel.set(chosen);
        }
        chosen.set(text("account_id"));
        draft.set(Draft { to: text("to"), subject: text("subject"), body: text("body") });
    };
    Effect::new(move || {
        if let Some(form) = form.get() {
            look(&form);
        }
    });
    let sender = Memo::new(move |_| sender(&known(accounts), channel.get(), &chosen.get()));
    let is_complete = move || draft.with(|draft| !draft.to.trim().is_empty() && !draft.body.trim().is_empty());
    let blocked = Signal::derive(move || hydrated.get() && !is_complete());
    let is_other = move || hydrated.get() && channel.get() != Channel::Email;
    view! {
        <Modal title="Send a message" back=back.clone() opener="send-message">
            <PostForm
                to=action
                node_ref=form
                on:input=move |event| {
                    if let Some(form) = form_of(&event) {
                        look(&form);
                    }
                }
            >
                <div class="compose">
                    <div class="stack">
                        <Channels first=channel.get_untracked() />
                        <AccountField accounts channel chosen=typed("account_id") />
                        <Field
                            name="to"
                            label="Recipient"
                            placeholder="+14155552671"
                            value=typed("to")
                            hint="A phone number with country code; for e-mail an address."
                            faults
                        />
                        <div hidden=is_other>
                            <Field
                                name="subject"
                                label="Subject"
                                aside="e-mail only"
                                value=typed("subject")
                                required=false
                                faults
                            />
                        </div>
                        <BodyField value=typed("body") draft channel faults />
                        <When faults />
                    </div>
                    <aside class="preview" aria-label="Preview" hidden=move || !hydrated.get()>
                        <h3>"Preview"</h3>
                        <Preview channel draft sender />
                    </aside>
                </div>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
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

/// The account that a message goes through: the chosen one, else the default of the channel.
fn sender(accounts: &[Account], channel: Channel, chosen: &str) -> Option<Account> {
    let mut of_channel = accounts.iter().filter(|account| account.channel == channel);
    let found = of_channel.clone().find(|account| account.id.as_str() == chosen);
    found.or_else(|| of_channel.find(|account| account.is_default)).cloned()
}

#[component]
fn Channels(first: Channel) -> impl IntoView {
    let tile = move |choice: Channel| {
        view! {
            <label class=format!("tile-choice {}", choice.as_str())>
                <input type="radio" name="channel" value=choice.as_str() checked=choice == first />
                <Draw icon=Icon::of(choice) />
                {choice.label()}
            </label>
        }
    };
    view! {
        <fieldset class="choices">
            <legend>"Channel"</legend>
            <div class="tiles">{Channel::ALL.map(tile).collect_view()}</div>
        </fieldset>
    }
}

/// The accounts of the channel; without a script, those of all channels.
#[component]
fn AccountField(accounts: Accounts, channel: RwSignal<Channel>, chosen: String) -> impl IntoView {
    let hydrated = Hydrated::get();
    let default = move || {
        let of_channel = sender(&known(accounts), channel.get(), "").filter(|_| hydrated.get());
        of_channel.map_or_else(
            || "Default of the channel".to_owned(),
            |account| format!("Default ({})", account.display_name),
        )
    };
    let is_missing = move || {
        hydrated.get() && accounts.with(|loaded| matches!(loaded, Some(Ok(_)))) && {
            !known(accounts).iter().any(|account| account.channel == channel.get())
        }
    };
    let option = move |account: Account| {
        let is_chosen = account.id.as_str() == chosen;
        let of = account.channel;
        let is_other = move || hydrated.get() && channel.get() != of;
        let mark = match (account.is_default, account.is_active) {
            (true, _) => ", default",
            (_, false) => ", inactive",
            _ => "",
        };
        view! {
            <option value=account.id.to_string() selected=is_chosen hidden=is_other disabled=is_other>
                {format!("{} ({}{mark})", account.display_name, of.label())}
            </option>
        }
    };
    view! {
        <div class="field">
            <label for="f-account_id">"Account"</label>
            <Suspense>
                <select id="f-account_id" name="account_id">
                    <option value="">{default}</option>
                    {move || known(accounts).into_iter().map(&option).collect_view()}
                </select>
                {move || {
                    is_missing()
                        .then(|| {
                            view! {
                                <span class="hint">
                                    {format!("No account for {} is connected. ", channel.get().label())}
                                    <a href="/accounts?add=1">"Connect one"</a>
                                </span>
                            }
                        })
                }}
            </Suspense>
        </div>
    }
}

/// Not before an instant: in the viewer's zone, which goes along with it; without a script in UTC.
#[component]
fn When(faults: Faults) -> impl IntoView {
    let hydrated = Hydrated::get();
    let typed = move |field| faults.typed(field).unwrap_or_default();
    let is_open = !typed("send_at").is_empty();
    let message = Memo::new(move |_| faults.of("send_at"));
    let east = RwSignal::new(typed("minutes_east"));
    view! {
        <details open=is_open>
            <summary>"Send later"</summary>
            <div class="field">
                <label for="f-send_at">
                    "Not before " <small>{move || if hydrated.get() { "in your time zone" } else { "in UTC" }}</small>
                </label>
                <input
                    id="f-send_at"
                    name="send_at"
                    type="datetime-local"
                    value=typed("send_at")
                    aria-invalid=move || message.get().map(|_| "true")
                    aria-describedby="f-send_at-fault f-send_at-hint"
                    on:input=move |event| east.set(minutes_east(&event_target_value(&event)))
                />
                <span class="fault" id="f-send_at-fault">
                    {message}
                </span>
                <span class="hint" id="f-send_at-hint">
                    "It waits until then; it can be canceled as long as it waits."
                </span>
            </div>
            <input type="hidden" name="minutes_east" prop:value=east value=east.get_untracked() />
        </details>
    }
}

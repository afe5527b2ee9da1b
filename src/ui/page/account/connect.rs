//! The dialog that connects an account. It draws the fields that each provider asks for, so a new one adds no code here.
//! What is shown for which channel is up to the style sheet, so that it is right without a script, too.

use super::{HERE, limit::LimitFields, mailbox::MailboxFields};
use crate::{
    domain::{
        account::{Account, ConnectForm},
        channel::{Channel, FieldKind, Provider},
        email_account::EmailForm,
        limit::DailyLimit,
        secret::Secret,
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

/// The dialog.
#[component]
pub fn ConnectDialog(action: Post<Account>) -> impl IntoView {
    let faults = Faults::of_post(action);
    let typed = move |field| faults.typed(field).unwrap_or_default();
    let hydrated = Hydrated::get();
    let (form, is_complete) = (NodeRef::<html::Form>::new(), RwSignal::new(false));
    // What the browser filled in by itself counts, too.
    Effect::new(move || {
        if let Some(form) = form.get() {
            is_complete.set(is_filled_in(&form));
        }
    });
    let blocked = Signal::derive(move || hydrated.get() && !is_complete.get());
    let channel = Channel::from_name(&typed("channel")).unwrap_or(Channel::Whatsapp);
    let provider = Provider::from_name(&typed("provider")).unwrap_or(Provider::Twilio);
    view! {
        <Modal title="Add Messaging Account" back=HERE opener="add-account">
            <PostForm
                to=action
                node_ref=form
                on:input=move |event| {
                    if let Some(form) = form_of(&event) {
                        is_complete.set(is_filled_in(&form));
                    }
                }
            >
                <fieldset class="choices">
                    <legend>"Channel"</legend>
                    <div class="tiles">
                        {Channel::ALL
                            .map(|choice| view! { <ChannelChoice choice is_chosen=choice == channel /> })
                            .collect_view()}
                    </div>
                </fieldset>
                <div class="for-phone">
                    <Field
                        name="phone_number"
                        label="Phone number"
                        kind="tel"
                        placeholder="+1234567890"
                        autocomplete="tel"
                        value=typed("phone_number")
                        required=false
                        faults
                    />
                </div>
                <MailboxFields faults />
                <Field
                    name="display_name"
                    label="Display name"
                    aside="optional"
                    placeholder="My WhatsApp"
                    value=typed("display_name")
                    required=false
                    faults
                />
                <fieldset class="choices for-phone">
                    <legend>"Provider"</legend>
                    <div class="providers">
                        {Provider::MESSAGING
                            .map(|choice| view! { <ProviderChoice choice is_chosen=choice == provider faults /> })
                            .collect_view()}
                    </div>
                </fieldset>
                <LimitFields
                    value=faults.typed("daily_limit").unwrap_or_else(|| DailyLimit::DEFAULT.get().to_string())
                    confirmation=typed("confirmation")
                    faults
                />
                <FormError error=faults.answer() />
                {move || {
                    let is_foreign = faults.answer().get().is_some_and(|error| error.code == "not_owned");
                    is_foreign
                        .then(|| {
                            view! {
                                <button class="btn" name="force" value="true" disabled=action.pending()>
                                    "Connect anyway"
                                </button>
                            }
                        })
                }}
                <div class="foot">
                    <a class="btn" href=HERE data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Connecting…" blocked>
                        "Connect Account"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

/// True when nothing that is required is empty.
fn is_filled_in(form: &HtmlFormElement) -> bool {
    let text = |name: &str| text_of(form, name);
    let secrets = |provider: Provider| {
        let entered = |name: &str| (name.to_owned(), Secret::new(text(&format!("credentials[{name}]"))));
        provider.fields().iter().map(|field| entered(field.name)).collect()
    };
    let channel = text("channel");
    if channel == Channel::Email.as_str() {
        let field = |name: &str| text(&format!("mailbox[{name}]"));
        return EmailForm::of_dialog(field, secrets(Provider::Smtp)).missing().is_empty();
    }
    let provider = text("provider");
    let credentials = Provider::from_name(&provider).map(secrets).unwrap_or_default();
    let phone_number = text("phone_number");
    ConnectForm { provider, channel, phone_number, credentials, ..ConnectForm::default() }.missing().is_empty()
}

#[component]
fn ChannelChoice(choice: Channel, is_chosen: bool) -> impl IntoView {
    view! {
        <label class=format!("tile-choice {}", choice.as_str())>
            <input type="radio" name="channel" value=choice.as_str() checked=is_chosen />
            <Draw icon=Icon::of(choice) />
            {choice.label()}
        </label>
    }
}

#[component]
fn ProviderChoice(choice: Provider, is_chosen: bool, faults: Faults) -> impl IntoView {
    view! {
        <div class="provider">
            <label>
                <input type="radio" name="provider" value=choice.as_str() checked=is_chosen />
                <span>
                    <b>{choice.label()}</b>
                    <span class="soft small">{choice.hint()}</span>
                </span>
            </label>
            <Credentials provider=choice faults />
        </div>
    }
}

/// The box of a provider's own fields; nothing for one that asks for nothing.
#[component]
pub fn Credentials(provider: Provider, faults: Faults) -> impl IntoView {
    (!provider.fields().is_empty()).then(|| {
        view! {
            <div class="secrets">
                <h3>{provider.label()} " Credentials"</h3>
                {provider
                    .fields()
                    .iter()
                    .map(|field| {
                        view! {
                            <Field
                                name=format!("credentials[{}]", field.name)
                                fault=field.name
                                label=field.label
                                kind=match field.kind {
                                    FieldKind::Text => "text",
                                    FieldKind::Secret => "password",
                                }
                                placeholder=field.placeholder
                                autocomplete=match field.kind {
                                    FieldKind::Text => "off",
                                    FieldKind::Secret => "new-password",
                                }
                                required=false
                                faults
                            />
                        }
                    })
                    .collect_view()}
            </div>
        }
    })
}

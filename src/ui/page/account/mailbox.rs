//! What a mailbox needs: its address, its provider, and who signs in. All of it is drawn from the domain's presets.

use super::{
    bounce::BounceFields,
    connect::Credentials,
    sender::{self, AuthField, SenderFields},
};
use crate::{
    domain::{
        channel::Provider,
        email_account::{PRESETS, Preset, SmtpAuth, SmtpSecurity},
    },
    ui::part::{field::Field, form::Faults, select::entries},
};
use leptos::prelude::*;

/// The fields of a mailbox; the style sheet shows them when e-mail is chosen.
#[component]
pub fn MailboxFields(faults: Faults) -> impl IntoView {
    let typed = move |name: &str| faults.typed(&format!("mailbox[{name}]"));
    let chosen = typed("preset").unwrap_or_else(|| PRESETS[0].name.to_owned());
    let server = move |preset: Preset| {
        let is_chosen = chosen == preset.name;
        let own = preset.host.is_empty().then(|| view! { <ServerFields faults /> });
        view! {
            <Choice name=preset.name label=preset.label hint=preset.hint is_chosen>
                {own}
            </Choice>
        }
    };
    view! {
        <div class="for-email">
            <Field
                name="mailbox[email_address]"
                fault="email_address"
                label="E-mail address"
                kind="email"
                placeholder="ann@example.com"
                autocomplete="email"
                value=typed("email_address").unwrap_or_default()
                required=false
                faults
            />
        </div>
        <fieldset class="choices for-email">
            <legend>"Provider"</legend>
            <div class="providers presets">
                {PRESETS.map(server).collect_view()}
                <Choice name="sandbox" label=Provider::Sandbox.label() hint=Provider::Sandbox.hint() is_chosen=typed("preset").as_deref() == Some("sandbox")>
                    ""
                </Choice>
            </div>
        </fieldset>
        <div class="for-email signs-in">
            <Credentials provider=Provider::Smtp faults />
        </div>
        <div class="for-email signs-in">
            <BounceFields stored=None faults />
            <Advanced faults />
        </div>
    }
}

/// What most people never need, open when something in it is wrong or was typed before a failure.
#[component]
fn Advanced(faults: Faults) -> impl IntoView {
    let is_typed = sender::FIELDS.iter().any(|name| {
        let typed = faults.typed(&format!("mailbox[{name}]")).unwrap_or_default();
        !typed.is_empty() && typed != SmtpAuth::Password.as_str()
    });
    let is_wrong = Memo::new(move |_| sender::FIELDS.iter().any(|name| faults.of(name).is_some()));
    view! {
        <details open=move || is_typed || is_wrong.get()>
            <summary>"Advanced: OAuth 2, replies, DKIM signature"</summary>
            <div class="stack">
                <AuthField name="mailbox[smtp_auth]" chosen=SmtpAuth::Password faults />
                <SenderFields stored=None faults />
            </div>
        </details>
    }
}

/// One provider; what it wants a person to know is shown when it is chosen.
#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    is_chosen: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="provider">
            <label>
                <input type="radio" name="mailbox[preset]" value=name checked=is_chosen />
                <b>{label}</b>
            </label>
            <div class="secrets">
                <p class="soft small">{hint}</p>
                {children()}
            </div>
        </div>
    }
}

/// Where the mail goes, when it is none of the large providers.
#[component]
fn ServerFields(faults: Faults) -> impl IntoView {
    let typed = move |name: &str| faults.typed(&format!("mailbox[{name}]")).unwrap_or_default();
    let choices = [SmtpSecurity::Starttls, SmtpSecurity::Tls, SmtpSecurity::None];
    let security = SmtpSecurity::from_name(&typed("smtp_security")).unwrap_or(SmtpSecurity::Starttls);
    view! {
        <Field
            name="mailbox[smtp_host]"
            fault="smtp_host"
            label="Host"
            placeholder="smtp.example.com"
            value=typed("smtp_host")
            required=false
            faults
        />
        <Field
            name="mailbox[smtp_port]"
            fault="smtp_port"
            label="Port"
            kind="number"
            placeholder="587"
            value=typed("smtp_port")
            required=false
            faults
        />
        <div class="field">
            <label for="f-security">"Security"</label>
            <select id="f-security" name="mailbox[smtp_security]">
                {entries(choices.map(|choice| (choice.as_str(), choice.label())), security.as_str())}
            </select>
            <p class="notice bad in-clear">{SmtpSecurity::WARNING}</p>
        </div>
    }
}

//! How mail leaves, for those who need more than a password: another way to sign in, where answers go, a signature.

use crate::{
    domain::email_account::{SmtpAuth, SmtpSettings},
    ui::part::{
        field::{Field, FieldFrame},
        form::Faults,
        select::entries,
    },
};
use leptos::prelude::*;

/// Names of the fields, as in the API.
pub const FIELDS: [&str; 5] = ["smtp_auth", "reply_to", "dkim_domain", "dkim_selector", "dkim_private_key"];

/// Where answers go, and the signature.
#[component]
pub fn SenderFields(
    /// Of an account that is changed.
    stored: Option<SmtpSettings>,
    faults: Faults,
) -> impl IntoView {
    let field = move |name: &'static str, label, placeholder, stored: Option<String>, hint: &'static str| {
        let name_in_form = format!("mailbox[{name}]");
        let value = faults.typed(&name_in_form).or(stored).unwrap_or_default();
        view! { <Field name=name_in_form fault=name label placeholder value required=false hint faults /> }
    };
    let reply_to = stored.as_ref().and_then(|smtp| smtp.reply_to.as_ref()).map(ToString::to_string);
    let dkim = stored.and_then(|smtp| smtp.dkim);
    let hint = match dkim {
        Some(_) => "Stored, and never shown. Empty: it stays as it is.",
        None => "RSA in PEM, or an Ed25519 seed in base64. It is stored encrypted and never shown again.",
    };
    let (domain, selector) = dkim.map(|dkim| (dkim.domain, dkim.selector)).unzip();
    view! {
        {field("reply_to", "Replies go to", "answers@example.com", reply_to, "Empty: to the mailbox itself.")}
        <div class="pairs">
            {field("dkim_domain", "DKIM domain", "example.com", domain, "Tern signs what leaves. Empty: it does not, as when the mail server does.")}
            {field("dkim_selector", "DKIM selector", "tern1", selector, "The key's name in DNS, before ._domainkey.")}
        </div>
        <KeyField hint faults />
    }
}

/// The private key, which has lines.
#[component]
fn KeyField(hint: &'static str, faults: Faults) -> impl IntoView {
    let message = Memo::new(move |_| faults.of("dkim_private_key"));
    view! {
        <FieldFrame id="f-dkim-key" label="DKIM private key" message hint>
            <textarea
                id="f-dkim-key"
                name="credentials[dkim_private_key]"
                rows="3"
                autocomplete="off"
                spellcheck="false"
                placeholder="-----BEGIN RSA PRIVATE KEY-----"
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby="f-dkim-key-fault f-dkim-key-hint"
            ></textarea>
        </FieldFrame>
    }
}

/// How the account signs in.
#[component]
pub fn AuthField(
    /// Name in the form.
    name: &'static str,
    /// As stored; the usual one for a new account.
    chosen: SmtpAuth,
    faults: Faults,
) -> impl IntoView {
    let chosen = faults.typed(name).and_then(|typed| SmtpAuth::from_name(&typed)).unwrap_or(chosen);
    view! {
        <div class="field">
            <label for="f-smtp-auth">"Sign-in"</label>
            <select id="f-smtp-auth" name=name aria-describedby="f-smtp-auth-hint">
                {entries(SmtpAuth::ALL.map(|auth| (auth.as_str(), auth.label())), chosen.as_str())}
            </select>
            <span class="hint" id="f-smtp-auth-hint">
                "With OAuth 2 the access token is the password. Tern does not renew it: replace it before it ends."
            </span>
        </div>
    }
}

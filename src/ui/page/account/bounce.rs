//! The mailbox that is read for what comes back, when a person wants that.

use crate::{
    domain::{email_account::SmtpSecurity, mailbox::ImapSettings},
    ui::part::{field::Field, form::Faults, select::entries},
};
use leptos::prelude::*;

/// Names of the fields, as in the API.
pub const FIELDS: [&str; 5] = ["imap_host", "imap_port", "imap_security", "imap_username", "imap_password"];

/// The switch, and where the mailbox is. What was typed before a failure stands above what is stored.
#[component]
pub fn BounceFields(
    /// Of an account that is changed.
    stored: Option<ImapSettings>,
    faults: Faults,
) -> impl IntoView {
    let typed = move |name: &str| faults.typed(&format!("mailbox[{name}]"));
    let was_typed = typed("imap_host").is_some();
    let is_read = if was_typed { typed("reads_bounces").is_some_and(|yes| !yes.is_empty()) } else { stored.is_some() };
    let known = |of: fn(&ImapSettings) -> String| stored.as_ref().map(of).unwrap_or_default();
    let field = move |name: &'static str, label, placeholder, stored: String| {
        view! {
            <Field
                name=format!("mailbox[{name}]")
                fault=name
                label
                aside="optional"
                placeholder
                value=typed(name).unwrap_or(stored)
                required=false
                faults
            />
        }
    };
    let host = field("imap_host", "IMAP host", "imap.example.com", known(|imap| imap.host.clone()));
    let port = field("imap_port", "IMAP port", "993", known(|imap| imap.port.to_string()));
    let username =
        field("imap_username", "IMAP user name", "", known(|imap| imap.username.clone().unwrap_or_default()));
    let security = typed("imap_security").unwrap_or_else(|| known(|imap| imap.security.as_str().to_owned()));
    let hint = if stored.is_some() {
        "Stored, and never shown. Empty: it stays as it is."
    } else {
        "Empty: the one that sends."
    };
    view! {
        <div class="provider">
            <label>
                <input type="checkbox" name="mailbox[reads_bounces]" value="yes" checked=is_read />
                <b>"Read bounces from this mailbox (IMAP)"</b>
            </label>
            <div class="secrets">
                <p class="soft small">
                    "What comes back is matched with what was sent. Nothing in the mailbox changes. Host, user name and password are needed where they differ from those that send."
                </p>
                {host}
                <div class="pairs">{port} <Security chosen=security /></div>
                {username}
                <Field
                    name="credentials[imap_password]"
                    fault="imap_password"
                    label="IMAP password"
                    aside="optional"
                    kind="password"
                    autocomplete="new-password"
                    required=false
                    hint
                    faults
                />
            </div>
        </div>
    }
}

#[component]
fn Security(chosen: String) -> impl IntoView {
    let choices = [
        ("", "As the port says"),
        (SmtpSecurity::Tls.as_str(), "TLS (port 993)"),
        (SmtpSecurity::Starttls.as_str(), "STARTTLS (port 143)"),
        (SmtpSecurity::None.as_str(), SmtpSecurity::None.label()),
    ];
    view! {
        <div class="field">
            <label for="f-imap-security">"IMAP encryption"</label>
            <select id="f-imap-security" name="mailbox[imap_security]">
                {entries(choices, &chosen)}
            </select>
            <p class="notice bad in-clear">{SmtpSecurity::WARNING}</p>
        </div>
    }
}

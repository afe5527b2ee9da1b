//! E-mail accounts: a mailbox and the server that takes its mail, what is asked for, and what is known of large providers.

mod preset;

use super::{
    account::NAME_MAX,
    channel::{Channel, Provider},
    email::Email,
    field_error::FieldErrors,
    limit::DailyLimit,
    mailbox::{ImapForm, ImapSettings},
    secret::Secret,
    text::{NotAText, parse_line},
};
pub use preset::{PRESETS, Preset};
use serde::{Deserialize, Serialize};

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS after a greeting in clear; without it nothing is sent.
    Starttls,
    /// In clear, the password too: only when a person chose it.
    None,
}

impl SmtpSecurity {
    /// All, the best first.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Starttls, Self::None];
    /// What a person must know who chooses [`Self::None`].
    pub const WARNING: &str = "Mail and password travel in clear: anybody on the way can read and change them.";

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tls => "TLS (port 465)",
            Self::Starttls => "STARTTLS (port 587)",
            Self::None => "None: everything in clear",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|security| security.as_str() == name)
    }

    /// The port that goes with it (RFC 8314; 25 between servers).
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

/// How the account signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpAuth {
    /// User name and password, by PLAIN or LOGIN as the server offers.
    Password,
    /// The password is an OAuth 2 access token.
    Xoauth2,
    /// Not at all: a relay that knows us by our address.
    None,
}

impl SmtpAuth {
    /// All, the usual first.
    pub const ALL: [Self; 3] = [Self::Password, Self::Xoauth2, Self::None];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Xoauth2 => "xoauth2",
            Self::None => "none",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Password => "User name and password",
            Self::Xoauth2 => "OAuth 2 access token (XOAUTH2)",
            Self::None => "Not at all: the server knows this machine",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|auth| auth.as_str() == name)
    }
}

/// Ports that mail is submitted on; others only to hosts that the operator has allowed.
pub const SMTP_PORTS: [u16; 4] = [25, 465, 587, 2525];

/// Under whose name mail is signed; the key is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dkim {
    /// The signing domain.
    pub domain: String,
    /// Names the key in that domain's DNS.
    pub selector: String,
}

/// What is known of an account's server without opening its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpSettings {
    /// The server's name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The way to it.
    pub security: SmtpSecurity,
    /// Who signs in; empty when nobody does.
    pub username: String,
    /// How.
    pub auth: SmtpAuth,
    /// Where answers go, when not to the mailbox itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Email>,
    /// Signs what leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dkim: Option<Dkim>,
    /// Where what comes back is read, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap: Option<ImapSettings>,
}

/// The text is no name of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the name of a mail server, like smtp.example.com")]
pub struct NotAHost;

/// A host name or an address, in lower case, without brackets and without a dot at its end. Names that end in a number
/// are refused: system libraries read some of them as addresses (`127.1`, `0x7f000001`).
pub fn parse_host(text: &str) -> Result<String, NotAHost> {
    let text = text.trim().to_lowercase();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&text);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    let name = text.strip_suffix('.').unwrap_or(&text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.chars().all(char::is_numeric) || last.starts_with("0x");
    if name.len() <= 253 && name.split('.').all(is_label) && !is_number { Ok(name.to_owned()) } else { Err(NotAHost) }
}

/// Reads a port: 1–65535.
pub fn parse_port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

/// The most characters of a password or token; Microsoft's tokens are the longest in use.
const PASSWORD_MAX: usize = 8_000;
/// The most characters of a DKIM key: RSA of 8192 bits in PEM.
const KEY_MAX: usize = 8_000;
/// The most characters of a user name.
pub const USERNAME_MAX: usize = 320;

/// The fields that are secret.
pub const SECRETS: [&str; 3] = ["smtp_password", "dkim_private_key", "imap_password"];

/// An e-mail account that somebody asks to connect: every part is valid, nothing is proved yet.
#[derive(Debug)]
pub struct NewEmailAccount {
    /// Who carries its mail.
    pub provider: Provider,
    /// The sender.
    pub email: Email,
    /// What people see as its name.
    pub display_name: String,
    /// The most messages a day.
    pub daily_limit: DailyLimit,
    /// The server; `None` for the sandbox.
    pub smtp: Option<SmtpSettings>,
    /// By the names in [`SECRETS`].
    pub credentials: Vec<(&'static str, Secret)>,
}

/// The form or the request body, as it came.
#[derive(Debug, Default)]
pub struct EmailForm {
    /// Name of the provider; empty is SMTP.
    pub provider: String,
    /// As typed.
    pub email_address: String,
    /// As typed; empty is the address.
    pub display_name: String,
    /// As typed; empty is the default.
    pub daily_send_limit: String,
    /// As typed.
    pub smtp_host: String,
    /// As typed; empty is the usual one.
    pub smtp_port: String,
    /// Name; empty follows the port.
    pub smtp_security: String,
    /// As typed.
    pub smtp_username: String,
    /// Name; empty is a password.
    pub smtp_auth: String,
    /// As typed; may be empty.
    pub reply_to: String,
    /// As typed; may be empty.
    pub dkim_domain: String,
    /// As typed; may be empty.
    pub dkim_selector: String,
    /// The mailbox that is read.
    pub imap: ImapForm,
    /// By the names in [`SECRETS`].
    pub credentials: Vec<(String, Secret)>,
}

impl EmailForm {
    /// The provider that was chosen, if it carries e-mail.
    pub fn provider(&self) -> Option<Provider> {
        let chosen = if self.provider.is_empty() { Some(Provider::Smtp) } else { Provider::from_name(&self.provider) };
        chosen.filter(|provider| provider.channels().contains(&Channel::Email))
    }

    /// What a dialog's box of credentials holds: who signs in, how, and secrets.
    pub fn of_credentials(entered: Vec<(String, Secret)>) -> Self {
        let mut form = Self::default();
        for (name, value) in entered {
            match name.as_str() {
                "smtp_username" => value.expose().clone_into(&mut form.smtp_username),
                "smtp_auth" => value.expose().clone_into(&mut form.smtp_auth),
                _ => form.credentials.push((name, value)),
            }
        }
        form
    }

    /// What can be changed later without the password: where answers go, the signature, and the mailbox that is read.
    pub fn of_settings(field: impl Fn(&str) -> String, credentials: Vec<(String, Secret)>) -> Self {
        let mut form = Self::of_credentials(credentials);
        form.reply_to = field("reply_to");
        form.dkim_domain = field("dkim_domain");
        form.dkim_selector = field("dkim_selector");
        // What is hidden because it is not wanted does not count.
        if field("reads_bounces").is_empty() {
            form.credentials.retain(|(name, _)| name != "imap_password");
        } else {
            form.imap = ImapForm {
                is_wanted: true,
                host: field("imap_host"),
                port: field("imap_port"),
                security: field("imap_security"),
                username: field("imap_username"),
            };
        }
        form
    }

    /// The dialog's own fields: `preset` chooses a large provider's server, the sandbox, or what was typed.
    pub fn of_dialog(field: impl Fn(&str) -> String, credentials: Vec<(String, Secret)>) -> Self {
        let preset = field("preset");
        let mut form = Self { smtp_auth: field("smtp_auth"), ..Self::of_settings(&field, credentials) };
        form.email_address = field("email_address");
        match PRESETS.iter().find(|known| known.name == preset && !known.host.is_empty()) {
            Some(known) => {
                if form.imap.host.trim().is_empty() {
                    known.imap_host.clone_into(&mut form.imap.host);
                }
                known.host.clone_into(&mut form.smtp_host);
                form.smtp_port = known.port.to_string();
                known.security.as_str().clone_into(&mut form.smtp_security);
            }
            None if preset == Provider::Sandbox.as_str() => form.provider = preset,
            None => {
                form.smtp_host = field("smtp_host");
                form.smtp_port = field("smtp_port");
                form.smtp_security = field("smtp_security");
            }
        }
        form
    }

    /// Names of the required fields that are empty.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        let mut need = |name, is_empty: bool| {
            if is_empty {
                missing.push(name);
            }
        };
        need("email_address", self.email_address.trim().is_empty());
        if self.provider() == Some(Provider::Smtp) {
            need("smtp_host", self.smtp_host.trim().is_empty());
            if self.smtp_auth != SmtpAuth::None.as_str() {
                need("smtp_username", self.smtp_username.trim().is_empty());
                need("smtp_password", !self.has("smtp_password"));
            }
            if self.imap.is_wanted {
                need("imap_host", self.imap.host.trim().is_empty());
                // Whoever sends without a password has none that would open a mailbox.
                let is_shared = self.smtp_auth != SmtpAuth::None.as_str();
                need("imap_password", !is_shared && !self.has("imap_password"));
            }
        }
        missing
    }

    /// True when the secret was entered.
    pub fn has(&self, name: &str) -> bool {
        self.credentials.iter().any(|(n, secret)| n == name && !secret.expose().trim().is_empty())
    }

    /// Everything that can be said without asking anybody.
    pub fn parse(self) -> Result<NewEmailAccount, FieldErrors> {
        let mut errors = FieldErrors::default();
        for name in self.missing() {
            errors.add(name, "is required");
        }
        let provider = self.provider();
        if provider.is_none() {
            errors.add("provider", "must be smtp or sandbox");
        }
        let email = match self.email_address.trim() {
            "" => None,
            typed => errors.check("email_address", Email::parse(typed)),
        };
        let display_name = match self.display_name.trim() {
            "" => None,
            typed => errors.check("display_name", parse_line(typed, NAME_MAX)),
        };
        let daily_limit = errors.check("daily_send_limit", DailyLimit::parse_typed(&self.daily_send_limit));
        let smtp = if provider == Some(Provider::Smtp) { self.parse_smtp(&mut errors) } else { None };
        let credentials = self.parse_secrets(&mut errors);
        match (provider, email, daily_limit) {
            (Some(provider), Some(email), Some(daily_limit)) if errors.is_empty() => Ok(NewEmailAccount {
                provider,
                display_name: display_name.unwrap_or_else(|| email.as_str().to_owned()),
                email,
                daily_limit,
                smtp,
                credentials,
            }),
            _ => Err(errors),
        }
    }

    /// The server's part of the form.
    fn parse_smtp(&self, errors: &mut FieldErrors) -> Option<SmtpSettings> {
        let host = match self.smtp_host.trim() {
            "" => None,
            typed => errors.check("smtp_host", parse_host(typed)),
        };
        let port = match self.smtp_port.trim() {
            "" => None,
            typed => errors.check("smtp_port", parse_port(typed).ok_or("must be a port, 465 or 587 as a rule")),
        };
        let security = match (self.smtp_security.trim(), port) {
            ("", None | Some(465)) => Some(SmtpSecurity::Tls),
            ("", Some(_)) => Some(SmtpSecurity::Starttls),
            (name, _) => {
                errors.check("smtp_security", SmtpSecurity::from_name(name).ok_or("must be tls, starttls or none"))
            }
        };
        let auth = match self.smtp_auth.trim() {
            "" => Some(SmtpAuth::Password),
            name => errors.check("smtp_auth", SmtpAuth::from_name(name).ok_or("must be password, xoauth2 or none")),
        };
        let username = match self.smtp_username.trim() {
            "" => Some(String::new()),
            typed => errors.check("smtp_username", parse_line(typed, USERNAME_MAX)),
        };
        let (reply_to, dkim) = self.parse_sender(errors);
        let imap = self.imap.parse(errors);
        let (host, security, auth) = (host?, security?, auth?);
        let (port, username) = (port.unwrap_or_else(|| security.usual_port()), username?);
        Some(SmtpSettings { host, port, security, username, auth, reply_to, dkim, imap })
    }

    /// Where answers go, and under whose name mail is signed.
    pub fn parse_sender(&self, errors: &mut FieldErrors) -> (Option<Email>, Option<Dkim>) {
        let reply_to = match self.reply_to.trim() {
            "" => None,
            typed => errors.check("reply_to", Email::parse(typed)),
        };
        (reply_to, self.parse_dkim(errors))
    }

    /// Domain and selector go together.
    fn parse_dkim(&self, errors: &mut FieldErrors) -> Option<Dkim> {
        let (domain, selector) = (self.dkim_domain.trim(), self.dkim_selector.trim());
        if domain.is_empty() && selector.is_empty() && !self.has("dkim_private_key") {
            return None;
        }
        let is_name = |text: &str| {
            parse_host(text).is_ok_and(|name| name.is_ascii() && name.parse::<std::net::IpAddr>().is_err())
        };
        if !is_name(domain) || !domain.contains('.') {
            errors.add("dkim_domain", "must be the domain that signs, like example.com");
        }
        if !is_name(selector) {
            errors.add("dkim_selector", "must be the name of the key in DNS, like tern1");
        }
        Some(Dkim { domain: domain.to_lowercase(), selector: selector.to_lowercase() })
    }

    /// Passwords are kept as typed, spaces too; a key has lines.
    pub fn parse_secrets(self, errors: &mut FieldErrors) -> Vec<(&'static str, Secret)> {
        let mut kept = Vec::new();
        for (name, secret) in self.credentials {
            let Some(name) = SECRETS.into_iter().find(|known| *known == name) else { continue };
            let text = secret.expose();
            if text.trim().is_empty() {
                continue; // named among the missing
            }
            let (is_key, max) = if name == "dkim_private_key" { (true, KEY_MAX) } else { (false, PASSWORD_MAX) };
            let is_wrong = |c: char| c.is_control() && !(is_key && matches!(c, '\n' | '\r' | '\t'));
            if let Some(c) = text.chars().find(|c| is_wrong(*c)) {
                errors.add(name, NotAText::Invisible(format!("U+{:04X}", u32::from(c))).to_string());
            } else if text.chars().count() > max {
                errors.add(name, NotAText::TooLong(max).to_string());
            } else {
                kept.push((name, secret));
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests;

//! The mailbox of an e-mail account, read for what comes back: where it is, how it is reached, how far it was read.

use super::{
    email_account::{PRESETS, SmtpSecurity, SmtpSettings, USERNAME_MAX, parse_host, parse_port},
    field_error::FieldErrors,
    text::parse_line,
};
use serde::{Deserialize, Serialize};

/// Ports that mailboxes are read on; others only on hosts that the operator has allowed.
pub const IMAP_PORTS: [u16; 2] = [143, 993];

/// What is known of a mailbox without opening its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImapSettings {
    /// The server's name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The way to it.
    pub security: SmtpSecurity,
    /// Who signs in, when it is not who sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl ImapSettings {
    /// Whether this server may be told the password of that one: it is the same machine, or the same large provider's.
    pub fn is_of(&self, smtp: &SmtpSettings) -> bool {
        let is_pair = |preset: &super::email_account::Preset| {
            !preset.imap_host.is_empty() && preset.host == smtp.host && preset.imap_host == self.host
        };
        self.host == smtp.host || PRESETS.iter().any(is_pair)
    }
}

/// The form's part, as it came.
#[derive(Debug, Default)]
pub struct ImapForm {
    /// The mailbox is to be read.
    pub is_wanted: bool,
    /// As typed.
    pub host: String,
    /// As typed; empty is the usual one.
    pub port: String,
    /// Name; empty follows the port.
    pub security: String,
    /// As typed; empty is who sends.
    pub username: String,
}

impl ImapForm {
    /// The form that says what is stored.
    pub fn of(stored: Option<&ImapSettings>) -> Self {
        stored.map_or_else(Self::default, |imap| Self {
            is_wanted: true,
            host: imap.host.clone(),
            port: imap.port.to_string(),
            security: imap.security.as_str().to_owned(),
            username: imap.username.clone().unwrap_or_default(),
        })
    }

    /// Everything that can be said without asking anybody; `None` when the mailbox is not to be read, or not like this.
    pub fn parse(&self, errors: &mut FieldErrors) -> Option<ImapSettings> {
        if !self.is_wanted {
            return None;
        }
        let host = match self.host.trim() {
            "" => None, // named among the missing
            typed => errors.check("imap_host", parse_host(typed)),
        };
        let port = match self.port.trim() {
            "" => None,
            typed => errors.check("imap_port", parse_port(typed).ok_or("must be a port, 993 or 143 as a rule")),
        };
        let security = match (self.security.trim(), port) {
            ("", Some(143)) => Some(SmtpSecurity::Starttls),
            ("", _) => Some(SmtpSecurity::Tls),
            (name, _) => {
                errors.check("imap_security", SmtpSecurity::from_name(name).ok_or("must be tls, starttls or none"))
            }
        };
        let username = match self.username.trim() {
            "" => None,
            typed => Some(errors.check("imap_username", parse_line(typed, USERNAME_MAX))?),
        };
        let security = security?;
        let usual = if security == SmtpSecurity::Tls { 993 } else { 143 };
        Some(ImapSettings { host: host?, port: port.unwrap_or(usual), security, username })
    }
}

/// Where reading goes on: below `next` everything was read, as long as the server counts as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bookmark {
    /// The server's UIDVALIDITY: with another one the numbers mean other mails.
    pub validity: u32,
    /// The UID that is read next.
    pub next: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email_account::SmtpAuth;

    fn parse(host: &str, port: &str, security: &str) -> Result<Option<ImapSettings>, FieldErrors> {
        let form = ImapForm {
            is_wanted: true,
            host: host.to_owned(),
            port: port.to_owned(),
            security: security.to_owned(),
            username: String::new(),
        };
        let mut errors = FieldErrors::default();
        let parsed = form.parse(&mut errors);
        if errors.is_empty() { Ok(parsed) } else { Err(errors) }
    }

    #[test]
    fn port_and_security_follow_each_other() {
        for (port, security, expected) in [
            ("", "", (993, SmtpSecurity::Tls)),
            ("143", "", (143, SmtpSecurity::Starttls)),
            ("", "starttls", (143, SmtpSecurity::Starttls)),
            ("1993", "", (1993, SmtpSecurity::Tls)),
            ("993", "none", (993, SmtpSecurity::None)),
        ] {
            let parsed = parse("IMAP.example.com", port, security).expect("valid").expect("wanted");
            assert_eq!((parsed.port, parsed.security), expected, "{port} {security}");
            assert_eq!(parsed.host, "imap.example.com");
        }
        assert!(parse("127.1", "", "").is_err() && parse("a.b", "0", "").is_err() && parse("a.b", "", "ssl").is_err());
        assert_eq!(ImapForm::default().parse(&mut FieldErrors::default()), None);
    }

    #[test]
    fn a_password_goes_to_no_other_provider() {
        let smtp = |host: &str| SmtpSettings {
            host: host.to_owned(),
            port: 465,
            security: SmtpSecurity::Tls,
            username: String::new(),
            auth: SmtpAuth::Password,
            reply_to: None,
            dkim: None,
            imap: None,
        };
        let imap = |host: &str| parse(host, "", "").expect("valid").expect("wanted");
        assert!(imap("imap.gmail.com").is_of(&smtp("smtp.gmail.com")));
        assert!(imap("mail.example.com").is_of(&smtp("mail.example.com")));
        assert!(!imap("imap.example.com").is_of(&smtp("mail.example.com")));
        assert!(!imap("imap.gmail.com").is_of(&smtp("smtp.office365.com")));
    }
}

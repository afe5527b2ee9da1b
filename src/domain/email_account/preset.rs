//! What is known of large providers of mail.

use super::SmtpSecurity;

/// What to enter for a large provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Name in addresses of pages.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// The server; empty when there is none to suggest.
    pub host: &'static str,
    /// Its port.
    pub port: u16,
    /// The way to it.
    pub security: SmtpSecurity,
    /// Where its mailboxes are read; empty when it has none, or none to suggest.
    pub imap_host: &'static str,
    /// What a person must know before it works.
    pub hint: &'static str,
}

/// The providers that people ask for most, then everybody else.
pub const PRESETS: [Preset; 6] = [
    Preset {
        name: "gmail",
        label: "Gmail",
        host: "smtp.gmail.com",
        port: 465,
        security: SmtpSecurity::Tls,
        imap_host: "imap.gmail.com",
        hint: "Needs an app password: turn on 2-step verification, then make one at myaccount.google.com/apppasswords.",
    },
    Preset {
        name: "microsoft",
        label: "Microsoft 365",
        host: "smtp.office365.com",
        port: 587,
        security: SmtpSecurity::Starttls,
        imap_host: "outlook.office365.com",
        hint: "Authenticated SMTP is off by default: an administrator turns it on for the mailbox under Mail, Manage email apps.",
    },
    Preset {
        name: "ses",
        label: "Amazon SES",
        host: "email-smtp.us-east-1.amazonaws.com",
        port: 587,
        security: SmtpSecurity::Starttls,
        imap_host: "",
        hint: "For us-east-1; with another region choose “Own server” and enter its host. Make SMTP credentials in the SES console: access keys do not work here.",
    },
    Preset {
        name: "mailgun",
        label: "Mailgun",
        host: "smtp.mailgun.org",
        port: 587,
        security: SmtpSecurity::Starttls,
        imap_host: "",
        hint: "The user name is postmaster@ and your domain. For a domain in the EU choose “Own server” with smtp.eu.mailgun.org.",
    },
    Preset {
        name: "postmark",
        label: "Postmark",
        host: "smtp.postmarkapp.com",
        port: 587,
        security: SmtpSecurity::Starttls,
        imap_host: "",
        hint: "User name and password are both the server API token.",
    },
    Preset {
        name: "own",
        label: "Own server",
        host: "",
        port: 587,
        security: SmtpSecurity::Starttls,
        imap_host: "",
        hint: "Any server that takes your mail. One in a private network must be allowed by the operator first.",
    },
];

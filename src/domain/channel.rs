//! Channels and the providers that carry them. What the screen must ask for each provider is data here, so that a new
//! provider adds no code to a page.

use serde::{Deserialize, Serialize};

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// WhatsApp Business.
    Whatsapp,
    /// Text messages.
    Sms,
    /// Electronic mail.
    Email,
}

impl Channel {
    /// All channels, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::Whatsapp, Self::Sms, Self::Email];
    /// The channels of messaging accounts.
    pub const MESSAGING: [Self; 2] = [Self::Whatsapp, Self::Sms];

    /// The name in the database, the API and style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whatsapp => "whatsapp",
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Whatsapp => "WhatsApp",
            Self::Sms => "SMS",
            Self::Email => "E-mail",
        }
    }

    /// Reads the name of the API.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// Who carries a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Twilio: SMS and WhatsApp.
    Twilio,
    /// A mail server: e-mail.
    Smtp,
    /// Built in: shows the whole life of a message and delivers nowhere.
    Sandbox,
}

/// How a provider's field is typed and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Shown while it is typed.
    Text,
    /// A password field.
    Secret,
}

/// One thing that a provider must know to let an account send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in the API, `snake_case`.
    pub name: &'static str,
    /// Label on the screen.
    pub label: &'static str,
    /// Example in the empty field.
    pub placeholder: &'static str,
    /// How it is typed.
    pub kind: FieldKind,
}

impl Provider {
    /// All providers, the default first.
    pub const ALL: [Self; 3] = [Self::Twilio, Self::Smtp, Self::Sandbox];
    /// The providers of messaging accounts, the default first.
    pub const MESSAGING: [Self; 2] = [Self::Twilio, Self::Sandbox];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Smtp => "smtp",
            Self::Sandbox => "sandbox",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Twilio => "Twilio",
            Self::Smtp => "Mail server",
            Self::Sandbox => "Sandbox",
        }
    }

    /// One line under the choice.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Twilio => "Sends through your own Twilio account",
            Self::Smtp => "Sends through your own mailbox",
            Self::Sandbox => "Try Tern without credentials; delivers nowhere",
        }
    }

    /// Reads the name of the API.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }

    /// What a person has to enter to connect; all fields are required.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Twilio => &[
                Field {
                    name: "account_sid",
                    label: "Account SID",
                    placeholder: "ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                    kind: FieldKind::Text,
                },
                Field {
                    name: "auth_token",
                    label: "Auth Token",
                    placeholder: "Your auth token",
                    kind: FieldKind::Secret,
                },
            ],
            Self::Smtp => &[
                Field {
                    name: "smtp_username",
                    label: "User name",
                    placeholder: "ann@example.com",
                    kind: FieldKind::Text,
                },
                Field {
                    name: "smtp_password",
                    label: "Password",
                    placeholder: "App password",
                    kind: FieldKind::Secret,
                },
            ],
            Self::Sandbox => &[],
        }
    }

    /// The channels it carries.
    pub fn channels(self) -> &'static [Channel] {
        match self {
            Self::Twilio => &[Channel::Whatsapp, Channel::Sms],
            Self::Smtp => &[Channel::Email],
            Self::Sandbox => &[Channel::Whatsapp, Channel::Sms, Channel::Email],
        }
    }
}

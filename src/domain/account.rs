//! Sender accounts: one mailbox or one phone number, with credentials, limits and health.

use super::{
    channel::{Channel, Provider},
    email_account::SmtpSettings,
    field_error::FieldErrors,
    id::AccountId,
    limit::{DailyLimit, NotADailyLimit, Pace},
    message::{Waiting, WaitingReason},
    phone::PhoneNumber,
    secret::Secret,
    text::parse_line,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What the last connection test said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// The provider accepted the credentials.
    Connected,
    /// It did not; `last_error` says why.
    Error,
    /// Nobody has asked yet.
    Untested,
}

impl ConnectionStatus {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Error => "error",
            Self::Untested => "untested",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Connected, Self::Error, Self::Untested].into_iter().find(|status| status.as_str() == name)
    }
}

/// An account as it is shown: never with credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in the shape of the API")]
pub struct Account {
    /// Identifier.
    pub id: AccountId,
    /// Who carries its messages.
    pub provider: Provider,
    /// The way it reaches people.
    pub channel: Channel,
    /// The sender: a number in E.164, a short code, or a mailbox.
    pub address: String,
    /// What people call it.
    pub display_name: String,
    /// The most messages it may send in its day.
    pub daily_limit: u32,
    /// What it has sent of that, with what is under way.
    pub sent_today: u32,
    /// How fast, and what the limit counts.
    #[serde(default)]
    pub pace: Pace,
    /// Why nothing leaves right now, although it is switched on and connected.
    #[serde(default)]
    pub block: Option<Waiting>,
    /// False while a person has switched it off.
    pub is_active: bool,
    /// What the last test said.
    pub connection_status: ConnectionStatus,
    /// Its mail server; `None` for all but SMTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpSettings>,
    /// Why the last test or send failed, with what to do.
    pub last_error: Option<String>,
    /// Why its mailbox could not be read at the last try; sending goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_error: Option<String>,
    /// True when messages of its channel go through it that name no account.
    #[serde(default)]
    pub is_default: bool,
    /// True when it belongs to the demo data.
    pub is_demo: bool,
    /// True for the installation's platform default, which nobody has connected and nobody can change.
    #[serde(default)]
    pub is_platform: bool,
    /// Connected.
    pub created_at: Timestamp,
}

/// Whether an account sends, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It sends.
    Active,
    /// Its provider asked for patience, or could not be reached.
    Paused,
    /// Its connection does not work.
    Error,
    /// A person switched it off.
    Inactive,
}

impl Health {
    /// The word for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::Error => "Error",
            Self::Inactive => "Inactive",
        }
    }
}

impl Account {
    /// Whether it sends, and if not, why.
    pub fn health(&self) -> (Health, Option<&str>) {
        let pause = self.block.as_ref().filter(|block| block.reason == WaitingReason::Provider);
        match (self.connection_status, pause) {
            _ if !self.is_active => (Health::Inactive, None),
            (ConnectionStatus::Error, _) => (Health::Error, self.last_error.as_deref()),
            (_, Some(pause)) => (Health::Paused, Some(&pause.detail)),
            _ => (Health::Active, None),
        }
    }

    /// Why what comes back to it is not seen, and what becomes of that.
    pub fn mailbox_trouble(&self) -> Option<String> {
        let error = self.mailbox_error.as_deref()?;
        let stop = if error.ends_with('.') { "" } else { "." };
        Some(format!("{MAILBOX_UNREAD}: {error}{stop} Mail still leaves."))
    }

    /// An account that has just been connected: it has sent nothing yet, and nothing is set but what was asked for.
    pub fn connected(
        id: AccountId,
        (provider, channel): (Provider, Channel),
        address: String,
        display_name: String,
        daily_limit: u32,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            provider,
            channel,
            address,
            display_name,
            daily_limit,
            sent_today: 0,
            pace: Pace::default(),
            block: None,
            is_active: true,
            connection_status: ConnectionStatus::Connected,
            smtp: None,
            last_error: None,
            mailbox_error: None,
            is_default: false,
            is_demo: false,
            is_platform: false,
            created_at,
        }
    }
}

/// What a connection test said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// The provider accepted the credentials.
    pub success: bool,
    /// Why not, with what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// The sender number of a messaging account: a phone number, or (SMS only, when the person insists) a short code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderNumber {
    /// An ordinary number.
    Phone(PhoneNumber),
    /// Three to eight digits, rented from the carriers; the provider's list of own numbers does not hold it.
    ShortCode(String),
}

impl SenderNumber {
    /// As it is stored and sent.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(number) => number.as_str(),
            Self::ShortCode(code) => code,
        }
    }

    /// Reads three to eight digits.
    pub fn parse_short_code(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| Self::ShortCode(text.to_owned()))
    }
}

/// A messaging account that somebody asks to connect: every part is valid, nothing is proved yet.
#[derive(Debug)]
pub struct NewAccount {
    /// Who will carry its messages.
    pub provider: Provider,
    /// The way it reaches people.
    pub channel: Channel,
    /// The sender.
    pub number: SenderNumber,
    /// What people will call it.
    pub display_name: String,
    /// The most messages a day.
    pub daily_limit: DailyLimit,
    /// The provider's fields by name, in the order of [`Provider::fields`].
    pub credentials: Vec<(&'static str, Secret)>,
    /// Connect although the provider does not list the number.
    pub force: bool,
}

/// The form or the request body, as it came. The browser runs [`ConnectForm::check`] before it sends; the server parses in full.
#[derive(Debug, Default)]
pub struct ConnectForm {
    /// Name of the provider; empty is Twilio.
    pub provider: String,
    /// Name of the channel.
    pub channel: String,
    /// As typed.
    pub phone_number: String,
    /// As typed; empty is the number.
    pub display_name: String,
    /// As typed; empty is the default.
    pub daily_limit: String,
    /// By field name.
    pub credentials: Vec<(String, Secret)>,
    /// "Connect anyway".
    pub force: bool,
}

/// The most characters of a display name.
pub const NAME_MAX: usize = 80;
/// What is wrong when an account's mailbox cannot be read; why follows it.
pub const MAILBOX_UNREAD: &str = "Its mailbox cannot be read, so bounces and replies are not seen";
/// The most characters of a credential; the longest in use are access tokens of a few hundred.
const CREDENTIAL_MAX: usize = 2_000;

impl ConnectForm {
    /// The provider that was chosen.
    pub fn provider(&self) -> Option<Provider> {
        let chosen =
            if self.provider.is_empty() { Some(Provider::Twilio) } else { Provider::from_name(&self.provider) };
        chosen.filter(|provider| Provider::MESSAGING.contains(provider))
    }

    /// Names of the required fields that are empty.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.channel.trim().is_empty() {
            missing.push("channel");
        }
        if self.phone_number.trim().is_empty() {
            missing.push("phone_number");
        }
        for field in self.provider().map_or(&[][..], Provider::fields) {
            if self.credential(field.name).is_none_or(|secret| secret.expose().trim().is_empty()) {
                missing.push(field.name);
            }
        }
        missing
    }

    fn credential(&self, name: &str) -> Option<&Secret> {
        self.credentials.iter().find(|(n, _)| n == name).map(|(_, secret)| secret)
    }

    /// Everything that can be said without asking the provider. `parse_number` reads an ordinary phone number: the shape
    /// in the browser, a full library on the server.
    pub fn parse<E: std::fmt::Display>(
        self,
        parse_number: impl Fn(&str) -> Result<PhoneNumber, E>,
    ) -> Result<NewAccount, FieldErrors> {
        let mut errors = FieldErrors::default();
        for name in self.missing() {
            errors.add(name, "is required");
        }
        let provider = self.provider();
        if provider.is_none() {
            errors.add("provider", format!("must be one of {}", Provider::MESSAGING.map(Provider::as_str).join(", ")));
        }
        let channel = Channel::from_name(self.channel.trim()).filter(|c| Channel::MESSAGING.contains(c));
        if channel.is_none() && errors.of("channel").is_none() {
            errors.add("channel", "must be whatsapp or sms");
        }
        let number = self.parse_number(channel, parse_number, &mut errors);
        let display_name = match self.display_name.trim() {
            "" => None,
            typed => errors.check("display_name", parse_line(typed, NAME_MAX)),
        };
        let daily_limit = errors.check("daily_limit", DailyLimit::parse_typed(&self.daily_limit));
        let force = self.force;
        let credentials = provider.map(|provider| parse_credentials(provider, self.credentials, &mut errors));
        match (provider, channel, number, daily_limit, credentials) {
            (Some(provider), Some(channel), Some(number), Some(daily_limit), Some(credentials))
                if errors.is_empty() =>
            {
                Ok(NewAccount {
                    provider,
                    channel,
                    display_name: display_name.unwrap_or_else(|| number.as_str().to_owned()),
                    number,
                    daily_limit,
                    credentials,
                    force,
                })
            }
            _ => Err(errors),
        }
    }

    fn parse_number<E: std::fmt::Display>(
        &self,
        channel: Option<Channel>,
        parse_number: impl Fn(&str) -> Result<PhoneNumber, E>,
        errors: &mut FieldErrors,
    ) -> Option<SenderNumber> {
        if self.phone_number.trim().is_empty() {
            return None;
        }
        if self.force
            && channel == Some(Channel::Sms)
            && let Some(code) = SenderNumber::parse_short_code(&self.phone_number)
        {
            return Some(code);
        }
        errors.check("phone_number", parse_number(&self.phone_number)).map(SenderNumber::Phone)
    }
}

fn parse_credentials(
    provider: Provider,
    entered: Vec<(String, Secret)>,
    errors: &mut FieldErrors,
) -> Vec<(&'static str, Secret)> {
    let mut kept = Vec::new();
    for (name, secret) in entered {
        let Some(field) = provider.fields().iter().find(|field| field.name == name) else {
            continue;
        };
        if secret.expose().trim().is_empty() {
            continue; // named among the missing
        }
        match parse_line(secret.expose(), CREDENTIAL_MAX) {
            Ok(text) => kept.push((field.name, Secret::new(text))),
            Err(error) => errors.add(field.name, error.to_string()),
        }
    }
    kept
}

/// A change of the settings of an account: only what is named changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountPatch {
    /// New name.
    pub display_name: Option<String>,
    /// New limit.
    pub daily_limit: Option<u32>,
    /// Switch on or off.
    pub is_active: Option<bool>,
    /// What it has sent past Tern today.
    pub used_elsewhere_today: Option<u32>,
    /// The rest of the settings, as they shall be.
    pub pace: Option<Pace>,
}

impl AccountPatch {
    /// With what a form says about the pace: what was sent elsewhere today, and the settings.
    #[must_use]
    pub fn with_pace(self, (used_elsewhere_today, pace): (Option<u32>, Pace)) -> Self {
        Self { used_elsewhere_today, pace: Some(pace), ..self }
    }

    /// Reads the fields of the edit form; `usual` is the limit of now.
    pub fn parse_typed(
        display_name: &str,
        daily_limit: &str,
        confirmation: &str,
        usual: u32,
    ) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        DailyLimit::check_confirmed(daily_limit, confirmation, usual, &mut errors);
        let display_name = errors.check("display_name", parse_line(display_name, NAME_MAX));
        let daily_limit = match daily_limit.trim() {
            "" => errors.check("daily_limit", Err::<DailyLimit, _>(NotADailyLimit)),
            text => errors.check("daily_limit", DailyLimit::parse_typed(text)),
        };
        if errors.is_empty() {
            Ok(Self { display_name, daily_limit: daily_limit.map(DailyLimit::get), ..Self::default() })
        } else {
            Err(errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> ConnectForm {
        ConnectForm {
            channel: "sms".into(),
            phone_number: "+14155550132".into(),
            credentials: vec![
                ("account_sid".into(), Secret::new("AC1".into())),
                ("auth_token".into(), Secret::new("token".into())),
            ],
            ..ConnectForm::default()
        }
    }

    #[test]
    fn a_good_form_becomes_an_account_named_after_its_number() {
        let account = form().parse(PhoneNumber::parse_typed).expect("valid");
        assert_eq!(
            (account.display_name.as_str(), account.daily_limit.get(), account.provider),
            ("+14155550132", 100, Provider::Twilio)
        );
    }

    #[test]
    fn every_missing_field_is_named_at_once() {
        let errors = ConnectForm::default().parse(PhoneNumber::parse_typed).expect_err("empty");
        for field in ["channel", "phone_number", "account_sid", "auth_token"] {
            assert_eq!(errors.of(field), Some("is required"), "{field}");
        }
    }

    #[test]
    fn limits_outside_the_bounds_are_refused() {
        for wrong in ["0", "-1", "1000000000", "100001", "ten", "1.5", "1e3"] {
            let errors =
                ConnectForm { daily_limit: wrong.into(), ..form() }.parse(PhoneNumber::parse_typed).expect_err(wrong);
            assert!(errors.of("daily_limit").is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_short_code_needs_insistence_and_sms() {
        let short = |force, channel: &str| {
            ConnectForm { phone_number: "12345".into(), force, channel: channel.into(), ..form() }
                .parse(PhoneNumber::parse_typed)
        };
        assert!(short(false, "sms").is_err());
        assert!(short(true, "whatsapp").is_err());
        assert!(
            matches!(short(true, "sms").expect("short code").number, SenderNumber::ShortCode(code) if code == "12345")
        );
    }

    #[test]
    fn the_sandbox_asks_for_no_credentials() {
        let form = ConnectForm { provider: "sandbox".into(), credentials: Vec::new(), ..form() };
        assert!(form.parse(PhoneNumber::parse_typed).expect("valid").credentials.is_empty());
    }
}

//! The platform default: the operator's own Twilio sender, for SMS and WhatsApp of organizations that have connected none.
//! Its credentials are read from the configuration at the moment of use and are stored nowhere.

use super::{channel::Login, config::Settings, phone, usecase::session::hash_token};
use crate::domain::secret::Entered;

/// What is configured.
#[derive(Clone)]
pub struct Platform {
    /// The sender, in E.164.
    pub number: String,
    /// Names the provider's account without telling it: what was sent through another one cannot be asked about here.
    pub key: String,
    /// The most messages a day, for each organization and channel.
    pub daily_limit: u32,
    sid: Entered,
    token: Entered,
}

fn set(value: Option<&Entered>) -> Option<&Entered> {
    value.filter(|value| !value.is_empty())
}

fn number(settings: &Settings) -> Option<&str> {
    settings.twilio_phone_number.as_deref().map(str::trim).filter(|number| !number.is_empty())
}

/// The variables that are missing beside those that are set; none when all or none are.
pub fn missing(settings: &Settings) -> Vec<&'static str> {
    let all = [
        ("TWILIO_ACCOUNT_SID", set(settings.twilio_account_sid.as_ref()).is_some()),
        ("TWILIO_AUTH_TOKEN", set(settings.twilio_auth_token.as_ref()).is_some()),
        ("TWILIO_PHONE_NUMBER", number(settings).is_some()),
    ];
    let missing: Vec<_> = all.iter().filter(|(_, is_set)| !is_set).map(|(name, _)| *name).collect();
    if missing.len() == all.len() { Vec::new() } else { missing }
}

impl Platform {
    /// Reads the configuration; `None` unless all three variables are set. One line for a bad number.
    pub fn new(settings: &Settings) -> Result<Option<Self>, String> {
        let number = number(settings).map(|text| {
            let good = phone::parse(text.strip_prefix("whatsapp:").unwrap_or(text));
            good.map_err(|_| "TWILIO_PHONE_NUMBER must be a phone number like +14155552671".to_owned())
        });
        let credentials = (set(settings.twilio_account_sid.as_ref()), set(settings.twilio_auth_token.as_ref()));
        let (Some(number), (Some(sid), Some(token))) = (number.transpose()?, credentials) else { return Ok(None) };
        // Of `AC…/SK…` the account alone: an API key may be replaced by another one.
        let secret = sid.clone().into_secret();
        let account = secret.expose().split('/').next().unwrap_or_default();
        Ok(Some(Self {
            number: number.as_str().to_owned(),
            key: hash_token(account),
            daily_limit: settings.platform_daily_limit,
            sid: sid.clone(),
            token: token.clone(),
        }))
    }

    /// Whether it is the sender that a stored account stands for.
    pub fn is(&self, key: &str, address: &str) -> bool {
        self.key == key && self.number == address
    }

    /// The credentials, for one call.
    pub fn login(&self) -> Login {
        let fields = [("account_sid", &self.sid), ("auth_token", &self.token)];
        Login::new(fields.map(|(name, entered)| (name.to_owned(), entered.clone().into_secret())).into())
    }
}

//! What a create asks for, and what is wrong with it. Pure: the account has its say later.

use super::{
    super::{
        is_sid,
        page::{Query, value},
        refusal::Refusal,
    },
    bare,
};
use crate::domain::phone::PhoneNumber;
use reqwest::Url;

/// The longest text.
const BODY_MAX: usize = 1_600;
/// The most media of one message.
const MEDIA_MAX: usize = 10;
/// The longest address for callbacks.
const CALLBACK_MAX: usize = 4_000;

/// A message that may be accepted.
#[derive(Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub to: String,
    pub from: Option<String>,
    pub service: Option<String>,
    pub body: Option<String>,
    pub media: usize,
    pub status_callback: Option<String>,
}

impl NewMessage {
    /// Reads the form of a create; the first mistake in Twilio's code.
    pub fn parse(form: &Query) -> Result<Self, Refusal> {
        let given = |name| value(form, name).map(str::to_owned);
        let media = form.iter().filter(|(name, url)| name == "MediaUrl" && !url.is_empty()).count();
        let new = Self {
            to: given("To").ok_or_else(|| Refusal::bad(21604, "A 'To' phone number is required."))?,
            from: given("From"),
            service: given("MessagingServiceSid"),
            body: given("Body"),
            media,
            status_callback: given("StatusCallback"),
        };
        new.check_content(form)?;
        new.check_addresses()?;
        match &new.status_callback {
            Some(url) if !is_callback(url) => {
                Err(Refusal::bad(21609, format!("The StatusCallback URL {url} is not a valid URL.")))
            }
            _ => Ok(new),
        }
    }

    fn check_content(&self, form: &Query) -> Result<(), Refusal> {
        let template = value(form, "ContentSid");
        if self.body.is_none() && self.media == 0 && template.is_none() {
            let is_empty = form.iter().any(|(name, _)| name == "Body");
            return Err(if is_empty {
                Refusal::bad(21602, "Message body is required.")
            } else {
                Refusal::bad(21619, "A text message body or media urls must be specified.")
            });
        }
        if self.body.as_ref().is_some_and(|body| body.chars().count() > BODY_MAX) {
            return Err(Refusal::bad(21617, "The concatenated message body exceeds the 1600 character limit."));
        }
        if self.media > MEDIA_MAX {
            return Err(Refusal::bad(21623, "Number of media files exceeds allowed limit."));
        }
        let is_wrong = |(name, url): &(String, String)| name == "MediaUrl" && !url.is_empty() && !is_http(url);
        if form.iter().any(is_wrong) {
            return Err(Refusal::bad(21620, "Invalid media URL(s)."));
        }
        if template.is_some_and(|sid| !is_sid("HX", sid)) {
            return Err(Refusal::bad(21655, "The ContentSid is Invalid."));
        }
        let variables = value(form, "ContentVariables");
        let is_object = |text| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
        if variables.is_some_and(|text| template.is_none() || !is_object(text)) {
            return Err(Refusal::bad(21656, "The ContentVariables Parameter is invalid."));
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), Refusal> {
        if self.from.is_none() && self.service.is_none() {
            return Err(Refusal::bad(21603, "A 'From' phone number is required."));
        }
        if self.service.as_ref().is_some_and(|sid| !is_sid("MG", sid)) {
            return Err(Refusal::bad(21705, "The Messaging Service Sid is invalid."));
        }
        if PhoneNumber::parse_e164(bare(&self.to)).is_err() {
            return Err(Refusal::bad(21211, format!("Invalid 'To' Phone Number: {}", self.to)));
        }
        let Some(from) = &self.from else { return Ok(()) };
        if from.starts_with("whatsapp:") != self.to.starts_with("whatsapp:") {
            return Err(Refusal::bad(21910, "Invalid From and To pair. From and To should be of the same channel"));
        }
        if from == &self.to {
            return Err(Refusal::bad(21266, "'To' and 'From' number cannot be the same"));
        }
        let number = bare(from);
        if PhoneNumber::parse_e164(number).is_err() && !is_name(number) && !is_short_code(number) {
            return Err(Refusal::bad(21212, format!("The 'From' number {from} is not a valid phone number.")));
        }
        Ok(())
    }
}

/// A sender that is a name: up to 11 letters and digits, a letter among them.
pub fn is_name(from: &str) -> bool {
    from.len() <= 11
        && from.bytes().any(|b| b.is_ascii_alphabetic())
        && from.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_&+".contains(&b))
}

fn is_short_code(from: &str) -> bool {
    (5..=6).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_digit())
}

fn is_http(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Twilio calls public addresses only; a stand-in must reach this machine too.
fn is_callback(url: &str) -> bool {
    let host_has_no_underscore =
        || Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(|host| !host.contains('_')));
    url.len() <= CALLBACK_MAX && is_http(url) && host_has_no_underscore()
}

//! What Twilio's answers mean. Pure: status, headers and body in, outcome out.

use super::code;
use crate::{
    domain::message::Status,
    server::channel::{Receipt, Report, SendError},
};
use serde::Deserialize;

/// Longest `Retry-After` that is believed, in milliseconds.
const PATIENCE: i64 = 15 * 60 * 1_000;

/// What came back.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, when it was a number.
    pub retry_after: Option<i64>,
    /// The body, capped.
    pub body: Vec<u8>,
}

/// An error as Twilio words it; the wording itself changes and is not used.
#[derive(Deserialize)]
struct Refusal {
    code: Option<u32>,
}

/// Only what is needed: an account's answer holds the auth token in clear.
#[derive(Deserialize)]
pub struct AccountAnswer {
    /// `active`, `suspended` or `closed`.
    pub status: String,
}

/// A message, every field of which may be missing.
#[derive(Deserialize)]
pub struct MessageAnswer {
    /// What Twilio calls it.
    pub sid: Option<String>,
    /// Twilio's word for its state.
    pub status: Option<String>,
    /// When it failed.
    pub error_code: Option<u32>,
    /// The text; only in lists.
    pub body: Option<String>,
    /// When Twilio took it, RFC 2822.
    pub date_created: Option<String>,
    /// `outbound-api` for what was sent through the API.
    pub direction: Option<String>,
}

/// A page of messages.
#[derive(Deserialize)]
pub struct MessagesAnswer {
    /// The newest first.
    pub messages: Vec<MessageAnswer>,
}

/// A page of own numbers.
#[derive(Deserialize)]
pub struct NumbersAnswer {
    /// The numbers.
    pub incoming_phone_numbers: Vec<OwnNumber>,
}

/// One own number.
#[derive(Deserialize)]
pub struct OwnNumber {
    /// E.164.
    pub phone_number: Option<String>,
    /// What it can do.
    pub capabilities: Option<Capabilities>,
}

/// What a number can do.
#[derive(Deserialize)]
pub struct Capabilities {
    /// Text messages.
    #[serde(default)]
    pub sms: bool,
}

impl Answer {
    /// The body as JSON.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Twilio's error code, if the body has one.
    pub fn code(&self) -> Option<u32> {
        self.json::<Refusal>().and_then(|refusal| refusal.code)
    }

    /// The outcome of a create.
    pub fn sent(&self) -> Result<Receipt, SendError> {
        match self.status {
            200..300 => match self.json::<MessageAnswer>() {
                Some(MessageAnswer { sid: Some(sid), status, .. }) if is_sid(&sid) => Ok(Receipt {
                    provider_message_id: sid,
                    status: status.as_deref().and_then(read_status).unwrap_or(Status::Accepted),
                    provider_status: status.filter(|word| !word.contains('\0')),
                }),
                _ => {
                    Err(SendError::Unknown("Twilio's answer could not be read, so it may have the message.".to_owned()))
                }
            },
            429 => Err(SendError::Throttled {
                after: self.retry_after.map(|s| s.saturating_mul(1_000).clamp(0, PATIENCE)),
            }),
            401 | 403 => Err(SendError::Unauthorized(self.code().map_or_else(
                || code::sentence(20003).to_owned(),
                |code| format!("{} (Twilio error {code})", code::sentence(code)),
            ))),
            404 => Err(SendError::Unauthorized(code::sentence(20404).to_owned())),
            400..500 => Err(code::refusal(self.code().unwrap_or(0))),
            status => {
                Err(SendError::Unknown(format!("Twilio failed (HTTP {status}) and may have the message all the same.")))
            }
        }
    }
}

/// Two letters and 32 hexadecimal digits.
fn is_sid(text: &str) -> bool {
    text.len() == 34 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Our word for Twilio's; `None` for words that say nothing about a message of ours.
pub fn read_status(word: &str) -> Option<Status> {
    Some(match word {
        "accepted" | "scheduled" | "queued" | "sending" => Status::Accepted,
        "sent" => Status::Sent,
        "delivered" | "partially_delivered" => Status::Delivered,
        "undelivered" => Status::Undelivered,
        "failed" => Status::Failed,
        "read" => Status::Read,
        "canceled" => Status::Canceled,
        _ => return None,
    })
}

/// A report in our words.
pub fn report(word: &str, error_code: Option<u32>) -> Option<Report> {
    let status = read_status(word)?;
    let failed = matches!(status, Status::Failed | Status::Undelivered);
    let failure = failed.then(|| code::failure(error_code.unwrap_or(30008)));
    Some(Report { status, provider_status: word.to_owned(), failure })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_create_is_accepted_with_its_sid() {
        let body = r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued","new_field":{}}"#;
        let receipt = answer(201, body).sent().expect("accepted");
        assert_eq!((receipt.status, receipt.provider_message_id.len()), (Status::Accepted, 34));
    }

    #[test]
    fn every_answer_has_one_outcome() {
        let unknown = |answer: Answer| matches!(answer.sent(), Err(SendError::Unknown(_)));
        for status in [500, 502, 503, 504, 599, 301, 302, 100] {
            assert!(unknown(answer(status, "")), "{status}");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"sid":null}"#, r#"{"sid":"SM1"}"#] {
            assert!(unknown(answer(201, body)), "{body}");
        }
        for (status, body) in [(401, r#"{"code":20003}"#), (403, "<html>"), (401, ""), (404, r#"{"code":20404}"#)] {
            assert!(matches!(answer(status, body).sent(), Err(SendError::Unauthorized(_))), "{status}");
        }
        assert!(matches!(answer(400, r#"{"code":21610}"#).sent(), Err(SendError::Rejected(f)) if f.code == "21610"));
        assert!(matches!(answer(400, "nonsense").sent(), Err(SendError::Rejected(_))));
    }

    #[test]
    fn the_wait_that_twilio_asks_for_is_kept_within_bounds() {
        for (given, kept) in [(Some(2), Some(2_000)), (Some(-5), Some(0)), (Some(86_400), Some(PATIENCE)), (None, None)]
        {
            let throttled = Answer { retry_after: given, ..answer(429, "") }.sent();
            assert_eq!(throttled, Err(SendError::Throttled { after: kept }));
        }
    }

    #[test]
    fn words_of_others_are_no_report() {
        for word in ["receiving", "received", "", "DELIVERED", "new-word"] {
            assert_eq!(report(word, None), None, "{word}");
        }
        assert_eq!(report("failed", Some(30007)).and_then(|r| r.failure).map(|f| f.code), Some("30007".to_owned()));
    }
}

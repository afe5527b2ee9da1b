//! Twilio: SMS and WhatsApp over its REST API of 2010-04-01.
//!
//! No answer is ever logged: that of an account holds the auth token in clear.

mod answer;
mod code;
pub mod signature;

use super::{
    Asked, Found, Inbound, Incoming, Login, Outgoing, Poll, Probe, Receipt, SendError, Sender, Sought, TOO_LATE,
    TestError, Told, ToldEvent, WebhookError,
    body::{LeasedBody, TooLate},
};
use crate::domain::{
    account::SenderNumber,
    channel::Channel,
    consent::Wish,
    time::{DAY, HOUR, MINUTE, SECOND},
};
use answer::{AccountAnswer, Answer, MessageAnswer, MessagesAnswer, NumbersAnswer};
use async_trait::async_trait;
use reqwest::{Body, Method, RequestBuilder};
use std::{error::Error, iter::successors};

/// The most of an answer that is read.
const ANSWER_MAX: usize = 1024 * 1024;

/// What tells deliveries apart is no longer than this; Twilio's own is a third of it.
const KEY_MAX: usize = 300;

/// Our clock and Twilio's may differ by so many milliseconds.
const CLOCKS_DIFFER: i64 = 5 * SECOND;

/// The adapter.
pub struct Twilio {
    http: reqwest::Client,
    base: String,
}

/// Whose account, and who signs in: the account itself or an API key of it.
struct SignIn<'a> {
    account: &'a str,
    user: &'a str,
    password: &'a str,
}

/// `AC` and 32 hex digits, or with an API key `AC…/SK…`.
fn sign_in(login: &Login) -> Result<SignIn<'_>, TestError> {
    let (account, user) = match login.field("account_sid").split_once('/') {
        Some((account, key)) => (account, key),
        None => (login.field("account_sid"), login.field("account_sid")),
    };
    let is_sid = |text: &str, prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if is_sid(account, "AC") && (account == user || is_sid(user, "SK")) {
        return Ok(SignIn { account, user, password: login.field("auth_token") });
    }
    let message = if account.starts_with("SK") {
        "This is the SID of an API key. Enter the Account SID, a slash and the key's SID: AC…/SK…, with the key's secret as token."
    } else {
        "An Account SID is AC and 32 characters of 0–9 and a–f. Copy it from the home page of the Twilio console."
    };
    Err(TestError { code: "credentials", message: message.to_owned() })
}

fn failed(code: &'static str, message: impl Into<String>) -> TestError {
    TestError { code, message: message.into() }
}

/// Why a request got no answer.
enum NoAnswer {
    /// Certainly nothing was handed over: it came too late.
    Withheld,
    /// Certainly nothing was handed over. A sentence.
    Before(&'static str),
    /// The request may have arrived. A sentence.
    After(&'static str),
}

impl NoAnswer {
    fn sentence(&self) -> &'static str {
        match self {
            Self::Withheld => TOO_LATE,
            Self::Before(text) | Self::After(text) => text,
        }
    }
}

/// The server says that it did not look at the request: it sends no more on this connection (RFC 9113, 6.8) or refused this
/// one before it began (8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    error.is_remote()
        && match error.reason() {
            Some(h2::Reason::NO_ERROR) => error.is_go_away(),
            Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
            _ => false,
        }
}

fn no_answer(error: &reqwest::Error) -> NoAnswer {
    let causes = || successors(error.source(), |&cause| cause.source());
    if causes().any(<dyn Error>::is::<TooLate>) {
        return NoAnswer::Withheld;
    }
    if causes().filter_map(|cause| cause.downcast_ref()).any(is_unprocessed) {
        return NoAnswer::Before("Twilio closed the connection before it took the request. Try again in a minute.");
    }
    let text = causes().map(ToString::to_string).collect::<String>().to_lowercase();
    if !error.is_connect() {
        return if error.is_timeout() {
            NoAnswer::After("Twilio did not answer in time. Try again in a minute.")
        } else {
            NoAnswer::After("The connection to Twilio broke. Try again in a minute.")
        };
    }
    NoAnswer::Before(if text.contains("dns") || text.contains("lookup") || text.contains("resolve") {
        "The name of Twilio's server was not found. Check this machine's internet connection and its DNS."
    } else if text.contains("certificate") || text.contains("tls") || text.contains("handshake") {
        "No secure connection to Twilio: its certificate was not accepted. Check the clock of this machine and any proxy in between."
    } else if error.is_timeout() {
        "Twilio could not be reached in time. Check this machine's internet connection and firewall."
    } else {
        "Twilio refused the connection. Check this machine's internet connection and the address in TWILIO_API_URL."
    })
}

impl Twilio {
    /// Wires the shared client and the address of the API.
    pub fn new(http: reqwest::Client, base: String) -> Self {
        Self { http, base }
    }

    fn request(&self, method: Method, sign_in: &SignIn<'_>, path: &str) -> RequestBuilder {
        let url = format!("{}/2010-04-01/Accounts/{}{path}", self.base, sign_in.account);
        self.http
            .request(method, url)
            .basic_auth(sign_in.user, Some(sign_in.password))
            .header("accept", "application/json")
    }

    /// Sends a request and reads the answer, up to a bound.
    async fn call(request: RequestBuilder) -> Result<Answer, NoAnswer> {
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        let mut body = Vec::new();
        // An answer that breaks off after its head is an answer without a body.
        while let Ok(Some(chunk)) = response.chunk().await {
            if body.len() + chunk.len() > ANSWER_MAX {
                body.clear();
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body })
    }

    async fn look(request: RequestBuilder) -> Result<Answer, TestError> {
        let answer = Self::call(request).await.map_err(|none| failed("unreachable", none.sentence()))?;
        match answer.status {
            200..300 => Ok(answer),
            401 => Err(failed("credentials", code::sentence(20003))),
            403 => Err(failed(
                "credentials",
                "Twilio says these credentials may not do this. Use the live credentials of the account, or give the API key the right to read accounts and messages.",
            )),
            404 => Err(failed("credentials", code::sentence(20404))),
            429 => Err(failed("provider", "Twilio is asked too often right now. Wait a minute and try again.")),
            500..600 => Err(failed(
                "provider",
                format!("Twilio has a problem of its own (HTTP {}). Try again in a few minutes.", answer.status),
            )),
            status => Err(failed(
                "provider",
                format!("Twilio's answer was not understood (HTTP {status}). Check the address in TWILIO_API_URL."),
            )),
        }
    }

    /// The account must exist and be active. A Standard API key may not read it, so the list of messages is read instead.
    async fn test_account(&self, sign_in: &SignIn<'_>) -> Result<(), TestError> {
        let nonsense =
            || failed("provider", "Twilio's answer was not understood. Check the address in TWILIO_API_URL.");
        if sign_in.user != sign_in.account {
            let answer =
                Self::look(self.request(Method::GET, sign_in, "/Messages.json").query(&[("PageSize", "1")])).await?;
            return answer.json::<serde_json::Map<String, serde_json::Value>>().map(drop).ok_or_else(nonsense);
        }
        let answer = Self::look(self.request(Method::GET, sign_in, ".json")).await?;
        match answer.json::<AccountAnswer>().ok_or_else(nonsense)?.status.as_str() {
            "active" => Ok(()),
            "suspended" => Err(failed(
                "credentials",
                "Twilio has suspended this account. Look at its notices in the Twilio console.",
            )),
            "closed" => Err(failed("credentials", "This Twilio account is closed. Use another one.")),
            _ => Err(nonsense()),
        }
    }

    /// Whether the account owns the number and can send with it. A key without the right to look is no failure.
    async fn test_number(&self, sign_in: &SignIn<'_>, number: &str) -> Result<(), TestError> {
        let request =
            self.request(Method::GET, sign_in, "/IncomingPhoneNumbers.json").query(&[("PhoneNumber", number)]);
        let answer = match Self::look(request).await {
            Ok(answer) => answer,
            Err(error) if error.code == "credentials" => return Ok(()),
            Err(error) => return Err(error),
        };
        let page: NumbersAnswer = answer.json().ok_or_else(|| {
            failed("provider", "Twilio's answer was not understood. Check the address in TWILIO_API_URL.")
        })?;
        // Twilio's filter matches parts of numbers too.
        let own = page.incoming_phone_numbers.iter().find(|own| own.phone_number.as_deref() == Some(number));
        match own {
            None => Err(failed(
                "not_owned",
                format!(
                    "The Twilio account does not own {number}. Check the number, or buy it in the Twilio console. A sender of a messaging service or a short code is not listed there: then connect anyway."
                ),
            )),
            Some(own) if own.capabilities.as_ref().is_some_and(|can| can.sms) => Ok(()),
            Some(_) => Err(failed(
                "cannot_send",
                format!("{number} cannot send text messages. Choose a number with SMS in the Twilio console."),
            )),
        }
    }
}

/// A number as Twilio addresses it on a channel.
fn address(channel: Channel, number: &str) -> String {
    if channel == Channel::Whatsapp { format!("whatsapp:{number}") } else { number.to_owned() }
}

/// A number as we know it.
fn bare(address: &str) -> String {
    address.strip_prefix("whatsapp:").unwrap_or(address).to_owned()
}

#[async_trait]
impl Sender for Twilio {
    async fn test(&self, login: &Login, probe: &Probe<'_>) -> Result<(), TestError> {
        let sign_in = sign_in(login)?;
        self.test_account(&sign_in).await?;
        match probe.sender {
            Some(SenderNumber::Phone(number)) if probe.channel == Channel::Sms && !probe.force => {
                self.test_number(&sign_in, number.as_str()).await
            }
            _ => Ok(()),
        }
    }

    async fn send(&self, login: &Login, message: &Outgoing) -> Result<Receipt, SendError> {
        let sign_in = sign_in(login).map_err(|error| SendError::Unauthorized(error.message))?;
        let mut form = vec![
            ("To", address(message.channel, &message.to)),
            ("From", address(message.channel, &message.from)),
            ("Body", message.body.clone()),
        ];
        form.extend(message.status_url.clone().map(|url| ("StatusCallback", url)));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .request(Method::POST, &sign_in, "/Messages.json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::wrap(LeasedBody::new(body, message.lease.clone())));
        match Self::call(request).await {
            Ok(answer) => answer.sent(),
            Err(NoAnswer::Withheld) => Err(SendError::Withheld(TOO_LATE)),
            Err(NoAnswer::Before(text)) => Err(SendError::Unavailable(text.to_owned())),
            Err(NoAnswer::After(_)) => Err(SendError::Unknown(
                "The connection to Twilio ended without an answer, so it may have the message.".to_owned(),
            )),
        }
    }

    async fn poll(&self, login: &Login, asked: &Asked<'_>) -> Result<Poll, SendError> {
        let sign_in = sign_in(login).map_err(|error| SendError::Unauthorized(error.message))?;
        let path = format!("/Messages/{}.json", asked.provider_message_id);
        let answer = Self::call(self.request(Method::GET, &sign_in, &path))
            .await
            .map_err(|none| SendError::Unavailable(none.sentence().to_owned()))?;
        let message = match answer.status {
            200..300 => answer.json::<MessageAnswer>(),
            404 => return Ok(Poll::default()),
            429 => return Err(SendError::Throttled { after: None }),
            status => return Err(SendError::Unavailable(format!("Twilio answered with HTTP {status}."))),
        };
        let report = message.and_then(|m| m.status.as_deref().and_then(|word| answer::report(word, m.error_code)));
        let is_final = report.as_ref().is_some_and(|report| report.status.is_final());
        let age = asked.now.0 - asked.accepted_at.0;
        let steps = [
            (MINUTE, 30 * SECOND),
            (5 * MINUTE, 2 * MINUTE),
            (30 * MINUTE, 5 * MINUTE),
            (2 * HOUR, 15 * MINUTE),
            (DAY, HOUR),
        ];
        let again_after = steps.iter().find(|(until, _)| age < *until).map(|(_, wait)| *wait).filter(|_| !is_final);
        Ok(Poll { report, replies: Vec::new(), again_after })
    }

    /// Twilio's list, filtered by sender and recipient; matched by text and time. Not by `DateSent`: what is still queued
    /// there has none.
    async fn find(&self, login: &Login, sought: &Sought<'_>) -> Result<Vec<Found>, SendError> {
        let sign_in = sign_in(login).map_err(|error| SendError::Unauthorized(error.message))?;
        let query = [
            ("To", address(sought.channel, sought.to)),
            ("From", address(sought.channel, sought.from)),
            ("PageSize", "1000".to_owned()),
        ];
        let request = self.request(Method::GET, &sign_in, "/Messages.json").query(&query);
        let answer = Self::call(request).await.map_err(|none| SendError::Unavailable(none.sentence().to_owned()))?;
        let unreadable = || SendError::Unavailable(format!("Twilio answered with HTTP {}.", answer.status));
        if !(200..300).contains(&answer.status) {
            return Err(unreadable());
        }
        let list: MessagesAnswer = answer.json().ok_or_else(unreadable)?;
        let mut found: Vec<(i64, Found)> = list
            .messages
            .into_iter()
            .filter(|message| message.body.as_deref() == Some(sought.body))
            .filter(|message| message.direction.as_deref() != Some("inbound"))
            .filter_map(|message| {
                let created = jiff::fmt::rfc2822::parse(message.date_created.as_deref()?).ok()?;
                let at = created.timestamp().as_millisecond();
                // Twilio's dates are whole seconds.
                let fits = (sought.since.0 - CLOCKS_DIFFER..=sought.until.0 + CLOCKS_DIFFER).contains(&at);
                let report = answer::report(message.status.as_deref()?, message.error_code)?;
                fits.then_some((at, Found { provider_message_id: message.sid?, report }))
            })
            .collect();
        found.sort_by_key(|(at, _)| *at);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    fn can_find(&self) -> bool {
        true
    }

    fn first_poll_after(&self) -> Option<i64> {
        Some(MINUTE)
    }

    fn read_webhook(&self, login: &Login, call: &Incoming<'_>) -> Result<Told, WebhookError> {
        // A webhook is signed with the account's auth token, never with an API key's secret.
        if login.field("account_sid").contains('/') || !signature::is_genuine(login.field("auth_token"), call) {
            return Err(WebhookError::Signature);
        }
        let query = call.url.split_once('?').map_or("", |(_, query)| query);
        let params = signature::params(if call.method == "GET" { query.as_bytes() } else { call.body });
        // What no database takes: one call must not spoil the others that are stored with it.
        let params: Vec<_> = params.into_iter().map(|(n, v)| (n.replace('\0', ""), v.replace('\0', ""))).collect();
        let field =
            |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty());
        let sid = field("MessageSid").or(field("SmsSid")).ok_or(WebhookError::Unreadable)?.to_owned();
        let status = field("MessageStatus").or(field("SmsStatus")).unwrap_or_default();
        let raw = mask(&params);
        if status == "received" || (status.is_empty() && field("Body").is_some()) {
            let text = |name| field(name).map(bare).ok_or(WebhookError::Unreadable);
            let inbound = Inbound {
                provider_message_id: sid.clone(),
                from: text("From")?,
                to: text("To")?,
                subject: None,
                body: field("Body").unwrap_or_default().to_owned(),
                // Of a messaging service with Advanced Opt-Out.
                opt_out: match field("OptOutType") {
                    Some("STOP") => Some(Wish::Stop),
                    Some("START") => Some(Wish::Start),
                    Some("HELP") => Some(Wish::Help),
                    _ => None,
                },
            };
            return Ok(Told { dedupe_key: format!("{sid}:received"), raw, event: ToldEvent::Inbound(inbound) });
        }
        let code = field("ErrorCode").and_then(|code| code.parse().ok());
        let key =
            [sid.as_str(), status, field("ErrorCode").unwrap_or_default(), field("RawDlrDoneDate").unwrap_or_default()]
                .join(":");
        let key: String = key.chars().take(KEY_MAX).collect();
        let event = ToldEvent::Status { provider_message_id: sid, report: answer::report(status, code) };
        Ok(Told { dedupe_key: key, raw, event })
    }
}

/// The parameters as JSON, account SIDs cut to their last four.
fn mask(params: &[(String, String)]) -> String {
    let masked = |value: &str| {
        let sid = value
            .strip_prefix("AC")
            .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if sid { format!("…{}", &value[value.len() - 4..]) } else { value.replace('\0', "") }
    };
    let pairs: Vec<(&str, String)> = params.iter().map(|(name, value)| (name.as_str(), masked(value))).collect();
    serde_json::to_string(&pairs).expect("texts")
}

#[cfg(test)]
mod tests;

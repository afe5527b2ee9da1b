//! The sandbox: no credentials, delivers nowhere, and shows the whole life of a message, failures and a reply included.
//!
//! What becomes of a message is a pure function of recipient, text and time since it was accepted, so it survives any
//! restart. Recipients fail by the same rules as in `tern simulate`.

use super::{
    Asked, Inbound, Incoming, Login, Outgoing, Poll, Probe, Receipt, Report, SendError, Sender, TestError, Told,
    WebhookError,
};
use crate::{
    domain::{
        channel::Channel,
        message::{Failure, Status},
        time::SECOND,
    },
    server::simulate::fate::{Fate, fate},
};
use async_trait::async_trait;

/// When, after it was accepted, a message is sent, delivered, read, answered.
const SENT: i64 = SECOND;
const DELIVERED: i64 = 2 * SECOND;
const READ: i64 = 4 * SECOND;
const ANSWERED: i64 = 5 * SECOND;

/// The adapter.
pub struct Sandbox;

#[async_trait]
impl Sender for Sandbox {
    async fn test(&self, _: &Login, _: &Probe<'_>) -> Result<(), TestError> {
        Ok(())
    }

    async fn send(&self, _: &Login, message: &Outgoing) -> Result<Receipt, SendError> {
        match fate(&message.to) {
            Fate::Refuse { code, message } => Err(SendError::Rejected(Failure {
                code: code.to_string(),
                message: message.to_owned(),
                retryable: false,
            })),
            _ => Ok(Receipt {
                provider_message_id: format!("SB{}", message.attempt_id),
                status: Status::Accepted,
                provider_status: Some("queued".to_owned()),
            }),
        }
    }

    async fn poll(&self, _: &Login, asked: &Asked<'_>) -> Result<Poll, SendError> {
        Ok(life(asked))
    }

    fn first_poll_after(&self) -> Option<i64> {
        Some(SENT)
    }

    fn read_webhook(&self, _: &Login, _: &Incoming<'_>) -> Result<Told, WebhookError> {
        Err(WebhookError::Signature) // nobody calls for a sandbox
    }
}

/// The state of a message `now`, and how long it stays that way.
fn life(asked: &Asked<'_>) -> Poll {
    let age = asked.now.0 - asked.accepted_at.0;
    let is_question = asked.body.contains('?') && asked.channel != Channel::Email;
    let (status, code) = match fate(asked.to) {
        _ if age < SENT => (Status::Accepted, None),
        Fate::StaySent => (Status::Sent, None),
        Fate::FailLater { code, message } => (Status::Failed, Some((code, message))),
        _ if age < DELIVERED => (Status::Sent, None),
        Fate::Undelivered { code, message } => (Status::Undelivered, Some((code, message))),
        _ if age >= READ && asked.channel == Channel::Whatsapp => (Status::Read, None),
        _ => (Status::Delivered, None),
    };
    let arrives = matches!(status, Status::Delivered | Status::Read);
    let failure =
        code.map(|(code, message)| Failure { code: code.to_string(), message: message.to_owned(), retryable: true });
    let reply = || Inbound {
        provider_message_id: format!("{}-reply", asked.provider_message_id),
        from: asked.to.to_owned(),
        to: asked.from.to_owned(),
        subject: None,
        body: "Yes, tell me more.".to_owned(),
        opt_out: None,
    };
    let replies = if arrives && is_question && age >= ANSWERED { vec![reply()] } else { Vec::new() };
    let next = [SENT, DELIVERED, READ, ANSWERED].into_iter().find(|step| *step > age);
    let is_over = code.is_some() || (status == Status::Sent && age >= DELIVERED);
    Poll {
        report: Some(Report { status, provider_status: status.as_str().to_owned(), failure }),
        replies,
        again_after: next.map(|step| step - age).filter(|_| !is_over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn at(age: i64, to: &str, body: &str) -> Poll {
        life(&Asked {
            provider_message_id: "SB1",
            channel: Channel::Whatsapp,
            from: "+14155550132",
            to,
            body,
            accepted_at: Timestamp(0),
            now: Timestamp(age),
        })
    }

    #[test]
    fn a_message_goes_all_the_way_and_a_question_is_answered_once() {
        let status = |age| at(age, "+14155550199", "Hello?").report.map(|report| report.status);
        assert_eq!(
            [0, SENT, DELIVERED, READ].map(status),
            [Status::Accepted, Status::Sent, Status::Delivered, Status::Read].map(Some)
        );
        let late = at(ANSWERED, "+14155550199", "Hello?");
        assert_eq!((late.replies.len(), late.again_after), (1, None));
        assert!(at(ANSWERED, "+14155550199", "Hello.").replies.is_empty());
        assert_eq!(at(READ, "+14155550199", "Hello?").again_after, Some(ANSWERED - READ));
    }

    #[test]
    fn some_recipients_never_get_it() {
        let end = at(ANSWERED, "+15005550030", "Hello?");
        assert_eq!(end.report.map(|report| report.status), Some(Status::Undelivered));
        assert!(end.replies.is_empty() && end.again_after.is_none());
    }
}

//! What comes back by mail, joined with what was sent. Only messages of the very account whose mailbox it lay in are
//! touched: whoever forges a report must know the Message-ID, and harms nobody else's.

use super::{
    consent::{self, Said},
    report::{self, News},
    session::hash_token,
};
use crate::{
    domain::{
        channel::Channel,
        consent::{Act, Teller},
        id::{AttemptId, MessageId},
        lead::Way,
        message::{Direction, Source, Status},
    },
    server::{
        App,
        channel::{
            Report,
            imap::{Bounce, Look, Looked, Mail},
        },
        store::{self, Conn, account::StoredAccount, message::StoredMessage, webhook::NewCall},
    },
};

/// The most names of one mail that are looked up.
const NAMES_MAX: usize = 20;

/// Joins all that a look found; the messages that changed. Whoever calls notes in the same transaction how far it was read.
pub async fn join(app: &App, conn: &mut Conn, account: &StoredAccount, look: &Look) -> sqlx::Result<Vec<MessageId>> {
    let (mut touched, mut said) = (Vec::new(), Vec::new());
    for looked in &look.mails {
        match &looked.mail {
            Mail::Bounce(bounce) => {
                if let Some(message) = find(app, conn, account, &bounce.names).await? {
                    let key = key_of(looked, look.bookmark.validity, bounce);
                    touched.extend(returned(app, conn, account, &message, bounce, &key, &mut said).await?);
                }
            }
            Mail::Reply { to_message_id } => {
                if let Some(message) = find(app, conn, account, to_message_id).await? {
                    touched.extend(answered(app, conn, &message).await?);
                }
            }
            Mail::AutoReply | Mail::Other => {}
        }
    }
    consent::record(app, conn, &said).await?;
    Ok(touched)
}

/// The message that one of these names stands for: its own id stands before the `@`, or is the envelope's; else what the
/// server called it.
async fn find(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    names: &[String],
) -> sqlx::Result<Option<StoredMessage>> {
    // None of ours has a NUL, and PostgreSQL would refuse the question: one mail must not hold up its mailbox.
    for name in names.iter().filter(|name| !name.contains('\0')).take(NAMES_MAX) {
        let local = name.split('@').next().unwrap_or_default().to_uppercase();
        let id = match local.parse::<MessageId>() {
            Ok(id) => Some(id),
            Err(_) => store::message::find_by_provider_id(conn, &account.account.id, &format!("<{name}>")).await?,
        };
        let Some(id) = id else { continue };
        let found = store::queue::lock(conn, app.db.dialect, &id).await?;
        let is_ours = |found: &StoredMessage| {
            found.organization_id == account.organization_id
                && found.account_id.as_ref() == Some(&account.account.id)
                && found.message.direction == Direction::Outbound
        };
        if let Some(found) = found.filter(is_ours) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Equal for two deliveries of one report, also when the server numbers its mails anew.
fn key_of(looked: &Looked, validity: u32, bounce: &Bounce) -> String {
    match &looked.message_id {
        Some(id) => format!("mail:{}", hash_token(&format!("{id} {:?}", bounce.fates))),
        None => format!("imap:{validity}:{}", looked.uid),
    }
}

async fn returned(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    stored: &StoredMessage,
    bounce: &Bounce,
    key: &str,
    said: &mut Vec<Said>,
) -> sqlx::Result<Option<MessageId>> {
    let (message, now) = (&stored.message, app.clock.now());
    let fates: Vec<_> =
        bounce.fates.iter().map(|fate| (fate.report().provider_status, &fate.code, &fate.said)).collect();
    let raw = serde_json::to_string(&fates).expect("texts");
    let call_id = app.new_id::<AttemptId>();
    let call = NewCall {
        id: call_id.as_str(),
        account_id: account.account.id.as_str(),
        message_id: Some(message.id.as_str()),
        dedupe_key: key,
        raw: &raw,
        received_at: now.0,
    };
    if store::webhook::insert(conn, app.db.dialect, &[call]).await?.is_empty() {
        return Ok(None); // a repeat
    }
    // A message that is to be sent, or is being sent, once more: only an arrival says anything about that.
    let is_superseded = message.status == Status::Queued || (message.status == Status::Sending && message.attempts > 1);
    for fate in &bounce.fates {
        join_one(app, conn, &message.id, &fate.report(), is_superseded).await?;
        if fate.is_hard() {
            said.push(Said {
                organization: stored.organization_id.clone(),
                act: Act::Bounced,
                // The address that we wrote to, whatever the report calls it: it may have been forwarded.
                way: Way { channel: Channel::Email, address: message.to.clone() },
                source: Teller::Provider,
                detail: Some(fate.code.clone()),
                message: Some(message.id.clone()),
            });
        }
    }
    Ok(Some(message.id.clone()))
}

/// Whoever answers a mail has it: that settles one of which nobody knew.
async fn answered(app: &App, conn: &mut Conn, stored: &StoredMessage) -> sqlx::Result<Option<MessageId>> {
    if stored.message.status != Status::Unknown {
        return Ok(None);
    }
    let report = Report { status: Status::Sent, provider_status: "answered".to_owned(), failure: None };
    join_one(app, conn, &stored.message.id, &report, false).await?;
    Ok(Some(stored.message.id.clone()))
}

async fn join_one(
    app: &App,
    conn: &mut Conn,
    message: &MessageId,
    report: &Report,
    is_superseded: bool,
) -> sqlx::Result<()> {
    let news = News { message, report, provider_message_id: None, source: Source::Poll, is_superseded };
    report::join(app, conn, &[news]).await.map(drop) // no mail server speaks of carriers
}

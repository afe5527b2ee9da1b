//! What comes back by mail, joined with what was sent. Only messages of the very account whose mailbox it lay in are
//! touched: whoever forges a report must know the Message-ID, and harms nobody else's.

use super::{
    consent::{self, Said},
    report::{self, News},
    session::hash_token,
    webhook::{self, Taken},
};
use crate::{
    domain::{
        channel::Channel,
        consent::{Act, Teller},
        id::{AttemptId, MessageId},
        lead::Way,
        message::{Direction, Source, Status},
        time::DAY,
    },
    server::{
        App, answer,
        channel::{
            Inbound, Report,
            imap::{Bounce, Letter, Look, Looked, Mail},
        },
        store::{self, Conn, account::StoredAccount, message::StoredMessage, webhook::NewCall},
    },
};

/// Whoever is away and does not say until when is left alone for so long.
const AWAY: i64 = 3 * DAY;

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
            Mail::Reply { to_message_id, letter } => {
                if let Some(message) = find(app, conn, account, to_message_id).await? {
                    touched.extend(answered(app, conn, &message).await?);
                    let taken = take_in(app, conn, account, &message, looked, letter).await?;
                    if let Some(Taken { message, said: says }) = taken {
                        touched.push(message);
                        said.extend(says);
                    }
                }
            }
            Mail::AutoReply { to_message_id, letter } => {
                if let Some(message) = find(app, conn, account, to_message_id).await? {
                    touched.extend(away(app, conn, &message, letter).await?);
                }
            }
            Mail::Complaint { about_message_id } => {
                if let Some(message) = find(app, conn, account, about_message_id).await? {
                    said.push(told(&message, Act::Complained, None));
                }
            }
            Mail::Other => {}
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
            said.push(told(stored, Act::Bounced, Some(fate.code.clone())));
        }
    }
    Ok(Some(message.id.clone()))
}

/// What servers say of the address that we wrote to, whatever they call it: the mail may have been forwarded.
fn told(stored: &StoredMessage, act: Act, detail: Option<String>) -> Said {
    Said {
        organization: stored.organization_id.clone(),
        act,
        way: Way { channel: Channel::Email, address: stored.message.to.clone() },
        source: Teller::Provider,
        detail,
        message: Some(stored.message.id.clone()),
    }
}

/// An answer becomes a message of whoever was written to, from whichever address they answer.
async fn take_in(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    about: &StoredMessage,
    looked: &Looked,
    letter: &Letter,
) -> sqlx::Result<Option<Taken>> {
    let name = looked.message_id.as_ref().map_or_else(|| format!("uid-{}", looked.uid), |id| format!("<{id}>"));
    let inbound = Inbound {
        provider_message_id: name,
        from: letter.from.clone(),
        to: account.account.address.clone(),
        subject: Some(letter.subject.clone()).filter(|subject| !subject.is_empty()),
        body: letter.text.clone(),
        opt_out: None,
    };
    let way = Way { channel: Channel::Email, address: about.message.to.clone() };
    webhook::take_in_from(app, conn, account, &inbound, &way).await
}

/// A machine answers for somebody who is away: nothing more is due for them before they are back.
async fn away(app: &App, conn: &mut Conn, about: &StoredMessage, letter: &Letter) -> sqlx::Result<Option<MessageId>> {
    let (message, now) = (&about.message, app.clock.now());
    let Some(lead) = &message.lead_id else { return Ok(None) };
    let until = answer::away_until(&format!("{}\n{}", letter.subject, answer::said(&letter.text)), now);
    let until = until.unwrap_or_else(|| now.plus(AWAY));
    store::enrollment::hold(conn, lead, &about.organization_id, until, now).await?;
    let mut event = store::message::event(app.new_id(), now, message.status, Source::Poll);
    event.detail = Some(format!("An automatic answer came: sequences wait until {}.", until.for_people()));
    store::message::insert_event(conn, app.db.dialect, &message.id, &event).await?;
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

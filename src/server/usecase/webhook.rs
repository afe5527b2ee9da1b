//! What providers tell us: stored raw before they get their answer, then joined with what is known.

use crate::{
    api::error::ApiError,
    domain::{
        channel::Channel,
        consent::{Teller, Wish},
        id::{AccountId, AttemptId, MessageId, OrganizationId},
        lead::Way,
        message::{Direction, Message, Source, Status},
    },
    server::{
        App, answer,
        channel::{Inbound, Incoming, Login, Told, ToldEvent},
        error::Error,
        live::Topic,
        store::{
            self, Conn, Dialect,
            account::StoredAccount,
            message::StoredMessage,
            report::Tried,
            tally::{Kind, Tally},
            webhook::NewCall,
        },
        usecase::{
            account,
            consent::{self, Said},
            enrollment,
            report::{self, News},
        },
    },
};

use std::{collections::HashMap, sync::Arc};

/// So many characters of a message are kept with what it says about being written to.
const DETAIL_MAX: usize = 200;

/// The call is not genuine, or of no account of ours: the caller is told the same.
pub struct Refused;

/// Takes in a call of a provider. `attempt` is what our own callback URL named.
pub async fn receive(
    app: &App,
    account_id: &str,
    attempt: Option<&str>,
    call: &Incoming<'_>,
) -> Result<Result<(), Refused>, Error> {
    let Ok(id) = account_id.parse::<AccountId>() else { return Ok(Err(Refused)) };
    let opened = app.open.call(id).await;
    let opened = opened.ok_or_else(|| Error::Internal("accounts could not be read".to_owned()))??;
    let Some(opened) = opened else { return Ok(Err(Refused)) };
    let account = &opened.stored.account;
    let Ok(told) = app.channels.of(account.provider).read_webhook(&opened.login, call) else {
        return Ok(Err(Refused));
    };
    let attempt = attempt.and_then(|id| id.parse::<AttemptId>().ok());
    let organization = opened.stored.organization_id.clone();
    let is_inbound = matches!(told.event, ToldEvent::Inbound(_));
    // What is not stored is not confirmed: the provider calls again.
    let heard = app.hear.call(Heard { opened, attempt, told }).await;
    let touched = heard.ok_or_else(|| Error::Internal("a provider's call was not stored".to_owned()))??;
    if let Some(message) = touched {
        app.live.publish(&organization, Topic::Messages, Some(message.as_str()));
        if is_inbound {
            app.live.publish(&organization, Topic::Leads, None);
        }
    }
    Ok(Ok(()))
}

/// An account that a provider calls, with its credentials.
pub struct Opened {
    stored: StoredAccount,
    login: Login,
}

/// Reads the accounts that providers call at the same time together, each once; `None` for one that is unknown, or whose
/// credentials do not open.
pub async fn open_many(app: &App, ids: &[AccountId]) -> Vec<Result<Option<Arc<Opened>>, ApiError>> {
    let read = async { store::account::find_many(&mut *app.db.read().await?, app.db.dialect, ids).await };
    let stored = match read.await {
        Ok(stored) => stored,
        Err(_) if ids.len() > 1 => {
            let mut opened = Vec::with_capacity(ids.len());
            for one in ids.chunks(1) {
                opened.extend(Box::pin(open_many(app, one)).await);
            }
            return opened;
        }
        Err(error) => return vec![Err(Error::from(error).into()); ids.len()],
    };
    let opened: HashMap<AccountId, Arc<Opened>> = stored
        .into_iter()
        .filter_map(|stored| {
            let login = account::open(app, &stored).ok()?;
            Some((stored.account.id.clone(), Arc::new(Opened { stored, login })))
        })
        .collect();
    ids.iter().map(|id| Ok(opened.get(id).cloned())).collect()
}

/// A genuine call that is to be stored together with others.
pub struct Heard {
    opened: Arc<Opened>,
    attempt: Option<AttemptId>,
    told: Told,
}

/// Stores and joins calls that came at the same time in one transaction: for each the message that changed, if one did.
pub async fn hear(app: &App, batch: &[Heard]) -> Vec<Result<Option<MessageId>, ApiError>> {
    match app.db.write(async |conn| store_and_join(app, conn, batch).await).await {
        Ok(touched) => touched.into_iter().map(Ok).collect(),
        Err(_) if batch.len() > 1 => {
            // What is wrong with one is not the others' trouble.
            let mut touched = Vec::with_capacity(batch.len());
            for one in batch.chunks(1) {
                touched.extend(Box::pin(hear(app, one)).await);
            }
            touched
        }
        Err(error) => vec![Err(Error::from(error).into()); batch.len()],
    }
}

async fn store_and_join(app: &App, conn: &mut Conn, batch: &[Heard]) -> sqlx::Result<Vec<Option<MessageId>>> {
    let about = messages_of(conn, app.db.dialect, batch).await?;
    let now = app.clock.now();
    let names: Vec<(AttemptId, String)> = batch
        .iter()
        .map(|heard| {
            let key = &heard.told.dedupe_key;
            let key = heard.attempt.as_ref().map_or_else(|| key.clone(), |attempt| format!("{attempt}:{key}"));
            (app.new_id(), key)
        })
        .collect();
    let calls: Vec<NewCall<'_>> = batch
        .iter()
        .zip(&names)
        .zip(&about)
        .map(|((heard, (id, dedupe_key)), about)| NewCall {
            id: id.as_str(),
            account_id: heard.opened.stored.account.id.as_str(),
            message_id: about.as_ref().map(|about| about.message_id.as_str()),
            dedupe_key,
            raw: &heard.told.raw,
            received_at: now.0,
        })
        .collect();
    let new = store::webhook::insert(conn, app.db.dialect, &calls).await?;
    let (mut news, mut said, mut touched) = (Vec::new(), Vec::new(), vec![None; batch.len()]);
    for (n, (heard, about)) in batch.iter().zip(&about).enumerate() {
        if !new.contains(names[n].0.as_str()) {
            continue; // a repeat
        }
        match (&heard.told.event, about) {
            (ToldEvent::Status { provider_message_id, report: Some(report) }, Some(about)) => {
                news.push(News {
                    message: &about.message_id,
                    report,
                    provider_message_id: Some(provider_message_id),
                    source: Source::Webhook,
                    is_superseded: about.is_superseded,
                });
                touched[n] = Some(about.message_id.clone());
            }
            (ToldEvent::Inbound(inbound), _) => {
                let taken = take_in(app, conn, &heard.opened.stored, inbound).await?;
                if let Some(taken) = taken {
                    touched[n] = Some(taken.message);
                    said.extend(taken.said);
                }
            }
            _ => {}
        }
    }
    said.extend(report::join(app, conn, &news).await?);
    consent::record(app, conn, &said).await?;
    Ok(touched)
}

/// Which message each call is about: the one of the try that our own callback URL named, else the one that the provider
/// names.
async fn messages_of(conn: &mut Conn, dialect: Dialect, batch: &[Heard]) -> sqlx::Result<Vec<Option<Tried>>> {
    let tries: Vec<&AttemptId> = batch.iter().filter_map(|heard| heard.attempt.as_ref()).collect();
    let tries = store::report::find_attempts(conn, dialect, &tries).await?;
    let mut about = Vec::with_capacity(batch.len());
    for Heard { opened, attempt, told } in batch {
        let id = &opened.stored.account.id;
        about.push(match (attempt, &told.event) {
            (Some(attempt), _) => tries.get(attempt).filter(|tried| tried.account_id == *id).cloned(),
            (None, ToldEvent::Status { provider_message_id, .. }) => {
                let found = store::message::find_by_provider_id(conn, id, provider_message_id).await?;
                found.map(|message_id| Tried { message_id, account_id: id.clone(), is_superseded: false })
            }
            (None, ToldEvent::Inbound(_)) => None,
        });
    }
    Ok(about)
}

/// A message to us that was stored.
pub struct Taken {
    /// Which.
    pub message: MessageId,
    /// What it says about being written to: to be recorded as the last thing in the transaction.
    pub said: Option<Said>,
}

/// Stores a message to us, once.
pub async fn take_in(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    inbound: &Inbound,
) -> sqlx::Result<Option<Taken>> {
    let way = Way { channel: stored.account.channel, address: inbound.from.clone() };
    take_in_from(app, conn, stored, inbound, &way).await
}

/// The same of whoever has the address `way`, from whichever they write.
pub async fn take_in_from(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    inbound: &Inbound,
    way: &Way,
) -> sqlx::Result<Option<Taken>> {
    let account = &stored.account;
    if store::message::find_by_provider_id(conn, &account.id, &inbound.provider_message_id).await?.is_some() {
        return Ok(None);
    }
    let now = app.clock.now();
    let organization = &stored.organization_id;
    let lead = store::lead::find_by_address(conn, organization, way.channel, &way.address).await?;
    let wish = wish(app, conn, organization, way, inbound).await?;
    let message = Message {
        id: app.new_id(),
        channel: account.channel,
        direction: Direction::Inbound,
        to: account.address.clone(),
        from: Some(inbound.from.clone()),
        subject: inbound.subject.clone(),
        body: inbound.body.clone(),
        status: Status::Delivered,
        account_id: stored.shown_id(),
        lead_id: lead.clone(),
        provider_message_id: Some(inbound.provider_message_id.clone()),
        segments: if account.channel == Channel::Sms {
            crate::domain::segment::measure(&inbound.body).count.max(1)
        } else {
            1
        },
        attempts: 0,
        error: None,
        waiting: None,
        is_demo: account.is_demo,
        created_at: now,
        updated_at: now,
    };
    let (account_id, organization_id) = (Some(account.id.clone()), stored.organization_id.clone());
    let id = message.id.clone();
    let new =
        StoredMessage { message, account_id, organization_id, lease_token: None, accepted_at: Some(now), origin: None };
    store::message::insert(conn, app.db.dialect, &new, now).await?;
    let source = if account.channel == Channel::Email { Source::Poll } else { Source::Webhook };
    let mut event = store::message::event(app.new_id(), now, Status::Delivered, source);
    event.detail = Some(received(wish).to_owned());
    store::message::insert_event(conn, app.db.dialect, &id, &event).await?;
    let mut tally = Tally::default();
    tally.count(&stored.organization_id, account.channel, Kind::Received);
    tally.save(conn, app.db.dialect, now).await?;
    // Whoever says stop has not answered: that ends more than a run.
    if let Some(lead) = lead.as_ref().filter(|_| wish != Some(Wish::Stop)) {
        enrollment::answered(app, conn, organization, lead).await?;
    }
    let said = wish.and_then(Wish::act).map(|act| Said {
        organization: organization.clone(),
        act,
        way: way.clone(),
        source: Teller::Recipient,
        detail: Some(inbound.body.chars().take(DETAIL_MAX).collect()),
        message: Some(id.clone()),
    });
    Ok(Some(Taken { message: id, said }))
}

/// What the provider says that the message means, else what its words say.
async fn wish(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    way: &Way,
    inbound: &Inbound,
) -> sqlx::Result<Option<Wish>> {
    let said = answer::said(&inbound.body);
    let plain = inbound.opt_out.or_else(|| Wish::of(said, false));
    if plain.is_some() || Wish::of(said, true).is_none() {
        return Ok(plain);
    }
    // A mere "yes" begins it again for whoever has ended it by a word, and answers something for everybody else.
    let act = consent::find(app, conn, organization, way).await?;
    Ok(act.filter(|act| act.ends_with_a_word()).map(|_| Wish::Start))
}

/// The carrier answers such words itself where it must; a second answer of ours would be one message too many.
fn received(wish: Option<Wish>) -> &'static str {
    match wish {
        Some(Wish::Stop) => "Received. It asks to stop: nothing more is sent to this person, on any channel.",
        Some(Wish::Start) => "Received. It allows to write again.",
        Some(Wish::Help) => "Received. It asks for help.",
        None => "Received.",
    }
}

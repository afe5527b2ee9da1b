//! Asking providers what became of messages: the safety net under callbacks that get lost, and the way the sandbox
//! tells its story.

use crate::{
    domain::{
        message::{Source, Status},
        time::{DAY, MINUTE},
    },
    server::{
        App,
        channel::Asked,
        error::Error,
        live::Topic,
        store::{self, message::StoredMessage},
        usecase::{
            account, consent,
            report::{self, News},
            webhook,
        },
    },
};
use futures::StreamExt;

/// Messages that are asked about in one pass.
const BATCH: i64 = 200;
/// Questions that are asked at a time.
const AT_A_TIME: usize = 32;

/// Asks about every message that is due to be asked about.
pub async fn pass(app: &App) -> Result<(), Error> {
    let due = store::queue::list_due_polls(&mut *app.db.read().await?, app.clock.now(), BATCH).await?;
    for (id, error) in &due.unreadable {
        tracing::error!(message.id = %id, error.cause = error, "a message cannot be read; nobody asks about it any more");
        app.db.write(async |conn| store::queue::set_poll(conn, id, None).await).await?;
    }
    // Side by side: one slow provider does not hold up the questions to the others.
    futures::stream::iter(due.messages)
        .for_each_concurrent(AT_A_TIME, |stored| {
            let app = app.clone();
            async move {
                if let Err(error) = one(&app, &stored).await {
                    tracing::error!(message.id = %stored.message.id, error.cause = %error, "asking about a message failed");
                }
            }
        })
        .await;
    Ok(())
}

async fn one(app: &App, stored: &StoredMessage) -> Result<(), Error> {
    let (message, now) = (&stored.message, app.clock.now());
    let account = match &stored.account_id {
        Some(id) => store::account::find_any(&mut *app.db.read().await?, id).await?,
        None => None,
    };
    if let (Status::Unknown, Some(account)) = (message.status, &account) {
        return super::resolve::one(app, stored, account).await;
    }
    let accepted_at = stored.accepted_at.unwrap_or(message.created_at);
    // As long as a real provider is asked at all.
    let later = (now.0 - accepted_at.0 < 2 * DAY).then(|| now.plus(5 * MINUTE));
    // Credentials of a deleted account never come back; those of the configuration may.
    let with_credentials = later.filter(|_| account.as_ref().is_some_and(|account| account.platform.is_some()));
    let login = account.as_ref().and_then(|account| account::open(app, account).ok());
    let (Some(account), Some(login), Some(provider_message_id)) = (account, login, &message.provider_message_id) else {
        return Ok(app
            .db
            .write(async |conn| store::queue::set_poll(conn, &message.id, with_credentials).await)
            .await?);
    };
    let asked = Asked {
        provider_message_id,
        channel: message.channel,
        from: message.from.as_deref().unwrap_or_default(),
        to: &message.to,
        body: &message.body,
        accepted_at,
        now,
    };
    let Ok(answer) = app.channels.of(account.account.provider).poll(&login, &asked).await else {
        return Ok(app.db.write(async |conn| store::queue::set_poll(conn, &message.id, later).await).await?);
    };
    let news = answer.report.as_ref().filter(|report| message.status.join(report.status) != message.status);
    let again = answer.again_after.map(|after| now.plus(after));
    let replied = app
        .db
        .write(async |conn| {
            let mut said = Vec::new();
            if let Some(report) = news {
                let news = News {
                    message: &message.id,
                    report,
                    provider_message_id: None,
                    source: Source::Poll,
                    is_superseded: false,
                };
                said.extend(report::join(app, conn, &[news]).await?);
            }
            let mut replied = false;
            for reply in &answer.replies {
                let taken = webhook::take_in(app, conn, &account, reply).await?;
                replied |= taken.is_some();
                said.extend(taken.and_then(|taken| taken.said));
            }
            store::queue::set_poll(conn, &message.id, again).await?;
            consent::record(app, conn, &said).await?;
            Ok::<_, sqlx::Error>(replied)
        })
        .await?;
    if replied {
        app.live.publish(&stored.organization_id, Topic::Leads, None);
    }
    if news.is_some() || replied {
        app.live.publish(&stored.organization_id, Topic::Messages, Some(message.id.as_str()));
    }
    Ok(())
}

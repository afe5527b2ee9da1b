//! Unsubscribing by a link in a mail, with a button of the mail program (RFC 8058) or on the page behind the link. The
//! link names the message and proves by a keyed hash that it is ours; whoever has the mail may use it, without signing in.

use super::consent::{self, Key, Said};
use crate::{
    domain::{
        consent::{Act, Teller},
        id::MessageId,
        lead::Way,
        message::Direction,
        unsubscribe::Leaving,
    },
    server::{
        App,
        error::Error,
        live::Topic,
        store::{self, Conn, message::StoredMessage},
    },
};
use subtle::ConstantTimeEq;

/// Characters of a message's id, in front of the proof.
const ID: usize = 26;

/// The address of the page for a message.
pub fn url(app: &App, key: &Key, message: &MessageId) -> String {
    format!("{}/u/{}{}", app.settings.public_url(), message.as_str().to_lowercase(), key.proof(message))
}

/// The message that a link is about; nobody is told whether there is one when the proof is wrong.
async fn find(app: &App, conn: &mut Conn, token: &str) -> Result<StoredMessage, Error> {
    let (id, proof) = token.split_at_checked(ID).ok_or_else(Error::not_found)?;
    let id: MessageId = id.to_uppercase().parse().map_err(|_| Error::not_found())?;
    let found = store::message::find_any(conn, &id).await?;
    let found = found.filter(|found| found.message.direction == Direction::Outbound);
    let stored = found.ok_or_else(Error::not_found)?;
    let key = consent::need_key(app, conn, &stored.organization_id).await?;
    let is_ours = bool::from(key.proof(&id).as_bytes().ct_eq(proof.as_bytes()));
    if is_ours { Ok(stored) } else { Err(Error::not_found()) }
}

fn way(stored: &StoredMessage) -> Way {
    Way { channel: stored.message.channel, address: stored.message.to.clone() }
}

/// Who is about to leave whom; changes nothing.
pub async fn look(app: &App, token: &str) -> Result<Leaving, Error> {
    let mut conn = app.db.read().await?;
    let stored = find(app, &mut conn, token).await?;
    let organization = store::user::find_organization(&mut conn, &stored.organization_id).await?;
    let gone = consent::find(app, &mut conn, &stored.organization_id, &way(&stored)).await?;
    Ok(Leaving {
        organization: organization.map(|organization| organization.name).unwrap_or_default(),
        channel: stored.message.channel,
        address: Leaving::veil(stored.message.channel, &stored.message.to),
        is_gone: gone.is_some(),
    })
}

/// Ends it, for all addresses of the person; the same again changes nothing more.
pub async fn leave(app: &App, token: &str) -> Result<(), Error> {
    let organization = app
        .db
        .write(async |conn| {
            let stored = find(app, conn, token).await?;
            let (organization, way) = (stored.organization_id.clone(), way(&stored));
            if consent::find(app, conn, &organization, &way).await? != Some(Act::Unsubscribed) {
                let message = Some(stored.message.id.clone());
                let (act, source) = (Act::Unsubscribed, Teller::Recipient);
                let said = Said { organization: organization.clone(), act, way, source, detail: None, message };
                consent::record(app, conn, &[said]).await?;
            }
            Ok::<_, Error>(organization)
        })
        .await?;
    app.live.publish(&organization, Topic::Leads, None);
    Ok(())
}

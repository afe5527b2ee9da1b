//! The list of addresses that nothing may be sent to, as people see and change it. What it follows from: `usecase::consent`.

use super::consent::{self, Said};
use crate::{
    domain::{
        channel::Channel,
        consent::{Act, Suppression, Teller},
        email::Email,
        field_error::FieldErrors,
        id::{LeadId, OrganizationId, SuppressionId},
        lead::Way,
        page::{Limit, Page},
        text::parse_line,
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn},
    },
};

/// The most characters of a reason.
const DETAIL_MAX: usize = 500;

/// Whose entries a list is asked for.
#[derive(Debug, Clone, Default)]
pub enum Of {
    /// Everybody's.
    #[default]
    All,
    /// Of an address, as typed: an e-mail address or a number in any notation.
    Address(String),
    /// Of all addresses of a lead.
    Lead(LeadId),
}

/// One page of the list, newest first; of an address or a lead all there is.
pub async fn list(
    who: &Who,
    of: &Of,
    cursor: Option<&SuppressionId>,
    limit: Limit,
) -> Result<Page<Suppression>, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut conn = app.db.read().await?;
    let ways = match of {
        Of::All => return Ok(store::suppression::list(&mut conn, organization, cursor, limit).await?),
        Of::Address(typed) => match read_typed(typed) {
            Some(way) => vec![way],
            None => return Err(FieldErrors::one("address", "must be an e-mail address or a phone number").into()),
        },
        Of::Lead(id) => {
            let lead = store::lead::find(&mut conn, app.db.dialect, id, organization).await?;
            lead.ok_or_else(|| Error::missing("Lead not found"))?.ways()
        }
    };
    Ok(Page { data: list_of(who, &mut conn, &ways).await?, next_cursor: None })
}

/// All entries of some addresses.
pub async fn list_of(who: &Who, conn: &mut Conn, ways: &[Way]) -> Result<Vec<Suppression>, Error> {
    let organization = &who.organization.id;
    let key = consent::need_key(&who.app, conn, organization).await?;
    let prints: std::collections::BTreeSet<String> = ways.iter().map(|way| key.fingerprint(way)).collect();
    let mut found = Vec::new();
    for print in &prints {
        found.extend(store::suppression::list_of(conn, organization, print).await?);
    }
    Ok(found)
}

/// An address without its channel.
fn read_typed(typed: &str) -> Option<Way> {
    if typed.contains('@') {
        let email = Email::parse(typed).ok()?;
        Some(Way { channel: Channel::Email, address: email.as_str().to_owned() })
    } else {
        Some(Way { channel: Channel::Sms, address: phone::parse(typed).ok()?.as_str().to_owned() })
    }
}

/// What a request asks to suppress.
#[derive(Debug, Clone, Default)]
pub struct SuppressForm {
    /// `email`, `sms` or `whatsapp`.
    pub channel: String,
    /// An e-mail address, or a number in any notation.
    pub address: String,
    /// For the record; may be empty.
    pub reason: String,
}

fn parse(form: &SuppressForm) -> Result<(Way, Option<String>), Error> {
    let mut errors = FieldErrors::default();
    let channel = Channel::from_name(form.channel.trim()).ok_or("must be email, sms or whatsapp");
    let channel = errors.check("channel", channel);
    let address = match channel {
        Some(Channel::Email) => {
            errors.check("address", Email::parse(&form.address)).map(|email| email.as_str().to_owned())
        }
        Some(_) => errors.check("address", phone::parse(&form.address)).map(|number| number.as_str().to_owned()),
        None => None,
    };
    let reason = form.reason.trim();
    let reason = match reason {
        "" => None,
        text => errors.check("reason", parse_line(text, DETAIL_MAX)),
    };
    match (channel, address) {
        (Some(channel), Some(address)) if errors.is_empty() => Ok((Way { channel, address }, reason)),
        _ => Err(errors.into()),
    }
}

/// Puts an address on the list of a channel; one that is there already stays as it is.
pub async fn create(who: &Who, form: &SuppressForm) -> Result<Suppression, Error> {
    let (way, reason) = parse(form)?;
    let (app, organization) = (&who.app, &who.organization.id);
    let listed = app
        .db
        .write(async |conn| {
            consent::record(app, conn, &[suppressed(who, way.clone(), reason)]).await?;
            list_of(who, conn, std::slice::from_ref(&way)).await
        })
        .await?;
    app.live.publish(organization, Topic::Leads, None);
    let listed = listed.into_iter().find(|listed| listed.channel == way.channel);
    listed.ok_or_else(|| Error::Internal("a suppressed address is not on the list".to_owned()))
}

fn suppressed(who: &Who, way: Way, reason: Option<String>) -> Said {
    said(&who.organization.id, way, reason.unwrap_or_else(|| who.user.email.to_string()))
}

/// What the record says of an address that somebody of the organization puts on the list.
pub(super) fn said(organization: &OrganizationId, way: Way, detail: String) -> Said {
    Said {
        organization: organization.clone(),
        act: Act::Suppressed,
        way,
        source: Teller::User,
        detail: Some(detail),
        message: None,
    }
}

/// Takes an entry off the list.
pub async fn delete(who: &Who, id: &SuppressionId) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    app.db
        .write(async |conn| {
            let found = store::suppression::get(conn, organization, id).await?;
            let (suppression, print) = found.ok_or_else(Error::not_found)?;
            consent::allow(app, conn, organization, (&suppression, &print), who.user.email.as_str()).await?;
            Ok::<_, Error>(())
        })
        .await?;
    app.live.publish(organization, Topic::Leads, None);
    Ok(())
}

/// Puts all addresses of a lead on the list, on every channel.
pub async fn suppress_lead(who: &Who, id: &LeadId) -> Result<(), Error> {
    each_way(who, id, async |conn, ways| {
        let said: Vec<Said> = ways.into_iter().map(|way| suppressed(who, way, None)).collect();
        Ok(consent::record(&who.app, conn, &said).await?)
    })
    .await
}

/// Takes all addresses of a lead off the list.
pub async fn allow_lead(who: &Who, id: &LeadId) -> Result<(), Error> {
    let organization = &who.organization.id;
    each_way(who, id, async |conn, ways| {
        for listed in list_of(who, conn, &ways).await? {
            let Some(found) = store::suppression::get(conn, organization, &listed.id).await? else { continue };
            consent::allow(&who.app, conn, organization, (&found.0, &found.1), who.user.email.as_str()).await?;
        }
        Ok(())
    })
    .await
}

async fn each_way(
    who: &Who,
    id: &LeadId,
    change: impl AsyncFnOnce(&mut Conn, Vec<Way>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    app.db
        .write(async |conn| {
            let lead = store::lead::find(conn, app.db.dialect, id, organization).await?;
            change(conn, lead.ok_or_else(Error::not_found)?.ways()).await
        })
        .await?;
    app.live.publish(organization, Topic::Leads, Some(id.as_str()));
    Ok(())
}

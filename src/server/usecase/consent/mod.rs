//! Consent: what people say about being written to is kept for ever, and obeyed at once.
//!
//! One person's will counts for all addresses that are known of them. The record (`store::consent`) is only ever added to
//! and sealed entry by entry; the list of addresses that must not be written to (`store::suppression`) follows from it and
//! is looked at in the transaction that claims messages.
//!
//! Whoever adds to the record, or stores addresses of a lead, locks the end of the record, as the last of all locks: so a
//! new address and a word that ends it never miss each other.

mod key;
mod verify;

pub use key::{Key, Keys, find as find_key, need as need_key, reseal};
pub use verify::{Verdict, verify};

use crate::{
    domain::{
        consent::{Act, Suppression, Teller},
        id::{LeadId, MessageId, OrganizationId, SuppressionId},
        lead::{Lead, Way},
        message::Failure,
        sequence::StopReason,
    },
    server::{
        App,
        error::Error,
        store::{
            self, Conn,
            consent::{Entry, Head},
            suppression::NewSuppression,
        },
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Entries of before there were fingerprints that get theirs in one go.
const ADOPTED: i64 = 500;

/// Something that was said about being written to.
#[derive(Debug, Clone)]
pub struct Said {
    /// To whom.
    pub organization: OrganizationId,
    /// What.
    pub act: Act,
    /// By, or about, which address.
    pub way: Way,
    /// Who says so.
    pub source: Teller,
    /// In which words.
    pub detail: Option<String>,
    /// In or about which message.
    pub message: Option<MessageId>,
}

/// Whether a provider's refusal means that the recipient opted out there (Twilio error 21610, Meta error 131050).
pub fn is_opt_out(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "21610" | "131050")
}

/// Begins an organization's record.
pub async fn begin(app: &App, conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<()> {
    store::consent::begin(conn, organization, &key::new_sealed(app, organization)).await
}

/// At start: every organization has a record, and every suppressed address its fingerprint.
pub async fn adopt(app: &App) -> Result<(), Error> {
    loop {
        let without = store::consent::list_without(&mut *app.db.read().await?).await?;
        if without.is_empty() {
            break;
        }
        let begun = async |conn: &mut Conn| {
            for organization in &without {
                begin(app, conn, organization).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        app.db.write(begun).await?;
    }
    loop {
        let old = store::suppression::list_old(&mut *app.db.read().await?, ADOPTED).await?;
        if old.is_empty() {
            return Ok(());
        }
        let adopted = async |conn: &mut Conn| {
            for plain in &old {
                // Without its key nothing of the organization leaves, so this can wait for the next start.
                let Some(key) = find_key(app, conn, &plain.organization_id).await? else { return Ok(false) };
                let fingerprint = key.fingerprint(&plain.way);
                store::suppression::adopt(conn, plain, &fingerprint).await?;
            }
            Ok::<_, sqlx::Error>(true)
        };
        if !app.db.write(adopted).await? {
            return Ok(());
        }
    }
}

/// Records what was said and obeys it, in the caller's transaction, which locks nothing else afterwards.
pub async fn record(app: &App, conn: &mut Conn, said: &[Said]) -> sqlx::Result<()> {
    let mut of: BTreeMap<&OrganizationId, Vec<&Said>> = BTreeMap::new();
    for one in said {
        of.entry(&one.organization).or_default().push(one);
    }
    for (organization, said) in of {
        // Before the end of the record is locked: runs come before it in the order of locks.
        for one in &said {
            end_runs(app, conn, one).await?;
        }
        let key = need_key(app, conn, organization).await?;
        let head = store::consent::lock(conn, app.db.dialect, organization).await?;
        let mut entries = Vec::with_capacity(said.len());
        for one in said {
            let ways = whose(app, conn, one).await?;
            let prints: BTreeSet<String> = match one.act {
                // Each address that begins again has an entry of its own: the list follows from the record.
                Act::Started => key.fingerprints(&ways).into_iter().collect(),
                _ => BTreeSet::from([key.fingerprint(&one.way)]),
            };
            entries.extend(prints.into_iter().map(|fingerprint| entry(app, one, fingerprint)));
            obey(app, conn, &key, one, &ways).await?;
        }
        append(app, conn, organization, &key, head, entries).await?;
    }
    Ok(())
}

/// Whoever does not want to be written to, or cannot be, is in no sequence any more.
async fn end_runs(app: &App, conn: &mut Conn, said: &Said) -> sqlx::Result<()> {
    let reason = match said.act {
        Act::Bounced => StopReason::Bounced,
        act if act.is_of_person() && act.is_stop() == Some(true) => StopReason::OptedOut,
        _ => return Ok(()),
    };
    let (organization, way) = (&said.organization, &said.way);
    match store::lead::find_by_address(conn, organization, way.channel, &way.address).await? {
        Some(lead) => super::enrollment::left(app, conn, organization, &lead, reason).await,
        None => Ok(()),
    }
}

fn entry(app: &App, said: &Said, fingerprint: String) -> Entry {
    Entry {
        number: 0,
        at: app.clock.now(),
        act: said.act,
        channel: said.way.channel,
        fingerprint,
        source: said.source,
        detail: said.detail.clone(),
        message_id: said.message.clone(),
        digest: String::new(),
    }
}

/// Adds entries behind the locked end of the record, each with its number and sealed to the one before.
async fn append(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    key: &Key,
    head: Head,
    mut entries: Vec<Entry>,
) -> sqlx::Result<()> {
    let mut last = head.digest;
    for (entry, number) in entries.iter_mut().zip(head.number + 1..) {
        entry.number = number;
        entry.digest = key.digest(&last, entry);
        last.clone_from(&entry.digest);
    }
    store::consent::insert(conn, app.db.dialect, organization, &entries).await
}

/// The addresses that something counts for: the one that it was said of, and of a person's will all that are known.
async fn whose(app: &App, conn: &mut Conn, said: &Said) -> sqlx::Result<Vec<Way>> {
    let (organization, way) = (&said.organization, &said.way);
    let mut ways = vec![way.clone()];
    if said.act.is_of_person() && said.act.is_stop().is_some() {
        ways.extend(Way::all(way.channel, &way.address));
        if let Some(id) = store::lead::find_by_address(conn, organization, way.channel, &way.address).await? {
            let lead = store::lead::find(conn, app.db.dialect, &id, organization).await?;
            ways.extend(lead.map(|lead| lead.ways()).unwrap_or_default());
        }
    }
    Ok(ways)
}

async fn obey(app: &App, conn: &mut Conn, key: &Key, said: &Said, ways: &[Way]) -> sqlx::Result<()> {
    let (organization, act) = (&said.organization, said.act);
    match act.is_stop() {
        Some(true) => suppress(app, conn, organization, key, ways, (act, said.source)).await,
        Some(false) if act == Act::Started => {
            store::suppression::lift(conn, app.db.dialect, organization, &key.fingerprints(ways)).await
        }
        // What somebody of the organization takes off the list is one entry of it, see `allow`.
        _ => Ok(()),
    }
}

/// Somebody of the organization takes an entry off the list, also one of which nothing is known but its fingerprint.
pub async fn allow(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    (suppression, fingerprint): (&Suppression, &str),
    who: &str,
) -> sqlx::Result<()> {
    let key = need_key(app, conn, organization).await?;
    let entry = Entry {
        number: 0,
        at: app.clock.now(),
        act: Act::Allowed,
        channel: suppression.channel,
        fingerprint: fingerprint.to_owned(),
        source: Teller::User,
        detail: Some(who.to_owned()),
        message_id: None,
        digest: String::new(),
    };
    let head = store::consent::lock(conn, app.db.dialect, organization).await?;
    append(app, conn, organization, &key, head, vec![entry]).await?;
    store::suppression::delete(conn, organization, &suppression.id).await
}

async fn suppress(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    key: &Key,
    ways: &[Way],
    (reason, source): (Act, Teller),
) -> sqlx::Result<()> {
    let new: BTreeMap<_, _> = ways
        .iter()
        .map(|way| {
            let (channel, fingerprint) = (way.channel.as_str(), key.fingerprint(way));
            let new = NewSuppression {
                id: app.new_id::<SuppressionId>(),
                channel,
                fingerprint: fingerprint.clone(),
                address: &way.address,
                reason: reason.as_str(),
                source: source.as_str(),
            };
            ((fingerprint, channel), new)
        })
        .collect();
    let new: Vec<_> = new.into_values().collect();
    store::suppression::insert(conn, app.db.dialect, organization, &new, app.clock.now()).await
}

/// After addresses of leads were stored, each lead's together: whoever does not want to be written to at one of them is
/// not written to at any. Locks the end of the record.
pub async fn inherit(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    people: &[Vec<Way>],
) -> sqlx::Result<()> {
    store::consent::lock(conn, app.db.dialect, organization).await?;
    let key = need_key(app, conn, organization).await?;
    let prints: Vec<Vec<String>> = people.iter().map(|ways| key.fingerprints(ways)).collect();
    let listed = store::suppression::find(conn, app.db.dialect, organization, prints.iter().flatten()).await?;
    let will: BTreeMap<&str, Act> = listed
        .iter()
        .filter(|listed| listed.reason.is_of_person())
        .map(|listed| (listed.fingerprint.as_str(), listed.reason))
        .collect();
    for (ways, prints) in people.iter().zip(&prints) {
        // What only a person can lift counts more than what a word can.
        let said = prints.iter().filter_map(|print| will.get(print.as_str()).copied());
        if let Some(act) = said.min_by_key(|act| act.ends_with_a_word()) {
            suppress(app, conn, organization, &key, ways, (act, Teller::Recipient)).await?;
        }
    }
    Ok(())
}

/// The same for leads by their ids; nothing where nobody is on the list.
pub async fn inherit_all(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    leads: &[LeadId],
) -> sqlx::Result<()> {
    store::consent::lock(conn, app.db.dialect, organization).await?;
    if store::suppression::is_empty(conn, organization).await? {
        return Ok(());
    }
    let leads = store::lead::find_many(conn, app.db.dialect, organization, leads).await?;
    inherit(app, conn, organization, &leads.iter().map(Lead::ways).collect::<Vec<_>>()).await
}

/// A lead is forgotten, and what it said counts on: of its addresses only the fingerprints stay.
pub async fn forget(app: &App, conn: &mut Conn, organization: &OrganizationId, ways: &[Way]) -> sqlx::Result<()> {
    let key = need_key(app, conn, organization).await?;
    store::suppression::forget(conn, app.db.dialect, organization, &key.fingerprints(ways)).await
}

/// Whether something may be sent to an address; if not, why.
pub async fn find(app: &App, conn: &mut Conn, organization: &OrganizationId, way: &Way) -> sqlx::Result<Option<Act>> {
    let print = need_key(app, conn, organization).await?.fingerprint(way);
    let listed = store::suppression::find(conn, app.db.dialect, organization, [&print]).await?;
    Ok(listed.into_iter().find(|listed| listed.channel == way.channel).map(|listed| listed.reason))
}

/// The key of an organization is lost: begins again with a new one. Addresses of the list get new fingerprints; how many
/// had nothing but their old one is told, for those can be written to again when they come back.
pub async fn renew(app: &App, organization: &OrganizationId) -> Result<i64, Error> {
    let renewed = app.db.write(async |conn| {
        let head = store::consent::lock(conn, app.db.dialect, organization).await?;
        if key::open(app, organization, &head.key).is_ok() {
            return Ok(0);
        }
        let lost = store::suppression::count_forgotten(conn, organization).await?;
        let sealed = key::new_sealed(app, organization);
        store::consent::renew(conn, organization, &head.key, &sealed).await?;
        let key = key::open(app, organization, &sealed).map_err(|why| Error::Internal(why.to_string()))?;
        let mut after = String::new();
        loop {
            let known = store::suppression::list_known(conn, organization, &after, ADOPTED).await?;
            let Some(end) = known.last() else { return Ok::<_, Error>(lost) };
            after.clone_from(&end.id);
            for plain in &known {
                let fingerprint = key.fingerprint(&plain.way);
                store::suppression::adopt(conn, plain, &fingerprint).await?;
            }
        }
    });
    let lost = renewed.await?;
    app.consent_keys.forget(organization);
    Ok(lost)
}

/// Organizations whose key is lost.
pub async fn list_lost(app: &App) -> Result<Vec<OrganizationId>, Error> {
    let (mut after, mut lost) = (String::new(), Vec::new());
    loop {
        let sealed = store::consent::list_sealed(&mut *app.db.read().await?, &after, ADOPTED).await?;
        let Some((end, _)) = sealed.last() else { return Ok(lost) };
        after = end.to_string();
        let closed = sealed.into_iter().filter(|(organization, sealed)| key::open(app, organization, sealed).is_err());
        lost.extend(closed.map(|(organization, _)| organization));
    }
}

/// Begins anew with the keys that are lost, where nothing but the record's proof is lost with them. The others are the
/// operator's decision (`tern keys renew`): whoever is forgotten could be written to again.
pub async fn mend(app: &App) -> Result<(), Error> {
    for organization in list_lost(app).await? {
        if store::suppression::count_forgotten(&mut *app.db.read().await?, &organization).await? == 0 {
            renew(app, &organization).await?;
        }
    }
    Ok(())
}

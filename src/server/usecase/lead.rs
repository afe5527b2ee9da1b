//! Leads: take in, change, find, merge, forget.

use crate::{
    api::error::{ApiError, Kind},
    domain::{
        audience::{Audience, Order, Place},
        channel::Channel,
        email::Email,
        field_error::FieldErrors,
        id::{LeadId, OrganizationId},
        lead::{Lead, LeadForm, NewLead, Profile, Way},
        page::{Limit, Page},
        phone::PhoneNumber,
    },
    server::{
        App, Who,
        bucket::is_zone,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn, merge::Merge, stranger::Owned},
        usecase::{consent, enrollment, segment, suppression},
    },
};
use std::collections::BTreeSet;

/// Stores a lead, unless the organization knows the person already.
pub async fn create(who: &Who, form: &LeadForm) -> Result<Lead, Error> {
    let new = form.parse(phone::parse, is_zone)?;
    let (app, organization) = (&who.app, &who.organization.id);
    let (id, now): (LeadId, _) = (app.new_id(), app.clock.now());
    app.db
        .write(async |conn| {
            store::lead::lock(conn, app.db.dialect, organization).await?;
            refuse_same(conn, who, &new, None).await?;
            adopt(app, conn, organization, &[(&id, new.ways())]).await?;
            store::lead::save(conn, app.db.dialect, &id, organization, &new, false, (now, now)).await?;
            Ok::<_, Error>(consent::inherit(app, conn, organization, &[new.ways()]).await?)
        })
        .await?;
    changed(who, &id);
    load(who, &id).await
}

/// Stores what is now known of a lead: `change` is told what was known before.
pub async fn update(who: &Who, id: &LeadId, change: impl FnOnce(LeadForm) -> LeadForm) -> Result<Lead, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    app.db
        .write(async |conn| {
            store::lead::lock(conn, app.db.dialect, organization).await?;
            let before = find(conn, who, id).await?;
            let new = parse(&change(LeadForm::from(&before)), &[&before])?;
            refuse_same(conn, who, &new, Some(id)).await?;
            adopt(app, conn, organization, &[(id, new.ways())]).await?;
            keep(conn, who, &before, &new).await?;
            if new.tags.iter().any(|tag| !before.tags.contains(tag)) {
                enrollment::tagged(app, conn, organization, std::slice::from_ref(id)).await?;
            }
            Ok::<_, Error>(consent::inherit(app, conn, organization, &[new.ways()]).await?)
        })
        .await?;
    changed(who, id);
    load(who, id).await
}

/// What was written to these addresses, or came from them, before anybody was known there becomes the leads' own. Before they
/// are stored: messages are locked before leads.
pub(super) async fn adopt(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    leads: &[(&LeadId, Vec<Way>)],
) -> sqlx::Result<()> {
    let notations = |way: &Way| match PhoneNumber::parse_e164(&way.address) {
        Ok(number) => number.notations(),
        Err(_) => vec![way.address.clone()],
    };
    let owned = leads.iter().flat_map(|(id, ways)| {
        // A number is a way by SMS and by WhatsApp.
        let addresses: BTreeSet<String> = ways.iter().flat_map(notations).collect();
        addresses.into_iter().map(|address| Owned { lead_id: id, address })
    });
    store::stranger::join(conn, app.db.dialect, organization, &owned.collect::<Vec<_>>()).await
}

/// Stores what is now known of a lead that is there.
async fn keep(conn: &mut Conn, who: &Who, before: &Lead, new: &NewLead) -> Result<(), Error> {
    let (app, stamps) = (&who.app, (before.created_at, who.app.clock.now()));
    let organization = &who.organization.id;
    store::lead::save(conn, app.db.dialect, &before.id, organization, new, before.is_demo, stamps).await?;
    Ok(())
}

/// Numbers that are stored already are not read again: they may have been given without their country.
fn parse(form: &LeadForm, known: &[&Lead]) -> Result<NewLead, FieldErrors> {
    let number = |typed: &str| {
        let stored = known.iter().find_map(|lead| lead.number_of(typed));
        stored.map_or_else(|| phone::parse(typed), |number| Ok(number.clone()))
    };
    form.parse(number, is_zone)
}

/// One person once.
async fn refuse_same(conn: &mut Conn, who: &Who, new: &NewLead, but: Option<&LeadId>) -> Result<(), Error> {
    let Some(other) = store::lead::find_same(conn, &who.organization.id, new, but).await? else { return Ok(()) };
    let message = "Another lead has this e-mail address or number already";
    let conflict = ApiError::new(Kind::Conflict, "duplicate_lead", message);
    Err(ApiError { other: Some(other.to_string()), ..conflict }.into())
}

async fn find(conn: &mut Conn, who: &Who, id: &LeadId) -> Result<Lead, Error> {
    store::lead::find(conn, who.app.db.dialect, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One lead.
pub async fn load(who: &Who, id: &LeadId) -> Result<Lead, Error> {
    find(&mut *who.app.db.read().await?, who, id).await
}

/// One lead, and whether its last merge can be undone.
pub async fn profile(who: &Who, id: &LeadId) -> Result<Profile, Error> {
    let mut conn = who.app.db.read().await?;
    let lead = find(&mut conn, who, id).await?;
    let merge = store::merge::find_last(&mut conn, id, &who.organization.id).await?;
    let suppressions = suppression::list_of(who, &mut conn, &lead.ways()).await?;
    Ok(Profile { lead, merged: merge.map(|merge| merge.gone.label().to_owned()), suppressions })
}

/// One page of an audience, in an order.
pub async fn list(
    who: &Who,
    audience: &Audience,
    order: Order,
    place: Option<&Place>,
    limit: Limit,
) -> Result<Page<Lead>, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let (mut conn, now) = (app.db.read().await?, app.clock.now());
    segment::check(&mut conn, who, audience).await?;
    let searched = store::audience::SEARCHED;
    let meant = (audience, order);
    Ok(store::audience::list_in(&mut conn, app.db.dialect, organization, meant, place, limit, searched, now).await?)
}

/// All tags that leads of the organization have.
pub async fn tags(who: &Who) -> Result<Vec<String>, Error> {
    Ok(store::lead::all_tags(&mut *who.app.db.read().await?, &who.organization.id).await?)
}

/// All names of custom fields that leads of the organization have, in the order of the alphabet.
pub async fn custom_names(who: &Who) -> Result<Vec<String>, Error> {
    let dialect = who.app.db.dialect;
    Ok(store::lead::custom_names(&mut *who.app.db.read().await?, dialect, &who.organization.id).await?)
}

/// Whom a person means who says how another lead than `but` is found: by the address of its page, its id, one of its addresses,
/// or a search that finds nobody else.
pub async fn find_other(who: &Who, but: &LeadId, text: &str) -> Result<LeadId, Error> {
    let found = find_by_words(who, but, text).await?;
    if found == *but { Err(FieldErrors::one("other", "is this lead itself").into()) } else { Ok(found) }
}

async fn find_by_words(who: &Who, but: &LeadId, text: &str) -> Result<LeadId, Error> {
    let fault = |message: &str| Error::from(FieldErrors::one("other", message));
    let text = text.trim();
    if text.is_empty() {
        return Err(fault("is required"));
    }
    if let Some(id) = text.rsplit('/').next().and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    let address = match (Email::parse(text), phone::parse(text)) {
        (Ok(email), _) => Some((Channel::Email, email.as_str().to_owned())),
        (_, Ok(number)) => Some((Channel::Sms, number.as_str().to_owned())),
        _ => None,
    };
    if let Some((channel, address)) = address {
        let mut conn = who.app.db.read().await?;
        let found = store::lead::find_by_address(&mut conn, &who.organization.id, channel, &address).await?;
        return found.ok_or_else(|| fault("is the address of no lead"));
    }
    let audience = Audience { q: text.to_owned(), ..Audience::default() }.parse()?;
    let mut found = list(who, &audience, Order::Newest, None, Limit::few()).await?.data;
    found.retain(|lead| lead.id != *but);
    match &found[..] {
        [] => Err(fault("finds no other lead")),
        [one] => Ok(one.id.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(Lead::label).collect();
            let names = names.join(", ");
            Err(fault(&format!("finds more than one lead ({names}): say the e-mail address or the number")))
        }
    }
}

/// Two leads are one person: the first stays, and is told what the other knew; the other's messages become its own.
pub async fn merge(who: &Who, kept: &LeadId, gone: &LeadId) -> Result<Lead, Error> {
    if kept == gone {
        return Err(FieldErrors::one("lead_id", "is the same lead").into());
    }
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    app.db
        .write(async |conn| {
            store::lead::lock(conn, app.db.dialect, organization).await?;
            let (before, other) = (find(conn, who, kept).await?, find(conn, who, gone).await?);
            let all = parse(&LeadForm::from(&before).merged_with(&LeadForm::from(&other)), &[&before, &other])?;
            let moved = store::merge::give_messages(conn, organization, gone, kept).await?;
            let runs = enrollment::merged(app, conn, organization, gone, kept).await?;
            // First: an address belongs to one lead at a time.
            store::lead::delete(conn, app.db.dialect, organization, std::slice::from_ref(gone)).await?;
            keep(conn, who, &before, &all).await?;
            // Also what only one of them said, of an address that is kept in the notes alone.
            let ways = [before.ways(), other.ways(), all.ways()].concat();
            let merge = Merge { id: app.new_id::<LeadId>().to_string(), before, gone: other, moved, runs, at: now };
            store::merge::insert(conn, organization, &merge).await?;
            enrollment::tagged(app, conn, organization, std::slice::from_ref(kept)).await?;
            Ok::<_, Error>(consent::inherit(app, conn, organization, &[ways]).await?)
        })
        .await?;
    changed(who, kept);
    load(who, kept).await
}

/// Undoes the last merge into a lead: the other one is there again, with its own messages.
pub async fn unmerge(who: &Who, kept: &LeadId) -> Result<Lead, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let gone = app
        .db
        .write(async |conn| {
            store::lead::lock(conn, app.db.dialect, organization).await?;
            let current = find(conn, who, kept).await?;
            let merge = store::merge::find_last(conn, kept, organization).await?;
            let nothing = || Error::conflict("not_merged", "There is no merge to undo");
            let Merge { id, before, gone, moved, runs, .. } = merge.ok_or_else(nothing)?;
            let (was, other) = (LeadForm::from(&before), LeadForm::from(&gone));
            let known = [&current, &before, &gone];
            let back = parse(&LeadForm::from(&current).parted_from(&other, &was), &known)?;
            keep(conn, who, &current, &back).await?;
            let other = parse(&other, &known)?;
            // Somebody may have entered the person anew meanwhile.
            refuse_same(conn, who, &other, None).await?;
            let stamps = (gone.created_at, now);
            store::lead::save(conn, app.db.dialect, &gone.id, organization, &other, gone.is_demo, stamps).await?;
            store::merge::give_back(conn, app.db.dialect, organization, &moved, kept, &gone.id).await?;
            store::merge::give_runs_back(conn, app.db.dialect, organization, &runs, kept, &gone.id).await?;
            store::merge::delete(conn, &id, organization).await?;
            consent::inherit(app, conn, organization, &[back.ways(), other.ways()]).await?;
            Ok::<_, Error>(gone.id)
        })
        .await?;
    changed(who, kept);
    load(who, &gone).await
}

/// Forgets a lead. What was sent to it stays in the history, what its runs had queued is canceled, and what it said about
/// being written to counts for ever.
pub async fn delete(who: &Who, id: &LeadId) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    app.db
        .write(async |conn| {
            // Whoever changes it meanwhile would store it anew.
            store::lead::lock(conn, app.db.dialect, organization).await?;
            let lead = find(conn, who, id).await?;
            Ok::<_, Error>(forget(app, conn, organization, &[lead]).await?)
        })
        .await?;
    changed(who, id);
    Ok(())
}

/// The same for many, in the caller's transaction, which locks nothing else afterwards.
pub(super) async fn forget(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    leads: &[Lead],
) -> sqlx::Result<()> {
    let ids: Vec<LeadId> = leads.iter().map(|lead| lead.id.clone()).collect();
    enrollment::forgotten(app, conn, organization, &ids).await?;
    store::lead::delete(conn, app.db.dialect, organization, &ids).await?;
    let ways: Vec<Way> = leads.iter().flat_map(Lead::ways).collect();
    consent::forget(app, conn, organization, &ways).await
}

fn changed(who: &Who, id: &LeadId) {
    who.app.live.publish(&who.organization.id, Topic::Leads, Some(id.as_str()));
}

//! Segments: audiences that are given a name, so that lists, sequences and campaigns can ask for them.

use crate::{
    domain::{
        audience::{Audience, Choices, NO_SEGMENT, Segment, parse_name},
        field_error::FieldErrors,
        id::SegmentId,
        page::{Limit, Page},
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        store::{self, Conn},
    },
};

/// Gives an audience a name. What a segment in it asks for now becomes part of it.
pub async fn create(who: &Who, name: &str, audience: Audience) -> Result<Segment, Error> {
    let (name, audience) = FieldErrors::both(parse_name(name), audience.parse())?;
    let (app, organization) = (&who.app, &who.organization.id);
    let (id, created_at): (SegmentId, _) = (app.new_id(), app.clock.now());
    let work = async |conn: &mut Conn| {
        let audience = flat(conn, who, audience).await?;
        let segment = Segment { id, name, audience, created_at };
        let is_new = store::segment::insert(conn, organization, &segment).await?;
        if is_new { Ok(segment) } else { Err(taken()) }
    };
    let segment = app.db.write(work).await?;
    changed(who, &segment.id);
    Ok(segment)
}

/// Another name, or another audience; where nothing is said, what was there stands.
pub async fn update(
    who: &Who,
    id: &SegmentId,
    name: Option<&str>,
    audience: Option<Audience>,
) -> Result<Segment, Error> {
    let name = name.map_or(Ok(None), |name| parse_name(name).map(Some));
    let audience = audience.map_or(Ok(None), |audience| audience.parse().map(Some));
    let (name, audience) = FieldErrors::both(name, audience)?;
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        // Two who want one name come one after the other.
        store::lead::lock(conn, app.db.dialect, organization).await?;
        let mut segment = find(conn, who, id).await?;
        if let Some(audience) = audience {
            segment.audience = flat(conn, who, audience).await?;
        }
        if let Some(name) = name {
            segment.name = name;
        }
        if store::segment::is_taken(conn, organization, &segment.name, id).await? {
            return Err(taken());
        }
        store::segment::update(conn, organization, &segment, now).await?;
        Ok(segment)
    };
    let segment = app.db.write(work).await?;
    changed(who, id);
    Ok(segment)
}

fn taken() -> Error {
    Error::conflict("duplicate_segment", "There is a segment with this name already")
}

/// What an audience means now, without a segment in it: a segment names no other one, so that none can name itself, and what
/// is done to all who match is done to those that were meant.
pub(super) async fn flat(conn: &mut Conn, who: &Who, audience: Audience) -> Result<Audience, Error> {
    let Some(segment) = named(conn, who, &audience).await? else { return Ok(audience) };
    let alone = Audience { segment: String::new(), ..audience };
    // Together they may be more than one audience can ask.
    Ok(alone.and(segment.audience).parse()?)
}

async fn named(conn: &mut Conn, who: &Who, audience: &Audience) -> Result<Option<Segment>, Error> {
    if audience.segment.is_empty() {
        return Ok(None);
    }
    let unknown = || Error::from(FieldErrors::one("segment", NO_SEGMENT));
    let id: SegmentId = audience.segment.parse().map_err(|_| unknown())?;
    store::segment::find(conn, &id, &who.organization.id).await?.map(Some).ok_or_else(unknown)
}

/// An error when the audience names a segment that the organization does not have.
pub async fn check(conn: &mut Conn, who: &Who, audience: &Audience) -> Result<(), Error> {
    named(conn, who, audience).await.map(drop)
}

async fn find(conn: &mut Conn, who: &Who, id: &SegmentId) -> Result<Segment, Error> {
    store::segment::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One segment.
pub async fn load(who: &Who, id: &SegmentId) -> Result<Segment, Error> {
    find(&mut *who.app.db.read().await?, who, id).await
}

/// One page of them, newest first.
pub async fn list(who: &Who, cursor: Option<&SegmentId>, limit: Limit) -> Result<Page<Segment>, Error> {
    Ok(store::segment::list(&mut *who.app.db.read().await?, &who.organization.id, cursor, limit).await?)
}

/// All of them that a page shows, in the order of their names.
pub async fn all(who: &Who) -> Result<Vec<Segment>, Error> {
    let mut all = list(who, None, Limit::batch()).await?.data;
    all.sort_by_cached_key(|segment| segment.name.to_lowercase());
    Ok(all)
}

/// What conditions can be about.
pub async fn choices(who: &Who, id: Option<&SegmentId>) -> Result<Choices, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut conn = app.db.read().await?;
    let segment = match id {
        Some(id) => Some(find(&mut conn, who, id).await?),
        None => None,
    };
    let custom = store::lead::custom_keys(&mut conn, app.db.dialect, organization).await?;
    let sequences = store::sequence::list(&mut conn, app.db.dialect, organization, None, Limit::batch()).await?;
    let sequences = sequences.data.into_iter().map(|sequence| (sequence.id, sequence.name)).collect();
    Ok(Choices { segment, custom, sequences })
}

/// Forgets a segment; the leads stay. What still asks for it means nobody.
pub async fn delete(who: &Who, id: &SegmentId) -> Result<(), Error> {
    let work = async |conn: &mut Conn| store::segment::delete(conn, id, &who.organization.id).await;
    if !who.app.db.write(work).await? {
        return Err(Error::not_found());
    }
    changed(who, id);
    Ok(())
}

fn changed(who: &Who, id: &SegmentId) {
    who.app.live.publish(&who.organization.id, Topic::Leads, Some(id.as_str()));
}

//! Keys for programs: `tern_` and 256 random bits, shown once, stored as SHA-256.

use super::session::{hash_token, new_token};
use crate::{
    domain::{
        api_key::{ApiKey, NewApiKey},
        field_error::FieldErrors,
        id::ApiKeyId,
        text::parse_line,
        time::MINUTE,
    },
    server::{App, Person, Who, error::Error, store},
};

/// What every key begins with.
const PREFIX: &str = "tern_";
/// Characters by which a person recognises a key.
const SHOWN: usize = 12;
/// How often the use of a key is noted.
const USED_EVERY: i64 = 10 * MINUTE;

/// Makes a key; the only time it is shown.
pub async fn create(who: &Who, name: &str) -> Result<NewApiKey, Error> {
    let name = parse_line(name, 80).map_err(|error| FieldErrors::one("name", error.to_string()))?;
    let key = format!("{PREFIX}{}", new_token());
    let prefix: String = key.chars().take(SHOWN).collect();
    let stored = ApiKey { id: who.app.new_id(), name, prefix, created_at: who.app.clock.now(), last_used_at: None };
    let hash = hash_token(&key);
    let (organization, user) = (&who.organization.id, &who.user.id);
    who.app.db.write(async |conn| store::api_key::insert(conn, &stored, organization, user, &hash).await).await?;
    Ok(NewApiKey { id: stored.id, name: stored.name, prefix: stored.prefix, key, created_at: stored.created_at })
}

/// The organization's keys, newest first.
pub async fn list(who: &Who) -> Result<Vec<ApiKey>, Error> {
    Ok(store::api_key::list(&mut *who.app.db.read().await?, &who.organization.id).await?)
}

/// Ends a key at once.
pub async fn delete(who: &Who, id: &ApiKeyId) -> Result<(), Error> {
    let gone = who.app.db.write(async |conn| store::api_key::delete(conn, id, &who.organization.id).await).await?;
    if gone { Ok(()) } else { Err(Error::not_found()) }
}

/// The person whose key it is; `None` when there is no such key.
pub async fn authenticate(app: &App, key: &str) -> Result<Option<Person>, Error> {
    if !key.starts_with(PREFIX) {
        return Ok(None);
    }
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let Some((id, user, used_at)) = store::api_key::find(&mut conn, &hash_token(key)).await? else { return Ok(None) };
    let Some(me) = store::user::find_by_id(&mut conn, &user).await? else { return Ok(None) };
    drop(conn);
    if now.0 - used_at.0 >= USED_EVERY {
        app.db.write(async |conn| store::api_key::used(conn, &id, now).await).await?;
    }
    Ok(Some(Person { app: app.clone(), me, session: None }))
}

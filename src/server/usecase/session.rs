//! Signing up, in and out; the sessions of a person.
//!
//! A session token is 256 random bits in a cookie; the database holds its SHA-256. It ends after [`IDLE`] without use
//! and after [`ABSOLUTE`] in any case, and every sign-in makes a new one.

use crate::{
    api::error::{ApiError, Kind},
    domain::{
        email::Email,
        field_error::FieldErrors,
        id::SessionId,
        secret::Secret,
        session::Session,
        text::parse_line,
        time::{DAY, MINUTE, Timestamp},
        user::{Me, Organization, Role, User, check_password},
    },
    server::{App, Person, Who, clock::random_bytes, config::SignUp, error::Error, store},
};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use sha2::{Digest, Sha256};

/// A session ends after so long without use.
const IDLE: i64 = 14 * DAY;
/// A session ends after so long in any case.
const ABSOLUTE: i64 = 60 * DAY;
/// How often the use of a session is noted: a write per request would be an fsync per request.
const SEEN_EVERY: i64 = 10 * MINUTE;
/// Guesses of one address, or from one network address, in one window.
const GUESSES: i64 = 10;
/// The window of guesses.
const GUESS_WINDOW: i64 = 15 * MINUTE;
/// What a browser calls itself, shortened to so many characters.
const AGENT_MAX: usize = 200;

/// A token just made: the only time it is in clear.
pub struct SignedIn {
    /// Who.
    pub me: Me,
    /// The value of the cookie.
    pub token: Secret,
    /// Seconds until the session ends in any case.
    pub max_age_secs: i64,
}

/// SHA-256 in hex: what the database knows of tokens and keys.
pub fn hash_token(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// A new token of 256 random bits.
pub fn new_token() -> String {
    BASE64.encode(random_bytes::<32>())
}

/// Argon2id with the parameters of OWASP (19 MiB, 2 passes), off the async threads and few at a time.
async fn hash_password(app: &App, password: Secret) -> Result<String, Error> {
    let _permit = app.hashing.acquire().await.map_err(|_| Error::Internal("stopping".to_owned()))?;
    tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.expose().as_bytes()).map(|hash| hash.to_string())
    })
    .await
    .map_err(|error| Error::Internal(error.to_string()))?
    .map_err(|error| Error::Internal(error.to_string()))
}

async fn is_password(app: &App, password: Secret, hash: String) -> Result<bool, Error> {
    let _permit = app.hashing.acquire().await.map_err(|_| Error::Internal("stopping".to_owned()))?;
    tokio::task::spawn_blocking(move || {
        Argon2::default().verify_password(password.expose().as_bytes(), hash.as_str()).is_ok()
    })
    .await
    .map_err(|error| Error::Internal(error.to_string()))
}

/// True while the installation has no user.
pub async fn first_run(app: &App) -> Result<bool, Error> {
    Ok(store::user::is_empty(&mut *app.db.read().await?).await?)
}

/// What a sign-up asks for.
pub struct SignUpForm<'a> {
    /// As typed.
    pub email: &'a str,
    /// As typed.
    pub password: Secret,
    /// As typed; `None`: a user in no organization.
    pub organization: Option<&'a str>,
}

struct NewPerson {
    email: Email,
    password: Secret,
    organization: Option<String>,
}

fn parse_sign_up(form: SignUpForm<'_>) -> Result<NewPerson, Error> {
    let mut errors = FieldErrors::default();
    let email = errors.check("email", Email::parse(form.email));
    errors.check("password", check_password(form.password.expose(), form.email));
    let organization = form.organization.and_then(|name| errors.check("organization", parse_line(name, 100)));
    match email {
        Some(email) if errors.is_empty() => Ok(NewPerson { email, password: form.password, organization }),
        _ => Err(errors.into()),
    }
}

/// Adds a person, with an organization of their own when one is named. Open while there is no user; later by configuration.
pub async fn sign_up(app: &App, form: SignUpForm<'_>, user_agent: &str) -> Result<SignedIn, Error> {
    let is_open = app.settings.sign_up == SignUp::Open;
    if !is_open && !first_run(app).await? {
        return Err(closed());
    }
    let me = add(app, form, is_open).await?;
    start(app, me, user_agent).await
}

fn closed() -> Error {
    ApiError::new(
        Kind::Forbidden,
        "sign_up_closed",
        "Sign-up is closed. Ask the owner of this installation for an account.",
    )
    .into()
}

/// Stores the person. Unless `is_open`, the transaction itself checks that it is the first: two racing sign-ups make one owner.
pub async fn add(app: &App, form: SignUpForm<'_>, is_open: bool) -> Result<Me, Error> {
    let new = parse_sign_up(form)?;
    let hash = hash_password(app, new.password).await?;
    let organization = new.organization.map(|name| Organization { id: app.new_id(), name });
    let user = User { id: app.new_id(), email: new.email, role: Role::Owner };
    let me = Me { user, organization };
    let now = app.clock.now();
    app.db
        .write(async |conn| {
            if !is_open {
                store::user::lock(conn, app.db.dialect).await?;
                if !store::user::is_empty(conn).await? {
                    return Err(closed());
                }
            }
            if let Some(organization) = &me.organization {
                store::user::insert_organization(conn, organization, now).await?;
                super::consent::begin(app, conn, &organization.id).await?;
            }
            if !store::user::insert(conn, &me.user, me.organization.as_ref().map(|o| &o.id), &hash, now).await? {
                return Err(Error::conflict("email_taken", "This e-mail address already has an account"));
            }
            Ok(())
        })
        .await?;
    Ok(me)
}

/// Checks the password and starts a session. Wrong guesses are counted by address and by `peer`, across restarts.
pub async fn sign_in(
    app: &App,
    email: &str,
    password: Secret,
    peer: &str,
    user_agent: &str,
) -> Result<SignedIn, Error> {
    let keys = [format!("email:{}", hash_token(&email.trim().to_lowercase())), format!("peer:{peer}")];
    let now = app.clock.now();
    let found = {
        let mut conn = app.db.read().await?;
        for key in &keys {
            if let Some((failures, until)) = store::guess::find(&mut conn, key, now).await?
                && failures >= GUESSES
            {
                return Err(too_many(until.0 - now.0));
            }
        }
        match Email::parse(email) {
            Ok(email) => store::user::find(&mut conn, &email).await?,
            Err(_) => None,
        }
    };
    // An unknown address costs as much time as a known one.
    let hash = found.as_ref().map_or_else(|| NOBODY.to_owned(), |(_, hash)| hash.clone());
    let is_right = is_password(app, password, hash).await?;
    let signed_in = found.filter(|_| is_right).map(|(me, _)| me);
    // Counted after the hash and in one transaction: guesses at the same time learn no more than guesses in a row.
    app.db
        .write(async |conn| {
            for key in &keys {
                let failures = match &signed_in {
                    None => store::guess::add(conn, key, now, now.plus(GUESS_WINDOW)).await? - 1,
                    Some(_) => store::guess::find(conn, key, now).await?.map_or(0, |(failures, _)| failures),
                };
                if failures >= GUESSES {
                    return Err(too_many(GUESS_WINDOW));
                }
            }
            if signed_in.is_some() {
                store::guess::clear(conn, &keys[0]).await?;
            }
            Ok(())
        })
        .await?;
    match signed_in {
        Some(me) => start(app, me, user_agent).await,
        None => Err(ApiError::new(Kind::SignedOut, "wrong_password", "Wrong e-mail or password").into()),
    }
}

fn too_many(millis: i64) -> Error {
    Error::too_soon("Too many tries. Wait a few minutes and try again.", millis)
}

/// The hash of nobody's password, with the parameters of all others.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$6VvGbq6QkOEUlLz4oQ1C3pVq0x5mP0g0h5x8m1p2u3A";

async fn start(app: &App, me: Me, user_agent: &str) -> Result<SignedIn, Error> {
    let (now, token, id) = (app.clock.now(), new_token(), app.new_id::<SessionId>());
    let agent: String = user_agent.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect();
    let token_hash = hash_token(&token);
    let new = store::session::NewSession {
        id: &id,
        token_hash: &token_hash,
        user_id: &me.user.id,
        user_agent: &agent,
        expires_at: now.plus(ABSOLUTE),
    };
    app.db
        .write(async |conn| {
            store::session::sweep(conn, now, now.plus(-IDLE)).await?;
            store::guess::sweep(conn, now).await?;
            store::session::insert(conn, &new, now).await
        })
        .await?;
    Ok(SignedIn { me, token: Secret::new(token), max_age_secs: ABSOLUTE / 1_000 })
}

/// The person of a session token; `None` when the session is unknown or over.
pub async fn authenticate(app: &App, token: &str) -> Result<Option<Person>, Error> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let Some(found) = store::session::find(&mut conn, &hash_token(token), now, idle_since(now)).await? else {
        return Ok(None);
    };
    let Some(me) = store::user::find_by_id(&mut conn, &found.user_id).await? else { return Ok(None) };
    drop(conn);
    if now.0 - found.seen_at.0 >= SEEN_EVERY {
        app.db.write(async |conn| store::session::seen(conn, &found.id, now).await).await?;
    }
    Ok(Some(Person { app: app.clone(), me, session: Some(found.id) }))
}

fn idle_since(now: Timestamp) -> Timestamp {
    now.plus(-IDLE)
}

/// The live sessions of a person.
pub async fn list(who: &Who) -> Result<Vec<Session>, Error> {
    let now = who.app.clock.now();
    let mut conn = who.app.db.read().await?;
    Ok(store::session::list(&mut conn, &who.user.id, who.session.as_ref(), now, idle_since(now)).await?)
}

/// Ends one of the person's sessions.
pub async fn revoke(who: &Who, id: &SessionId) -> Result<(), Error> {
    let gone = who.app.db.write(async |conn| store::session::delete(conn, id, &who.user.id).await).await?;
    if gone { Ok(()) } else { Err(Error::not_found()) }
}

/// Ends the session that asks.
pub async fn sign_out(person: &Person) -> Result<(), Error> {
    if let Some(id) = &person.session {
        person.app.db.write(async |conn| store::session::delete(conn, id, &person.me.user.id).await).await?;
    }
    Ok(())
}

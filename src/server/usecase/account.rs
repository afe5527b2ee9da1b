//! Sender accounts: connect, test, change, delete.

use super::{keys, platform::NOT_CONFIGURED};
use crate::{
    domain::{
        account::{Account, AccountPatch, ConnectForm, ConnectionStatus, NewAccount, SenderNumber, TestOutcome},
        channel::{Channel, Provider},
        email_account::EmailForm,
        field_error::FieldErrors,
        forecast::Forecast,
        id::{AccountId, OrganizationId},
        limit::{DailyLimit, Pace, PaceForm},
        message::{Source, Status, WaitingReason},
        phone::PhoneNumber,
        secret::Secret,
        text::parse_line,
        time::{DAY, Timestamp},
    },
    server::{
        App, Who,
        bucket::{Bucket, day_of, is_zone},
        channel::{Login, Mailbox, Probe, TestError},
        error::Error,
        live::Topic,
        phone,
        platform::Platform,
        store::{self, Conn, account::StoredAccount},
        vault::{Place, VaultError},
    },
};
use std::collections::{BTreeMap, HashMap};

/// What an account says whose credentials do not open with the configured keys.
pub const ENTER_AGAIN: &str =
    "The stored credentials cannot be read with the configured encryption key. Enter them again.";

/// Where the credentials of an account live.
fn place<'a>(organization: &'a str, account: &'a str) -> Place<'a> {
    Place { table: "account", column: "secret", organization, row: account }
}

pub(super) fn seal(
    app: &App,
    organization: &str,
    account: &AccountId,
    credentials: &[(String, Secret)],
) -> Option<String> {
    if credentials.is_empty() {
        return None;
    }
    let fields: BTreeMap<&str, &str> =
        credentials.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
    let text = Secret::new(serde_json::to_string(&fields).expect("texts"));
    Some(app.vault.seal(&place(organization, account.as_str()), &text))
}

/// Why the credentials of an account cannot be used. A sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// They do not open with the configured keys.
    #[error("{}", ENTER_AGAIN)]
    Unreadable(#[from] VaultError),
    /// They would be in the configuration, and are not.
    #[error("{}", NOT_CONFIGURED)]
    NotConfigured,
}

/// Opens the credentials of an account for one call.
pub fn open(app: &App, stored: &StoredAccount) -> Result<Login, Closed> {
    if let Some(key) = &stored.platform {
        let platform = app.platform.as_ref().filter(|platform| platform.is(key, &stored.account.address));
        return platform.map(Platform::login).ok_or(Closed::NotConfigured);
    }
    let fields: BTreeMap<String, String> = match &stored.secret {
        None => BTreeMap::new(),
        Some(sealed) => {
            let text = app.vault.open(&place(stored.organization_id.as_str(), stored.account.id.as_str()), sealed)?;
            serde_json::from_str(text.expose()).map_err(|_| VaultError::Damaged)?
        }
    };
    Ok(login(&stored.account, fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()))
}

/// What an adapter needs to act for an account.
pub(super) fn login(account: &Account, credentials: Vec<(String, Secret)>) -> Login {
    let login = Login::new(credentials);
    let Some(settings) = account.smtp.clone() else { return login };
    let (account, address, display_name) = (account.id.clone(), account.address.clone(), account.display_name.clone());
    login.with_mailbox(Mailbox { account, address, display_name, settings })
}

/// Seals an account's credentials with the first key, when they are not.
pub fn reseal(app: &App, stored: &StoredAccount) -> Result<Option<String>, VaultError> {
    let Some(sealed) = stored.secret.as_ref().filter(|sealed| app.vault.is_stale(sealed)) else { return Ok(None) };
    let place = place(stored.organization_id.as_str(), stored.account.id.as_str());
    Ok(Some(app.vault.seal(&place, &app.vault.open(&place, sealed)?)))
}

/// The accounts of the organization, newest first, with what they sent today.
pub async fn list(who: &Who) -> Result<Vec<Account>, Error> {
    list_of(&who.app, &who.organization.id).await
}

/// The same for whoever acts for all of the organization.
pub(super) async fn list_of(app: &App, organization: &OrganizationId) -> Result<Vec<Account>, Error> {
    let mut conn = app.db.read().await?;
    let mut accounts = store::account::list(&mut conn, organization).await?;
    mark_defaults(&mut accounts);
    Ok(all_with_usage(&mut conn, app, organization, accounts).await?)
}

/// The same of its platform default: one for each channel and sender that it has used.
pub(super) async fn list_platform(app: &App, organization: &OrganizationId) -> Result<Vec<Account>, Error> {
    let mut conn = app.db.read().await?;
    let accounts = store::account::list_platform(&mut conn, organization).await?;
    Ok(all_with_usage(&mut conn, app, organization, accounts).await?)
}

/// Adds what is not in their rows to accounts of the organization.
async fn all_with_usage(
    conn: &mut Conn,
    app: &App,
    organization: &OrganizationId,
    accounts: Vec<StoredAccount>,
) -> sqlx::Result<Vec<Account>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    // Zones differ by a day at most, and a rolling limit looks back a day: three days hold all that counts.
    let (since, _) = day_of(now.plus(-2 * DAY), "UTC");
    let mut usage: HashMap<String, Vec<(String, i64)>> = HashMap::new();
    for (id, key, used) in store::usage::list(conn, organization, &since).await? {
        usage.entry(id).or_default().push((key, used));
    }
    let lanes = store::lane::list(conn, organization).await?;
    let with_usage = |mut stored: StoredAccount| {
        let lane = lanes.get(&stored.account.id);
        let bucket = Bucket::at(now, &stored.account.pace, lane.and_then(|lane| lane.last_day.as_deref()));
        let used = usage.get(stored.account.id.as_str()).map_or(&[][..], Vec::as_slice);
        let counts = used.iter().filter(|(key, _)| (&bucket.first..=&bucket.last).contains(&key));
        stored.account.sent_today = u32::try_from(counts.map(|(_, used)| used).sum::<i64>()).unwrap_or(0);
        stored.account.block = lane.and_then(|lane| lane.blocked(now)).cloned();
        stored.account
    };
    Ok(accounts.into_iter().map(with_usage).collect())
}

/// The same choice as [`store::account::find_default`].
fn mark_defaults(accounts: &mut [StoredAccount]) {
    for channel in Channel::ALL {
        let able = accounts.iter_mut().filter(|stored| stored.account.channel == channel && stored.account.is_active);
        if let Some(first) = able.min_by_key(|stored| (stored.is_stopped, stored.account.id.clone())) {
            first.account.is_default = true;
        }
    }
}

/// One account, as stored.
pub(super) async fn find(who: &Who, id: &AccountId) -> Result<StoredAccount, Error> {
    let mut conn = who.app.db.read().await?;
    let found = store::account::find(&mut conn, id, &who.organization.id).await?;
    let mut stored = found.ok_or_else(Error::not_found)?;
    with_usage(&mut conn, &mut stored, who.app.clock.now()).await?;
    Ok(stored)
}

/// Adds what is not in its row: what it has sent, and why its lane waits.
pub async fn with_usage(conn: &mut Conn, stored: &mut StoredAccount, now: Timestamp) -> sqlx::Result<()> {
    let lane = store::lane::find(conn, &stored.account.id).await?;
    let bucket = Bucket::at(now, &stored.account.pace, lane.last_day.as_deref());
    stored.account.sent_today = store::usage::find(conn, &stored.account.id, &bucket).await?;
    stored.account.block = lane.blocked(now).cloned();
    Ok(())
}

/// One account, as it is shown.
pub async fn load(who: &Who, id: &AccountId) -> Result<Account, Error> {
    Ok(find(who, id).await?.account)
}

/// Tests the connection, then stores the account; on a failed test nothing is stored.
pub async fn connect(who: &Who, form: ConnectForm) -> Result<Account, Error> {
    if !form.missing().is_empty() {
        let fields = form.missing().into_iter().fold(FieldErrors::default(), |mut errors, field| {
            errors.add(field, "is required");
            errors
        });
        return Err(Error::invalid_as("Missing required fields", fields));
    }
    let new = form.parse(phone::parse)?;
    let taken = || Error::conflict("already_connected", "This phone number is already connected");
    {
        let mut conn = who.app.db.read().await?;
        if store::account::is_taken(&mut conn, &who.organization.id, new.channel, new.number.as_str()).await? {
            return Err(taken());
        }
    }
    let credentials: Vec<(String, Secret)> =
        new.credentials.into_iter().map(|(name, secret)| (name.to_owned(), secret)).collect();
    let account = Account::connected(
        who.app.new_id(),
        (new.provider, new.channel),
        new.number.as_str().to_owned(),
        new.display_name,
        new.daily_limit.get(),
        who.app.clock.now(),
    );
    let secret = seal(&who.app, who.organization.id.as_str(), &account.id, &credentials);
    probe(
        &who.app,
        new.provider,
        &Login::new(credentials),
        &Probe { channel: new.channel, sender: Some(&new.number), force: new.force },
    )
    .await
    .map_err(|error| failed_test(&error))?;
    let organization = &who.organization.id;
    let stored = who
        .app
        .db
        .write(async |conn| store::account::insert(conn, &account, organization, secret.as_deref()).await)
        .await?;
    if !stored {
        return Err(taken());
    }
    changed(who, &account.id);
    Ok(account)
}

/// Tries the credentials; those of the mailbox, too, when the account has one read.
pub(super) async fn probe(app: &App, provider: Provider, login: &Login, probe: &Probe<'_>) -> Result<(), TestError> {
    app.channels.of(provider).test(login, probe).await?;
    app.channels.mailboxes().test(login).await
}

pub(super) fn failed_test(error: &TestError) -> Error {
    use crate::api::error::{ApiError, Kind};
    ApiError::new(Kind::Invalid, error.code, format!("Connection test failed: {}", error.message)).into()
}

pub(super) fn changed(who: &Who, id: &AccountId) {
    who.app.live.publish(&who.organization.id, Topic::Accounts, Some(id.as_str()));
    who.app.wake.notify_one();
    who.app.wake_reading.notify_one();
}

/// The number of a stored account, for a test; `None` for a mailbox.
fn sender_of(account: &Account) -> Option<SenderNumber> {
    match PhoneNumber::parse_e164(&account.address) {
        _ if account.channel == Channel::Email => None,
        Ok(number) => Some(SenderNumber::Phone(number)),
        Err(_) => Some(SenderNumber::ShortCode(account.address.clone())),
    }
}

/// Tests the stored credentials again and notes the result. A success lets waiting messages go.
pub async fn test(who: &Who, id: &AccountId) -> Result<TestOutcome, Error> {
    let stored = find(who, id).await?;
    let login = match open(&who.app, &stored) {
        Ok(login) => login,
        Err(closed) => return note_test(who, id, Err(closed.to_string())).await,
    };
    let sender = sender_of(&stored.account);
    // The number was accepted when it was connected, insisted on or not: a later test asks about the credentials.
    let asked = Probe { channel: stored.account.channel, sender: sender.as_ref(), force: true };
    let result = probe(&who.app, stored.account.provider, &login, &asked).await;
    note_test(who, id, result.map_err(|error| error.message)).await
}

async fn note_test(who: &Who, id: &AccountId, result: Result<(), String>) -> Result<TestOutcome, Error> {
    let (error, now) = (result.err(), who.app.clock.now());
    who.app
        .db
        .write(async |conn| match &error {
            None => {
                store::account::set_health(conn, id, ConnectionStatus::Connected, None, None).await?;
                store::mailbox::hurry(conn, id, now).await?;
                store::lane::unblock(conn, id, Some(WaitingReason::Provider)).await
            }
            Some(error) => store::account::set_error(conn, id, error).await,
        })
        .await?;
    changed(who, id);
    Ok(TestOutcome { success: error.is_none(), error })
}

/// Lets the lane go at once, whatever it waits for; what was the reason may stop it again.
pub async fn try_now(who: &Who, id: &AccountId) -> Result<Account, Error> {
    who.app
        .db
        .write(async |conn| {
            store::account::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)?;
            Ok::<_, Error>(store::lane::unblock(conn, id, None).await?)
        })
        .await?;
    changed(who, id);
    load(who, id).await
}

/// What becomes of the account's queue today and tomorrow.
pub async fn forecast(who: &Who, id: &AccountId) -> Result<Forecast, Error> {
    let account = load(who, id).await?;
    let mut conn = who.app.db.read().await?;
    Ok(forecast_of(&mut conn, &who.organization.id, &account, who.app.clock.now()).await?)
}

/// The same of an account that is loaded. Its days end at the midnights of its zone, whatever its limit counts.
pub(super) async fn forecast_of(
    conn: &mut Conn,
    organization: &OrganizationId,
    account: &Account,
    now: Timestamp,
) -> sqlx::Result<Forecast> {
    let (_, today) = day_of(now, &account.pace.time_zone);
    let (_, tomorrow) = day_of(today, &account.pace.time_zone);
    let due = store::dashboard::due(conn, &account.id, organization, today, tomorrow).await?;
    Ok(Forecast::of(account, due, now, today))
}

/// The part of the edit form about the pace, by the names of the API.
pub fn read_pace(
    who: &Who,
    account: &Account,
    typed: &BTreeMap<String, String>,
) -> Result<(Option<u32>, Pace), FieldErrors> {
    // A choice or a zone that is empty was not made: nothing turns it off.
    let given = PaceForm::FIELDS.into_iter().filter_map(|(name, is_number)| {
        typed.get(name).filter(|text| is_number || !text.trim().is_empty()).map(|text| (name, text.clone()))
    });
    let form = PaceForm(given.collect());
    form.parse(&account.pace, who.app.clock.now(), is_zone)
}

/// Changes the settings that are named. A raised limit or a switched-on account wakes what waits for it.
pub async fn update(who: &Who, id: &AccountId, patch: AccountPatch) -> Result<Account, Error> {
    let mut errors = FieldErrors::default();
    let name = patch.display_name.as_deref().and_then(|name| errors.check("display_name", parse_line(name, 80)));
    let limit = patch.daily_limit.and_then(|limit| errors.check("daily_limit", DailyLimit::new(limit.into())));
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let now = who.app.clock.now();
    who.app
        .db
        .write(async |conn| {
            let found = store::account::find(conn, id, &who.organization.id).await?;
            let before = found.ok_or_else(Error::not_found)?.account;
            let mut account = before.clone();
            account.display_name = name.clone().unwrap_or(account.display_name);
            account.daily_limit = limit.map_or(account.daily_limit, DailyLimit::get);
            account.is_active = patch.is_active.unwrap_or(account.is_active);
            account.pace = patch.pace.clone().unwrap_or(account.pace);
            store::account::update(conn, &account, &who.organization.id, now).await?;
            if let Some(count) = patch.used_elsewhere_today {
                let lane = store::lane::find(conn, id).await?;
                let bucket = Bucket::at(now, &account.pace, lane.last_day.as_deref());
                store::usage::set_elsewhere(conn, id, &bucket.key, count).await?;
            }
            // Whether the day is still used up shows at the next claim.
            store::lane::unblock(conn, id, Some(WaitingReason::DailyLimit)).await?;
            Ok::<_, Error>(())
        })
        .await?;
    changed(who, id);
    load(who, id).await
}

/// Replaces the credentials after a successful test, as when they were rotated or the encryption key was lost.
pub async fn replace_credentials(who: &Who, id: &AccountId, entered: Vec<(String, Secret)>) -> Result<Account, Error> {
    let stored = find(who, id).await?;
    if stored.account.channel == Channel::Email {
        return super::email_account::replace_credentials(who, id, EmailForm::of_credentials(entered)).await;
    }
    let form = ConnectForm {
        provider: stored.account.provider.as_str().to_owned(),
        channel: stored.account.channel.as_str().to_owned(),
        phone_number: stored.account.address.clone(),
        credentials: entered,
        force: true,
        ..ConnectForm::default()
    };
    let new: NewAccount = form.parse(phone::parse)?;
    let credentials: Vec<(String, Secret)> =
        new.credentials.into_iter().map(|(name, secret)| (name.to_owned(), secret)).collect();
    let sealed = seal(&who.app, who.organization.id.as_str(), id, &credentials);
    let asked = Probe { channel: new.channel, sender: Some(&new.number), force: true };
    probe(&who.app, new.provider, &Login::new(credentials), &asked).await.map_err(|error| failed_test(&error))?;
    who.app
        .db
        .write(async |conn| {
            if let Some(sealed) = &sealed {
                store::account::set_secret(conn, id, &who.organization.id, Some(sealed)).await?;
            }
            store::account::set_health(conn, id, ConnectionStatus::Connected, None, None).await?;
            store::lane::unblock(conn, id, Some(WaitingReason::Provider)).await
        })
        .await?;
    keys::recheck(&who.app).await?;
    changed(who, id);
    load(who, id).await
}

/// Deletes an account and wipes its credentials. Its history stays; what is still queued is canceled and says why.
pub async fn delete(who: &Who, id: &AccountId) -> Result<(), Error> {
    let now = who.app.clock.now();
    who.app
        .db
        .write(async |conn| {
            if !store::account::delete(conn, id, &who.organization.id, now).await? {
                return Err(Error::not_found());
            }
            store::mailbox::close(conn, id, &who.organization.id).await?;
            let canceled = store::queue::cancel_all(conn, id, now).await?;
            let events: Vec<_> = canceled
                .into_iter()
                .map(|message| {
                    let mut event = store::message::event(who.app.new_id(), now, Status::Canceled, Source::User);
                    event.detail = Some("The account was deleted.".to_owned());
                    (message, event)
                })
                .collect();
            Ok(store::message::insert_events(conn, who.app.db.dialect, &events).await?)
        })
        .await?;
    keys::recheck(&who.app).await?;
    changed(who, id);
    who.app.live.publish(&who.organization.id, Topic::Messages, None);
    Ok(())
}

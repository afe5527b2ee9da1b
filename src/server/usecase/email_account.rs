//! E-mail accounts: connect, and enter credentials anew. What they share with all accounts is in `account`.

use super::account::{ENTER_AGAIN, changed, failed_test, find, login, open, probe, seal};
use crate::{
    domain::{
        account::{Account, ConnectionStatus},
        channel::Channel,
        email_account::{EmailForm, NewEmailAccount, SmtpAuth, SmtpSettings},
        field_error::FieldErrors,
        id::{AccountId, OrganizationId},
        mailbox::{ImapForm, ImapSettings},
        message::WaitingReason,
        secret::Secret,
        time::Timestamp,
    },
    server::{
        Who,
        channel::{Login, Probe, smtp},
        error::Error,
        store::{self, Conn},
    },
};

/// Reads a form; what is missing is named in the contract's own words.
fn parse(form: EmailForm) -> Result<NewEmailAccount, Error> {
    if !form.missing().is_empty() {
        let mut errors = FieldErrors::default();
        for field in form.missing() {
            errors.add(field, "is required");
        }
        return Err(Error::invalid_as("Missing required fields", errors));
    }
    let new = form.parse()?;
    let mut errors = FieldErrors::default();
    check_keys(&new.credentials, &mut errors);
    if errors.is_empty() { Ok(new) } else { Err(errors.into()) }
}

/// A key that was entered must be one.
fn check_keys<N: AsRef<str>>(credentials: &[(N, Secret)], errors: &mut FieldErrors) {
    for (name, key) in credentials.iter().filter(|(name, _)| name.as_ref() == "dkim_private_key") {
        errors.check(name.as_ref(), smtp::check_key(key.expose()));
    }
}

/// Who signs needs a key.
fn check_signature(settings: Option<&SmtpSettings>, credentials: &[(String, Secret)]) -> Result<(), FieldErrors> {
    let is_signed = settings.is_some_and(|settings| settings.dkim.is_some());
    if is_signed && !credentials.iter().any(|(name, _)| name == "dkim_private_key") {
        return Err(FieldErrors::one("dkim_private_key", "is required for a signature"));
    }
    Ok(())
}

fn owned(credentials: Vec<(&'static str, Secret)>) -> Vec<(String, Secret)> {
    credentials.into_iter().map(|(name, secret)| (name.to_owned(), secret)).collect()
}

/// E-mail needs no sender number, and nobody insists.
const PROBE: Probe<'static> = Probe { channel: Channel::Email, sender: None, force: false };

/// Tests the connection, then stores the account; on a failed test nothing is stored.
pub async fn connect(who: &Who, form: EmailForm) -> Result<Account, Error> {
    let new = parse(form)?;
    let organization = &who.organization.id;
    let taken = || Error::conflict("already_connected", "This e-mail address is already connected");
    let address = new.email.as_str().to_owned();
    if store::account::is_taken(&mut *who.app.db.read().await?, organization, Channel::Email, &address).await? {
        return Err(taken());
    }
    let credentials = owned(new.credentials);
    check_signature(new.smtp.as_ref(), &credentials)?;
    let account = Account {
        smtp: new.smtp,
        ..Account::connected(
            who.app.new_id(),
            (new.provider, Channel::Email),
            address,
            new.display_name,
            new.daily_limit.get(),
            who.app.clock.now(),
        )
    };
    let secret = seal(&who.app, organization.as_str(), &account.id, &credentials);
    let tested = probe(&who.app, new.provider, &login(&account, credentials), &PROBE).await;
    tested.map_err(|error| failed_test(&error))?;
    let now = who.app.clock.now();
    let insert = who.app.db.write(async |conn| {
        let is_stored = store::account::insert(conn, &account, organization, secret.as_deref()).await?;
        if is_stored && account.smtp.as_ref().is_some_and(|smtp| smtp.imap.is_some()) {
            store::mailbox::open(conn, &account.id, organization, now).await?;
        }
        Ok::<_, sqlx::Error>(is_stored)
    });
    if !insert.await? {
        return Err(taken());
    }
    changed(who, &account.id);
    Ok(account)
}

/// What the form does not say stays as it is. The password is always asked for: whoever points an account at another
/// server must know it, or the server would learn it.
fn keeping(mut form: EmailForm, account: &Account) -> EmailForm {
    let keep = |field: &mut String, kept: &str| {
        if field.trim().is_empty() {
            kept.clone_into(field);
        }
    };
    account.provider.as_str().clone_into(&mut form.provider);
    form.email_address.clone_from(&account.address);
    form.display_name.clone_from(&account.display_name);
    form.daily_send_limit = account.daily_limit.to_string();
    if let Some(smtp) = &account.smtp {
        let is_same_server = form.smtp_port.trim().is_empty() && form.smtp_security.trim().is_empty();
        keep(&mut form.smtp_host, &smtp.host);
        if is_same_server {
            form.smtp_port = smtp.port.to_string();
            smtp.security.as_str().clone_into(&mut form.smtp_security);
        }
        keep(&mut form.smtp_username, &smtp.username);
        keep(&mut form.smtp_auth, smtp.auth.as_str());
        keep(&mut form.reply_to, smtp.reply_to.as_ref().map_or("", |email| email.as_str()));
        if let Some(dkim) = &smtp.dkim {
            keep(&mut form.dkim_domain, &dkim.domain);
            keep(&mut form.dkim_selector, &dkim.selector);
        }
        if !form.imap.is_wanted {
            form.imap = ImapForm::of(smtp.imap.as_ref());
        }
    }
    form
}

/// Takes a secret of before over that was not entered again.
fn keep_secret(credentials: &mut Vec<(String, Secret)>, name: &str, before: &Login) {
    if !credentials.iter().any(|(known, _)| known == name) && !before.field(name).is_empty() {
        credentials.push((name.to_owned(), Secret::new(before.field(name).to_owned())));
    }
}

fn mailbox_of(account: &Account) -> Option<&ImapSettings> {
    account.smtp.as_ref().and_then(|smtp| smtp.imap.as_ref())
}

/// Stores the settings that were tested. A mailbox that is another one now is read anew.
async fn note_mailbox(
    conn: &mut Conn,
    organization: &OrganizationId,
    before: &Account,
    account: &Account,
    now: Timestamp,
) -> sqlx::Result<()> {
    let id = &account.id;
    if let Some(smtp) = &account.smtp {
        store::account::set_settings(conn, id, organization, smtp).await?;
    }
    match (mailbox_of(before), mailbox_of(account)) {
        (_, None) => store::mailbox::close(conn, id, organization).await,
        (Some(before), Some(after)) if before == after => store::mailbox::hurry(conn, id, now).await,
        _ => store::mailbox::open(conn, id, organization, now).await,
    }
}

/// Changes what needs no password: where answers go, the signature, and the mailbox that is read. The form says all of it;
/// a secret that is not entered stays. A mailbox that is another one is tested first, and a failed test changes nothing. A
/// server that is not the one that sends, nor read already, is told no password but one that was entered for it.
pub async fn change(who: &Who, id: &AccountId, form: EmailForm) -> Result<Account, Error> {
    let stored = find(who, id).await?;
    let not_smtp = || FieldErrors::one("imap_host", "is for accounts with a mail server");
    let smtp = stored.account.smtp.clone().ok_or_else(not_smtp)?;
    let mut errors = FieldErrors::default();
    if form.imap.is_wanted && form.imap.host.trim().is_empty() {
        errors.add("imap_host", "is required");
    }
    let (reply_to, dkim) = form.parse_sender(&mut errors);
    let imap = form.imap.parse(&mut errors);
    let mut credentials = owned(form.parse_secrets(&mut errors));
    credentials.retain(|(name, _)| match name.as_str() {
        "dkim_private_key" => dkim.is_some(),
        "imap_password" => imap.is_some(),
        _ => false, // the password for sending is replaced, never changed by the way
    });
    check_keys(&credentials, &mut errors);
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let is_entered = |name: &str| credentials.iter().any(|(known, _)| known == name);
    let is_other_mailbox = imap != smtp.imap || is_entered("imap_password");
    let settings = SmtpSettings { reply_to, dkim, imap, ..smtp.clone() };
    if settings == smtp && credentials.is_empty() {
        return Ok(stored.account); // before anything is opened: with a wrong key a name can still be changed
    }
    let before = open(&who.app, &stored).map_err(|_| Error::conflict("enter_again", ENTER_AGAIN))?;
    keep_secret(&mut credentials, "smtp_password", &before);
    if settings.dkim.is_some() {
        keep_secret(&mut credentials, "dkim_private_key", &before);
    }
    check_signature(Some(&settings), &credentials)?;
    keep_mailbox_password(&mut credentials, &smtp, &settings, &before)?;
    let account = Account { smtp: Some(settings), ..stored.account.clone() };
    let sealed = seal(&who.app, who.organization.id.as_str(), id, &credentials);
    if is_other_mailbox {
        let tested = who.app.channels.mailboxes().test(&login(&account, credentials)).await;
        tested.map_err(|error| failed_test(&error))?;
    }
    let (organization, now) = (&who.organization.id, who.app.clock.now());
    who.app
        .db
        .write(async |conn| {
            store::account::set_secret(conn, id, organization, sealed.as_deref()).await?;
            note_mailbox(conn, organization, &stored.account, &account, now).await
        })
        .await?;
    changed(who, id);
    super::account::load(who, id).await
}

/// The mailbox's own password stays for the host that it was entered for; another one needs it, unless it is the server
/// that sends.
fn keep_mailbox_password(
    credentials: &mut Vec<(String, Secret)>,
    before: &SmtpSettings,
    after: &SmtpSettings,
    login: &Login,
) -> Result<(), FieldErrors> {
    let Some(imap) = &after.imap else { return Ok(()) };
    let is_own = |credentials: &[(String, Secret)]| credentials.iter().any(|(name, _)| name == "imap_password");
    let is_known = before.imap.as_ref().is_some_and(|known| known.host == imap.host);
    if is_known {
        keep_secret(credentials, "imap_password", login);
    } else if !is_own(credentials) && !imap.is_of(after) {
        let message = "is required for another server than the one that sends";
        return Err(FieldErrors::one("imap_password", message));
    }
    if after.auth == SmtpAuth::None && !is_own(credentials) {
        return Err(FieldErrors::one("imap_password", "is required"));
    }
    Ok(())
}

/// Replaces the credentials, and the server when the form names one, after a successful test. A key for signatures that
/// is not entered again stays.
pub async fn replace_credentials(who: &Who, id: &AccountId, form: EmailForm) -> Result<Account, Error> {
    let stored = find(who, id).await?;
    let organization = &who.organization.id;
    let new = parse(keeping(form, &stored.account))?;
    let mut credentials = owned(new.credentials);
    let mut account = stored.account.clone();
    account.smtp = new.smtp;
    if let Ok(before) = open(&who.app, &stored) {
        if account.smtp.as_ref().is_some_and(|smtp| smtp.dkim.is_some()) {
            keep_secret(&mut credentials, "dkim_private_key", &before);
        }
        // The mailbox's own password goes to the server that it was entered for, and to no other.
        let host = |account: &Account| mailbox_of(account).map(|imap| imap.host.clone());
        if host(&account).is_some() && host(&account) == host(&stored.account) {
            keep_secret(&mut credentials, "imap_password", &before);
        }
    }
    check_signature(account.smtp.as_ref(), &credentials)?;
    if account.smtp.as_ref().is_some_and(|smtp| smtp.auth == SmtpAuth::None) {
        credentials.retain(|(name, _)| name != "smtp_password");
    }
    let (sealed, now) = (seal(&who.app, organization.as_str(), id, &credentials), who.app.clock.now());
    let tested = probe(&who.app, account.provider, &login(&account, credentials), &PROBE).await;
    tested.map_err(|error| failed_test(&error))?;
    who.app
        .db
        .write(async |conn| {
            store::account::set_secret(conn, id, organization, sealed.as_deref()).await?;
            note_mailbox(conn, organization, &stored.account, &account, now).await?;
            store::account::set_health(conn, id, ConnectionStatus::Connected, None, None).await?;
            store::lane::unblock(conn, id, Some(WaitingReason::Provider)).await
        })
        .await?;
    super::keys::recheck(&who.app).await?;
    changed(who, id);
    super::account::load(who, id).await
}

//! E-mail accounts: connect, and enter credentials anew. What they share with all accounts is in `account`.

use super::account::{changed, failed_test, find, login, open, probe, seal};
use crate::{
    domain::{
        account::{Account, ConnectionStatus},
        channel::Channel,
        email_account::{EmailForm, NewEmailAccount, SmtpAuth, SmtpSettings},
        field_error::FieldErrors,
        id::AccountId,
        message::WaitingReason,
        secret::Secret,
    },
    server::{
        Who,
        channel::{Probe, smtp},
        error::Error,
        store,
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
    if let Some((name, key)) = new.credentials.iter().find(|(name, _)| *name == "dkim_private_key") {
        smtp::check_key(key.expose()).map_err(|message| FieldErrors::one(name, message))?;
    }
    Ok(new)
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
    let insert =
        who.app.db.write(async |conn| store::account::insert(conn, &account, organization, secret.as_deref()).await);
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
    }
    form
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
    let is_signed = account.smtp.as_ref().is_some_and(|smtp| smtp.dkim.is_some());
    if is_signed
        && !credentials.iter().any(|(name, _)| name == "dkim_private_key")
        && let Ok(before) = open(&who.app, &stored)
        && !before.field("dkim_private_key").is_empty()
    {
        credentials.push(("dkim_private_key".to_owned(), Secret::new(before.field("dkim_private_key").to_owned())));
    }
    check_signature(account.smtp.as_ref(), &credentials)?;
    if account.smtp.as_ref().is_some_and(|smtp| smtp.auth == SmtpAuth::None) {
        credentials.retain(|(name, _)| name != "smtp_password");
    }
    let sealed = seal(&who.app, organization.as_str(), id, &credentials);
    let tested = probe(&who.app, account.provider, &login(&account, credentials), &PROBE).await;
    tested.map_err(|error| failed_test(&error))?;
    who.app
        .db
        .write(async |conn| {
            store::account::set_secret(conn, id, organization, sealed.as_deref()).await?;
            if let Some(smtp) = &account.smtp {
                store::account::set_settings(conn, id, organization, smtp).await?;
            }
            store::account::set_health(conn, id, ConnectionStatus::Connected, None, None).await?;
            store::lane::unblock(conn, id, Some(WaitingReason::Provider)).await
        })
        .await?;
    changed(who, id);
    super::account::load(who, id).await
}

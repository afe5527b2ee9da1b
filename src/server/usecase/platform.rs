//! The platform default as an account that nobody sees: each organization has one of its own for each channel, made when
//! it first needs it, so that limits, pace, tries, reports and evidence are those of any account.

use crate::{
    domain::{
        account::{Account, ConnectionStatus},
        channel::{Channel, Provider},
        id::OrganizationId,
    },
    server::{
        App, Who,
        config::Role,
        error::Error,
        store::{self, Conn, account::StoredAccount},
    },
};

/// What people read where an account's name stands.
const NAME: &str = "Platform default";

/// Why messages of a sender wait that is not the configured one.
pub const NOT_CONFIGURED: &str = "The platform default that this was queued for is no longer configured. Its operator \
     changed or removed TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN or TWILIO_PHONE_NUMBER; once they are back, it goes out.";

/// Who can do something about refused credentials.
const ASK: &str = "The operator has to look at TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, and to restart Tern.";

/// What an account says whose credentials were refused: nobody can enter those of the platform default.
pub fn refusal(stored: &StoredAccount, reason: &str) -> String {
    if stored.platform.is_some() && reason != NOT_CONFIGURED { format!("{reason} {ASK}") } else { reason.to_owned() }
}

/// The organization's account for the configured sender, if it is there already.
pub async fn find(
    conn: &mut Conn,
    app: &App,
    organization: &OrganizationId,
    channel: Channel,
) -> sqlx::Result<Option<StoredAccount>> {
    let Some(platform) = &app.platform else { return Ok(None) };
    store::account::find_platform(conn, organization, channel, &platform.key, &platform.number).await
}

/// Makes the organization's account for the configured sender, unless another request was faster.
pub async fn begin(conn: &mut Conn, who: &Who, channel: Channel) -> sqlx::Result<()> {
    let Some(platform) = &who.app.platform else { return Ok(()) };
    let (number, limit, now) = (platform.number.clone(), platform.daily_limit, who.app.clock.now());
    let account = Account {
        connection_status: ConnectionStatus::Untested,
        ..Account::connected(who.app.new_id(), (Provider::Twilio, channel), number, NAME.to_owned(), limit, now)
    };
    store::account::insert_platform(conn, &account, &who.organization.id, &platform.key).await.map(drop)
}

/// At start: what is queued for the configured sender may go, whatever was wrong with it before; what is queued for
/// another one waits and says why. A process without a worker leaves that to those that have one.
pub async fn check(app: &App) -> Result<(), Error> {
    if app.role == Role::Web {
        return Ok(());
    }
    let configured = app.platform.as_ref();
    let missing = crate::server::platform::missing(&app.settings);
    if !missing.is_empty() {
        tracing::warn!("there is no platform default: {} is not set", missing.join(", "));
    }
    app.db
        .write(async |conn| {
            let sender = configured.map(|platform| (platform.key.as_str(), platform.number.as_str()));
            store::account::stop_platform(conn, sender, NOT_CONFIGURED, app.clock.now()).await?;
            if let (Some((key, number)), Some(platform)) = (sender, configured) {
                store::account::start_platform(conn, key, number, platform.daily_limit).await?;
                store::lane::unblock_platform(conn, key, number).await?;
            }
            Ok(())
        })
        .await
}

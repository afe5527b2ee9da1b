//! Accounts: one number connected once, strangers see nothing, a deleted one keeps no secret.

use super::{NOW, account, ask, connect, each_engine, new_account, organization, queue};
use tern::{
    domain::{
        account::{Account, ConnectionStatus},
        channel::Channel,
        id::{AccountId, OrganizationId},
        time::MINUTE,
    },
    server::store::{self, Db, account::StoredAccount},
};

const SECRET: &str = "select secret from account where id = $1";

async fn find(db: &Db, id: &AccountId, organization: &OrganizationId) -> Option<StoredAccount> {
    store::account::find(&mut db.read().await.expect("a connection"), id, organization).await.expect("asked")
}

async fn insert(db: &Db, account: &Account, organization: &OrganizationId) -> bool {
    db.write(async |conn| store::account::insert(conn, account, organization, Some("sealed")).await)
        .await
        .expect("asked")
}

async fn delete(db: &Db, id: &AccountId, organization: &OrganizationId) -> bool {
    db.write(async |conn| store::account::delete(conn, id, organization, NOW).await).await.expect("asked")
}

#[tokio::test]
async fn what_is_stored_is_found_again_as_it_was() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let found = find(&db, &account.id, &organization).await.expect("it is there");
        assert_eq!((&found.account, &found.organization_id), (&account, &organization));
        assert_eq!(
            (found.secret.as_deref(), found.account.pace.time_zone.as_str(), found.is_stopped),
            (Some("sealed"), "UTC", false)
        );
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_and_changes_nothing() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await;
        assert!(find(&db, &account.id, &theirs).await.is_none());
        assert!(!delete(&db, &account.id, &theirs).await);
        let changed =
            Account { display_name: "Stolen".to_owned(), daily_limit: 9, is_active: false, ..account.clone() };
        let written = db.write(async |conn| {
            store::account::update(conn, &changed, &theirs, NOW).await?;
            store::account::set_secret(conn, &account.id, &theirs, Some("stolen")).await?;
            store::account::remove_demo(conn, &theirs, NOW).await
        });
        written.await.expect("nothing to write");
        let mut conn = db.read().await.expect("a connection");
        assert!(store::account::list(&mut conn, &theirs).await.expect("listed").is_empty());
        assert!(store::account::find_default(&mut conn, &theirs, Channel::Sms).await.expect("asked").is_none());
        let taken = store::account::is_taken(&mut conn, &theirs, Channel::Sms, &account.address).await;
        assert!(!taken.expect("asked"), "that we have a number is no news for them");
        let found = find(&db, &account.id, &ours).await.expect("it is there");
        assert_eq!((found.account, found.secret.as_deref()), (account, Some("sealed")));
    })
    .await;
}

#[tokio::test]
async fn a_number_is_connected_once_per_organization_and_channel() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await;
        let again = || Account { id: super::id(), ..account.clone() };
        assert!(!insert(&db, &again(), &ours).await, "it is connected already");
        assert!(insert(&db, &Account { channel: Channel::Whatsapp, ..again() }, &ours).await, "another way");
        assert!(insert(&db, &again(), &theirs).await, "another organization");
        assert!(delete(&db, &account.id, &ours).await);
        assert!(insert(&db, &again(), &ours).await, "deleted ones do not count");
    })
    .await;
}

#[tokio::test]
async fn of_many_who_connect_a_number_at_once_one_succeeds() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = new_account();
        let tries = (0..8).map(|_| {
            let (db, organization, account) = (&db, &organization, Account { id: super::id(), ..account.clone() });
            async move { insert(db, &account, organization).await }
        });
        let stored = futures::future::join_all(tries).await;
        assert_eq!(stored.into_iter().filter(|stored| *stored).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_account_keeps_no_secret_and_its_messages_stay() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        assert_eq!(ask(&db, SECRET, account.id.as_str()).await.as_deref(), Some("sealed"));
        assert!(delete(&db, &account.id, &organization).await);
        assert_eq!(ask(&db, SECRET, account.id.as_str()).await, None, "wiped in the row itself");
        assert!(!delete(&db, &account.id, &organization).await, "once");
        assert!(find(&db, &account.id, &organization).await.is_none());
        let mut conn = db.read().await.expect("a connection");
        assert!(store::account::find_any(&mut conn, &account.id).await.expect("asked").is_some(), "for the worker");
        let stayed = super::look(&db, &organization, &message).await;
        assert_eq!(stayed.message.account_id, Some(account.id));
    })
    .await;
}

/// A credential that arrives while the account is being deleted must not outlive it.
#[tokio::test]
async fn a_deleted_account_takes_no_new_secret() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        assert!(delete(&db, &account.id, &organization).await);
        let written = db.write(async |conn| {
            store::account::set_secret(conn, &account.id, &organization, Some("late")).await?;
            store::account::reseal(conn, &account.id, "sealed", "late").await
        });
        assert!(!written.await.expect("asked"));
        assert_eq!(ask(&db, SECRET, account.id.as_str()).await, None);
    })
    .await;
}

#[tokio::test]
async fn the_demos_accounts_go_and_the_real_ones_stay() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let real = account(&db, &organization).await;
        let demo = Account { is_demo: true, ..new_account() };
        connect(&db, &demo, &organization).await;
        let has_demo = async || {
            let mut conn = db.read().await.expect("a connection");
            store::message::has_demo(&mut conn, &organization).await.expect("asked")
        };
        assert!(has_demo().await);
        db.write(async |conn| store::account::remove_demo(conn, &organization, NOW).await).await.expect("removed");
        assert!(!has_demo().await);
        assert!(find(&db, &demo.id, &organization).await.is_none());
        assert!(find(&db, &real.id, &organization).await.is_some());
        assert_eq!(ask(&db, SECRET, demo.id.as_str()).await, None);
    })
    .await;
}

#[tokio::test]
async fn the_default_is_the_oldest_active_account_of_the_channel() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let mut accounts = Vec::new();
        for minute in 0..3 {
            let account = Account { id: super::id_at(NOW.plus(minute * MINUTE)), ..new_account() };
            connect(&db, &account, &organization).await;
            accounts.push(account);
        }
        let default = async |channel| {
            let mut conn = db.read().await.expect("a connection");
            let found = store::account::find_default(&mut conn, &organization, channel).await.expect("asked");
            found.map(|found| found.account.id)
        };
        assert_eq!(default(Channel::Sms).await, Some(accounts[0].id.clone()));
        assert_eq!(default(Channel::Whatsapp).await, None);
        let paused = Account { is_active: false, ..accounts[0].clone() };
        db.write(async |conn| store::account::update(conn, &paused, &organization, NOW).await).await.expect("written");
        assert_eq!(default(Channel::Sms).await, Some(accounts[1].id.clone()));
        let mut conn = db.read().await.expect("a connection");
        let listed = store::account::list(&mut conn, &organization).await.expect("listed");
        let newest_first: Vec<_> = accounts.iter().rev().map(|account| account.id.clone()).collect();
        assert_eq!(listed.into_iter().map(|stored| stored.account.id).collect::<Vec<_>>(), newest_first);
    })
    .await;
}

#[tokio::test]
async fn what_a_test_says_is_kept_and_stops_sending_when_it_must() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let say = async |status, error: Option<&str>, stopped| {
            let said =
                db.write(async |conn| store::account::set_health(conn, &account.id, status, error, stopped).await);
            said.await.expect("written");
            let found = find(&db, &account.id, &organization).await.expect("it is there");
            (found.account.connection_status, found.account.last_error, found.is_stopped)
        };
        let refused = (ConnectionStatus::Error, Some("refused".to_owned()), true);
        assert_eq!(say(ConnectionStatus::Error, Some("refused"), Some(NOW)).await, refused);
        assert_eq!(say(ConnectionStatus::Connected, None, None).await, (ConnectionStatus::Connected, None, false));
    })
    .await;
}

#[tokio::test]
async fn resealing_walks_through_all_secrets_and_loses_no_newer_one() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (first, second) = (account(&db, &organization).await, account(&db, &organization).await);
        let mut conn = db.read().await.expect("a connection");
        let mut seen = Vec::new();
        let mut after = String::new();
        while let Some(stored) = store::account::list_sealed(&mut conn, &after, 1).await.expect("listed").pop() {
            after = stored.account.id.to_string();
            seen.push(stored.account.id);
        }
        let mut all = [first.id.clone(), second.id];
        all.sort();
        assert_eq!(seen, all);
        drop(conn);
        let reseal = async |old: &str| {
            db.write(async |conn| store::account::reseal(conn, &first.id, old, "new").await).await.expect("asked")
        };
        assert!(!reseal("not this").await);
        assert!(reseal("sealed").await);
        assert_eq!(ask(&db, SECRET, first.id.as_str()).await.as_deref(), Some("new"));
    })
    .await;
}

/// The platform default of an organization, for the sender `key` and `number`.
async fn platform(db: &Db, organization: &OrganizationId, channel: Channel, key: &str, number: &str) -> AccountId {
    let account = Account { channel, address: number.to_owned(), ..new_account() };
    let insert = db.write(async |conn| store::account::insert_platform(conn, &account, organization, key).await);
    assert!(insert.await.expect("asked"));
    account.id
}

#[tokio::test]
async fn the_platform_default_is_one_row_and_never_among_the_accounts() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let number = "+14155550132";
        let hidden = platform(&db, &ours, Channel::Sms, "key", number).await;
        let again = Account { address: number.to_owned(), ..new_account() };
        let repeated = db.write(async |conn| store::account::insert_platform(conn, &again, &ours, "key").await);
        assert!(!repeated.await.expect("asked"), "it is there already");
        for (organization, channel, key) in
            [(&ours, Channel::Whatsapp, "key"), (&ours, Channel::Sms, "another"), (&theirs, Channel::Sms, "key")]
        {
            platform(&db, organization, channel, key, number).await;
        }
        assert!(insert(&db, &again, &ours).await, "the same number may be somebody's own");
        let mut conn = db.read().await.expect("a connection");
        let sender = store::account::find_platform(&mut conn, &ours, Channel::Sms, "key", number).await;
        let sender = sender.expect("asked").expect("it is there");
        assert_eq!((&sender.account.id, sender.shown_id()), (&hidden, None));
        assert_eq!(store::account::list_platform(&mut conn, &ours).await.expect("listed").len(), 3);
        let listed = store::account::list(&mut conn, &ours).await.expect("listed");
        assert_eq!(
            listed.into_iter().map(|stored| stored.account.id).collect::<Vec<_>>(),
            std::slice::from_ref(&again.id)
        );
        let chosen = store::account::find_default(&mut conn, &ours, Channel::Sms).await.expect("asked");
        assert_eq!(chosen.map(|stored| stored.account.id), Some(again.id));
        assert!(store::account::find_default(&mut conn, &theirs, Channel::Sms).await.expect("asked").is_none());
        assert!(!store::account::is_taken(&mut conn, &theirs, Channel::Sms, number).await.expect("asked"));
        drop(conn);
        assert!(find(&db, &hidden, &ours).await.is_none());
        assert!(!delete(&db, &hidden, &ours).await);
    })
    .await;
}

#[tokio::test]
async fn the_platform_default_stops_with_another_configuration_and_starts_with_its_own() {
    each_engine(async |db| {
        let ours = organization(&db).await;
        let own = account(&db, &ours).await;
        let (one, two) = ("+14155550132", "+14155550133");
        let first = platform(&db, &ours, Channel::Sms, "key", one).await;
        let second = platform(&db, &ours, Channel::Sms, "key", two).await;
        let state = async |id: &AccountId| {
            let mut conn = db.read().await.expect("a connection");
            let stored = store::account::find_any(&mut conn, id).await.expect("asked").expect("it is there");
            (stored.is_stopped, stored.account.last_error, stored.account.daily_limit)
        };
        let stop = async |sender: Option<(&str, &str)>| {
            let stop = db.write(async |conn| store::account::stop_platform(conn, sender, "gone", NOW).await);
            stop.await.expect("stopped");
        };
        let gone = (true, Some("gone".to_owned()), 100);
        stop(None).await;
        assert_eq!((state(&first).await, state(&second).await), (gone.clone(), gone.clone()));
        assert_eq!(state(&own.id).await, (false, None, 100));
        let start = db.write(async |conn| {
            store::account::start_platform(conn, "key", two, 7).await?;
            store::lane::unblock_platform(conn, "key", two).await
        });
        start.await.expect("started");
        stop(Some(("key", two))).await;
        assert_eq!((state(&first).await, state(&second).await), (gone, (false, None, 7)));
        assert_eq!(state(&own.id).await, (false, None, 100));
    })
    .await;
}

#[tokio::test]
async fn a_message_by_the_platform_default_names_no_account() {
    each_engine(async |db| {
        let ours = organization(&db).await;
        let hidden = platform(&db, &ours, Channel::Sms, "key", "+14155550132").await;
        let message = queue(&db, &ours, &hidden, 1).await.remove(0);
        let found = super::look(&db, &ours, &message).await;
        assert_eq!((found.message.account_id, found.account_id), (None, Some(hidden)));
    })
    .await;
}

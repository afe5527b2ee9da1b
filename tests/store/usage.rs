//! The daily limit: never passed, given back to the day it was taken from.

use super::{TODAY, account, each_engine, each_engine_twice, organization};
use futures::future::join_all;
use tern::{
    domain::id::AccountId,
    server::store::{self, Db, usage::Reservation},
};

async fn reserve(db: &Db, account: &AccountId, key: &str, count: u32) {
    let reservation = Reservation { account_id: account.as_str(), key, count };
    db.write(async |conn| store::usage::reserve(conn, db.dialect, &[reservation]).await).await.expect("written");
}

async fn refund(db: &Db, account: &AccountId, day: &str, count: u32) {
    db.write(async |conn| store::usage::refund(conn, account, day, count).await).await.expect("written");
}

async fn used(db: &Db, account: &AccountId, day: &str) -> u32 {
    store::usage::find(&mut db.read().await.expect("a connection"), account, &super::day(day)).await.expect("found")
}

#[tokio::test]
async fn reservations_of_several_accounts_are_added_at_once_each_to_its_own_key() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (first, second) = (account(&db, &organization).await.id, account(&db, &organization).await.id);
        reserve(&db, &first, TODAY, 7).await;
        let both = [(&first, TODAY, 3), (&second, "2027-01-14", 2)];
        let both = both.map(|(id, key, count)| Reservation { account_id: id.as_str(), key, count });
        db.write(async |conn| store::usage::reserve(conn, db.dialect, &both).await).await.expect("written");
        assert_eq!((used(&db, &first, TODAY).await, used(&db, &second, TODAY).await), (10, 0));
        assert_eq!(used(&db, &second, "2027-01-14").await, 2);
        let (today, yesterday) = (super::day(TODAY), super::day("2027-01-14"));
        let mut conn = db.read().await.expect("a connection");
        let many = store::usage::find_many(&mut conn, db.dialect, &[(&first, &today), (&second, &yesterday)]).await;
        assert_eq!(many.expect("found"), [(first, 10), (second, 2)].into());
    })
    .await;
}

#[tokio::test]
async fn a_new_day_begins_with_nothing_used_and_a_refund_goes_to_its_own_day() {
    each_engine(async |db| {
        let account = account(&db, &organization(&db).await).await.id;
        reserve(&db, &account, "2027-01-14", 10).await;
        reserve(&db, &account, TODAY, 2).await;
        refund(&db, &account, "2027-01-14", 1).await;
        assert_eq!((used(&db, &account, "2027-01-14").await, used(&db, &account, TODAY).await), (9, 2));
        refund(&db, &account, TODAY, 3).await;
        assert_eq!(used(&db, &account, TODAY).await, 2, "never below nothing");
        refund(&db, &account, "2027-01-16", 1).await;
        assert_eq!(used(&db, &account, "2027-01-16").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_reserve_at_once_are_all_counted() {
    each_engine_twice(async |db, other| {
        let account = account(&db, &organization(&db).await).await.id;
        let tries = (0..60).map(|n| {
            let (db, account) = (if n % 2 == 0 { db.clone() } else { other.clone() }, account.clone());
            tokio::spawn(async move { reserve(&db, &account, TODAY, 1).await })
        });
        assert!(join_all(tries).await.into_iter().all(|done| done.is_ok()));
        assert_eq!(used(&db, &account, TODAY).await, 60);
    })
    .await;
}

#[tokio::test]
async fn an_organization_sees_the_usage_of_its_own_accounts() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await.id;
        reserve(&db, &account, "2027-01-13", 1).await;
        reserve(&db, &account, TODAY, 2).await;
        let mut conn = db.read().await.expect("a connection");
        let listed = store::usage::list(&mut conn, &ours, "2027-01-14").await.expect("listed");
        assert_eq!(listed, [(account.to_string(), TODAY.to_owned(), 2)]);
        assert!(store::usage::list(&mut conn, &theirs, "2027-01-14").await.expect("listed").is_empty());
    })
    .await;
}

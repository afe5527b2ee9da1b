//! The daily limit: never passed, given back to the day it was taken from.

use super::{TODAY, account, each_engine, each_engine_twice, organization};
use futures::future::join_all;
use tern::{
    domain::id::AccountId,
    server::store::{self, Db},
};

async fn reserve(db: &Db, account: &AccountId, day: &str, count: u32, limit: u32) -> bool {
    let kept = db.write(async |conn| store::usage::reserve(conn, account, day, count, limit).await).await;
    kept.expect("asked")
}

async fn refund(db: &Db, account: &AccountId, day: &str, count: u32) {
    db.write(async |conn| store::usage::refund(conn, account, day, count).await).await.expect("written");
}

async fn used(db: &Db, account: &AccountId, day: &str) -> u32 {
    store::usage::find(&mut db.read().await.expect("a connection"), account, &super::day(day)).await.expect("found")
}

#[tokio::test]
async fn a_reservation_fits_whole_or_not_at_all() {
    each_engine(async |db| {
        let account = account(&db, &organization(&db).await).await.id;
        assert!(!reserve(&db, &account, TODAY, 11, 10).await, "not even the first of a day");
        assert!(reserve(&db, &account, TODAY, 7, 10).await);
        assert!(!reserve(&db, &account, TODAY, 4, 10).await);
        assert!(reserve(&db, &account, TODAY, 3, 10).await);
        assert!(!reserve(&db, &account, TODAY, 1, 10).await);
        assert_eq!(used(&db, &account, TODAY).await, 10);
        assert!(!reserve(&db, &account, TODAY, 1, 5).await, "a lowered limit holds at once");
    })
    .await;
}

#[tokio::test]
async fn a_new_day_begins_with_nothing_used_and_a_refund_goes_to_its_own_day() {
    each_engine(async |db| {
        let account = account(&db, &organization(&db).await).await.id;
        assert!(reserve(&db, &account, "2027-01-14", 10, 10).await);
        assert!(reserve(&db, &account, TODAY, 2, 10).await);
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
async fn of_many_who_reserve_at_once_as_many_succeed_as_fit() {
    each_engine_twice(async |db, other| {
        let account = account(&db, &organization(&db).await).await.id;
        let tries = (0..60).map(|n| {
            let (db, account) = (if n % 2 == 0 { db.clone() } else { other.clone() }, account.clone());
            tokio::spawn(async move { reserve(&db, &account, TODAY, 1, 25).await })
        });
        let kept = join_all(tries).await.into_iter().filter(|kept| *kept.as_ref().expect("no panic")).count();
        assert_eq!((kept, used(&db, &account, TODAY).await), (25, 25));
    })
    .await;
}

#[tokio::test]
async fn an_organization_sees_the_usage_of_its_own_accounts() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await.id;
        assert!(reserve(&db, &account, "2027-01-13", 1, 10).await);
        assert!(reserve(&db, &account, TODAY, 2, 10).await);
        let mut conn = db.read().await.expect("a connection");
        let listed = store::usage::list(&mut conn, &ours, "2027-01-14").await.expect("listed");
        assert_eq!(listed, [(account.to_string(), TODAY.to_owned(), 2)]);
        assert!(store::usage::list(&mut conn, &theirs, "2027-01-14").await.expect("listed").is_empty());
    })
    .await;
}

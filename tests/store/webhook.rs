//! Calls of providers: each delivery is stored once, however often it is repeated.

use super::{NOW, account, each_engine, each_engine_twice, organization};
use futures::future::join_all;
use tern::{
    domain::id::AccountId,
    server::{
        clock::new_id,
        store::{self, Db},
    },
};

async fn call(db: &Db, account: &AccountId, key: &str) -> bool {
    let id = new_id(NOW);
    let stored = db.write(async |conn| store::webhook::insert(conn, &id, account, None, key, "raw", NOW).await).await;
    stored.expect("asked")
}

#[tokio::test]
async fn a_repeat_is_told_from_a_new_call_per_account() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (account, other) = (account(&db, &organization).await.id, account(&db, &organization).await.id);
        assert!(call(&db, &account, "SM1 delivered").await);
        assert!(!call(&db, &account, "SM1 delivered").await);
        assert!(call(&db, &account, "SM1 read").await);
        assert!(call(&db, &other, "SM1 delivered").await, "nobody uses up another account's keys");
    })
    .await;
}

#[tokio::test]
async fn of_many_repeats_at_once_one_is_new() {
    each_engine_twice(async |db, other| {
        let account = account(&db, &organization(&db).await).await.id;
        let calls = (0..12).map(|n| call(if n % 2 == 0 { &db } else { &other }, &account, "SM1 delivered"));
        assert_eq!(join_all(calls).await.into_iter().filter(|new| *new).count(), 1);
    })
    .await;
}

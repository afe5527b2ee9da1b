//! Calls of providers: each delivery is stored once, however often it is repeated.

use super::{NOW, account, each_engine, each_engine_twice, organization};
use futures::future::join_all;
use tern::{
    domain::id::AccountId,
    server::{
        clock::new_id,
        store::{self, Db, webhook::NewCall},
    },
};

async fn call(db: &Db, account: &AccountId, key: &str) -> bool {
    let id = new_id(NOW);
    let row = NewCall {
        id: &id,
        account_id: account.as_str(),
        message_id: None,
        dedupe_key: key,
        raw: "raw",
        received_at: 0,
    };
    let stored = db.write(async |conn| store::webhook::insert(conn, db.dialect, &[row]).await).await;
    stored.expect("asked").contains(&id)
}

#[tokio::test]
async fn of_two_deliveries_in_one_batch_the_first_is_new() {
    each_engine(async |db| {
        let account = account(&db, &organization(&db).await).await.id;
        let row = |id, dedupe_key| NewCall {
            id,
            account_id: account.as_str(),
            message_id: None,
            dedupe_key,
            raw: "\"raw\" \u{1f44b}",
            received_at: 0,
        };
        let rows = [row("1", "SM1 sent"), row("2", "SM1 sent"), row("3", "SM1 delivered")];
        let new = db.write(async |conn| store::webhook::insert(conn, db.dialect, &rows).await).await.expect("stored");
        assert_eq!(new, ["1".to_owned(), "3".to_owned()].into());
    })
    .await;
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

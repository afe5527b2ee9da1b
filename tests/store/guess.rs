//! Wrong guesses of passwords: counted within a window, also when many are made at once.

use super::{NOW, each_engine, each_engine_twice};
use futures::future::join_all;
use tern::{
    domain::time::{MINUTE, Timestamp},
    server::store::{self, Db},
};

const END: Timestamp = Timestamp(NOW.0 + 15 * MINUTE);

async fn guess(db: &Db, key: &str, at: Timestamp) {
    let until = at.plus(15 * MINUTE);
    db.write(async |conn| store::guess::add(conn, key, at, until).await).await.expect("counted");
}

async fn failures(db: &Db, key: &str, at: Timestamp) -> Option<(i64, Timestamp)> {
    store::guess::find(&mut db.read().await.expect("a connection"), key, at).await.expect("asked")
}

#[tokio::test]
async fn guesses_are_counted_until_their_window_ends() {
    each_engine(async |db| {
        assert_eq!(failures(&db, "ann", NOW).await, None);
        guess(&db, "ann", NOW).await;
        guess(&db, "ann", NOW.plus(MINUTE)).await;
        guess(&db, "bob", NOW).await;
        assert_eq!(failures(&db, "ann", NOW.plus(MINUTE)).await, Some((2, END)), "a guess does not prolong it");
        assert_eq!(failures(&db, "ann", END).await, None);
        guess(&db, "ann", END).await;
        assert_eq!(failures(&db, "ann", END).await, Some((1, END.plus(15 * MINUTE))), "a new window begins at one");
        assert_eq!(failures(&db, "bob", NOW).await, Some((1, END)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_of_many_guesses_at_once_is_lost() {
    each_engine_twice(async |db, other| {
        let guesses = (0..40).map(|n| {
            let db = if n % 2 == 0 { db.clone() } else { other.clone() };
            tokio::spawn(async move { guess(&db, "ann", NOW).await })
        });
        assert!(join_all(guesses).await.into_iter().all(|done| done.is_ok()));
        assert_eq!(failures(&db, "ann", NOW).await, Some((40, END)));
    })
    .await;
}

#[tokio::test]
async fn a_right_password_clears_one_key_and_the_sweep_takes_what_ended() {
    each_engine(async |db| {
        for (key, at) in [("ann", NOW), ("bob", NOW), ("cid", NOW.plus(MINUTE))] {
            guess(&db, key, at).await;
        }
        db.write(async |conn| store::guess::clear(conn, "ann").await).await.expect("cleared");
        assert_eq!(failures(&db, "ann", NOW).await, None);
        assert!(failures(&db, "bob", NOW).await.is_some());
        db.write(async |conn| store::guess::sweep(conn, END).await).await.expect("swept");
        // Asked as of before, to see what the sweep left.
        assert_eq!(failures(&db, "bob", NOW).await, None);
        assert!(failures(&db, "cid", NOW).await.is_some());
    })
    .await;
}

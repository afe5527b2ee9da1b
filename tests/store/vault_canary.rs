//! The canaries of the encryption keys: one per key, never replaced.

use super::{NOW, each_engine};
use tern::server::store;

#[tokio::test]
async fn a_keys_first_canary_stays() {
    each_engine(async |db| {
        for (key, sealed) in [("b", "first"), ("a", "other"), ("b", "second")] {
            let written = db.write(async |conn| store::vault_canary::insert(conn, key, sealed, NOW).await).await;
            written.expect("a repeat is no error");
        }
        let all = store::vault_canary::list(&mut db.read().await.expect("a connection")).await.expect("listed");
        assert_eq!(all, [("a".to_owned(), "other".to_owned()), ("b".to_owned(), "first".to_owned())]);
    })
    .await;
}

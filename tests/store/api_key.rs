//! Keys for programs: found by their hash, seen and forgotten only by their organization.

use super::{NOW, each_engine, id_at, organization, user};
use tern::{
    domain::{
        api_key::ApiKey,
        id::{OrganizationId, UserId},
        time::{MINUTE, Timestamp},
    },
    server::store::{self, Db},
};

async fn make(db: &Db, organization: &OrganizationId, user: &UserId, hash: &str, at: Timestamp) -> ApiKey {
    let (name, prefix) = ("CRM".to_owned(), "tern_abc".to_owned());
    let key = ApiKey { id: id_at(at), name, prefix, created_at: at, last_used_at: None };
    let stored = db.write(async |conn| store::api_key::insert(conn, &key, organization, user, hash).await).await;
    stored.expect("stored");
    key
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_and_remembers_its_use() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let user = user(&db, &organization).await.id;
        let key = make(&db, &organization, &user, "hash", NOW).await;
        let find = async |hash: &str| {
            store::api_key::find(&mut db.read().await.expect("a connection"), hash).await.expect("asked")
        };
        assert_eq!(find("hash").await, Some((key.id.clone(), user.clone(), Timestamp(0))));
        assert_eq!(find("another").await, None);
        db.write(async |conn| store::api_key::used(conn, &key.id, NOW).await).await.expect("noted");
        assert_eq!(find("hash").await, Some((key.id, user, NOW)));
    })
    .await;
}

#[tokio::test]
async fn an_organization_lists_and_forgets_its_own_keys_only() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let user = user(&db, &ours).await.id;
        let old = make(&db, &ours, &user, "old", NOW).await;
        let new = make(&db, &ours, &user, "new", NOW.plus(MINUTE)).await;
        let list = async |organization: &OrganizationId| {
            store::api_key::list(&mut db.read().await.expect("a connection"), organization).await.expect("listed")
        };
        let delete = async |key: &ApiKey, organization: &OrganizationId| {
            db.write(async |conn| store::api_key::delete(conn, &key.id, organization).await).await.expect("asked")
        };
        assert_eq!(list(&theirs).await, []);
        assert!(!delete(&old, &theirs).await);
        assert_eq!(list(&ours).await, [new.clone(), old.clone()], "newest first");
        assert!(delete(&old, &ours).await);
        assert!(!delete(&old, &ours).await, "once");
        assert_eq!(list(&ours).await, [new]);
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(store::api_key::find(&mut conn, "old").await.expect("asked"), None, "it opens nothing any more");
    })
    .await;
}

#[tokio::test]
async fn two_keys_never_share_a_hash() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let user = user(&db, &organization).await.id;
        let mut key = make(&db, &organization, &user, "hash", NOW).await;
        key.id = id_at(NOW.plus(1));
        let again = db.write(async |conn| store::api_key::insert(conn, &key, &organization, &user, "hash").await).await;
        assert!(
            again.expect_err("taken").as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
        );
    })
    .await;
}

//! People and their organizations.

use super::{NOW, each_engine, id, organization, user};
use futures::future::join_all;
use tern::{
    domain::{
        email::Email,
        user::{Role, User},
    },
    server::store,
};

#[tokio::test]
async fn an_installation_is_empty_until_somebody_joins() {
    each_engine(async |db| {
        let is_empty =
            async || store::user::is_empty(&mut db.read().await.expect("a connection")).await.expect("asked");
        assert!(is_empty().await);
        let organization = organization(&db).await;
        assert!(is_empty().await, "an organization is nobody");
        user(&db, &organization).await;
        assert!(!is_empty().await);
    })
    .await;
}

#[tokio::test]
async fn a_person_is_found_by_address_and_by_id_with_their_organization() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let ann = user(&db, &organization).await;
        let mut conn = db.read().await.expect("a connection");
        let (me, hash) = store::user::find(&mut conn, &ann.email).await.expect("asked").expect("found");
        assert_eq!((&me.user, hash.as_str()), (&ann, "hash"));
        assert_eq!(me.organization.as_ref().map(|organization| &organization.id), Some(&organization));
        assert_eq!(store::user::find_by_id(&mut conn, &ann.id).await.expect("asked"), Some(me));
        assert_eq!(store::user::find_by_id(&mut conn, &id()).await.expect("asked"), None);
        let stranger = Email::parse("stranger@example.com").expect("an address");
        assert!(store::user::find(&mut conn, &stranger).await.expect("asked").is_none());
    })
    .await;
}

#[tokio::test]
async fn of_many_who_sign_up_with_one_address_at_once_one_succeeds() {
    each_engine(async |db| {
        let email = Email::parse("ann@example.com").expect("an address");
        let tries = (0..8).map(|_| {
            let (db, new) = (&db, User { id: id(), email: email.clone(), role: Role::Owner });
            async move { db.write(async |conn| store::user::insert(conn, &new, None, "hash", NOW).await).await }
        });
        let stored = join_all(tries).await.into_iter().filter(|stored| *stored.as_ref().expect("no error")).count();
        assert_eq!(stored, 1);
        let mut conn = db.read().await.expect("a connection");
        let (me, _) = store::user::find(&mut conn, &email).await.expect("asked").expect("found");
        assert_eq!((me.user.role, me.organization), (Role::Owner, None), "in no organization yet");
    })
    .await;
}

#[tokio::test]
async fn a_new_password_is_that_persons_only() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (ann, bob) = (user(&db, &organization).await, user(&db, &organization).await);
        db.write(async |conn| store::user::set_password(conn, &ann.id, "new").await).await.expect("written");
        let mut conn = db.read().await.expect("a connection");
        let mut hashes = Vec::new();
        for user in [&ann, &bob] {
            hashes.push(store::user::find(&mut conn, &user.email).await.expect("asked").expect("found").1);
        }
        assert_eq!(hashes, ["new", "hash"]);
    })
    .await;
}

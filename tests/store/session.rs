//! Signed-in browsers: each ends when it is left alone, and at the latest on its last day.

use super::{NOW, each_engine, id, organization, user};
use tern::{
    domain::{
        id::{SessionId, UserId},
        time::{DAY, HOUR, Timestamp},
    },
    server::store::{self, Db, session::NewSession},
};

const IDLE: i64 = 7 * DAY;
const END: Timestamp = Timestamp(NOW.0 + 30 * DAY);

async fn sign_in(db: &Db, user: &UserId, token: &str) -> SessionId {
    let id = id();
    let new = NewSession { id: &id, token_hash: token, user_id: user, user_agent: "Firefox", expires_at: END };
    db.write(async |conn| store::session::insert(conn, &new, NOW).await).await.expect("stored");
    id
}

async fn is_signed_in(db: &Db, token: &str, at: Timestamp) -> bool {
    let mut conn = db.read().await.expect("a connection");
    store::session::find(&mut conn, token, at, at.plus(-IDLE)).await.expect("asked").is_some()
}

#[tokio::test]
async fn a_browser_that_is_left_alone_is_signed_out() {
    each_engine(async |db| {
        let user = user(&db, &organization(&db).await).await.id;
        let session = sign_in(&db, &user, "token").await;
        assert!(is_signed_in(&db, "token", NOW.plus(IDLE - 1)).await);
        assert!(!is_signed_in(&db, "token", NOW.plus(IDLE)).await);
        assert!(!is_signed_in(&db, "another", NOW).await);
        let seen = NOW.plus(DAY);
        db.write(async |conn| store::session::seen(conn, &session, seen).await).await.expect("noted");
        assert!(is_signed_in(&db, "token", NOW.plus(IDLE)).await, "use prolongs it");
    })
    .await;
}

#[tokio::test]
async fn no_use_prolongs_a_session_beyond_its_end() {
    each_engine(async |db| {
        let user = user(&db, &organization(&db).await).await.id;
        let session = sign_in(&db, &user, "token").await;
        db.write(async |conn| store::session::seen(conn, &session, END).await).await.expect("noted");
        assert!(is_signed_in(&db, "token", END.plus(-1)).await);
        assert!(!is_signed_in(&db, "token", END).await);
    })
    .await;
}

#[tokio::test]
async fn a_person_lists_and_ends_only_their_own_sessions() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (ann, bob) = (user(&db, &organization).await.id, user(&db, &organization).await.id);
        let (desk, phone) = (sign_in(&db, &ann, "desk").await, sign_in(&db, &ann, "phone").await);
        let end = async |session: &SessionId, user: &UserId| {
            db.write(async |conn| store::session::delete(conn, session, user).await).await.expect("asked")
        };
        let list = async |user: &UserId, at: Timestamp| {
            let mut conn = db.read().await.expect("a connection");
            store::session::list(&mut conn, user, Some(&desk), at, at.plus(-IDLE)).await.expect("listed")
        };
        assert_eq!(list(&bob, NOW).await, []);
        assert!(!end(&desk, &bob).await, "it is Ann's");
        let sessions = list(&ann, NOW).await;
        let current: Vec<_> = sessions.iter().filter(|session| session.is_current).map(|session| &session.id).collect();
        assert_eq!((sessions.len(), current), (2, vec![&desk]));
        assert!(end(&phone, &ann).await);
        assert!(!is_signed_in(&db, "phone", NOW).await);
        assert!(is_signed_in(&db, "desk", NOW).await);
        assert_eq!(list(&ann, NOW.plus(IDLE)).await, [], "ended ones are not listed");
    })
    .await;
}

#[tokio::test]
async fn the_sweep_takes_what_ended_and_leaves_what_lives() {
    each_engine(async |db| {
        let user = user(&db, &organization(&db).await).await.id;
        let (_, kept) = (sign_in(&db, &user, "idle").await, sign_in(&db, &user, "used").await);
        let at = NOW.plus(IDLE + HOUR);
        let swept = db.write(async |conn| {
            store::session::seen(conn, &kept, at).await?;
            store::session::sweep(conn, at, at.plus(-IDLE)).await
        });
        swept.await.expect("swept");
        assert!(!is_signed_in(&db, "idle", NOW).await, "the row itself is gone");
        assert!(is_signed_in(&db, "used", at).await);
        db.write(async |conn| store::session::sweep(conn, END, NOW).await).await.expect("swept");
        assert!(!is_signed_in(&db, "used", at).await);
    })
    .await;
}

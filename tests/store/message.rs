//! Messages as people see them: pages without gaps, searches that find, nothing of strangers.

use super::{NOW, account, each_engine, id, id_at, look, new_message, organization, queue, store_message};
use std::collections::BTreeSet;
use tern::{
    domain::{
        channel::Channel,
        id::{LeadId, MessageId, OrganizationId},
        message::{Direction, Failure, MessageFilter, Source, Status, Waiting, WaitingReason},
        page::Limit,
        time::{MINUTE, Timestamp},
    },
    server::store::{self, Db, message::StoredMessage},
};

async fn list(db: &Db, organization: &OrganizationId, filter: &MessageFilter) -> Vec<MessageId> {
    let mut conn = db.read().await.expect("a connection");
    let page = store::message::list(&mut conn, organization, filter, store::message::SEARCHED).await.expect("listed");
    page.data.into_iter().map(|stored| stored.message.id).collect()
}

#[tokio::test]
async fn what_is_stored_is_found_again_as_it_was() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let mut stored = new_message(&organization, &account.id);
        stored.accepted_at = Some(NOW.plus(1));
        let message = &mut stored.message;
        message.channel = Channel::Whatsapp;
        message.direction = Direction::Inbound;
        message.status = Status::Failed;
        (message.from, message.subject) = (Some("+15550009999".to_owned()), Some("Re: Hello".to_owned()));
        message.body = "Grüße 👋🏽\n\t'; drop table message; --".to_owned();
        (message.segments, message.attempts) = (7, 3);
        (message.lead_id, message.provider_message_id) = (Some(id()), Some("SM1".to_owned()));
        message.error = Some(Failure { code: "30003".to_owned(), message: "Unreachable.".to_owned(), retryable: true });
        let until = Some(NOW.plus(MINUTE));
        message.waiting =
            Some(Waiting { reason: WaitingReason::Provider, since: NOW, until, detail: "Slow.".to_owned() });
        message.is_demo = true;
        message.updated_at = NOW.plus(2);
        store_message(&db, &stored).await;
        let found = look(&db, &organization, &stored.message.id).await;
        assert_eq!((found.message, found.accepted_at), (stored.message, stored.accepted_at));
    })
    .await;
}

#[tokio::test]
async fn pages_show_every_message_once_newest_first_even_while_new_ones_arrive() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let mut all = Vec::new();
        for n in 0..23 {
            let mut stored = new_message(&organization, &account.id);
            // Of two each the instant is the same, so that only the id decides.
            stored.message.id = id_at(NOW.plus(n / 2));
            store_message(&db, &stored).await;
            all.push(stored.message.id);
        }
        all.sort();
        all.reverse();
        let limit = Limit::parse("5").expect("a limit");
        let (mut seen, mut sizes, mut cursor): (Vec<MessageId>, Vec<usize>, Option<MessageId>) = Default::default();
        loop {
            let filter = MessageFilter { limit, cursor, ..MessageFilter::default() };
            let mut conn = db.read().await.expect("a connection");
            let page = store::message::list(&mut conn, &organization, &filter, store::message::SEARCHED)
                .await
                .expect("listed");
            drop(conn);
            sizes.push(page.data.len());
            seen.extend(page.data.into_iter().map(|stored| stored.message.id));
            let Some(next) = page.next_cursor else { break };
            cursor = Some(next.parse().expect("a cursor is an id"));
            let mut newer = new_message(&organization, &account.id);
            newer.message.id = id_at(NOW.plus(MINUTE));
            store_message(&db, &newer).await;
        }
        assert_eq!((seen, sizes), (all, vec![5, 5, 5, 5, 3]));
    })
    .await;
}

#[tokio::test]
async fn a_full_last_page_says_that_it_is_the_last() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        queue(&db, &organization, &account.id, 5).await;
        let filter = MessageFilter { limit: Limit::parse("5").expect("a limit"), ..MessageFilter::default() };
        let mut conn = db.read().await.expect("a connection");
        let page =
            store::message::list(&mut conn, &organization, &filter, store::message::SEARCHED).await.expect("listed");
        assert_eq!((page.data.len(), page.next_cursor), (5, None));
    })
    .await;
}

#[tokio::test]
async fn each_filter_narrows_the_list_to_what_it_names() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (account, other) = (account(&db, &organization).await, account(&db, &organization).await);
        let lead: LeadId = id();
        let plain = new_message(&organization, &account.id);
        let mut special = new_message(&organization, &other.id);
        special.message.channel = Channel::Whatsapp;
        special.message.status = Status::Delivered;
        special.message.lead_id = Some(lead.clone());
        for stored in [&plain, &special] {
            store_message(&db, stored).await;
        }
        let none = MessageFilter::default;
        assert_eq!(list(&db, &organization, &none()).await.len(), 2);
        for filter in [
            MessageFilter { channel: Some(Channel::Whatsapp), ..none() },
            MessageFilter { status: Some(Status::Delivered), ..none() },
            MessageFilter { account_id: Some(other.id.clone()), ..none() },
            MessageFilter { lead_id: Some(lead.clone()), ..none() },
        ] {
            assert_eq!(list(&db, &organization, &filter).await, [special.message.id.clone()], "{filter:?}");
        }
        let contradiction = MessageFilter { status: Some(Status::Queued), account_id: Some(other.id), ..none() };
        assert_eq!(list(&db, &organization, &contradiction).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_its_words_literally_in_text_and_recipient() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let mut ids = Vec::new();
        for body in ["Save 50% today!", "Save 50 today", "snake_case", "snakeXcase", "ÄRGER im Büro"] {
            let mut stored = new_message(&organization, &account.id);
            body.clone_into(&mut stored.message.body);
            store_message(&db, &stored).await;
            ids.push(stored.message.id);
        }
        // Letters beyond ASCII are found as they are written; whether also in the other case is up to the engine.
        for (words, found) in [("50%", 0), ("SAVE 50% TODAY!", 0), ("e_c", 2), ("ÄRGER", 4), ("IM B", 4)] {
            let filter = MessageFilter { q: Some(words.to_owned()), ..MessageFilter::default() };
            assert_eq!(list(&db, &organization, &filter).await, [ids[found].clone()], "{words}");
        }
        let filter = MessageFilter { q: Some("+1555000".to_owned()), ..MessageFilter::default() };
        assert_eq!(list(&db, &organization, &filter).await.len(), 5, "by recipient");
    })
    .await;
}

#[tokio::test]
async fn another_organization_sees_and_removes_nothing() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await;
        let mut stored = new_message(&ours, &account.id);
        stored.message.is_demo = true;
        store_message(&db, &stored).await;
        let message = &stored.message;
        let event = store::message::event(id(), NOW, Status::Queued, Source::Api);
        let written = db.write(async |conn| {
            store::message::insert_event(conn, db.dialect, &message.id, &event).await?;
            assert!(take_key(&db, conn, &ours, "hash", &message.id).await?);
            store::message::remove_demo(conn, &theirs).await
        });
        written.await.expect("written");
        assert_eq!(list(&db, &theirs, &MessageFilter::default()).await, []);
        let by_account = MessageFilter { account_id: Some(account.id.clone()), ..MessageFilter::default() };
        assert_eq!(list(&db, &theirs, &by_account).await, []);
        let mut conn = db.read().await.expect("a connection");
        let of = async |conn: &mut store::Conn, organization: &OrganizationId| {
            let found = store::message::find(&mut *conn, &message.id, organization).await.expect("asked");
            let events = store::message::list_events(&mut *conn, &message.id, organization).await.expect("asked");
            let key = store::idempotency::find(&mut *conn, organization, "key").await.expect("asked");
            (found.map(|stored| stored.message.id), events.len(), key.map(|used| used.body_hash))
        };
        assert_eq!(of(&mut conn, &theirs).await, (None, 0, None));
        assert_eq!(of(&mut conn, &ours).await, (Some(message.id.clone()), 1, Some("hash".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn a_timeline_is_told_in_the_order_it_happened() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        let failure = Failure { code: "30003".to_owned(), message: "Unreachable.".to_owned(), retryable: false };
        let mut told = Vec::new();
        for (minute, status) in [(0, Status::Queued), (1, Status::Sent), (2, Status::Undelivered)] {
            let at = NOW.plus(minute * MINUTE);
            let mut event = store::message::event(id_at(at), at, status, Source::Webhook);
            event.error = (status == Status::Undelivered).then(|| failure.clone());
            (event.provider_status, event.detail) = (Some("undelivered".to_owned()), Some("A word.".to_owned()));
            told.push(event);
        }
        for event in told.iter().rev() {
            db.write(async |conn| store::message::insert_event(conn, db.dialect, &message, event).await)
                .await
                .expect("stored");
        }
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(store::message::list_events(&mut conn, &message, &organization).await.expect("listed"), told);
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_is_used_once_per_organization() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let account = account(&db, &ours).await;
        let message = look(&db, &ours, &queue(&db, &ours, &account.id, 1).await[0]).await.message;
        let remember = async |organization: &OrganizationId, hash: &str| {
            let take = db.write(async |conn| take_key(&db, conn, organization, hash, &message.id).await);
            take.await.expect("asked")
        };
        assert!(remember(&ours, "first").await);
        assert!(!remember(&ours, "second").await, "it is taken");
        assert!(remember(&theirs, "theirs").await, "another organization's key is another key");
        let mut conn = db.read().await.expect("a connection");
        let found = store::idempotency::find(&mut conn, &ours, "key").await.expect("asked").expect("it is used");
        assert_eq!((found.body_hash.as_str(), &found.message_id), ("first", &message.id));
        assert_eq!((found.answer.as_deref(), found.waited), (Some("first answer"), None));
        drop(conn);
        let keep = async |organization: &OrganizationId, key: &str, answer: &str| {
            let kept = db.write(async |conn| store::idempotency::keep_waited(conn, organization, key, answer).await);
            kept.await.expect("asked")
        };
        assert_eq!(keep(&ours, "key", "one").await.as_deref(), Some("one"));
        assert_eq!(keep(&ours, "key", "two").await.as_deref(), Some("one"), "the first stands");
        assert_eq!(keep(&theirs, "key", "three").await.as_deref(), Some("three"));
        assert_eq!(keep(&ours, "another", "one").await, None);
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_the_provider_finds_its_message_through_its_own_account() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (account, other) = (account(&db, &organization).await, account(&db, &organization).await);
        let mut stored = new_message(&organization, &account.id);
        stored.message.provider_message_id = Some("SM1".to_owned());
        store_message(&db, &stored).await;
        let mut conn = db.read().await.expect("a connection");
        let found = store::message::find_by_provider_id(&mut conn, &account.id, "SM1").await.expect("asked");
        assert_eq!(found, Some(stored.message.id));
        assert_eq!(store::message::find_by_provider_id(&mut conn, &other.id, "SM1").await.expect("asked"), None);
        assert_eq!(store::message::find_by_provider_id(&mut conn, &account.id, "SM2").await.expect("asked"), None);
    })
    .await;
}

#[tokio::test]
async fn the_demo_goes_with_its_messages_and_their_timelines() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let real = queue(&db, &organization, &account.id, 1).await;
        let mut demo = new_message(&organization, &account.id);
        demo.message.is_demo = true;
        store_message(&db, &demo).await;
        let event = store::message::event(id(), NOW, Status::Queued, Source::Api);
        let removed = db.write(async |conn| {
            store::message::insert_event(conn, db.dialect, &demo.message.id, &event).await?;
            store::message::remove_demo(conn, &organization).await
        });
        removed.await.expect("removed");
        assert_eq!(list(&db, &organization, &MessageFilter::default()).await, real);
        let events = "select cast(count(*) as text) from event where message_id = $1";
        assert_eq!(super::ask(&db, events, demo.message.id.as_str()).await.as_deref(), Some("0"));
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_fails_stores_nothing_of_its_work() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let stored: StoredMessage = new_message(&organization, &account.id);
        let failed = db.write(async |conn| {
            store::message::insert(conn, db.dialect, &stored, Timestamp(0)).await?;
            store::message::insert(conn, db.dialect, &stored, Timestamp(0)).await // the same id again
        });
        failed.await.expect_err("it is there already");
        assert_eq!(list(&db, &organization, &MessageFilter::default()).await, []);
        let all: BTreeSet<_> = queue(&db, &organization, &account.id, 2).await.into_iter().collect();
        assert_eq!(list(&db, &organization, &MessageFilter::default()).await.into_iter().collect::<BTreeSet<_>>(), all);
    })
    .await;
}

/// Takes the key "key" for a message; false when somebody has it.
async fn take_key(
    db: &Db,
    conn: &mut store::Conn,
    organization: &OrganizationId,
    body_hash: &str,
    message: &MessageId,
) -> sqlx::Result<bool> {
    let key = store::idempotency::NewKey {
        organization_id: organization.as_str(),
        key: "key",
        body_hash,
        message_id: message.as_str(),
        created_at: NOW.0,
        answer: &format!("{body_hash} answer"),
    };
    Ok(store::idempotency::take(conn, db.dialect, &[key]).await?.contains(message))
}

#[tokio::test]
async fn a_search_reads_so_many_messages_and_says_where_to_go_on() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let mut oldest = new_message(&organization, &account.id);
        oldest.message.id = id_at(NOW.plus(-MINUTE));
        oldest.message.subject = Some("The needle".to_owned());
        store_message(&db, &oldest).await;
        queue(&db, &organization, &account.id, 5).await;
        let mut filter = MessageFilter { q: Some("needle".to_owned()), ..MessageFilter::default() };
        let mut conn = db.read().await.expect("a connection");
        for _ in 0..2 {
            let page = store::message::list(&mut conn, &organization, &filter, 2).await.expect("listed");
            assert!(page.data.is_empty());
            filter.cursor = page.next_cursor.map(|cursor| cursor.parse().expect("an id"));
            assert!(filter.cursor.is_some(), "there is more to read");
        }
        let page = store::message::list(&mut conn, &organization, &filter, 2).await.expect("listed");
        assert_eq!(page.data.first().map(|stored| &stored.message.id), Some(&oldest.message.id));
    })
    .await;
}

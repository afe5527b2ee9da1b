//! The queue: whose turn it is, and that nobody has the same message twice, the limit never passed.

use super::{
    NOW, TODAY, account, ask, connect, day, each_engine, each_engine_twice, id, look, new_account, new_message,
    organization, queue, store_message,
};
use futures::future::join_all;
use std::collections::BTreeSet;
use tern::{
    domain::{
        id::{AccountId, AttemptId, MessageId, OrganizationId},
        message::{Failure, Status, Waiting, WaitingReason},
        time::{DAY, HOUR, MINUTE, Timestamp},
    },
    server::store::{
        self, Db,
        lane::Lane,
        queue::{Due, Settled, claim},
        report::Joined,
        usage::Reservation,
    },
};

const LEASE_END: Timestamp = Timestamp(NOW.0 + MINUTE);

/// Takes what is due of an account under a token.
async fn take(db: &Db, account: &AccountId, limit: u32, token: &str) -> Vec<Due> {
    let got = db.write(async |conn| claim(conn, db.dialect, account, NOW, limit, token, LEASE_END).await).await;
    got.expect("claimed").messages
}

/// Takes one message with its attempt, as the worker does.
async fn start(db: &Db, account: &AccountId, token: &str) -> (Due, AttemptId) {
    let attempt: AttemptId = id();
    let got = db.write(async |conn| {
        let got = claim(conn, db.dialect, account, NOW, 1, token, LEASE_END).await?.messages.remove(0);
        let row = store::attempt::NewAttempt {
            id: attempt.as_str(),
            message_id: got.id.as_str(),
            account_id: account.as_str(),
            number: got.attempts,
            token,
            quota_day: TODAY,
            started_at: NOW.0,
        };
        store::attempt::insert(conn, db.dialect, &[row]).await?;
        Ok::<_, sqlx::Error>(got)
    });
    (got.await.expect("claimed"), attempt)
}

/// The result of a try comes in; the day whose quota it was on, when the try was still open under this token.
async fn finish(db: &Db, message: &MessageId, token: &str) -> Option<String> {
    let closed = db.write(async |conn| store::attempt::finish(conn, message, token, "accepted", false, NOW).await);
    closed.await.expect("written")
}

async fn settle(db: &Db, message: &MessageId, settled: &Settled<'_>) {
    db.write(async |conn| store::queue::settle(conn, message, settled, NOW).await).await.expect("settled");
}

fn settled(status: Status) -> Settled<'static> {
    Settled { status, provider_message_id: None, failure: None, accepted_at: None, poll_at: None }
}

async fn put_back(db: &Db, message: &MessageId) {
    let wait = Waiting { reason: WaitingReason::Provider, since: NOW, until: None, detail: String::new() };
    db.write(async |conn| store::queue::requeue(conn, message, NOW, Some(&wait), NOW).await).await.expect("put back");
}

#[tokio::test]
async fn a_claim_takes_the_oldest_due_and_leaves_the_rest() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let mut due = Vec::new();
        for minutes in [3, 1, 2, -1] {
            let message = new_message(&organization, &account.id);
            let at = NOW.plus(-minutes * MINUTE);
            db.write(async |conn| store::message::insert(conn, db.dialect, &message, at).await).await.expect("stored");
            due.push(message.message.id);
        }
        let taken = take(&db, &account.id, 2, "a").await;
        assert_eq!(ids(&taken), [due[0].clone(), due[2].clone()], "oldest first");
        for due in &taken {
            let held = look(&db, &organization, &due.id).await;
            assert_eq!((held.message.status, held.message.attempts, due.attempts), (Status::Sending, 1, 1));
            assert_eq!(held.lease_token.as_deref(), Some("a"));
        }
        assert_eq!(ids(&take(&db, &account.id, 9, "b").await), [due[1].clone()], "the last one is due in a minute");
    })
    .await;
}

fn ids(claimed: &[Due]) -> Vec<MessageId> {
    claimed.iter().map(|due| due.id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_never_get_the_same_message() {
    each_engine_twice(async |db, other| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let queued = queue(&db, &organization, &account.id, 120).await;
        let claimers = (0..16).map(|n| {
            let (db, account) = (if n % 2 == 0 { db.clone() } else { other.clone() }, account.id.clone());
            tokio::spawn(async move {
                let (mut mine, mut round) = (Vec::new(), 0);
                loop {
                    let taken = take(&db, &account, 3, &format!("{n}-{round}")).await;
                    let mut conn = db.read().await.expect("a connection");
                    if taken.is_empty() && store::queue::count_queued(&mut conn, &account).await.expect("counted") == 0
                    {
                        return mine;
                    }
                    mine.extend(ids(&taken));
                    round += 1;
                }
            })
        });
        let all: Vec<MessageId> =
            join_all(claimers).await.into_iter().flat_map(|mine| mine.expect("no panic")).collect();
        assert_eq!(all.len(), queued.len(), "each is taken once");
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), queued.into_iter().collect());
    })
    .await;
}

/// While one process holds a claim open, another takes other messages at once, and neither waits nor doubles.
#[tokio::test]
async fn a_claim_under_way_does_not_hold_up_the_next_one_on_postgresql() {
    each_engine_twice(async |db, other| {
        if db.dialect == store::Dialect::Sqlite {
            return; // one writer at a time, by nature
        }
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        queue(&db, &organization, &account.id, 4).await;
        let both = db.write(async |conn| {
            let first = claim(conn, db.dialect, &account.id, NOW, 2, "first", LEASE_END).await?.messages;
            let second =
                tokio::time::timeout(std::time::Duration::from_secs(5), take(&other, &account.id, 2, "second"));
            Ok::<_, sqlx::Error>((first, second.await.expect("nobody waits for the first")))
        });
        let (first, second) = both.await.expect("claimed");
        let different: BTreeSet<_> = ids(&first).into_iter().chain(ids(&second)).collect();
        assert_eq!((first.len(), second.len(), different.len()), (2, 2, 4));
    })
    .await;
}

/// What the worker does in one transaction: lock the account, look at the usage, claim what fits, reserve it.
async fn claim_within_limit(db: &Db, account: &AccountId, limit: u32, room: u32, token: &str) -> sqlx::Result<usize> {
    db.write(async |conn| {
        store::account::lock_many(conn, db.dialect, [account]).await?;
        let used = store::usage::find(conn, account, &day(TODAY)).await?;
        let room = room.min(limit.saturating_sub(used));
        let got = if room == 0 {
            Vec::new()
        } else {
            claim(conn, db.dialect, account, NOW, room, token, LEASE_END).await?.messages
        };
        let count = u32::try_from(got.len()).expect("a few");
        if count > 0 {
            let reservation = Reservation { account_id: account.as_str(), key: TODAY, count };
            store::usage::reserve(conn, db.dialect, &[reservation]).await?;
        }
        Ok(got.len())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_claimers_at_once_never_pass_the_daily_limit() {
    each_engine_twice(async |db, other| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        queue(&db, &organization, &account.id, 60).await;
        let claimers = (0..20).map(|n| {
            let (db, account) = (if n % 2 == 0 { db.clone() } else { other.clone() }, account.id.clone());
            tokio::spawn(async move {
                let mut taken = 0;
                for round in 0..5 {
                    taken += claim_within_limit(&db, &account, 25, 4, &format!("{n}-{round}")).await.expect("claimed");
                }
                taken
            })
        });
        let taken: usize = join_all(claimers).await.into_iter().map(|taken| taken.expect("no panic")).sum();
        assert!(taken <= 25, "{taken} of a limit of 25");
        // Those who lost a race come back, as the worker does; then the limit is used up, and not one more goes.
        let mut all = taken;
        for round in 0..10 {
            all += claim_within_limit(&db, &account.id, 25, 4, &format!("last-{round}")).await.expect("claimed");
        }
        let mut conn = db.read().await.expect("a connection");
        assert_eq!((all, store::usage::find(&mut conn, &account.id, &day(TODAY)).await.expect("found")), (25, 25));
    })
    .await;
}

#[tokio::test]
async fn a_late_result_under_an_old_token_changes_nothing() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        start(&db, &account.id, "old").await;
        put_back(&db, &message).await; // its lease ran out, and somebody decided to send it again
        start(&db, &account.id, "new").await;
        assert_eq!(finish(&db, &message, "stranger").await, None, "nobody's token");
        let before = look(&db, &organization, &message).await;
        assert_eq!((before.message.status, before.lease_token.as_deref()), (Status::Sending, Some("new")));
        assert_eq!(finish(&db, &message, "old").await.as_deref(), Some(TODAY), "its own attempt is closed");
        let open = "select cast(count(*) as text) from attempt where message_id = $1 and finished_at is null";
        assert_eq!(ask(&db, open, message.as_str()).await.as_deref(), Some("1"), "the new attempt is still open");
        assert_eq!(finish(&db, &message, "new").await.as_deref(), Some(TODAY));
        assert_eq!(finish(&db, &message, "new").await, None, "a result is taken once");
        assert_eq!(ask(&db, open, message.as_str()).await.as_deref(), Some("0"));
    })
    .await;
}

#[tokio::test]
async fn whoever_settles_a_message_keeps_others_from_reading_its_old_state() {
    each_engine_twice(async |db, other| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        start(&db, &account.id, "token").await;
        // Two reports at once; each reads the status, joins its own, and writes the higher one.
        let report = async |db: &Db, news: Status| {
            db.write(async |conn| {
                let locked = store::queue::lock(conn, db.dialect, &message).await?.expect("it is there");
                tokio::task::yield_now().await;
                let status = locked.message.status.join(news);
                store::queue::settle(conn, &message, &settled(status), NOW).await
            })
            .await
            .expect("settled");
        };
        for _ in 0..10 {
            settle(&db, &message, &settled(Status::Accepted)).await;
            tokio::join!(report(&db, Status::Delivered), report(&other, Status::Sent), report(&db, Status::Read));
            assert_eq!(look(&db, &organization, &message).await.message.status, Status::Read);
        }
    })
    .await;
}

#[tokio::test]
async fn reports_in_any_order_end_in_the_same_state() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let reports = [Status::Accepted, Status::Sent, Status::Delivered];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let message = queue(&db, &organization, &account.id, 1).await.remove(0);
            for report in order.map(|n| reports[n]) {
                let status = look(&db, &organization, &message).await.message.status.join(report);
                let name = report.as_str();
                let news = Settled { provider_message_id: Some(name), accepted_at: Some(NOW), ..settled(status) };
                settle(&db, &message, &news).await;
            }
            let end = look(&db, &organization, &message).await;
            assert_eq!(end.message.status, Status::Delivered, "{order:?}");
            let first = reports[order[0]].as_str();
            assert_eq!(end.message.provider_message_id.as_deref(), Some(first), "the first name stays");
        }
    })
    .await;
}

#[tokio::test]
async fn a_report_during_the_call_leaves_the_lease_to_its_holder() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        start(&db, &account.id, "token").await;
        let failure = Failure { code: "30003".to_owned(), message: "Unreachable.".to_owned(), retryable: true };
        let joined = Joined {
            id: message.as_str(),
            status: Status::Undelivered.as_str(),
            provider_message_id: Some("SM1"),
            error_code: Some(&failure.code),
            error_message: Some(&failure.message),
            error_retryable: Some("yes"),
            accepted_at: None,
            poll_at: None,
            updated_at: NOW.0,
        };
        let (standing, ()) = db
            .write(async |conn| {
                let standing = store::report::lock_many(conn, db.dialect, &[&message]).await?;
                Ok::<_, sqlx::Error>((standing, store::report::join(conn, db.dialect, &[joined]).await?))
            })
            .await
            .expect("written");
        let standing = standing.get(&message).expect("it is there");
        assert_eq!((standing.status, standing.is_leased), (Status::Sending, true));
        let held = look(&db, &organization, &message).await;
        assert_eq!((held.message.status, held.lease_token.as_deref()), (Status::Undelivered, Some("token")));
        assert_eq!((held.message.error, held.message.provider_message_id), (Some(failure), Some("SM1".to_owned())));
        settle(&db, &message, &settled(Status::Undelivered)).await;
        assert_eq!(look(&db, &organization, &message).await.lease_token, None);
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_listed_as_lost() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let messages = queue(&db, &organization, &account.id, 2).await;
        let (gone, _) = start(&db, &account.id, "dead").await;
        let lost_at = async |at: Timestamp| {
            let mut conn = db.read().await.expect("a connection");
            store::queue::list_lost(&mut conn, at, 10).await.expect("listed")
        };
        assert_eq!(lost_at(LEASE_END.plus(-1)).await, [], "its sender may be alive");
        assert_eq!(lost_at(LEASE_END).await, vec![gone.id.clone()], "of two, one was on its way");
        settle(&db, &gone.id, &settled(Status::Unknown)).await;
        assert_eq!(lost_at(LEASE_END.plus(DAY)).await, []);
        assert!(messages.contains(&gone.id));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_is_found_only_through_its_own_account() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let (ours, other) = (account(&db, &organization).await, account(&db, &organization).await);
        let message = queue(&db, &organization, &ours.id, 1).await.remove(0);
        let (_, attempt) = start(&db, &ours.id, "token").await;
        let mut conn = db.read().await.expect("a connection");
        let unknown: AttemptId = id();
        let found = store::report::find_attempts(&mut conn, db.dialect, &[&attempt, &unknown]).await.expect("asked");
        let tried = found.get(&attempt).expect("found");
        assert_eq!((found.len(), &tried.message_id, &tried.account_id), (1, &message, &ours.id));
        assert_ne!(tried.account_id, other.id);
    })
    .await;
}

#[tokio::test]
async fn only_accounts_that_may_send_have_something_due() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let mut accounts = Vec::new();
        for _ in 0..5 {
            let account = account(&db, &organization).await;
            queue(&db, &organization, &account.id, 2).await;
            accounts.push(account);
        }
        let idle = account(&db, &organization).await;
        let changed = db.write(async |conn| {
            let paused = tern::domain::account::Account { is_active: false, ..accounts[0].clone() };
            store::account::update(conn, &paused, &organization, NOW).await?;
            let error = tern::domain::account::ConnectionStatus::Error;
            store::account::set_health(conn, &accounts[1].id, error, Some("refused"), Some(NOW)).await?;
            store::account::delete(conn, &accounts[2].id, &organization, NOW).await
        });
        assert!(changed.await.expect("written"));
        let mut conn = db.read().await.expect("a connection");
        let due = store::queue::due_accounts(&mut conn, NOW, NOW).await.expect("asked");
        let due: BTreeSet<_> = due.into_iter().map(|(id, _)| id).collect();
        assert_eq!(due, BTreeSet::from([accounts[3].id.clone(), accounts[4].id.clone()]));
        assert!(!due.contains(&idle.id));
        assert_eq!(store::queue::due_accounts(&mut conn, NOW.plus(-1), NOW).await.expect("asked"), []);
    })
    .await;
}

#[tokio::test]
async fn a_lane_that_is_blocked_waits_and_goes_again_for_its_own_reason_only() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        queue(&db, &organization, &account.id, 1).await;
        let tomorrow = NOW.plus(5 * HOUR);
        let limit = WaitingReason::DailyLimit;
        let block = Waiting { reason: limit, since: NOW, until: Some(tomorrow), detail: "full".to_owned() };
        let lane = Lane { last_day: Some(TODAY.to_owned()), block: Some(block), ..Lane::default() };
        db.write(async |conn| store::lane::save(conn, db.dialect, &[(&account.id, &lane)]).await).await.expect("saved");
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(store::lane::find(&mut conn, &account.id).await.expect("found"), lane);
        assert_eq!(store::lane::list(&mut conn, &organization).await.expect("listed").get(&account.id), Some(&lane));
        let due = async |at: Timestamp| {
            let mut conn = db.read().await.expect("a connection");
            !store::queue::due_accounts(&mut conn, at, at).await.expect("asked").is_empty()
        };
        assert_eq!((due(NOW).await, due(tomorrow).await), (false, true));
        assert_eq!(store::queue::next_due(&mut conn).await.expect("asked"), Some(tomorrow));
        let unblock = async |reason| {
            db.write(async |conn| store::lane::unblock(conn, &account.id, Some(reason)).await).await.expect("written");
        };
        unblock(WaitingReason::Provider).await;
        assert!(!due(NOW).await);
        unblock(limit).await;
        assert!(due(NOW).await);
    })
    .await;
}

/// Stores one message at each of the statuses that the story needs.
async fn one_of_each(db: &Db, organization: &OrganizationId, account: &AccountId) -> Vec<MessageId> {
    let mut all = Vec::new();
    for status in [Status::Queued, Status::Sending, Status::Delivered] {
        let mut stored = new_message(organization, account);
        stored.message.status = status;
        store_message(db, &stored).await;
        all.push(stored.message.id);
    }
    all
}

#[tokio::test]
async fn only_what_is_queued_can_be_canceled() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let all = one_of_each(&db, &organization, &account.id).await;
        let cancel = async |message: &MessageId| {
            db.write(async |conn| store::queue::cancel(conn, message, NOW).await).await.expect("written")
        };
        assert_eq!((cancel(&all[1]).await, cancel(&all[2]).await), (false, false));
        assert_eq!((cancel(&all[0]).await, cancel(&all[0]).await), (true, false), "once");
        let more = one_of_each(&db, &organization, &account.id).await;
        let canceled = db.write(async |conn| store::queue::cancel_all(conn, &account.id, NOW).await).await;
        assert_eq!(canceled.expect("written"), [more[0].clone()]);
    })
    .await;
}

#[tokio::test]
async fn another_accounts_messages_are_left_alone() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let (account, other) = (account(&db, &ours).await, new_account());
        connect(&db, &other, &theirs).await;
        let message = queue(&db, &theirs, &other.id, 1).await.remove(0);
        let before = look(&db, &theirs, &message).await;
        assert_eq!(take(&db, &account.id, 9, "token").await.len(), 0);
        let changed = db.write(async |conn| store::queue::cancel_all(conn, &account.id, NOW).await);
        assert_eq!(changed.await.expect("written"), []);
        assert_eq!(look(&db, &theirs, &message).await.message, before.message);
    })
    .await;
}

#[tokio::test]
async fn the_next_thing_to_do_is_the_earlier_of_a_due_message_and_a_question() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let next = async || {
            let mut conn = db.read().await.expect("a connection");
            store::queue::next_due(&mut conn).await.expect("asked")
        };
        assert_eq!(next().await, None);
        let message = new_message(&organization, &account.id);
        let later = NOW.plus(HOUR);
        db.write(async |conn| store::message::insert(conn, db.dialect, &message, later).await).await.expect("stored");
        assert_eq!(next().await, Some(later));
        let asked = queue(&db, &organization, &account.id, 1).await.remove(0);
        let at = NOW.plus(MINUTE);
        settle(&db, &asked, &Settled { poll_at: Some(at), ..settled(Status::Sent) }).await;
        assert_eq!(next().await, Some(at));
        let mut conn = db.read().await.expect("a connection");
        assert!(store::queue::list_due_polls(&mut conn, NOW, 9).await.expect("listed").messages.is_empty());
        let due = store::queue::list_due_polls(&mut conn, at, 9).await.expect("listed").messages;
        let due: Vec<_> = due.into_iter().map(|stored| stored.message.id).collect();
        assert_eq!(due, std::slice::from_ref(&asked));
        db.write(async |conn| store::queue::set_poll(conn, &asked, None).await).await.expect("written");
        assert_eq!(next().await, Some(later));
    })
    .await;
}

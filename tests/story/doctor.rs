//! `tern doctor`, as the operator reads it.

use super::{connected, set_limit};
use crate::support::World;
use serde_json::json;
use tern::server::{simulate::Fault, usecase::doctor};

async fn told(world: &World) -> String {
    doctor::examine(&world.app).await.expect("a report").join("\n")
}

#[tokio::test]
async fn it_says_of_each_account_what_the_pages_say() {
    let (world, owner, account) = connected().await;
    assert!(told(&world).await.starts_with("Acme\n  +14155550132 (SMS, +14155550132): Active\n"));
    set_limit(&owner, &account, 2).await;
    for n in 0..5 {
        owner.send(&format!("+1415555020{n}")).await;
    }
    for _ in 0..3 {
        world.work().await;
    }
    let shown = told(&world).await;
    for line in [
        "Sent today 2 of 2. 3 wait for tomorrow, 2 of them leave then.",
        "Tomorrow 2 of 2.",
        "Limit reached 2026-11-22T09:30:00Z",
        "Waits (daily_limit) since 2026-11-22T09:30:00Z until 2026-11-23T00:00:00Z: +14155550132 has sent its 2 messages",
        "Nothing needs anybody.",
    ] {
        assert!(shown.contains(line), "{line} in\n{shown}");
    }
    let page = owner.get("/api/messages?status=queued").await.expect_status(200).json();
    let detail = page["data"][0]["waiting"]["detail"].as_str().expect("a sentence").to_owned();
    assert!(shown.contains(&detail), "the same words: {detail}\n{shown}");
    world.stranger().await;
    assert!(told(&world).await.contains("\nOther\n  There is no account yet"));
}

#[tokio::test]
async fn it_counts_what_needs_a_person() {
    let (world, owner, account) = connected().await;
    world.twilio.misbehave(Fault::Unauthorized, 1);
    owner.post(&format!("/api/messaging-accounts/{account}/test"), json!({})).await.expect_status(200);
    world.tamper("update account set stopped_at = null", &[]).await;
    let message = owner.send("+14155550201").await;
    world.tamper("update message set status = 'unknown' where id = $1", &[&message]).await;
    let shown = told(&world).await;
    assert!(
        shown.contains(": Error\n") && shown.contains("1 message may have gone out and nobody can say."),
        "{shown}"
    );
    assert!(shown.contains("Needs a person: 1 message, 1 account."), "{shown}");
    world.tamper("update message set status = 'canceled' where id = $1", &[&message]).await;
}

//! How a test in another process commands the stand-in. No sign-in: it is a tool of the loopback interface.

use super::{Accepted, Chaos, Fault, On, Settings, Simulator, account::known, chaos::Lots};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

type Simulated = State<Arc<Simulator>>;

/// `GET /simulator/accepted`
pub async fn list_accepted(State(simulator): Simulated) -> Json<Vec<Accepted>> {
    Json(simulator.accepted())
}

/// `{"kind": "throttled", "retry_after": 2, "times": 3, "on": "create"}`
#[derive(Deserialize)]
pub struct NewFault {
    #[serde(flatten)]
    fault: Fault,
    times: Option<u32>,
    #[serde(default)]
    on: On,
    /// Milliseconds that the request is held first.
    #[serde(default)]
    after_ms: u64,
}

/// `POST /simulator/faults`
pub async fn add_fault(State(simulator): Simulated, Json(new): Json<NewFault>) -> StatusCode {
    simulator.misbehave_after(Duration::from_millis(new.after_ms), new.on, new.fault, new.times.unwrap_or(1));
    StatusCode::NO_CONTENT
}

/// `POST /simulator/chaos`: `{"seed": 7}` with odds of its own or the usual ones; null ends it.
pub async fn change_chaos(State(simulator): Simulated, Json(chaos): Json<Option<Chaos>>) -> StatusCode {
    simulator.state().chaos = chaos.map(Lots::new);
    StatusCode::NO_CONTENT
}

/// What is given is changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    manual: Option<bool>,
    pace_ms: Option<u64>,
    callbacks: Option<bool>,
    duplicate_callbacks: Option<bool>,
    shuffle_callbacks: Option<bool>,
}

/// `GET /simulator/settings`
pub async fn show_settings(State(simulator): Simulated) -> Json<Settings> {
    Json(simulator.state().settings)
}

/// `POST /simulator/settings`
pub async fn change_settings(State(simulator): Simulated, Json(change): Json<Change>) -> Json<Settings> {
    let settings = &mut simulator.state().settings;
    *settings = Settings {
        manual: change.manual.unwrap_or(settings.manual),
        pace_ms: change.pace_ms.unwrap_or(settings.pace_ms),
        callbacks: change.callbacks.unwrap_or(settings.callbacks),
        duplicate_callbacks: change.duplicate_callbacks.unwrap_or(settings.duplicate_callbacks),
        shuffle_callbacks: change.shuffle_callbacks.unwrap_or(settings.shuffle_callbacks),
    };
    Json(*settings)
}

/// `{"status": "suspended"}`, of the first account unless `sid` says otherwise.
#[derive(Deserialize)]
pub struct AccountChange {
    sid: Option<String>,
    status: AccountStatus,
}

/// Twilio's words.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccountStatus {
    Active,
    Suspended,
    Closed,
}

/// `POST /simulator/account`
pub async fn change_account(State(simulator): Simulated, Json(change): Json<AccountChange>) -> StatusCode {
    let Some(sid) = known(&simulator, change.sid.as_deref()) else { return StatusCode::NOT_FOUND };
    let inactive = &mut simulator.state().inactive;
    match change.status {
        AccountStatus::Active => inactive.remove(sid),
        AccountStatus::Suspended => inactive.insert(sid.to_owned(), "suspended".to_owned()),
        AccountStatus::Closed => inactive.insert(sid.to_owned(), "closed".to_owned()),
    };
    StatusCode::NO_CONTENT
}

/// What a person writes, and where the webhook goes.
#[derive(Deserialize)]
pub struct Reply {
    to: String,
    from: String,
    body: String,
    url: String,
}

/// `POST /simulator/inbound`: `answer` is the HTTP status that came back, null when nobody answered.
pub async fn receive(State(simulator): Simulated, Json(reply): Json<Reply>) -> Json<Value> {
    let callback = simulator.receive(&reply.to, &reply.from, &reply.body, &reply.url);
    Json(json!({ "answer": simulator.post(&callback).await }))
}

/// `POST /simulator/flush`: for the setting `manual`; the HTTP statuses that came back.
pub async fn flush(State(simulator): Simulated) -> Json<Vec<Option<u16>>> {
    Json(simulator.flush_callbacks().await)
}

/// `POST /simulator/reset`
pub async fn reset(State(simulator): Simulated) -> StatusCode {
    simulator.reset();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::{super::tests::World, *};
    use axum::{body::Body, http::Request};

    #[tokio::test]
    async fn what_was_accepted_is_shown_and_forgotten() {
        let world = World::new();
        let sid = world.send("+15558675310").await;
        let ask = || Request::builder().uri("/simulator/accepted").body(Body::empty()).expect("a request");
        let accepted = json!([{
            "sid": sid, "to": "+15558675310", "from": "+14155550132", "body": "Hello",
            "status_callback": "https://tern.example/hook?m=1#rc=2", "status": "queued",
        }]);
        assert_eq!(world.call(ask()).await.json(), accepted);
        world.control("settings", &json!({ "callbacks": false })).await;
        world.control("faults", &json!({ "kind": "fail", "times": 9 })).await;
        assert_eq!(world.control("reset", &json!({})).await.status, 204);
        assert_eq!(world.call(ask()).await.json(), json!([]));
        assert_eq!(world.control("settings", &json!({})).await.json()["callbacks"], true);
        assert_eq!(world.get("/Messages.json").await.status, 200);
    }

    #[tokio::test]
    async fn a_typing_mistake_is_no_command() {
        let world = World::new();
        for (path, body) in [
            ("settings", json!({ "duplicates": true })),
            ("faults", json!({ "kind": "explode" })),
            ("faults", json!({ "kind": "latency" })),
            ("inbound", json!({ "to": "+14155550132" })),
        ] {
            assert_eq!(world.control(path, &body).await.status, 422, "{path} {body}");
        }
        let foreign = json!({ "sid": "AC00000000000000000000000000000002", "status": "active" });
        assert_eq!(world.control("account", &foreign).await.status, 404);
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_no_answer() {
        let world = World::new();
        let reply = json!({ "to": "+14155550132", "from": "+15558675310", "body": "Hi", "url": "http://127.0.0.1:1/" });
        assert_eq!(world.control("inbound", &reply).await.json()["answer"], Value::Null);
        assert_eq!(world.control("flush", &json!({})).await.json(), json!([]));
    }
}

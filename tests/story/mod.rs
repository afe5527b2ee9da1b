//! What people and programs do with Tern, over its HTTP API.

mod account;
mod api_key;
mod batch;
mod campaign;
mod change;
mod command;
mod consent;
mod dashboard;
mod doctor;
mod email_account;
mod import;
mod keys;
mod lane;
mod lead;
mod limit;
mod mailbox;
mod message;
mod month;
mod platform;
mod rehearsal;
mod retry;
mod segment;
mod selection;
mod sequence;
mod session;
mod standing;
mod template;
mod waiting;
mod webhook;

use crate::support::{Answer, Client, RECIPIENT, World};
use serde_json::{Value, json};

pub const MESSAGES: &str = "/api/messages";

pub fn form() -> Value {
    json!({ "channel": "sms", "to": RECIPIENT, "body": "Hello" })
}

/// A world with an owner and the stand-in's account.
pub async fn connected() -> (World, Client, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    (world, owner, account)
}

pub async fn post(client: &Client, id: &str, what: &str, body: Value) -> Answer {
    client.post(&format!("{MESSAGES}/{id}/{what}"), body).await
}

pub async fn events(client: &Client, id: &str) -> Vec<(String, String)> {
    let events = client.get(&format!("{MESSAGES}/{id}/events")).await.expect_status(200).json();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    events.as_array().expect("a list").iter().map(|event| (text(event, "status"), text(event, "source"))).collect()
}

pub async fn set_limit(client: &Client, account: &str, limit: u32) {
    let path = format!("/api/messaging-accounts/{account}");
    client.patch(&path, json!({ "daily_limit": limit })).await.expect_status(200);
}

//! Accounts: who may do what, the account itself, and the numbers it owns.

use super::{
    KEY_SECRET, KEY_SID, NOT_BEFORE, Simulator,
    fate::sender_refusal,
    page::{Query, page, value},
    refusal::Refusal,
    rfc2822,
};
use crate::domain::secret::Secret;
use axum::{
    Json,
    extract::{FromRequestParts, Query as Asked, State},
    http::{header, request::Parts},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::sync::Arc;

/// An account.
pub(super) struct Account {
    pub sid: String,
    pub token: Secret,
}

impl Account {
    pub fn new(sid: &str, token: Secret) -> Self {
        Self { sid: sid.to_owned(), token }
    }
}

/// Who calls, for the account in the path.
pub(super) struct Caller {
    pub account: String,
    /// A Standard API key: everything but the accounts.
    is_key: bool,
}

impl FromRequestParts<Arc<Simulator>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, simulator: &Arc<Simulator>) -> Result<Self, Refusal> {
        let (user, password) = basic(parts).ok_or_else(Refusal::unauthorized)?;
        let is_key = user == KEY_SID && password == KEY_SECRET;
        let account = if is_key {
            simulator.accounts.first()
        } else {
            simulator.accounts.iter().find(|known| known.sid == user && known.token.expose() == password)
        };
        let account = account.ok_or_else(Refusal::unauthorized)?.sid.clone();
        let path = parts.uri.path();
        let asked = path.split('/').nth(3).unwrap_or_default();
        if asked.strip_suffix(".json").unwrap_or(asked) == account {
            Ok(Self { account, is_key })
        } else {
            Err(Refusal::not_found(path))
        }
    }
}

/// User and password of HTTP Basic.
fn basic(parts: &Parts) -> Option<(String, String)> {
    let header = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(text.trim()).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

impl Simulator {
    /// `active`, or what it was made.
    pub(super) fn account_status(&self, account: &str) -> String {
        self.state().inactive.get(account).cloned().unwrap_or_else(|| "active".to_owned())
    }
}

/// The account, its auth token in clear as in Twilio's answer.
pub(super) async fn fetch(State(simulator): State<Arc<Simulator>>, caller: Caller) -> Result<Json<Value>, Refusal> {
    if caller.is_key {
        return Err(Refusal::unauthorized());
    }
    let sid = &caller.account;
    let uri = format!("/2010-04-01/Accounts/{sid}");
    let part = |name: &str| format!("{uri}/{name}.json");
    Ok(Json(json!({
        "sid": sid,
        "owner_account_sid": sid,
        "friendly_name": "Simulated account",
        "status": simulator.account_status(sid),
        "type": "Full",
        "auth_token": simulator.token(sid).expose(),
        "date_created": rfc2822(NOT_BEFORE),
        "date_updated": rfc2822(NOT_BEFORE),
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "messages": part("Messages"),
            "incoming_phone_numbers": part("IncomingPhoneNumbers"),
            "balance": part("Balance"),
        },
    })))
}

/// The numbers that every account here owns.
pub(super) async fn list_numbers(
    State(simulator): State<Arc<Simulator>>,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Json<Value> {
    let base = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers", caller.account);
    let wanted = value(&query, "PhoneNumber").unwrap_or_default();
    let numbers: Vec<(String, &str)> = simulator
        .numbers
        .iter()
        .filter(|number| matches_part(wanted, number))
        .map(|number| (format!("PN{:0>32}", number.trim_start_matches('+')), number.as_str()))
        .collect();
    let json = |(sid, number): &(String, &str)| {
        // Owned, but for voice only.
        let can_send = !matches!(sender_refusal(number), Some((21606, _)));
        json!({
            "sid": sid,
            "account_sid": caller.account,
            "phone_number": number,
            "friendly_name": number,
            "capabilities": { "voice": true, "sms": can_send, "mms": can_send, "fax": false },
            "status": "in-use",
            "origin": "twilio",
            "beta": false,
            "api_version": "2010-04-01",
            "address_requirements": "none",
            "date_created": rfc2822(NOT_BEFORE),
            "date_updated": rfc2822(NOT_BEFORE),
            "uri": format!("{base}/{sid}.json"),
        })
    };
    Json(page((&format!("{base}.json"), "incoming_phone_numbers"), &query, &numbers, |(sid, _)| sid, json))
}

/// As Twilio filters: any part of the number matches, and `*` stands for a digit.
fn matches_part(pattern: &str, number: &str) -> bool {
    let (pattern, number) = (pattern.as_bytes(), number.as_bytes());
    let fits = |part: &[u8]| part.iter().zip(pattern).all(|(digit, wanted)| *wanted == b'*' || wanted == digit);
    pattern.is_empty() || number.windows(pattern.len()).any(fits)
}

/// The SID of an account that the stand-in knows; the first when none is named.
pub(super) fn known<'a>(simulator: &'a Simulator, sid: Option<&str>) -> Option<&'a str> {
    let mut sids = simulator.accounts.iter().map(|account| account.sid.as_str());
    sids.find(|known| sid.is_none_or(|sid| sid == *known))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ACCOUNT_SID, AUTH_TOKEN, is_sid, tests::World},
        *,
    };
    use axum::http::Method;

    #[tokio::test]
    async fn an_account_is_shown_to_itself_only() {
        let world = World::new();
        let account = world.get(".json").await.json();
        assert_eq!((&account["status"], &account["auth_token"]), (&json!("active"), &json!(AUTH_TOKEN)));
        assert_eq!(account["date_created"], "Sun, 01 Jan 2023 00:00:00 +0000");

        let as_user = |user, password| World::request((user, password), Method::GET, ".json", &[]);
        for (user, password) in [(ACCOUNT_SID, "wrong"), ("", ""), (KEY_SID, "wrong"), (KEY_SID, KEY_SECRET)] {
            assert_eq!(world.call(as_user(user, password)).await.refusal(), (401, 20003), "{user}");
        }
        let mut nobody = as_user("", "");
        nobody.headers_mut().remove("authorization");
        assert!(world.call(nobody).await.headers.contains_key("www-authenticate"));
        let mut foreign = as_user(ACCOUNT_SID, AUTH_TOKEN);
        *foreign.uri_mut() = "/2010-04-01/Accounts/AC00000000000000000000000000000002.json".parse().expect("a path");
        assert_eq!(world.call(foreign).await.refusal(), (404, 20404));
    }

    #[tokio::test]
    async fn a_standard_key_may_do_everything_but_read_the_account() {
        let world = World::new();
        for path in ["/Messages.json", "/IncomingPhoneNumbers.json"] {
            let request = World::request((KEY_SID, KEY_SECRET), Method::GET, path, &[]);
            assert_eq!(world.call(request).await.status, 200, "{path}");
        }
        let form = [("To", "+15558675310"), ("From", "+14155550132"), ("Body", "Hello")];
        let request = World::request((KEY_SID, KEY_SECRET), Method::POST, "/Messages.json", &form);
        assert_eq!(world.call(request).await.status, 201);
    }

    #[tokio::test]
    async fn numbers_are_found_by_parts() {
        let world = World::new();
        for (wanted, found) in [("", 4), ("%2B14155550132", 1), ("415", 2), ("%2B1415555019*", 1), ("%2B49", 0)] {
            let answer = world.get(&format!("/IncomingPhoneNumbers.json?PhoneNumber={wanted}")).await.json();
            let numbers = answer["incoming_phone_numbers"].as_array().expect("a list");
            assert_eq!(numbers.len(), found, "{wanted}");
            assert!(numbers.iter().all(|number| number["capabilities"]["sms"] == true));
            assert!(numbers.iter().all(|number| is_sid("PN", number["sid"].as_str().expect("a SID"))));
        }
    }

    #[tokio::test]
    async fn a_suspended_account_says_so_and_sends_nothing() {
        let world = World::new();
        let sid = world.send("+15558675310").await;
        assert_eq!(world.control("account", &json!({ "status": "suspended" })).await.status, 204);
        assert_eq!(world.get(".json").await.json()["status"], "suspended");
        let form = [("To", "+15558675310"), ("From", "+14155550132"), ("Body", "Hello")];
        assert_eq!(world.create(&form).await.refusal(), (401, 20005));
        world.simulator.take_callbacks();
        let message = world.get(&format!("/Messages/{sid}.json")).await.json();
        assert_eq!((&message["status"], &message["error_code"]), (&json!("failed"), &json!(30002)));

        world.control("account", &json!({ "status": "active" })).await;
        assert_eq!(world.create(&form).await.status, 201);
        assert_eq!(world.control("account", &json!({ "status": "asleep" })).await.status, 422);
    }
}

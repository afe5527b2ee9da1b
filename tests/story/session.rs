//! Signing up, in and out; the sessions of a person.

use crate::support::{Client, Credentials, PASSWORD, Wishes, World};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, MINUTE},
    server::config::SignUp,
};

const SIGN_UP: &str = "/api/auth/sign-up";
const SIGN_IN: &str = "/api/auth/sign-in";

fn sign_up_form() -> Value {
    json!({ "email": "owner@example.com", "password": PASSWORD, "organization": "Acme" })
}

fn sign_in_form(password: &str) -> Value {
    json!({ "email": "owner@example.com", "password": password })
}

async fn sign_in(world: &World) -> Client {
    world.client(world.nobody().post(SIGN_IN, sign_in_form(PASSWORD)).await.expect_status(200).session())
}

fn token(client: &Client) -> &str {
    match &client.credentials {
        Credentials::Cookie(token) => token,
        other => panic!("no cookie: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_visitor_becomes_the_owner_and_nobody_else() {
    let world = World::new().await;
    let answer = world.nobody().post(SIGN_UP, sign_up_form()).await.expect_status(201);
    let cookie = answer.headers["set-cookie"].to_str().expect("ASCII");
    for part in ["; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let body = answer.json();
    assert_eq!(body["user"]["email"], "owner@example.com");
    assert_eq!(body["user"]["role"], "owner");
    assert_eq!(body["organization"]["name"], "Acme");
    let me = world.client(answer.session()).get("/api/me").await.expect_status(200).json();
    assert_eq!(me, body);

    let second = json!({ "email": "second@example.com", "password": PASSWORD, "organization": "B" });
    let refused = world.nobody().post(SIGN_UP, second).await.expect_status(403);
    assert_eq!(refused.json()["code"], "sign_up_closed");
    assert_eq!(world.rows("select email from app_user").await.len(), 1);
}

#[tokio::test]
async fn of_two_first_visitors_at_the_same_time_one_becomes_the_owner() {
    let world = World::new().await;
    let (nobody, other) =
        (world.nobody(), json!({ "email": "b@example.com", "password": PASSWORD, "organization": "B" }));
    let (a, b) = tokio::join!(nobody.post(SIGN_UP, sign_up_form()), nobody.post(SIGN_UP, other));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    assert_eq!(world.rows("select name from organization").await.len(), 1);
}

#[tokio::test]
async fn open_sign_up_takes_everybody_once_even_without_an_organization() {
    let world = World::with(Wishes { sign_up: SignUp::Open, ..Wishes::default() }).await;
    world.owner().await;
    world.nobody().post(SIGN_UP, sign_up_form()).await.expect_status(409);
    let alone = json!({ "email": "alone@example.com", "password": PASSWORD });
    let answer = world.nobody().post(SIGN_UP, alone).await.expect_status(201);
    assert_eq!(answer.json()["organization"], Value::Null);
    let alone = world.client(answer.session());
    assert_eq!(alone.get("/api/me").await.expect_status(200).json()["organization"], Value::Null);
    for path in ["/api/messages", "/api/messaging-accounts", "/api/api-keys"] {
        alone.get(path).await.expect_error(403, "No organization");
    }
}

#[tokio::test]
async fn a_bad_sign_up_names_its_fields() {
    let world = World::new().await;
    let nobody = world.nobody();
    let form = json!({ "email": "no address", "password": "short", "organization": " " });
    nobody.post(SIGN_UP, form).await.expect_fields(&["email", "organization", "password"]);
    nobody.post(SIGN_UP, json!({ "email": 1, "password": [], "organization": {} })).await.expect_fields(&[
        "email",
        "organization",
        "password",
    ]);
    nobody.post(SIGN_UP, json!({})).await.expect_fields(&["email", "password"]);
    assert!(world.rows("select email from app_user").await.is_empty());
}

#[tokio::test]
async fn every_sign_in_makes_a_new_session_whose_token_is_not_stored() {
    let world = World::new().await;
    let first = world.owner().await;
    let second = sign_in(&world).await;
    assert_ne!(token(&first), token(&second));
    let stored = world.rows("select token_hash from session").await;
    assert_eq!(stored.len(), 2);
    for session in [&first, &second] {
        let token = token(session);
        assert!(token.len() >= 43, "256 bits");
        assert!(!world.stored_bytes().iter().any(|bytes| contains(bytes, token.as_bytes())));
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let world = World::new().await;
    world.owner().await;
    let nobody = world.nobody();
    nobody.post(SIGN_IN, sign_in_form("wrong")).await.expect_error(401, "Wrong e-mail or password");
    for email in ["other@example.com", "", "no address", "owner@example.com\u{200b}"] {
        let form = json!({ "email": email, "password": PASSWORD });
        nobody.post(SIGN_IN, form).await.expect_error(401, "Wrong e-mail or password");
    }
    let shouted = json!({ "email": " OWNER@Example.com ", "password": PASSWORD });
    nobody.post(SIGN_IN, shouted).await.expect_status(200);
}

#[tokio::test]
async fn signing_out_ends_this_session_only() {
    let world = World::new().await;
    let (first, second) = (world.owner().await, sign_in(&world).await);
    let answer = first.post("/api/auth/sign-out", json!({})).await.expect_status(204);
    assert!(answer.headers["set-cookie"].to_str().expect("ASCII").contains("Max-Age=0"));
    first.get("/api/me").await.expect_error(401, "Unauthorized");
    second.get("/api/me").await.expect_status(200);
}

#[tokio::test]
async fn an_unused_session_ends_after_two_weeks() {
    let world = World::new().await;
    let owner = world.owner().await;
    world.clock.advance(14 * DAY - MINUTE);
    owner.get("/api/me").await.expect_status(200);
    world.clock.advance(14 * DAY - MINUTE);
    owner.get("/api/me").await.expect_status(200);
    world.clock.advance(14 * DAY + MINUTE);
    owner.get("/api/me").await.expect_error(401, "Unauthorized");
}

#[tokio::test]
async fn a_session_in_use_ends_after_two_months() {
    let world = World::new().await;
    let owner = world.owner().await;
    for _ in 0..59 {
        world.clock.advance(DAY);
        owner.get("/api/me").await.expect_status(200);
    }
    world.clock.advance(DAY + MINUTE);
    owner.get("/api/me").await.expect_error(401, "Unauthorized");
}

#[tokio::test]
async fn a_person_sees_and_ends_their_sessions() {
    let world = World::new().await;
    let first = world.owner().await;
    let phone = world.nobody().with("user-agent", "Phone 1").post(SIGN_IN, sign_in_form(PASSWORD)).await;
    let phone = world.client(phone.expect_status(200).session());
    let sessions = first.get("/api/sessions").await.expect_status(200).json();
    assert_eq!(sessions.as_array().map(Vec::len), Some(2), "{sessions}");
    let list = sessions.as_array().expect("a list");
    let current = |session: &&Value| session["is_current"] == true;
    assert_eq!(list.iter().filter(current).count(), 1, "{sessions}");
    let other = list.iter().find(|session| !current(session)).expect("the phone")["id"].as_str().expect("an id");

    let stranger = world.stranger().await;
    stranger.delete(&format!("/api/sessions/{other}")).await.expect_error(404, "Not found");
    phone.get("/api/me").await.expect_status(200);
    first.delete(&format!("/api/sessions/{other}")).await.expect_status(200);
    phone.get("/api/me").await.expect_error(401, "Unauthorized");
    first.delete(&format!("/api/sessions/{other}")).await.expect_error(404, "Not found");
    first.delete("/api/sessions/x").await.expect_error(404, "Not found");
}

#[tokio::test]
async fn guesses_are_throttled_and_a_restart_does_not_help() {
    let world = World::new().await;
    world.owner().await;
    for _ in 0..10 {
        world.nobody().post(SIGN_IN, sign_in_form("guess")).await.expect_status(401);
    }
    let answer = world.nobody().post(SIGN_IN, sign_in_form(PASSWORD)).await.expect_status(429);
    assert!(answer.headers.contains_key("retry-after"));
    let world = world.restart().await;
    world.nobody().post(SIGN_IN, sign_in_form(PASSWORD)).await.expect_status(429);
    world.clock.advance(15 * MINUTE + 1);
    world.nobody().post(SIGN_IN, sign_in_form(PASSWORD)).await.expect_status(200);
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_too() {
    let world = World::new().await;
    world.owner().await;
    let nobody = world.nobody();
    let guesses = futures::future::join_all((0..25).map(|_| nobody.post(SIGN_IN, sign_in_form("guess")))).await;
    let heard = guesses.iter().filter(|answer| answer.status == 401).count();
    assert!(heard <= 10, "{heard} guesses were checked");
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let world = World::new().await;
    let owner = world.owner().await.credentials;
    let world = world.restart().await;
    world.client(owner).get("/api/me").await.expect_status(200);
}

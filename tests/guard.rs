//! Nothing is open that should not be: every route and every server function, without being told one by one.

use crate::support::{Credentials, Wishes, World};
use serde_json::json;
use std::collections::BTreeSet;
use tern::server::http::ROUTES;

/// What a visitor needs before anybody knows who they are.
const PUBLIC: [&str; 7] = ["sign_in", "sign_up", "sign_out", "me", "first_run", "set_theme", "load_leaving"];

/// The path of a route with an id that could be.
fn with_id(route: &str) -> String {
    route.replace("{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
}

#[tokio::test]
async fn every_route_needs_somebody_signed_in() {
    let world = World::new().await;
    world.owner().await;
    let strangers = [
        Credentials::None,
        Credentials::Key("tern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        Credentials::Key("random".to_owned()),
        Credentials::Cookie("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
    ];
    for (method, route) in ROUTES {
        for credentials in &strangers {
            let client = world.client(credentials.clone()).with("content-type", "application/json");
            client.call(method, &with_id(route), "{}").await.expect_error(401, "Unauthorized");
        }
    }
}

#[tokio::test]
async fn the_list_of_routes_is_the_whole_list() {
    // A route that is missing in ROUTES is not guarded by the test above: the source is the only list of all of them.
    let source = include_str!("../src/server/http/mod.rs");
    let listed: BTreeSet<&str> = ROUTES.iter().map(|(_, route)| *route).collect();
    // The settings are a page: without somebody signed in it leads to the sign-in (a story of keys tells it). Whoever
    // unsubscribes has the link of a mail (a story of consent).
    let open =
        ["/api/auth/sign-up", "/api/auth/sign-in", "/api/{*rest}", "/healthz", "/readyz", "/settings", "/u/{token}"];
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let unknown: Vec<&str> = routes
        .filter(|route| !listed.contains(route) && !open.contains(route) && !route.starts_with("/webhooks/"))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for (method, route) in ROUTES {
        // Every method of a route is listed, too: any other is refused before anybody is asked who they are.
        let world = World::new().await;
        let answer = world.nobody().call(method, &with_id(route), "{}").await;
        assert_ne!(answer.status, 405, "{method} {route}");
    }
}

/// Name and path of every server function that this binary holds.
fn server_functions() -> Vec<(String, String, String)> {
    leptos::server_fn::axum::server_fn_paths()
        .map(|(path, method)| {
            let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
            (name.to_owned(), path.to_owned(), method.to_string())
        })
        .collect()
}

#[tokio::test]
async fn every_server_function_needs_somebody_signed_in() {
    let world = World::new().await;
    world.owner().await;
    let functions = server_functions();
    assert!(functions.len() > 15, "{functions:?}");
    for name in PUBLIC {
        assert!(functions.iter().any(|(known, ..)| known == name), "{name} is no server function any more");
    }
    // A form with every field that any of them asks for: it gets past reading, to the question who asks.
    let form = "id=01ARZ3NDEKTSV4RRFFQ69G5FAV&name=x&channel=sms&to=%2B14155550199&body=x&is_active=true&was_sent=true\
                &provider=sandbox&phone_number=%2B14155550111&daily_limit=5&email=a%40example.com&theme=dark&bulk=retry";
    for (name, path, method) in functions.iter().filter(|(name, ..)| !PUBLIC.contains(&name.as_str())) {
        for credentials in [Credentials::None, Credentials::Key("tern_random".to_owned())] {
            let client = world.client(credentials).with("content-type", "application/x-www-form-urlencoded");
            let answer = client.call(method, path, form).await;
            assert_eq!(answer.status, 401, "{name}: {}", answer.text);
        }
    }
    assert!(world.rows("select id from account").await.is_empty());
}

#[tokio::test]
async fn a_server_function_does_what_a_session_may() {
    let world = World::new().await;
    let owner = world.owner().await.with("content-type", "application/x-www-form-urlencoded");
    let functions = server_functions();
    let (_, path, method) = functions.iter().find(|(name, ..)| name == "list_accounts").expect("a list of accounts");
    owner.call(method, path, "").await.expect_status(200);
}

#[tokio::test]
async fn another_site_cannot_use_a_signed_in_browser() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let functions = server_functions();
    let (_, function, _) =
        functions.iter().find(|(name, ..)| name == "delete_account").expect("a function that deletes");
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "\u{e9}"),
        ("origin", "https://evil.example"),
        ("origin", "https://tern.test.evil.example"),
        ("origin", "https://tern.test:8443"),
        ("origin", "null"),
        ("origin", ""),
    ];
    for (header, value) in foreign {
        let browser = owner.with(header, value);
        let path = format!("/api/messaging-accounts/{account}");
        browser.delete(&path).await.expect_status(403);
        browser.patch(&path, json!({ "daily_limit": 1 })).await.expect_status(403);
        browser.post("/api/messages", json!({})).await.expect_status(403);
        browser.post("/api/auth/sign-out", json!({})).await.expect_status(403);
        let form = browser.with("content-type", "application/x-www-form-urlencoded");
        form.call("POST", function, format!("id={account}")).await.expect_status(403);
        browser.get(&path).await.expect_status(200);
    }
    for (header, value) in
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", "https://tern.test")]
    {
        owner.with(header, value).post("/api/messages", json!({})).await.expect_status(400);
    }
    // Both at once: the browser's own word counts.
    let both = owner.with("origin", "https://tern.test").with("sec-fetch-site", "cross-site");
    both.post("/api/messages", json!({})).await.expect_status(403);
}

#[tokio::test]
async fn another_site_cannot_sign_a_browser_in() {
    let world = World::new().await;
    world.owner().await;
    let form = json!({ "email": "owner@example.com", "password": crate::support::PASSWORD });
    let browser = world.nobody().with("sec-fetch-site", "cross-site");
    browser.post("/api/auth/sign-in", form).await.expect_status(403);
}

#[tokio::test]
async fn a_key_beats_a_cookie_and_a_wrong_key_is_not_helped_by_one() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.get("/api/me").await.expect_status(200);
    for wrong in ["Bearer tern_random", "Bearer ", "Basic eDp5", "x"] {
        owner.with("authorization", wrong).get("/api/me").await.expect_error(401, "Unauthorized");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_a_browser() {
    let world = World::with(Wishes::default()).await;
    let owner = world.owner().await;
    for path in ["/healthz", "/api/me", "/api/nothing", "/sign-in", "/accounts", "/nothing"] {
        let answer = owner.get(path).await;
        for header in [
            "x-content-type-options",
            "referrer-policy",
            "x-frame-options",
            "content-security-policy",
            "strict-transport-security",
            "x-request-id",
        ] {
            assert!(answer.headers.contains_key(header), "{path}: {header}");
        }
        let policy = answer.headers["content-security-policy"].to_str().expect("ASCII");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn too_many_requests_are_slowed_down() {
    let world = World::new().await;
    world.owner().await;
    let form = json!({ "email": "nobody@example.com", "password": "guess" });
    for _ in 0..40 {
        let answer = world.nobody().post("/api/auth/sign-up", form.clone()).await;
        if answer.status == 429 {
            assert!(answer.headers.contains_key("retry-after"));
            return;
        }
    }
    panic!("never slowed down");
}

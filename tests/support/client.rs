//! Somebody who calls Tern, and what comes back.

use super::{Answers, World, oracle::Promised, twilio_form};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt;

/// How somebody shows who they are.
#[derive(Clone, Debug)]
pub enum Credentials {
    None,
    Cookie(String),
    Key(String),
}

/// Somebody who calls Tern.
#[derive(Clone)]
pub struct Client {
    pub credentials: Credentials,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
    pub(super) router: Router,
    pub(super) answers: Answers,
    pub(super) promised: Promised,
}

impl Client {
    /// The same with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut with = self.clone();
        with.headers.push((name.to_owned(), value.to_owned()));
        with
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, String::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json("PATCH", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.json("PUT", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, String::new()).await
    }

    async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.with("content-type", "application/json").call(method, path, body.to_string()).await
    }

    pub async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "tern.test");
        match &self.credentials {
            Credentials::None => {}
            Credentials::Cookie(token) => request = request.header(header::COOKIE, format!("tern_session={token}")),
            Credentials::Key(key) => request = request.header(header::AUTHORIZATION, format!("Bearer {key}")),
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a whole answer").to_vec();
        let heads = head
            .headers
            .iter()
            .flat_map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        self.answers.lock().expect("no panic").push(heads.chain(body.iter().copied()).collect());
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer { what: format!("{method} {path}"), status: head.status, headers: head.headers, text };
        self.promised.note(method, path, &answer);
        answer
    }

    /// Connects the stand-in's account; its id.
    pub async fn connect_twilio(&self) -> String {
        let answer = self.post("/api/messaging-accounts", twilio_form()).await.expect_status(201);
        answer.id()
    }

    /// Connects the stand-in's mailbox; its id.
    pub async fn connect_mailbox(&self, world: &World) -> String {
        self.post("/api/email-accounts", world.mail.form()).await.expect_status(201).id()
    }

    /// Queues a text message; its id.
    pub async fn send(&self, to: &str) -> String {
        let answer = self.post("/api/messages", json!({ "channel": "sms", "to": to, "body": "Hello" })).await;
        answer.expect_status(202).id()
    }

    /// One message.
    pub async fn message(&self, id: &str) -> Value {
        self.get(&format!("/api/messages/{id}")).await.expect_status(200).json()
    }

    /// Its status.
    pub async fn status(&self, id: &str) -> String {
        self.message(id).await["status"].as_str().expect("a status").to_owned()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.what, self.text);
        self
    }

    /// The status and the sentence of an error, which has the shape of the contract.
    #[track_caller]
    pub fn expect_error(self, status: u16, sentence: &str) -> Self {
        let answer = self.expect_status(status);
        let body = answer.json();
        assert_eq!(body["error"], sentence, "{}", answer.what);
        let code = body["code"].as_str().expect("a code");
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
        assert_eq!(body["request_id"].as_str(), answer.headers.get("x-request-id").and_then(|v| v.to_str().ok()));
        answer
    }

    /// A `400` that names exactly these fields, sorted.
    #[track_caller]
    pub fn expect_fields(self, fields: &[&str]) -> Self {
        let answer = self.expect_status(400);
        let named = answer.json()["fields"].as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        assert_eq!(named.unwrap_or_default(), fields, "{}: {}", answer.what, answer.text);
        answer
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{}: no JSON: {}", self.what, self.text))
    }

    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["id"].as_str().expect("an id").to_owned()
    }

    /// The session that the answer starts.
    #[track_caller]
    pub fn session(&self) -> Credentials {
        let cookie = self.headers[header::SET_COOKIE].to_str().expect("visible ASCII");
        let token = cookie.strip_prefix("tern_session=").and_then(|rest| rest.split(';').next()).expect("a token");
        Credentials::Cookie(token.to_owned())
    }
}

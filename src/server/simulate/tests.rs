//! The world of the tests of this folder.

use super::*;
use crate::server::{
    channel::{Incoming, twilio::signature},
    clock::FakeClock,
};
use axum::{
    body::{Body, to_bytes},
    http::{Method, StatusCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tower::ServiceExt;

/// Thu, 24 Aug 2023 05:01:45 GMT.
pub const NOW: Timestamp = Timestamp(1_692_853_305_000);
pub const FROM: &str = "+14155550132";

/// The stand-in, and a client that calls its router without a network.
pub struct World {
    pub simulator: Arc<Simulator>,
    pub clock: Arc<FakeClock>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// HTTP status and Twilio's code.
    pub fn refusal(&self) -> (u16, u64) {
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{}", body["code"]));
        assert!(body["message"].is_string());
        (self.status.as_u16(), body["code"].as_u64().expect("a code"))
    }
}

impl World {
    pub fn new() -> Self {
        let clock = Arc::new(FakeClock::new(NOW));
        Self { simulator: Simulator::manual(&SimulateArgs::default(), clock.clone()), clock }
    }

    pub async fn try_call(&self, request: Request<Body>) -> Result<Answer, axum::Error> {
        let response = router(self.simulator.clone()).oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        Ok(Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&body).into_owned() })
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        self.try_call(request).await.expect("an answer")
    }

    pub fn request(user: (&str, &str), method: Method, path: &str, form: &[(&str, &str)]) -> Request<Body> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Request::builder()
            .method(method)
            .uri(format!("/2010-04-01/Accounts/{ACCOUNT_SID}{path}"))
            .header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", user.0, user.1))))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .expect("a request")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Self::request((ACCOUNT_SID, AUTH_TOKEN), Method::GET, path, &[])).await
    }

    pub async fn create(&self, form: &[(&str, &str)]) -> Answer {
        self.call(Self::request((ACCOUNT_SID, AUTH_TOKEN), Method::POST, "/Messages.json", form)).await
    }

    /// A message from an own number, with a callback; its SID.
    pub async fn send(&self, to: &str) -> String {
        let from = if to.starts_with("whatsapp:") { format!("whatsapp:{FROM}") } else { FROM.to_owned() };
        let url = "https://tern.example/hook?m=1#rc=2";
        let answer = self.create(&[("To", to), ("From", &from), ("Body", "Hello"), ("StatusCallback", url)]).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["sid"].as_str().expect("a SID").to_owned()
    }

    pub async fn control(&self, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/simulator/{path}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.call(request.expect("a request")).await
    }
}

/// The fields of a callback, whose signature our own adapter has checked.
pub fn read(callback: &Callback) -> HashMap<String, String> {
    let call = Incoming {
        method: "POST",
        url: &callback.url,
        signature: Some(&callback.signature),
        content_type: "application/x-www-form-urlencoded",
        body: callback.body.as_bytes(),
    };
    assert!(signature::is_genuine(AUTH_TOKEN, &call));
    signature::params(callback.body.as_bytes()).into_iter().collect()
}

#[test]
fn the_flags_have_the_values_of_default() {
    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        args: SimulateArgs,
    }
    let parse = |args: &[&str]| <Flags as clap::Parser>::try_parse_from(args.iter()).map(|flags| flags.args);
    let (given, default) = (parse(&["simulate"]).expect("defaults"), SimulateArgs::default());
    assert_eq!(format!("{given:?}"), format!("{default:?}"));
    assert_eq!(given.account[0].token.clone().into_secret().expose(), AUTH_TOKEN);
    assert!(parse(&["simulate", "--account", "AC1:token"]).is_err());
    assert_eq!(parse(&["simulate", "--number", "+15005550007", "--number", "+14155550100"]).unwrap().number.len(), 2);
}

#[test]
fn instants_are_written_as_twilio_does() {
    assert_eq!(rfc2822(NOW), "Thu, 24 Aug 2023 05:01:45 +0000");
}

#[tokio::test]
async fn it_listens_and_stops() {
    let stop = CancellationToken::new();
    let args = SimulateArgs { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..SimulateArgs::default() };
    let running = tokio::spawn(run(args, stop.clone()));
    stop.cancel();
    assert_eq!(running.await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_twilios_shape() {
    let world = World::new();
    assert_eq!(world.get("/Nothing.json").await.refusal(), (404, 20404));
    let delete = World::request((ACCOUNT_SID, AUTH_TOKEN), Method::DELETE, "/Messages.json", &[]);
    assert_eq!(world.call(delete).await.refusal(), (405, 20004));
}

//! Misbehaviour on command: what networks and providers do on their bad days.

use super::{Simulator, journal::Heard, refusal::Refusal};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use futures::stream;
use serde::Deserialize;
use std::{io, sync::Arc, time::Duration};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The answer takes so long, and is right.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// 401, as if the credentials were wrong.
    Unauthorized,
    /// 429; not processed.
    Throttled {
        /// Seconds, for the header `Retry-After`; Twilio does not promise it.
        retry_after: Option<u64>,
    },
    /// 500; not processed.
    Fail,
    /// Never an answer; not processed.
    Hang,
    /// Processed, and answered with a page that no program reads.
    Nonsense,
    /// Accepted, and answered with 500.
    AcceptThenFail,
    /// Accepted, and the connection closed without an answer.
    AcceptThenDrop,
    /// Accepted, and never an answer.
    AcceptThenHang,
}

/// Which requests it goes wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// All of Twilio's.
    #[default]
    Any,
    /// Those that send a message.
    Create,
    /// Those that look something up.
    Read,
}

/// A fault that was ordered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordered {
    pub fault: Fault,
    pub on: On,
    pub times: u32,
    /// The request is held so long before it goes wrong.
    pub after: Duration,
}

impl Simulator {
    /// The next `times` requests go wrong; the faults that speak of accepting wait for requests that send a message.
    /// Faults are used up in the order in which they came.
    pub fn misbehave(&self, fault: Fault, times: u32) {
        self.misbehave_on(On::Any, fault, times);
    }

    /// The same for requests of one kind.
    pub fn misbehave_on(&self, on: On, fault: Fault, times: u32) {
        self.misbehave_after(Duration::ZERO, on, fault, times);
    }

    /// The same, and the requests are held for a while first.
    pub(super) fn misbehave_after(&self, after: Duration, on: On, fault: Fault, times: u32) {
        let is_of_creates = matches!(fault, Fault::AcceptThenFail | Fault::AcceptThenDrop | Fault::AcceptThenHang);
        let on = if is_of_creates { On::Create } else { on };
        if times > 0 {
            self.state().faults.push_back(Ordered { fault, on, times, after });
        }
    }

    /// From now on Twilio's requests wait, until [`Self::release`]: what happens meanwhile needs no clock of the machine.
    pub fn hold(&self) {
        self.holds.send_replace(true);
    }

    /// Lets go what waits.
    pub fn release(&self) {
        self.holds.send_replace(false);
    }

    /// How many requests wait.
    pub fn held(&self) -> usize {
        self.holds.receiver_count()
    }

    async fn wait_for_release(&self) {
        let is_held = *self.holds.borrow();
        if is_held {
            let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
        }
    }

    /// Uses up the next fault for a request; without one a lot is drawn.
    fn next_fault(&self, is_create: bool) -> Option<(Fault, Duration)> {
        let mut state = self.state();
        let is_meant = |ordered: &Ordered| match ordered.on {
            On::Any => true,
            On::Create => is_create,
            On::Read => !is_create,
        };
        let Some(at) = state.faults.iter().position(is_meant) else {
            return state.chaos.as_mut().and_then(|lots| lots.draw(is_create)).map(|fault| (fault, Duration::ZERO));
        };
        let faults = &mut state.faults;
        let ordered = &mut faults[at];
        ordered.times -= 1;
        let fault = (ordered.fault, ordered.after);
        if ordered.times == 0 {
            faults.remove(at);
        }
        Some(fault)
    }
}

/// Lets a request go wrong when it is its turn.
pub(super) async fn misbehave(State(simulator): State<Arc<Simulator>>, mut request: Request, next: Next) -> Response {
    simulator.wait_for_release().await;
    let (fault, after) = simulator.next_fault(request.method() == Method::POST).unzip();
    if let Some(after) = after.filter(|after| !after.is_zero()) {
        tokio::time::sleep(after).await;
    }
    // For the journal: what the sender will hear, should the message be accepted.
    request.extensions_mut().insert(match fault {
        Some(Fault::Nonsense) => Heard::Nonsense,
        Some(Fault::AcceptThenFail) => Heard::Failure,
        Some(Fault::AcceptThenDrop) => Heard::Drop,
        Some(Fault::AcceptThenHang) => Heard::Nothing,
        _ => Heard::Truth,
    });
    match fault {
        None => next.run(request).await,
        Some(Fault::Latency { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            next.run(request).await
        }
        Some(Fault::Unauthorized) => Refusal::unauthorized().into_response(),
        Some(Fault::Throttled { retry_after }) => throttled(retry_after),
        Some(Fault::Fail) => failed(),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Nonsense) => {
            let status = next.run(request).await.status();
            (status, Html("<!doctype html><title>Welcome</title><p>It works!")).into_response()
        }
        Some(fault) => {
            let answer = next.run(request).await;
            match fault {
                _ if answer.status() != StatusCode::CREATED => answer,
                Fault::AcceptThenDrop => dropped(),
                Fault::AcceptThenHang => std::future::pending().await,
                _ => failed(),
            }
        }
    }
}

fn throttled(retry_after: Option<u64>) -> Response {
    let mut answer = Refusal::new(429, 20429, "Too Many Requests").into_response();
    answer.headers_mut().insert("twilio-concurrent-requests", HeaderValue::from(100));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn failed() -> Response {
    Refusal::new(500, 20500, "An internal server error has occurred").into_response()
}

/// No answer: hyper polls the body before it writes the head, and closes the connection when the body fails.
fn dropped() -> Response {
    let nothing = stream::iter([Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))]);
    Response::new(Body::from_stream(nothing))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ACCOUNT_SID, AUTH_TOKEN, SimulateArgs, router, tests::FROM, tests::World},
        *,
    };
    use crate::server::clock::SystemClock;
    use futures::FutureExt;
    use serde_json::json;
    use std::error::Error as _;
    use tokio::net::TcpListener;

    const FORM: [(&str, &str); 3] = [("To", "+15558675310"), ("From", FROM), ("Body", "Hello")];

    #[tokio::test]
    async fn the_next_requests_go_wrong_and_then_none() {
        let world = World::new();
        world.simulator.misbehave(Fault::Throttled { retry_after: Some(2) }, 2);
        world.simulator.misbehave(Fault::Throttled { retry_after: None }, 1);
        world.simulator.misbehave(Fault::Unauthorized, 1);
        world.simulator.misbehave(Fault::Fail, 1);
        let first = world.create(&FORM).await;
        assert_eq!((first.refusal(), &first.headers["retry-after"]), ((429, 20429), &HeaderValue::from(2)));
        assert_eq!(world.get(".json").await.refusal(), (429, 20429));
        assert!(!world.create(&FORM).await.headers.contains_key("retry-after"));
        assert_eq!(world.create(&FORM).await.refusal(), (401, 20003));
        assert_eq!(world.create(&FORM).await.refusal(), (500, 20500));
        assert!(world.simulator.accepted().is_empty());
        assert_eq!(world.create(&FORM).await.status, 201);
    }

    #[tokio::test]
    async fn a_fault_waits_for_its_kind_of_request() {
        let world = World::new();
        world.simulator.misbehave(Fault::AcceptThenFail, 1);
        world.simulator.misbehave_on(On::Read, Fault::Fail, 1);
        assert_eq!(world.get("/Messages.json").await.status, 500);
        assert_eq!(world.get("/Messages.json").await.status, 200);
        assert_eq!(world.create(&FORM).await.refusal(), (500, 20500));
        assert_eq!(world.simulator.accepted().len(), 1);
        assert_eq!(world.create(&FORM).await.status, 201);
    }

    #[tokio::test]
    async fn a_refusal_stays_a_refusal() {
        let world = World::new();
        world.simulator.misbehave(Fault::AcceptThenFail, 1);
        assert_eq!(world.create(&[("To", "+15558675310")]).await.status, 400);
    }

    #[tokio::test]
    async fn nonsense_hides_that_the_message_was_accepted() {
        let world = World::new();
        world.simulator.misbehave(Fault::Nonsense, 1);
        let answer = world.create(&FORM).await;
        assert_eq!(answer.status, 201);
        assert!(serde_json::from_str::<serde_json::Value>(&answer.text).is_err());
        assert_eq!(world.simulator.accepted().len(), 1);
    }

    #[tokio::test]
    async fn a_request_hangs_with_its_message_accepted_or_not() {
        let world = World::new();
        world.control("faults", &json!({ "kind": "hang" })).await;
        assert!(world.create(&FORM).now_or_never().is_none());
        assert!(world.simulator.accepted().is_empty());
        world.control("faults", &json!({ "kind": "accept_then_hang" })).await;
        assert!(world.create(&FORM).now_or_never().is_none());
        assert_eq!(world.simulator.accepted().len(), 1);
    }

    #[tokio::test]
    async fn latency_delays_and_changes_nothing() {
        let world = World::new();
        world.control("faults", &json!({ "kind": "latency", "ms": 1, "times": 1 })).await;
        assert_eq!(world.create(&FORM).await.status, 201);
    }

    #[tokio::test]
    async fn a_fault_may_come_late() {
        let world = World::new();
        let fault = json!({ "kind": "throttled", "retry_after": null, "on": "create", "after_ms": 60_000 });
        assert_eq!(world.control("faults", &fault).await.status, 204);
        assert!(world.create(&FORM).now_or_never().is_none());
        world.control("faults", &json!({ "kind": "fail", "after_ms": 1 })).await;
        assert_eq!(world.create(&FORM).await.refusal(), (500, 20500));
    }

    #[tokio::test]
    async fn a_request_is_held_until_it_is_released() {
        let world = World::new();
        world.simulator.hold();
        let answer = async {
            let (answer, ()) = tokio::join!(world.create(&FORM), async {
                while world.simulator.held() == 0 {
                    tokio::task::yield_now().await;
                }
                assert!(world.simulator.accepted().is_empty());
                world.simulator.release();
            });
            answer
        };
        assert_eq!(answer.await.status, 201);
        assert_eq!(world.simulator.held(), 0);
    }

    #[tokio::test]
    async fn a_dropped_answer_is_no_answer() {
        let simulator = Simulator::manual(&SimulateArgs::default(), Arc::new(SystemClock));
        simulator.misbehave(Fault::AcceptThenDrop, 1);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/2010-04-01/Accounts/{ACCOUNT_SID}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(axum::serve(listener, router(simulator.clone())).into_future());
        let create = || simulator.http.post(format!("{url}/Messages.json")).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN));
        let error = create().form(&FORM).send().await.expect_err("no answer");
        assert!(!error.is_connect() && error.source().is_some(), "{error:?}");
        assert_eq!(simulator.accepted().len(), 1);
        let answer = create().form(&FORM).send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        server.abort();
    }
}

//! The adapter against the stand-in, on a real socket.

use super::*;
use crate::{
    domain::{
        id::{AttemptId, MessageId},
        secret::Secret,
        time::Timestamp,
    },
    server::{
        channel::Mail,
        clock::FakeClock,
        lease::Lease,
        simulate::{ACCOUNT_SID, AUTH_TOKEN, SimulateArgs, Simulator, router},
    },
};
use std::sync::Arc;
use tokio::net::TcpListener;

fn message(lease: Lease) -> Outgoing {
    Outgoing {
        message_id: MessageId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1A").expect("an id"),
        attempt_id: AttemptId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1B").expect("an id"),
        channel: Channel::Sms,
        from: "+14155550132".to_owned(),
        to: "+15558675310".to_owned(),
        subject: None,
        body: "Größe & more".to_owned(),
        status_url: None,
        mail: Mail::default(),
        lease,
    }
}

/// A process may be frozen after it began a call: while it connects, or while the request waits for its connection.
#[tokio::test]
async fn a_request_whose_lease_has_ended_stays_here() {
    let clock = Arc::new(FakeClock::new(Timestamp(1_795_339_800_000)));
    let simulator = Simulator::manual(&SimulateArgs::default(), clock.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(axum::serve(listener, router(simulator.clone())).into_future());
    let twilio = Twilio::new(reqwest::Client::builder().build().expect("a client"), base);
    let secret = |text: &str| Secret::new(text.to_owned());
    let login = Login::new(vec![
        ("account_sid".to_owned(), secret(ACCOUNT_SID)),
        ("auth_token".to_owned(), secret(AUTH_TOKEN)),
    ]);
    let lease = Lease::begin(clock.clone(), 90_000);
    let receipt = twilio.send(&login, &message(lease.clone())).await.expect("a receipt");
    clock.advance(90_001);
    assert_eq!(twilio.send(&login, &message(lease)).await, Err(SendError::Withheld(TOO_LATE)));
    let accepted = simulator.accepted();
    assert_eq!(
        (accepted.len(), &accepted[0].sid, accepted[0].body.as_str()),
        (1, &receipt.provider_message_id, "Größe & more")
    );
    server.abort();
}

//! Webhooks: status callbacks and inbound messages, signed as Twilio signs.

use super::{
    Simulator,
    journal::Heard,
    message::{Message, Step, bare},
    new_sid,
};
use crate::{domain::time::Timestamp, server::channel::twilio::signature};
use std::collections::VecDeque;

/// A call that is to be made; complete, so that a test can make it without a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where to, without the fragment in which Twilio takes its own options.
    pub url: String,
    /// `application/x-www-form-urlencoded`
    pub body: String,
    /// The header `X-Twilio-Signature`.
    pub signature: String,
    /// The header `I-Twilio-Idempotency-Token`: the same for repeats of one call.
    pub idempotency_token: String,
}

impl Simulator {
    fn callback(&self, account: &str, url: &str, params: Vec<(&str, String)>) -> Callback {
        let url = url.split('#').next().unwrap_or_default().to_owned();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
        let params: Vec<_> = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let signature = signature::sign(self.token(account).expose(), &url, &params);
        Callback { url, body, signature, idempotency_token: new_sid("") }
    }

    /// The report of a step, if somebody asked for reports.
    pub(super) fn status_callback(&self, message: &Message, step: Step) -> Option<Callback> {
        let url = message.status_callback.as_deref()?;
        let mut params = vec![
            ("AccountSid", message.account.clone()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("MessageSid", message.sid.clone()),
            ("SmsSid", message.sid.clone()),
            ("MessageStatus", step.status.to_owned()),
            ("SmsStatus", step.status.to_owned()),
            ("From", message.from.clone().unwrap_or_default()),
            ("To", message.to.clone()),
        ];
        params.extend(message.service.clone().map(|sid| ("MessagingServiceSid", sid)));
        if let Some((code, text)) = step.failure {
            params.extend([("ErrorCode", code.to_string()), ("ErrorMessage", text.to_owned())]);
        }
        if message.is_whatsapp() {
            params.extend([
                ("ChannelPrefix", "whatsapp".to_owned()),
                ("ChannelInstallSid", format!("XE{}", &message.account[2..])),
                ("ChannelToAddress", bare(&message.to).to_owned()),
            ]);
            params.extend(step.failure.map(|(_, text)| ("ChannelStatusMessage", text.to_owned())));
            params
                .extend(matches!(step.status, "delivered" | "read").then(|| ("EventType", step.status.to_uppercase())));
        } else if matches!(step.status, "delivered" | "undelivered") {
            params.push(("RawDlrDoneDate", receipt_date(message.updated)));
        }
        Some(self.callback(&message.account, url, params))
    }

    /// A person writes to one of our numbers: the message is remembered, and the call to `url` returned. STOP and START
    /// by SMS are heeded, as Twilio does.
    pub fn receive(&self, to: &str, from: &str, body: &str, url: &str) -> Callback {
        let account = self.accounts.first().expect("at least one account").sid.clone();
        let now = self.now();
        let message = Message {
            sid: new_sid("SM"),
            account: account.clone(),
            direction: "inbound",
            status: "received",
            failure: None,
            asked_from: None,
            from: Some(from.to_owned()),
            to: to.to_owned(),
            body: Some(body.to_owned()),
            service: None,
            media: 0,
            status_callback: None,
            created: now,
            updated: now,
            sent: Some(now),
            life: VecDeque::new(),
            heard: Heard::Truth,
            watched: None,
        };
        let mut params = vec![
            ("AccountSid", account.clone()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("MessageSid", message.sid.clone()),
            ("SmsMessageSid", message.sid.clone()),
            ("SmsSid", message.sid.clone()),
            ("SmsStatus", "received".to_owned()),
            ("From", from.to_owned()),
            ("To", to.to_owned()),
            ("Body", body.to_owned()),
            ("NumMedia", "0".to_owned()),
            ("NumSegments", "1".to_owned()),
        ];
        if message.is_whatsapp() {
            params.push(("WaId", bare(from).trim_start_matches('+').to_owned()));
            params.push(("ProfileName", "Simulated person".to_owned()));
        } else {
            params.extend(["FromCity", "FromState", "FromZip", "FromCountry"].map(|name| (name, String::new())));
        }
        let pair = (from.to_owned(), to.to_owned());
        let mut state = self.state();
        match body.trim().to_uppercase().as_str() {
            _ if message.is_whatsapp() => {}
            "STOP" | "STOPALL" | "UNSUBSCRIBE" | "CANCEL" | "END" | "QUIT" | "REVOKE" | "OPTOUT" => {
                state.stopped.insert(pair);
            }
            "START" | "YES" | "UNSTOP" => {
                state.stopped.remove(&pair);
            }
            _ => {}
        }
        state.insert(message);
        drop(state);
        self.callback(&account, url, params)
    }

    /// Moves every waiting message to the end of its life, a step each in turn; the calls to be made, in the order in
    /// which they arrive. For a stand-in made with [`Simulator::manual`].
    pub fn take_callbacks(&self) -> Vec<Callback> {
        let mut state = self.state();
        let is_shuffled = state.settings.shuffle_callbacks;
        let mut living = std::mem::take(&mut state.waiting);
        drop(state);
        let mut callbacks = Vec::new();
        while !living.is_empty() {
            living.retain(|sid| self.step(sid).map(|made| callbacks.extend(made)).is_some());
        }
        if is_shuffled { shuffled(callbacks) } else { callbacks }
    }

    /// Makes all the calls that are pending, one after the other; the HTTP statuses that came back.
    pub async fn flush_callbacks(&self) -> Vec<Option<u16>> {
        self.post_all(self.take_callbacks()).await
    }

    pub(super) async fn post_all(&self, callbacks: Vec<Callback>) -> Vec<Option<u16>> {
        let mut answers = Vec::with_capacity(callbacks.len());
        for callback in &callbacks {
            answers.push(self.post(callback).await);
        }
        answers
    }

    /// Makes a call: once more if nobody could be reached, and never more, whatever is answered. Twilio's default.
    pub async fn post(&self, callback: &Callback) -> Option<u16> {
        let _turn = self.calls.acquire().await.ok()?;
        let call = || {
            self.http
                .post(&callback.url)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-twilio-signature", &callback.signature)
                .header("i-twilio-idempotency-token", &callback.idempotency_token)
                .body(callback.body.clone())
                .send()
        };
        let mut answer = call().await;
        if answer.as_ref().is_err_and(reqwest::Error::is_connect) {
            answer = call().await;
        }
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

/// The day and minute of a carrier's receipt, `YYMMDDhhmm`.
fn receipt_date(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().strftime("%y%m%d%H%M").to_string()
}

/// The same calls in an order that is always wrong and always the same: every second one from the last to the first,
/// then the others. Of doubled calls so all come late first, and once more in order.
pub(super) fn shuffled<T>(items: Vec<T>) -> Vec<T> {
    let (mut even, mut odd) = (Vec::new(), Vec::new());
    for (at, item) in items.into_iter().enumerate() {
        if at % 2 == 0 { even.push(item) } else { odd.push(item) }
    }
    odd.into_iter().rev().chain(even).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{FROM, World, read},
        *,
    };
    use serde_json::json;

    fn told(callbacks: &[Callback]) -> Vec<String> {
        callbacks.iter().map(|callback| read(callback)["MessageStatus"].clone()).collect()
    }

    #[tokio::test]
    async fn every_step_is_reported_and_signed() {
        let world = World::new();
        let sid = world.send("+15558675310").await;
        let callbacks = world.simulator.take_callbacks();
        assert_eq!(told(&callbacks), ["sent", "delivered"]);
        assert!(world.simulator.take_callbacks().is_empty());
        let last = read(&callbacks[1]);
        for (name, value) in [
            ("MessageSid", sid.as_str()),
            ("SmsSid", &sid),
            ("SmsStatus", "delivered"),
            ("From", FROM),
            ("To", "+15558675310"),
            ("ApiVersion", "2010-04-01"),
            ("RawDlrDoneDate", "2308240501"),
        ] {
            assert_eq!(last[name], value, "{name}");
        }
        assert_eq!(callbacks[0].url, "https://tern.example/hook?m=1");
        assert!(!last.contains_key("ErrorCode"));
    }

    #[tokio::test]
    async fn failures_are_reported_with_their_code() {
        let world = World::new();
        for (to, life, code) in [
            ("+15005550030", vec!["sent", "undelivered"], "30003"),
            ("+15005550070", vec!["failed"], "30007"),
            ("whatsapp:+15005550030", vec!["sent", "undelivered"], "30003"),
        ] {
            world.send(to).await;
            let callbacks = world.simulator.take_callbacks();
            assert_eq!(told(&callbacks), life);
            assert_eq!(read(callbacks.last().expect("one"))["ErrorCode"], code);
        }
        world.send("+15005550050").await;
        assert_eq!(told(&world.simulator.take_callbacks()), ["sent"]);
    }

    #[tokio::test]
    async fn whatsapp_is_read() {
        let world = World::new();
        world.send("whatsapp:+15558675310").await;
        let callbacks = world.simulator.take_callbacks();
        assert_eq!(told(&callbacks), ["sent", "delivered", "read"]);
        let last = read(&callbacks[2]);
        assert_eq!((last["EventType"].as_str(), last["ChannelToAddress"].as_str()), ("READ", "+15558675310"));
        assert_eq!((last["To"].as_str(), last["From"].as_str()), ("whatsapp:+15558675310", "whatsapp:+14155550132"));
    }

    #[tokio::test]
    async fn callbacks_come_twice_late_and_not_at_all() {
        let world = World::new();
        world.control("settings", &json!({ "duplicate_callbacks": true })).await;
        world.send("+15558675310").await;
        let callbacks = world.simulator.take_callbacks();
        assert_eq!(told(&callbacks), ["sent", "sent", "delivered", "delivered"]);
        assert_eq!(callbacks[0], callbacks[1]);

        world.control("settings", &json!({ "shuffle_callbacks": true })).await;
        world.send("+15558675310").await;
        assert_eq!(told(&world.simulator.take_callbacks()), ["delivered", "sent", "sent", "delivered"]);

        world.control("settings", &json!({ "callbacks": false })).await;
        let sid = world.send("+15558675310").await;
        assert!(world.simulator.take_callbacks().is_empty());
        assert_eq!(world.get(&format!("/Messages/{sid}.json")).await.json()["status"], "delivered");
    }

    #[tokio::test]
    async fn a_messages_step_is_taken_in_turn() {
        let world = World::new();
        let (first, second) = (world.send("+15558675310").await, world.send("+15558675311").await);
        let order: Vec<String> =
            world.simulator.take_callbacks().iter().map(|callback| read(callback)["MessageSid"].clone()).collect();
        assert_eq!(order, [&first, &second, &first, &second].map(Clone::clone));
    }

    #[tokio::test]
    async fn a_reply_is_signed_and_remembered() {
        let world = World::new();
        let callback = world.simulator.receive(FROM, "+15558675310", "Grüße & co\n", "https://tern.example/in");
        let fields = read(&callback);
        assert_eq!((fields["Body"].as_str(), fields["SmsStatus"].as_str()), ("Grüße & co\n", "received"));
        let message = world.get(&format!("/Messages/{}.json", fields["MessageSid"])).await.json();
        assert_eq!((&message["direction"], &message["status"]), (&json!("inbound"), &json!("received")));
        assert!(world.simulator.accepted().is_empty());
    }

    #[tokio::test]
    async fn stop_is_heeded_until_start() {
        let world = World::new();
        let form = [("To", "+15558675310"), ("From", FROM), ("Body", "Hello")];
        world.simulator.receive(FROM, "+15558675310", " stop ", "https://tern.example/in");
        assert_eq!(world.create(&form).await.refusal(), (400, 21610));
        let other = [("To", "+15558675310"), ("From", "+14155550199"), ("Body", "Hello")];
        assert_eq!(world.create(&other).await.status, 201);
        world.simulator.receive(FROM, "+15558675310", "START", "https://tern.example/in");
        assert_eq!(world.create(&form).await.status, 201);
    }
}

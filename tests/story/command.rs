//! `tern send`: one message or a file of them, by a running server.

use super::connected;
use crate::support::{Client, Folder, RECIPIENT, World, until};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Response, StatusCode},
};
use serde_json::json;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tern::server::send::{self, SendArgs};
use tokio::net::TcpListener;

/// The arguments of a call of the world's server.
struct Caller {
    url: String,
    key: String,
    folder: Folder,
}

impl Caller {
    async fn new(world: &World, owner: &Client) -> Self {
        let key = owner.post("/api/api-keys", json!({ "name": "script" })).await.expect_status(201).json();
        let key = key["key"].as_str().expect("a key").to_owned();
        Self { url: world.listen().await, key, folder: Folder::new() }
    }

    fn args(&self) -> SendArgs {
        SendArgs {
            channel: Some("sms".to_owned()),
            to: None,
            subject: None,
            body: None,
            account: None,
            csv: None,
            run: None,
            wait: false,
            url: self.url.clone(),
            api_key: self.key.as_str().into(),
        }
    }

    fn one(&self, to: &str) -> SendArgs {
        SendArgs { to: Some(to.to_owned()), body: Some("Hello".to_owned()), ..self.args() }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("people.csv");
        fs::write(&path, text).expect("a file");
        path
    }

    /// The binary itself.
    async fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tern"));
        command.arg("send").args(args).stdin(Stdio::null());
        command.env("TERN_URL", &self.url).env("TERN_API_KEY", &self.key).env("RUST_LOG", "warn");
        let run = tokio::task::spawn_blocking(move || command.output().expect("the binary"));
        let Output { status, stdout, stderr } = run.await.expect("no panic");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    }
}

async fn stored(world: &World) -> Vec<String> {
    world.rows("select body from message order by body").await
}

#[tokio::test]
async fn one_message_is_sent_and_waited_for() {
    let (world, owner, _) = connected().await;
    let caller = Caller::new(&world, &owner).await;
    let sent = send::one(&caller.one(RECIPIENT)).await.expect("a message");
    assert_eq!((sent.status.as_str(), sent.failure), ("queued", None));
    assert_eq!(owner.status(&sent.id).await, "queued");
    world.work().await;
    let args = SendArgs { wait: true, ..caller.one(RECIPIENT) };
    let provider = async {
        until(async || stored(&world).await.len() == 2).await;
        world.work().await;
    };
    let (sent, ()) = tokio::join!(send::one(&args), provider);
    assert_eq!(sent.expect("a message").status, "accepted");
    let refused = send::one(&caller.one("nobody")).await.expect_err("no number");
    assert!(refused.to_string().starts_with("to "), "{refused}");
    let unknown = SendArgs { api_key: "tern_unknown".into(), ..caller.one(RECIPIENT) };
    assert!(send::one(&unknown).await.expect_err("no key").to_string().contains("TERN_API_KEY"));
    assert_eq!(stored(&world).await.len(), 2);
}

#[tokio::test]
async fn a_file_is_sent_again_and_again_and_nothing_doubles() {
    let (world, owner, _) = connected().await;
    let caller = Caller::new(&world, &owner).await;
    let good = |n: usize| format!("{RECIPIENT},row {n:03}\n");
    let rows: String = (0..450).map(good).collect();
    let args = caller.args();
    let first = caller.file(&format!("to,body\nnobody,bad\n{rows}{RECIPIENT},one,too many\n{RECIPIENT},\n"));
    let report = send::sheet(&args, &first).await.expect("a report");
    assert_eq!((report.queued, report.earlier, report.unsent), (450, 0, 0));
    assert_eq!(report.failed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 453, 454]);
    assert!(report.failed[1].1.contains("3 fields"), "{:?}", report.failed);
    assert_eq!(stored(&world).await, (0..450).map(|n| format!("row {n:03}")).collect::<Vec<_>>());
    // Corrected, and one more.
    let second = caller.file(&format!("to,body\n{RECIPIENT},bad\n{rows}{}", good(450)));
    let report = send::sheet(&args, &second).await.expect("a report");
    assert_eq!((report.queued, report.earlier, report.failed.len()), (2, 450, 0));
    assert!(report.to_string().starts_with("2 queued, 0 failed, 450 queued before"), "{report}");
    let again = SendArgs { run: Some("reminder".to_owned()), ..args };
    let report = send::sheet(&again, &caller.file(&format!("to,body\n{}", good(7)))).await.expect("a report");
    assert_eq!((report.queued, report.earlier), (1, 0));
    assert_eq!(stored(&world).await.len(), 453);
}

/// Between caller and server: busy at first, then one answer gets lost, then all is well.
async fn flaky(url: String) -> (String, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let pass = move |request: Request| {
        let (url, http, nth) = (url.clone(), http.clone(), count.fetch_add(1, Ordering::SeqCst));
        async move {
            let refusal = |status| Response::builder().status(status).header("retry-after", "0");
            match nth {
                0 => return refusal(StatusCode::SERVICE_UNAVAILABLE).body(Body::empty()).expect("an answer"),
                1 => return refusal(StatusCode::TOO_MANY_REQUESTS).body(Body::from("slow")).expect("an answer"),
                _ => {}
            }
            let (head, body) = request.into_parts();
            let forward = http.post(format!("{url}{}", head.uri)).headers(head.headers);
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let answer = forward.body(body).send().await.expect("Tern");
            if nth == 2 {
                return refusal(StatusCode::BAD_GATEWAY).body(Body::empty()).expect("an answer");
            }
            let status = answer.status();
            Response::builder()
                .status(status)
                .body(Body::from(answer.bytes().await.expect("a body")))
                .expect("an answer")
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, Router::new().fallback(pass)).into_future());
    (url, seen)
}

#[tokio::test]
async fn a_busy_server_and_a_lost_answer_lose_and_double_nothing() {
    let (world, owner, _) = connected().await;
    let caller = Caller::new(&world, &owner).await;
    let (url, seen) = flaky(caller.url.clone()).await;
    let sent = send::one(&SendArgs { url, ..caller.one(RECIPIENT) }).await.expect("a message");
    assert_eq!((sent.status.as_str(), seen.load(Ordering::SeqCst)), ("queued", 4));
    assert_eq!(stored(&world).await, ["Hello"]);
    let (url, seen) = flaky(caller.url.clone()).await;
    let path = caller.file(&format!("to,body\n{RECIPIENT},a\n{RECIPIENT},b\n"));
    let report = send::sheet(&SendArgs { url, ..caller.args() }, &path).await.expect("a report");
    assert_eq!((report.queued + report.earlier, report.failed.len(), report.unsent), (2, 0, 0));
    assert_eq!(seen.load(Ordering::SeqCst), 4);
    assert_eq!(stored(&world).await, ["Hello", "a", "b"]);
}

#[tokio::test]
async fn the_binary_reports_and_its_exit_code_says_how_it_went() {
    let (world, owner, _) = connected().await;
    let caller = Caller::new(&world, &owner).await;
    let (code, out, err) = caller.run(&["--channel", "sms", "--to", RECIPIENT, "--body", "Hello"]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let (id, status) = out.trim().split_once(' ').expect("id and status");
    assert_eq!((status, owner.status(id).await.as_str()), ("queued", "queued"));
    let path = caller.file(&format!("to,name\n{RECIPIENT},Ann\nnobody,Bob\n"));
    let file = path.to_str().expect("UTF-8");
    let (code, out, err) = caller.run(&["--csv", file, "--channel", "sms", "--body", "Hi"]).await;
    assert_eq!((code, out.as_str()), (Some(1), "1 queued, 1 failed\n"));
    assert!(err.contains("line 3: to ") && err.contains("name"), "{err}");
    assert!(!err.contains('\u{1b}') || !err.contains('█'), "a bar in a file: {err}");
    let stranger = Caller { key: "tern_unknown".to_owned(), ..caller };
    let (code, out, err) = stranger.run(&["--csv", file, "--channel", "sms", "--body", "Hi"]).await;
    assert_eq!((code, out.as_str()), (Some(1), "0 queued, 0 failed, 2 not sent\n"));
    assert!(err.contains("TERN_API_KEY") && err.contains("nothing doubles"), "{err}");
    let (code, ..) = stranger.run(&["--to", RECIPIENT]).await;
    assert_eq!(code, Some(2));
}

//! The provider of the benchmarks: accepts everything, costs next to nothing, and writes the journal that the oracle reads.
//!
//! One thread. It answers only after the line is in the journal, as `tern simulate` does, but the journal of a benchmark
//! lies in memory: no power is cut here, and the disk belongs to those who are measured.

use anyhow::{Context, Result};
use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Whom the accounts of the benchmarks belong to.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// Signs in, and signs webhooks.
pub const TOKEN: &str = "benchmark-token-0000000000000001";

/// An accepted message, for the callbacks that follow.
#[derive(Clone)]
pub struct Accepted {
    pub sid: String,
    pub to: String,
    pub from: String,
    pub status_callback: String,
}

#[derive(Default)]
struct Count {
    accepted: AtomicU64,
    under_way: AtomicU64,
    most_under_way: AtomicU64,
    connections: AtomicU64,
    latency_ms: AtomicU64,
    keeps: AtomicBool,
    first: Mutex<Option<Instant>>,
    last: Mutex<Option<Instant>>,
    kept: Mutex<Vec<Accepted>>,
}

/// What a run looked like from the provider's side.
pub struct Seen {
    /// From the first request to the last acceptance.
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    pub most_under_way: u64,
    pub connections: u64,
}

#[derive(Clone)]
pub struct Sink {
    pub http: SocketAddr,
    pub smtp: SocketAddr,
    count: Arc<Count>,
    journal: mpsc::Sender<Line>,
}

enum Line {
    Text(String),
    /// From now on into this file.
    File(PathBuf, mpsc::Sender<Result<()>>),
}

impl Sink {
    /// Starts it on ports of the system's choice. It ends with the process.
    pub fn start() -> Result<Self> {
        let (ready, started) = mpsc::channel();
        let count = Arc::<Count>::default();
        let (journal, lines) = mpsc::channel();
        std::thread::spawn(move || write(&lines));
        let (shared, sender) = (count.clone(), journal.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let smtp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let addresses = (http.local_addr().expect("bound"), smtp.local_addr().expect("bound"));
                ready.send(addresses).expect("somebody waits");
                loop {
                    tokio::select! {
                        Ok((stream, _)) = http.accept() => {
                            shared.connections.fetch_add(1, Relaxed);
                            tokio::spawn(serve_http(stream, shared.clone(), sender.clone()));
                        }
                        Ok((stream, _)) = smtp.accept() => {
                            shared.connections.fetch_add(1, Relaxed);
                            tokio::spawn(serve_smtp(stream, shared.clone()));
                        }
                    }
                }
            });
        });
        let (http, smtp) = started.recv()?;
        Ok(Self { http, smtp, count, journal })
    }

    /// A new run: counts from zero, into this journal.
    pub fn reset(&self, journal: PathBuf, latency: Duration, keeps: bool) -> Result<()> {
        let (opened, wait) = mpsc::channel();
        self.journal.send(Line::File(journal, opened)).ok().context("the journal's thread is gone")?;
        wait.recv()??;
        let count = &self.count;
        for number in [&count.accepted, &count.under_way, &count.most_under_way, &count.connections] {
            number.store(0, Relaxed);
        }
        count.latency_ms.store(u64::try_from(latency.as_millis())?, Relaxed);
        count.keeps.store(keeps, Relaxed);
        *count.first.lock().expect("no panic") = None;
        *count.last.lock().expect("no panic") = None;
        count.kept.lock().expect("no panic").clear();
        Ok(())
    }

    pub fn accepted(&self) -> u64 {
        self.count.accepted.load(Relaxed)
    }

    pub fn seen(&self) -> Seen {
        let count = &self.count;
        Seen {
            first: *count.first.lock().expect("no panic"),
            last: *count.last.lock().expect("no panic"),
            most_under_way: count.most_under_way.load(Relaxed),
            connections: count.connections.load(Relaxed),
        }
    }

    pub fn kept(&self) -> Vec<Accepted> {
        self.count.kept.lock().expect("no panic").clone()
    }
}

/// Writes what waits, all of it at once.
fn write(lines: &mpsc::Receiver<Line>) {
    let mut file: Option<File> = None;
    while let Ok(line) = lines.recv() {
        match line {
            Line::File(path, opened) => {
                let made = File::create(&path).with_context(|| format!("cannot write {}", path.display()));
                let _ = opened.send(made.map(|made| file = Some(made)));
            }
            Line::Text(text) => {
                if let Some(file) = &mut file {
                    file.write_all(text.as_bytes()).expect("a journal that can be written");
                }
            }
        }
    }
}

impl Count {
    fn begin(&self) {
        let under_way = self.under_way.fetch_add(1, Relaxed) + 1;
        self.most_under_way.fetch_max(under_way, Relaxed);
        self.first.lock().expect("no panic").get_or_insert_with(Instant::now);
    }

    fn end(&self) {
        self.under_way.fetch_sub(1, Relaxed);
        self.accepted.fetch_add(1, Relaxed);
        *self.last.lock().expect("no panic") = Some(Instant::now());
    }
}

/// Reads one request: its first line and its body. `None` at the end.
async fn request(stream: &mut BufReader<TcpStream>, line: &mut String) -> Option<(String, Vec<u8>)> {
    line.clear();
    if stream.read_line(line).await.ok()? == 0 {
        return None;
    }
    let first = line.trim_end().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(line).await.ok()?;
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

async fn serve_http(stream: TcpStream, count: Arc<Count>, journal: mpsc::Sender<Line>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::with_capacity(4096, stream);
    let mut line = String::new();
    while let Some((first, body)) = request(&mut stream, &mut line).await {
        let (status, answer) = if first.starts_with("POST ") && first.contains("/Messages.json ") {
            count.begin();
            let latency = count.latency_ms.load(Relaxed);
            if latency > 0 {
                tokio::time::sleep(Duration::from_millis(latency)).await;
            }
            ("201 Created", accept(&body, &count, &journal))
        } else if first.contains("/IncomingPhoneNumbers.json") {
            ("200 OK", own_number(&first))
        } else {
            ("200 OK", format!(r#"{{"sid":"{ACCOUNT}","status":"active","type":"Full"}}"#))
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            break;
        }
    }
}

/// The number that was asked for, as one that can send.
fn own_number(first: &str) -> String {
    let query = first.split(' ').nth(1).and_then(|path| path.split_once('?')).map_or("", |(_, query)| query);
    let number = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "PhoneNumber");
    let number = number.map(|(_, value)| value.into_owned()).unwrap_or_default();
    format!(
        r#"{{"incoming_phone_numbers":[{{"phone_number":"{number}","capabilities":{{"sms":true,"voice":true}}}}],"page":0,"next_page_uri":null}}"#
    )
}

fn accept(body: &[u8], count: &Count, journal: &mpsc::Sender<Line>) -> String {
    let (mut to, mut from, mut text, mut callback) = (String::new(), String::new(), String::new(), String::new());
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "To" => to = value.into_owned(),
            "From" => from = value.into_owned(),
            "Body" => text = value.into_owned(),
            "StatusCallback" => callback = value.into_owned(),
            _ => {}
        }
    }
    // In no order, as a provider's are: an index of them is written everywhere. An odd factor keeps them different.
    let number = now_ms() << 64 | u128::from(count.accepted.load(Relaxed));
    let sid = format!("SM{:032x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let query = callback.split_once('?').map_or("", |(_, query)| query);
    let named = |wanted: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
        found.map_or_else(|| "null".to_owned(), |(_, value)| format!("\"{value}\""))
    };
    // The oracle asks neither for the account nor for the text.
    let entry = format!(
        "{{\"received_ms\":{},\"account\":\"\",\"to\":\"{to}\",\"from\":\"{from}\",\"body\":\"\",\"sid\":\"{sid}\",\
         \"message\":{},\"attempt\":{},\"heard\":\"truth\",\"watched\":null}}\n",
        now_ms(),
        named("message"),
        named("attempt")
    );
    let _ = journal.send(Line::Text(entry));
    if count.keeps.load(Relaxed) {
        let kept = Accepted { sid: sid.clone(), to: to.clone(), from: from.clone(), status_callback: callback };
        count.kept.lock().expect("no panic").push(kept);
    }
    count.end();
    let text = serde_json::Value::from(text);
    // As long as Twilio's own answer, so that reading it costs what it costs there.
    format!(
        r#"{{"sid":"{sid}","account_sid":"{ACCOUNT}","api_version":"2010-04-01","direction":"outbound-api","status":"queued","error_code":null,"error_message":null,"from":"{from}","to":"{to}","body":{text},"messaging_service_sid":null,"num_segments":"1","num_media":"0","price":null,"price_unit":"USD","date_created":"Wed, 25 Nov 2026 12:00:00 +0000","date_updated":"Wed, 25 Nov 2026 12:00:00 +0000","date_sent":null,"uri":"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json","subresource_uris":{{"media":"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}/Media.json"}}}}"#
    )
}

/// A mail server that takes everything, with PIPELINING.
async fn serve_smtp(stream: TcpStream, count: Arc<Count>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::with_capacity(8192, stream);
    let mut answers = String::from("220 sink.test ESMTP\r\n");
    let mut line = Vec::new();
    loop {
        // What was pipelined is answered together, as RFC 2920 asks.
        if stream.buffer().is_empty() && !answers.is_empty() {
            if stream.get_mut().write_all(answers.as_bytes()).await.is_err() {
                return;
            }
            answers.clear();
        }
        line.clear();
        match stream.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let verb = line[..line.len().min(4)].to_ascii_uppercase();
        match &verb[..] {
            b"EHLO" => answers += "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            b"MAIL" => {
                count.begin();
                answers += "250 2.1.0 Ok\r\n";
            }
            b"DATA" => {
                answers += "354 Go on\r\n";
                if stream.get_mut().write_all(answers.as_bytes()).await.is_err() {
                    return;
                }
                answers.clear();
                loop {
                    line.clear();
                    match stream.read_until(b'\n', &mut line).await {
                        Ok(0) | Err(_) => return,
                        Ok(_) if line == b".\r\n" => break,
                        Ok(_) => {}
                    }
                }
                let latency = count.latency_ms.load(Relaxed);
                if latency > 0 {
                    tokio::time::sleep(Duration::from_millis(latency)).await;
                }
                count.end();
                answers += "250 2.0.0 Ok: queued\r\n";
            }
            b"QUIT" => {
                let _ = stream.get_mut().write_all(b"221 2.0.0 Bye\r\n").await;
                return;
            }
            _ => answers += "250 2.0.0 Ok\r\n",
        }
    }
}

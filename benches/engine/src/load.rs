//! Callers: so many connections, each with one request at a time, until all requests are answered.

use anyhow::{Context, Result, bail};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came of a load.
pub struct Done {
    pub took: Duration,
    /// Of each request, in the order of their answers.
    pub latencies: Vec<Duration>,
    /// Answers' bodies, in no order; empty unless they were wanted.
    pub bodies: Vec<String>,
}

impl Done {
    pub fn per_second(&self) -> f64 {
        per_second(self.latencies.len(), self.took)
    }

    /// A percentile in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told in three digits")]
pub fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// Sends every request once over `callers` connections; an answer with another status than `expected` ends the run.
pub fn run(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    callers: usize,
    expected: u16,
    keeps_bodies: bool,
) -> Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let queue = Arc::new(Mutex::new(requests.into_iter()));
    runtime.block_on(async move {
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..callers {
            tasks.push(tokio::spawn(caller(address, queue.clone(), expected, keeps_bodies)));
        }
        let (mut latencies, mut bodies) = (Vec::new(), Vec::new());
        for task in tasks {
            let (more, texts) = task.await??;
            latencies.extend(more);
            bodies.extend(texts);
        }
        Ok(Done { took: start.elapsed(), latencies, bodies })
    })
}

async fn caller(
    address: SocketAddr,
    queue: Arc<Mutex<std::vec::IntoIter<Vec<u8>>>>,
    expected: u16,
    keeps_bodies: bool,
) -> Result<(Vec<Duration>, Vec<String>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut latencies, mut bodies, mut buffer) = (Vec::new(), Vec::new(), Vec::with_capacity(4096));
    loop {
        let Some(request) = queue.lock().expect("no panic").next() else { return Ok((latencies, bodies)) };
        let start = Instant::now();
        stream.write_all(&request).await?;
        let (status, body) = answer(&mut stream, &mut buffer).await?;
        latencies.push(start.elapsed());
        if status != expected {
            bail!("answered {status}: {body}");
        }
        if keeps_bodies {
            bodies.push(body);
        }
    }
}

/// One answer with a Content-Length, or with none and nothing after its head.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(u16, String)> {
    buffer.clear();
    let head = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection ended");
        }
    };
    let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
    while buffer.len() < head + length {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection ended");
        }
    }
    Ok((status, String::from_utf8_lossy(&buffer[head..head + length]).into_owned()))
}

/// A POST as bytes.
pub fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], kind: &str, body: &str) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    text.into_bytes()
}

/// One POST of JSON; status, the first cookie and the body.
pub fn call(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &serde_json::Value,
) -> Result<(u16, Option<String>, serde_json::Value)> {
    use std::io::{BufRead, BufReader, Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&post(address, path, headers, "application/json", &body.to_string()))?;
    let mut stream = BufReader::new(stream);
    let (mut line, mut status, mut cookie, mut length) = (String::new(), 0, None, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            bail!("{path}: the connection ended");
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        } else if let Some((name, value)) = text.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "set-cookie" => cookie = value.trim().split(';').next().map(str::to_owned),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, cookie, serde_json::from_slice(&body).unwrap_or_default()))
}

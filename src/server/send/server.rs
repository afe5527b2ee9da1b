//! The running server as `tern send` sees it: one request, made again while it makes sense.

use crate::domain::secret::Entered;
use anyhow::{Context, anyhow, bail};
use reqwest::{Client, StatusCode, Url, header};
use serde_json::Value;
use std::time::Duration;

/// Tries of a request.
const TRIES: u32 = 6;
/// A request ends after so long; the longest wait of the server fits.
const CALL: Duration = Duration::from_secs(70);
/// A server is connected within so long.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest rest that a server can ask for, in seconds.
const REST_MAX: u64 = 60;

/// The request is larger than the server takes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TooLarge(String);

/// A server and the key for it.
pub struct Server {
    http: Client,
    url: String,
}

/// Rests before the next try: as long as the server asks, or twice as long each time.
pub async fn rest(attempt: u32, asked: Option<u64>) {
    let own = Duration::from_millis(250 << attempt.min(5));
    tokio::time::sleep(asked.map_or(own, |seconds| Duration::from_secs(seconds.min(REST_MAX)))).await;
}

/// The sentence of an error, with the fields that it is about.
pub fn reason(error: &Value) -> String {
    let sentence = error["error"].as_str().unwrap_or("refused without a reason");
    let fields = error["fields"].as_object().into_iter().flatten();
    let fields: Vec<String> = fields
        .filter_map(|(name, message)| Some(format!("{name} {}", message.as_str()?)))
        .filter(|field| field.replace('_', " ") != sentence && field != sentence)
        .collect();
    if fields.is_empty() { sentence.to_owned() } else { format!("{sentence} ({})", fields.join("; ")) }
}

impl Server {
    /// Checks address and key; asks nobody.
    pub fn new(url: &str, key: &Entered) -> anyhow::Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(parsed) = parsed else { bail!("TERN_URL must be a URL like https://tern.example.com") };
        let bearer = format!("Bearer {}", key.clone().into_secret().expose());
        let mut bearer = header::HeaderValue::from_str(&bearer).map_err(|_| anyhow!("TERN_API_KEY is no key"))?;
        bearer.set_sensitive(true);
        let mut http = Client::builder();
        if matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            http = http.no_proxy(); // a proxy cannot know what listens here
        }
        let http = http
            .timeout(CALL)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("Tern/", env!("CARGO_PKG_VERSION")))
            .default_headers([(header::AUTHORIZATION, bearer)].into_iter().collect())
            .build()
            .context("cannot set up HTTPS")?;
        Ok(Self { http, url })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Posts until there is an answer. The body or the header has idempotency keys: whatever became of a try, the next one
    /// doubles nothing.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> anyhow::Result<Value> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            let (error, asked) = match request.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let asked = after.and_then(|seconds| seconds.parse().ok());
                    match answer.bytes().await {
                        Ok(text) => {
                            let said = serde_json::from_slice::<Value>(&text).ok();
                            match said {
                                Some(said) if status.is_success() => return Ok(said),
                                said => (self.refused(status, said), asked),
                            }
                        }
                        Err(error) => (anyhow!(error.without_url()).context(self.lost()), asked),
                    }
                }
                Err(error) => (anyhow!(error.without_url()).context(self.lost()), None),
            };
            if attempt == TRIES || error.is::<Refusal>() || error.is::<TooLarge>() {
                return Err(error);
            }
            rest(attempt, asked).await;
        }
    }

    fn lost(&self) -> String {
        format!("cannot reach {}", self.url)
    }

    /// An answer that is no success: another try makes sense, or not.
    fn refused(&self, status: StatusCode, said: Option<Value>) -> anyhow::Error {
        let reason = said.as_ref().filter(|said| said["error"].is_string()).map(reason);
        let is_key = status == StatusCode::UNAUTHORIZED;
        let reason = match reason {
            _ if is_key => format!("{} does not know this key (TERN_API_KEY)", self.url),
            Some(reason) => reason,
            None => format!("{} answered {status}, which is nothing that Tern says", self.url),
        };
        let is_passing = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => TooLarge(reason).into(),
            _ if is_passing || status.is_server_error() => anyhow!(reason),
            _ => Refusal(reason).into(),
        }
    }
}

/// Another try would be refused, too.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

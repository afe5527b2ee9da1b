//! Rates per network address, in memory: a bound against floods. Guesses of passwords are counted apart, durably.

use super::HttpState;
use crate::server::error::Error;
use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// Requests between two looks at what can be forgotten.
const FORGET_EVERY: u32 = 10_000;

/// The buckets.
pub struct Limits {
    /// Everything that hashes a password.
    sign_in: DefaultKeyedRateLimiter<IpAddr>,
    /// Everything that makes us call a provider.
    provider: DefaultKeyedRateLimiter<IpAddr>,
    /// Everything else.
    other: DefaultKeyedRateLimiter<IpAddr>,
    /// Requests so far, for [`Limits::forget`].
    seen: AtomicU32,
}

impl Limits {
    /// Now and then drops the addresses whose buckets are full again: there are more addresses than memory.
    fn forget(&self) {
        if self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_EVERY) {
            for bucket in [&self.sign_in, &self.provider, &self.other] {
                bucket.retain_recent();
            }
        }
    }
}

fn per_second(rate: u32, burst: u32) -> Quota {
    let one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(one(rate)).allow_burst(one(burst))
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_in: RateLimiter::keyed(per_second(1, 30)),
            provider: RateLimiter::keyed(per_second(2, 60)),
            other: RateLimiter::keyed(per_second(20_000, 40_000)),
            seen: AtomicU32::new(0),
        }
    }
}

/// The network address of the caller. Headers of proxies are not believed: anybody can send them.
pub fn peer(request: &Request) -> IpAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}

/// Answers 429 above the rate of the route.
pub async fn slow_down(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    state.limits.forget();
    let path = request.uri().path();
    let is_read = request.method() == "GET";
    let bucket = if !is_read && (path.starts_with("/api/auth/sign-") || path.starts_with("/fn/sign_")) {
        &state.limits.sign_in
    } else if !is_read
        && (path.ends_with("/test")
            || path.ends_with("/credentials")
            || path == "/api/messaging-accounts"
            || path.starts_with("/fn/connect_account")
            || path.starts_with("/fn/test_account")
            || path.starts_with("/fn/replace_credentials"))
    {
        &state.limits.provider
    } else {
        &state.limits.other
    };
    match bucket.check_key(&peer(&request)) {
        Ok(()) => next.run(request).await,
        Err(early) => {
            let wait = early.wait_time_from(governor::clock::DefaultClock::default().now());
            let millis = i64::try_from(wait.as_millis()).unwrap_or(1_000);
            Error::too_soon("Too many requests. Wait a moment and try again.", millis).into_response()
        }
    }
}

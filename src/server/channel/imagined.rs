//! A provider for forecasts: takes everything at once, and nothing leaves.

use super::{Asked, Incoming, Login, Outgoing, Poll, Probe, Receipt, SendError, Sender, TestError, Told, WebhookError};
use crate::domain::message::Status;
use async_trait::async_trait;
use std::sync::atomic::{AtomicU64, Ordering};

/// The adapter; counts what it took.
#[derive(Default)]
pub struct Imagined(AtomicU64);

impl Imagined {
    /// How many messages it took so far.
    pub fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Sender for Imagined {
    async fn test(&self, _: &Login, _: &Probe<'_>) -> Result<(), TestError> {
        Ok(())
    }

    async fn send(&self, _: &Login, message: &Outgoing) -> Result<Receipt, SendError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Receipt {
            provider_message_id: format!("IM{}", message.attempt_id),
            status: Status::Accepted,
            provider_status: None,
        })
    }

    async fn poll(&self, _: &Login, _: &Asked<'_>) -> Result<Poll, SendError> {
        Ok(Poll::default())
    }

    fn first_poll_after(&self) -> Option<i64> {
        None
    }

    fn read_webhook(&self, _: &Login, _: &Incoming<'_>) -> Result<Told, WebhookError> {
        Err(WebhookError::Signature) // nobody calls
    }
}

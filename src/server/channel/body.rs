//! What a request carries, as long as its message may leave.

use crate::server::lease::Lease;
use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    pin::Pin,
    task::{Context, Poll},
};

/// The last look at the lease, in the moment in which the bytes go to the socket: between the begin of a call and here lie
/// a connection and a queue, and a process may be frozen in either. Without its body no provider takes a request.
pub struct LeasedBody {
    bytes: Option<Bytes>,
    lease: Lease,
}

impl LeasedBody {
    /// Wires it.
    pub fn new(bytes: impl Into<Bytes>, lease: Lease) -> Self {
        Self { bytes: Some(bytes.into()), lease }
    }
}

/// The lease ended first; the request did not leave in whole.
#[derive(Debug)]
pub struct TooLate;

impl Display for TooLate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the lease of the message has ended")
    }
}

impl Error for TooLate {}

impl HttpBody for LeasedBody {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        let this = self.get_mut();
        let bytes = this.bytes.take();
        Poll::Ready(bytes.map(|bytes| if this.lease.has(0) { Ok(Frame::data(bytes)) } else { Err(TooLate) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

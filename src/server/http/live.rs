//! The stream of hints to open pages.

use crate::server::{App, Who, live::Hint};
use axum::{
    http::HeaderName,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::stream::{self, Stream};
use serde_json::json;
use std::convert::Infallible;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Hints for the pages of one organization, until the server stops.
pub async fn stream(who: Who) -> impl IntoResponse {
    let headers =
        [(HeaderName::from_static("x-accel-buffering"), "no"), (HeaderName::from_static("cache-control"), "no-store")];
    let hints = who.app.live.subscribe();
    (headers, Sse::new(events(who, hints)).keep_alive(KeepAlive::default()))
}

fn events(who: Who, hints: Receiver<Hint>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some((who, hints)), |state| async move {
        let (who, mut hints) = state?;
        loop {
            let app: &App = &who.app;
            let hint = tokio::select! {
                // An open stream would hold up the stop of the server.
                () = app.stop.cancelled() => return Some((Ok(Event::default().event("stopping").data("{}")), None)),
                hint = hints.recv() => hint,
            };
            let event = match hint {
                Ok(hint) if hint.organization_id == who.organization.id => {
                    let data = json!({ "topic": hint.topic.as_str(), "id": hint.id });
                    Event::default().event("hint").data(data.to_string())
                }
                Ok(_) => continue,
                Err(RecvError::Lagged(_)) => Event::default().event("resync").data("{}"),
                Err(RecvError::Closed) => return None,
            };
            return Some((Ok(event), Some((who, hints))));
        }
    })
}

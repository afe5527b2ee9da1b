//! For operators and orchestrators.

use crate::server::{App, config::Role, store};
use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

/// The worker says it is alive at least so often.
const BEAT_MAX: i64 = 90_000;

/// The process runs.
pub async fn healthz() -> &'static str {
    "ok"
}

/// Database and worker work.
pub async fn readyz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let Some(reason) = not_ready(&app).await else { return (StatusCode::OK, Json(json!({ "ready": true }))) };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "error": reason })))
}

async fn not_ready(app: &App) -> Option<&'static str> {
    if app.stop.is_cancelled() {
        return Some("stopping");
    }
    let database = async { store::user::is_empty(&mut *app.db.read().await?).await }.await;
    if database.is_err() {
        return Some("the database does not answer");
    }
    let silent = app.clock.now().0 - app.worker_beat().0 > BEAT_MAX;
    if app.role != Role::Web && silent { Some("the worker does not work") } else { None }
}

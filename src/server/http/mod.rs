//! HTTP: the table of contents of everything that can be called. Parses at the door, calls one use case, answers.

mod account;
mod api_key;
pub mod auth;
mod campaign;
mod change;
mod email_account;
mod guard;
mod health;
mod import;
mod input;
mod lead;
mod limit;
mod live;
mod message;
mod messaging_account;
mod pace;
pub mod page;
mod params;
mod rules;
mod segment;
mod selection;
mod sequence;
mod session;
mod suppression;
mod template;
mod unsubscribe;
mod webhook;

use self::{account::Kind, email_account::Mailbox, messaging_account::Messaging};
use super::{App, error::Error};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    http::{HeaderValue, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get, patch, post, put},
};
use leptos::config::LeptosOptions;
use leptos_axum::{LeptosRoutes, generate_route_list};
use std::{sync::Arc, time::Duration};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer, services::ServeDir,
    set_header::SetResponseHeaderLayer, timeout::TimeoutLayer,
};

/// The most that any request may carry.
const BODY_MAX: usize = 1024 * 1024;

/// The longest that an answer may take; a provider's call, and a caller's wait for one, fit.
const REQUEST_MAX: Duration = Duration::from_mins(1);

/// What handlers may take.
#[derive(Clone, FromRef)]
pub struct HttpState {
    app: App,
    /// Shared: the state is copied some times for each request.
    options: Arc<LeptosOptions>,
    limits: Arc<limit::Limits>,
}

impl FromRef<HttpState> for LeptosOptions {
    fn from_ref(state: &HttpState) -> Self {
        (*state.options).clone()
    }
}

/// Everything that can be called.
pub fn router(app: App, options: LeptosOptions) -> Router {
    let state = HttpState { app: app.clone(), options: Arc::new(options.clone()), limits: Arc::default() };
    let pages = generate_route_list(crate::ui::app::App);
    let context = {
        let app = app.clone();
        move || page::provide(&app)
    };
    let shell = {
        let options = options.clone();
        let app = app.clone();
        move || page::shell(&app, options.clone())
    };
    // Compressed when built, named by content: nested outside the compression of answers, cached for ever.
    let pkg = ServiceBuilder::new()
        .layer(SetResponseHeaderLayer::if_not_present(
            axum::http::header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ))
        .service(
            ServeDir::new(format!("{}/{}", options.site_root, options.site_pkg_dir))
                .precompressed_br()
                .precompressed_gzip(),
        );
    let answers = rest()
        .leptos_routes_with_context(&state, pages, context, shell)
        .fallback(page::not_found)
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX));
    answers
        .merge(webhooks())
        .route("/live", get(live::stream))
        .nest_service("/pkg", pkg)
        .layer(RequestBodyLimitLayer::new(BODY_MAX))
        .merge(uploads())
        .layer(middleware::from_fn_with_state(state.clone(), guard::same_origin))
        .layer(middleware::from_fn_with_state(state.clone(), limit::slow_down))
        .layer(CatchPanicLayer::custom(|_| Error::Internal("a handler panicked".to_owned()).into_response()))
        .layer(middleware::from_fn_with_state(state.clone(), guard::observe))
        .with_state(state)
}

/// Calls of providers: many, small, and answered with nothing, so nothing is compressed.
fn webhooks() -> Router<HttpState> {
    Router::new()
        .route("/webhooks/twilio/{account}/status", webhook::twilio_status())
        .route("/webhooks/twilio/{account}/inbound", webhook::twilio_inbound())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_MAX))
}

/// Files: as large as is configured, and as long as they take; they are written to the disk as they come.
fn uploads() -> Router<HttpState> {
    Router::new()
        .route("/api/leads/import", post(import::create))
        .route("/leads/import/file", post(import::upload))
        .layer(DefaultBodyLimit::disable())
}

/// The public API; the test of guards walks through [`ROUTES`].
fn rest() -> Router<HttpState> {
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/api/auth/sign-up", post(session::sign_up))
        .route("/api/auth/sign-in", post(session::sign_in))
        .route("/api/auth/sign-out", post(session::sign_out))
        .route("/api/me", get(session::me))
        .route("/api/sessions", get(session::list))
        .route("/api/sessions/{id}", axum::routing::delete(session::revoke))
        .route("/settings", post(page::create_api_key))
        .route("/api/api-keys", get(api_key::list).post(api_key::create))
        .route("/api/api-keys/{id}", axum::routing::delete(api_key::delete))
        .route("/api/messaging-accounts", get(account::list::<Messaging>).post(messaging_account::connect))
        .route("/api/messaging-accounts/{id}", one_account::<Messaging>(patch(account::update::<Messaging>)))
        .route("/api/messaging-accounts/{id}/test", post(account::test::<Messaging>))
        .route("/api/messaging-accounts/{id}/try", post(account::try_now::<Messaging>))
        .route("/api/messaging-accounts/{id}/forecast", get(account::forecast::<Messaging>))
        .route("/api/messaging-accounts/{id}/credentials", put(messaging_account::replace_credentials))
        .route("/api/email-accounts", get(account::list::<Mailbox>).post(email_account::connect))
        .route("/api/email-accounts/{id}", one_account::<Mailbox>(patch(email_account::update)))
        .route("/api/email-accounts/{id}/test", post(account::test::<Mailbox>))
        .route("/api/email-accounts/{id}/try", post(account::try_now::<Mailbox>))
        .route("/api/email-accounts/{id}/forecast", get(account::forecast::<Mailbox>))
        .route("/api/email-accounts/{id}/credentials", put(email_account::replace_credentials))
        .route("/api/messages", get(message::list).post(message::send))
        .route("/api/messages/batch", post(message::send_batch))
        .route("/api/messages/retry", post(selection::retry))
        .route("/api/messages/cancel", post(selection::cancel))
        .route("/api/messages/{id}", get(message::load))
        .route("/api/messages/{id}/events", get(message::events))
        .route("/api/messages/{id}/cancel", post(message::cancel))
        .route("/api/messages/{id}/retry", post(message::retry))
        .route("/api/messages/{id}/resolve", post(message::resolve))
        .route("/api/leads", get(lead::list).post(lead::create))
        .route("/api/leads/export.csv", get(import::export))
        .route("/api/imports", get(import::list))
        .route("/api/imports/{id}", get(import::load))
        .route("/api/imports/{id}/errors.csv", get(import::errors))
        .route("/api/imports/{id}/cancel", post(import::cancel))
        .route("/api/imports/{id}/start", post(import::start))
        .route("/api/leads/{id}", get(lead::load).patch(lead::update).delete(lead::delete))
        .route("/api/leads/changes", get(change::list).post(change::create))
        .route("/api/leads/changes/{id}", get(change::load))
        .route("/api/leads/changes/{id}/cancel", post(change::cancel))
        .route("/api/leads/{id}/merge", post(lead::merge))
        .route("/api/leads/{id}/unmerge", post(lead::unmerge))
        .route("/api/campaigns", get(campaign::list).post(campaign::create))
        .route("/api/campaigns/{id}", get(campaign::load).patch(campaign::update).delete(campaign::delete))
        .route("/api/campaigns/{id}/forecast", post(campaign::forecast))
        .route("/api/campaigns/{id}/start", post(campaign::start))
        .route("/api/campaigns/{id}/pause", post(campaign::pause))
        .route("/api/campaigns/{id}/resume", post(campaign::resume))
        .route("/api/campaigns/{id}/cancel", post(campaign::cancel))
        .route("/api/campaigns/{id}/retry", post(campaign::retry))
        .route("/api/segments", get(segment::list).post(segment::create))
        .route("/api/segments/{id}", get(segment::load).patch(segment::update).delete(segment::delete))
        .route("/api/sequences", get(sequence::list).post(sequence::create))
        .route("/api/sequences/{id}", get(sequence::load).patch(sequence::update).delete(sequence::delete))
        .route("/api/sequences/{id}/forecast", post(sequence::forecast))
        .route("/api/sequences/{id}/enroll", post(sequence::enroll))
        .route("/api/sequences/{id}/enrollments", get(sequence::list_enrollments))
        .route("/api/enrollments/{id}/stop", post(sequence::stop_enrollment))
        .route("/api/rules", get(rules::load).patch(rules::update))
        .route("/api/suppressions", get(suppression::list).post(suppression::create))
        .route("/api/suppressions/{id}", axum::routing::delete(suppression::delete))
        .route("/u/{token}", post(unsubscribe::leave))
        .route("/api/templates", get(template::list).post(template::create))
        .route("/api/templates/preview", post(template::preview_draft))
        .route("/api/templates/{id}", get(template::load).patch(template::update).delete(template::delete))
        .route("/api/templates/{id}/preview", post(template::preview))
        .route("/api/templates/{id}/versions", get(template::versions))
        .route("/api/templates/{id}/restore", post(template::restore))
        .route("/api/snippets", get(template::list_snippets).post(template::create_snippet))
        .route("/api/snippets/{id}", one_snippet())
        .route("/api/{*rest}", any(unknown))
        .method_not_allowed_fallback(wrong_method)
}

fn one_account<K: Kind + 'static>(update: MethodRouter<HttpState>) -> MethodRouter<HttpState> {
    update.get(account::load::<K>).delete(account::delete::<K>)
}

fn one_snippet() -> MethodRouter<HttpState> {
    get(template::load_snippet).patch(template::update_snippet).delete(template::delete_snippet)
}

/// Routes of the public API that need somebody signed in: method and path. A test calls each without credentials.
pub const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/auth/sign-out"),
    ("GET", "/api/me"),
    ("GET", "/api/sessions"),
    ("DELETE", "/api/sessions/{id}"),
    ("GET", "/api/api-keys"),
    ("POST", "/api/api-keys"),
    ("DELETE", "/api/api-keys/{id}"),
    ("GET", "/api/messaging-accounts"),
    ("POST", "/api/messaging-accounts"),
    ("GET", "/api/messaging-accounts/{id}"),
    ("PATCH", "/api/messaging-accounts/{id}"),
    ("DELETE", "/api/messaging-accounts/{id}"),
    ("POST", "/api/messaging-accounts/{id}/test"),
    ("POST", "/api/messaging-accounts/{id}/try"),
    ("GET", "/api/messaging-accounts/{id}/forecast"),
    ("PUT", "/api/messaging-accounts/{id}/credentials"),
    ("GET", "/api/email-accounts"),
    ("POST", "/api/email-accounts"),
    ("GET", "/api/email-accounts/{id}"),
    ("PATCH", "/api/email-accounts/{id}"),
    ("DELETE", "/api/email-accounts/{id}"),
    ("POST", "/api/email-accounts/{id}/test"),
    ("POST", "/api/email-accounts/{id}/try"),
    ("GET", "/api/email-accounts/{id}/forecast"),
    ("PUT", "/api/email-accounts/{id}/credentials"),
    ("GET", "/api/messages"),
    ("POST", "/api/messages"),
    ("POST", "/api/messages/batch"),
    ("POST", "/api/messages/retry"),
    ("POST", "/api/messages/cancel"),
    ("GET", "/api/messages/{id}"),
    ("GET", "/api/messages/{id}/events"),
    ("POST", "/api/messages/{id}/cancel"),
    ("POST", "/api/messages/{id}/retry"),
    ("POST", "/api/messages/{id}/resolve"),
    ("GET", "/api/leads"),
    ("POST", "/api/leads"),
    ("POST", "/api/leads/import"),
    ("POST", "/leads/import/file"),
    ("GET", "/api/leads/export.csv"),
    ("GET", "/api/imports"),
    ("GET", "/api/imports/{id}"),
    ("GET", "/api/imports/{id}/errors.csv"),
    ("POST", "/api/imports/{id}/cancel"),
    ("POST", "/api/imports/{id}/start"),
    ("GET", "/api/leads/{id}"),
    ("PATCH", "/api/leads/{id}"),
    ("DELETE", "/api/leads/{id}"),
    ("POST", "/api/leads/{id}/merge"),
    ("POST", "/api/leads/{id}/unmerge"),
    ("GET", "/api/campaigns"),
    ("POST", "/api/campaigns"),
    ("GET", "/api/campaigns/{id}"),
    ("PATCH", "/api/campaigns/{id}"),
    ("DELETE", "/api/campaigns/{id}"),
    ("POST", "/api/campaigns/{id}/forecast"),
    ("POST", "/api/campaigns/{id}/start"),
    ("POST", "/api/campaigns/{id}/pause"),
    ("POST", "/api/campaigns/{id}/resume"),
    ("POST", "/api/campaigns/{id}/cancel"),
    ("POST", "/api/campaigns/{id}/retry"),
    ("GET", "/api/leads/changes"),
    ("POST", "/api/leads/changes"),
    ("GET", "/api/leads/changes/{id}"),
    ("POST", "/api/leads/changes/{id}/cancel"),
    ("GET", "/api/segments"),
    ("POST", "/api/segments"),
    ("GET", "/api/segments/{id}"),
    ("PATCH", "/api/segments/{id}"),
    ("DELETE", "/api/segments/{id}"),
    ("GET", "/api/sequences"),
    ("POST", "/api/sequences"),
    ("GET", "/api/sequences/{id}"),
    ("PATCH", "/api/sequences/{id}"),
    ("DELETE", "/api/sequences/{id}"),
    ("POST", "/api/sequences/{id}/enroll"),
    ("POST", "/api/sequences/{id}/forecast"),
    ("GET", "/api/sequences/{id}/enrollments"),
    ("POST", "/api/enrollments/{id}/stop"),
    ("GET", "/api/rules"),
    ("PATCH", "/api/rules"),
    ("GET", "/api/suppressions"),
    ("POST", "/api/suppressions"),
    ("DELETE", "/api/suppressions/{id}"),
    ("GET", "/api/templates"),
    ("POST", "/api/templates"),
    ("POST", "/api/templates/preview"),
    ("GET", "/api/templates/{id}"),
    ("PATCH", "/api/templates/{id}"),
    ("DELETE", "/api/templates/{id}"),
    ("POST", "/api/templates/{id}/preview"),
    ("GET", "/api/templates/{id}/versions"),
    ("POST", "/api/templates/{id}/restore"),
    ("GET", "/api/snippets"),
    ("POST", "/api/snippets"),
    ("GET", "/api/snippets/{id}"),
    ("PATCH", "/api/snippets/{id}"),
    ("DELETE", "/api/snippets/{id}"),
    ("GET", "/live"),
];

async fn unknown() -> Error {
    Error::not_found()
}

async fn wrong_method() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "").into_response()
}

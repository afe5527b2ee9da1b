//! Pages: the context of server functions, the document around the application, and what only pages do (cookies,
//! redirects).

use super::{
    HttpState, api_key,
    auth::{Peer, Visit, cookie},
    session::{set_cookie, user_agent},
};
use crate::{
    api::{api_key::CreateApiKey, error::ApiError},
    domain::{field_error::FieldErrors, secret::Entered},
    server::{
        App, Person, app,
        error::Error,
        usecase::{
            demo,
            session::{self, SignUpForm, SignedIn},
        },
        visitor,
    },
};
use axum::{
    body::Body,
    extract::{FromRef, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{IntoView, provide_context, use_context},
    server_fn::{ServerFn, error::ServerFnUrlError},
};
use leptos_axum::ResponseOptions;
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// The cookie of the theme.
const THEME: &str = "tern_theme";
/// The themes.
const THEMES: [&str; 3] = ["system", "light", "dark"];

/// What server functions find in their context.
pub fn provide(app: &App) {
    provide_context(app.clone());
    provide_context(Visit::default());
}

/// The document, with its security policy: scripts by nonce only, WebAssembly allowed, nothing inline.
pub fn shell(app: &App, options: LeptosOptions) -> impl IntoView + use<> {
    if let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) {
        let upgrade = if app.settings.public_url().starts_with("https:") { "; upgrade-insecure-requests" } else { "" };
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
             object-src 'none'; frame-ancestors 'none'{upgrade}"
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
        // A page holds a nonce and somebody's data.
        response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let parts = use_context::<Parts>();
    let chosen = parts.as_ref().and_then(|parts| cookie(&parts.headers, THEME));
    let theme = THEMES.into_iter().find(|theme| chosen == Some(theme)).unwrap_or("system");
    crate::ui::app::shell(options, theme)
}

/// The settings, after their form was posted without a script: the page is the answer itself, with the key in it, so that
/// the key is in no URL, no cookie and no store. A failure goes back to the page like those of server functions.
pub async fn create_api_key(State(state): State<HttpState>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let made = match api_key::create_by_form(&state, &mut parts, body).await {
        Ok(made) => made,
        Err(error) => {
            let failure = ServerFnUrlError::new(CreateApiKey::PATH, ApiError::from(error));
            let url = failure.to_url(&format!("{}{}", state.app.settings.public_url(), parts.uri.path()));
            let query = url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
            return Redirect::to(&format!("{}?{query}", parts.uri.path())).into_response();
        }
    };
    parts.method = Method::GET; // from here on it is a page like any other
    let provided = move || provide_context(made.clone());
    render(&state, Request::from_parts(parts, Body::empty()), provided).await
}

/// The page of the request's path, with more in its context.
async fn render(state: &HttpState, request: Request, more: impl Fn() + Clone + Send + Sync + 'static) -> Response {
    let (context_app, shell_app, options) = (state.app.clone(), state.app.clone(), LeptosOptions::from_ref(state));
    let page = leptos_axum::render_app_async_with_context(
        move || {
            provide(&context_app);
            more();
        },
        move || shell(&shell_app, options.clone()),
    );
    page(request).await.into_response()
}

/// A file of the site, or the application's own "not found".
pub async fn not_found(State(state): State<HttpState>, request: Request) -> Response {
    let file = Request::builder().uri(request.uri().clone()).method(request.method().clone());
    let file = file.body(Body::empty()).unwrap_or_default();
    let served = ServeDir::new(state.options.site_root.to_string()).oneshot(file).await;
    match served {
        Ok(response)
            if response.status() != StatusCode::NOT_FOUND && response.status() != StatusCode::METHOD_NOT_ALLOWED =>
        {
            response.into_response()
        }
        _ => {
            let mut response = render(&state, request, || ()).await;
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn begin(app: &App, signed_in: &SignedIn, next: &str) {
    let response = use_context::<ResponseOptions>().unwrap_or_default();
    response.append_header(header::SET_COOKIE, set_cookie(app, signed_in.token.expose(), signed_in.max_age_secs));
    leptos_axum::redirect(next);
}

fn agent() -> String {
    use_context::<Parts>().map(|parts| user_agent(&parts.headers).to_owned()).unwrap_or_default()
}

/// Signs up from the page, with or without demo data, then goes to the accounts.
pub async fn sign_up(email: &str, password: Entered, organization: &str, with_demo: bool) -> Result<(), Error> {
    let app = app()?;
    let form = SignUpForm { email, password: password.into_secret(), organization: Some(organization) };
    let signed_in = session::sign_up(&app, form, &agent()).await?;
    if with_demo {
        let who = Person { app: app.clone(), me: signed_in.me.clone(), session: None }.who()?;
        demo::load(&who).await?;
    }
    begin(&app, &signed_in, "/accounts");
    Ok(())
}

/// Signs in from the page, then goes where the visitor was going: a path of ours, never another site's.
pub async fn sign_in(email: &str, password: Entered, next: &str) -> Result<(), Error> {
    let app = app()?;
    let peer = use_context::<Parts>().map_or_else(String::new, |parts| Peer::of(&parts).0);
    let signed_in = session::sign_in(&app, email, password.into_secret(), &peer, &agent()).await?;
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|b| b.is_ascii_graphic());
    begin(&app, &signed_in, if is_ours { next } else { "/accounts" });
    Ok(())
}

/// Signs out from the page.
pub async fn sign_out() -> Result<(), Error> {
    if let Some(person) = visitor().await? {
        session::sign_out(&person).await?;
    }
    let response = use_context::<ResponseOptions>().unwrap_or_default();
    response.append_header(header::SET_COOKIE, set_cookie(&app()?, "", 0));
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// Keeps the visitor's theme for a year.
pub fn set_theme(theme: &str) -> Result<(), Error> {
    if !THEMES.contains(&theme) {
        return Err(FieldErrors::one("theme", "must be system, light or dark").into());
    }
    let cookie = format!("{THEME}={theme}; Path=/; SameSite=Lax; Max-Age=31536000");
    let response = use_context::<ResponseOptions>().unwrap_or_default();
    response.append_header(header::SET_COOKIE, HeaderValue::from_str(&cookie).expect("visible ASCII"));
    Ok(())
}

/// Sets the status of the answer that a failed server function gives. A form posted without JavaScript is redirected
/// instead, and a page that only contains the failure stays a page, unless what it is about does not exist.
pub fn note_status(status: u16) {
    let (Some(parts), Some(response)) = (use_context::<Parts>(), use_context::<ResponseOptions>()) else { return };
    let wants_html =
        parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    let is_page = parts.method == "GET";
    if let Ok(status) = StatusCode::from_u16(status)
        && ((is_page && status == StatusCode::NOT_FOUND) || (!is_page && !wants_html))
    {
        response.set_status(status);
    }
}

//! The subcommands of the binary; wiring only.

use crate::ui::app::{App, shell};
use axum::Router;
use leptos::config::get_configuration;
use leptos_axum::{LeptosRoutes, generate_route_list};
use std::process::ExitCode;

/// Runs the subcommand.
pub fn main() -> ExitCode {
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        let conf = get_configuration(None).expect("options");
        let options = conf.leptos_options;
        let routes = generate_route_list(App);
        let app = Router::new()
            .route("/healthz", axum::routing::get(|| async { "ok" }))
            .leptos_routes(&options, routes, {
                let options = options.clone();
                move || shell(options.clone(), "system")
            })
            .fallback_service(tower_http::services::ServeDir::new(options.site_root.to_string()))
            .with_state(options.clone());
        let listen = std::env::var("TERN_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".into());
        let listener = tokio::net::TcpListener::bind(listen).await.expect("bind");
        axum::serve(listener, app).await.expect("serve");
    });
    ExitCode::SUCCESS
}

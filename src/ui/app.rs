//! The document and the routes.

use super::{
    page::{
        account::Accounts,
        dashboard::DashboardPage,
        import::{ImportsPage, detail::ImportDetailPage},
        lead::{LeadsPage, detail::LeadDetailPage},
        message::{MessagesPage, detail::MessageDetailPage},
        not_found::NotFound,
        outreach::OutreachPage,
        settings::SettingsPage,
        sign_in::SignInPage,
        suppression::SuppressionsPage,
        template::{TemplatesPage, editor::TemplatePage, snippet::SnippetsPage},
        unsubscribe::UnsubscribePage,
        welcome::WelcomePage,
    },
    part::{
        shell::Shell,
        toast::{ToastRegions, Toasts},
    },
};
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    Lazy, SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

/// The HTML document around every page. `theme` is `light`, `dark` or `system`, from the visitor's cookie, so that the
/// first paint is already right.
pub fn shell(options: LeptosOptions, theme: &'static str) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <HashedStylesheet options=options.clone() id="leptos" />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The application inside the document: the same on the server and in the browser.
///
/// All pages but the first are lazy: the browser loads the code of the one that it shows. They are rendered whole
/// (`SsrMode::Async`): they must be complete without a script, and a redirect must come before the first byte.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    Toasts::provide();
    view! {
        <Title formatter=|title| format!("{title} · Tern") />
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/welcome") ssr=SsrMode::Async view={Lazy::<WelcomePage>::new()} />
                <Route path=path!("/sign-in") ssr=SsrMode::Async view={Lazy::<SignInPage>::new()} />
                <Route path=path!("/u/:token") ssr=SsrMode::Async view={Lazy::<UnsubscribePage>::new()} />
                <ParentRoute path=path!("") ssr=SsrMode::Async view=Shell>
                    <Route path=path!("/") ssr=SsrMode::Async view={Lazy::<DashboardPage>::new()} />
                    <Route path=path!("/accounts") ssr=SsrMode::Async view=Accounts />
                    <Route path=path!("/leads") ssr=SsrMode::Async view={Lazy::<LeadsPage>::new()} />
                    <Route path=path!("/leads/import") ssr=SsrMode::Async view={Lazy::<ImportsPage>::new()} />
                    <Route path=path!("/leads/import/:id") ssr=SsrMode::Async view={Lazy::<ImportDetailPage>::new()} />
                    <Route path=path!("/leads/:id") ssr=SsrMode::Async view={Lazy::<LeadDetailPage>::new()} />
                    <Route path=path!("/templates") ssr=SsrMode::Async view={Lazy::<TemplatesPage>::new()} />
                    <Route path=path!("/templates/snippets") ssr=SsrMode::Async view={Lazy::<SnippetsPage>::new()} />
                    <Route path=path!("/templates/:id") ssr=SsrMode::Async view={Lazy::<TemplatePage>::new()} />
                    <Route path=path!("/messages") ssr=SsrMode::Async view={Lazy::<MessagesPage>::new()} />
                    <Route path=path!("/messages/:id") ssr=SsrMode::Async view={Lazy::<MessageDetailPage>::new()} />
                    <Route path=path!("/campaigns") ssr=SsrMode::Async view={Lazy::<OutreachPage>::new()} />
                    <Route path=path!("/campaigns/:id") ssr=SsrMode::Async view={Lazy::<OutreachPage>::new()} />
                    <Route path=path!("/sequences") ssr=SsrMode::Async view={Lazy::<OutreachPage>::new()} />
                    <Route path=path!("/sequences/:id") ssr=SsrMode::Async view={Lazy::<OutreachPage>::new()} />
                    <Route path=path!("/suppressions") ssr=SsrMode::Async view={Lazy::<SuppressionsPage>::new()} />
                    <Route path=path!("/settings") ssr=SsrMode::Async view={Lazy::<SettingsPage>::new()} />
                </ParentRoute>
            </Routes>
        </Router>
        <ToastRegions />
    }
}

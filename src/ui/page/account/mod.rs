//! The sender accounts: list, and the dialogs to connect, change and delete one. Which dialog is open is in the URL.

mod bounce;
mod connect;
mod delete;
mod dialog;
mod edit;
mod limit;
mod mailbox;
mod pace;
mod row;
mod sender;

use crate::{
    api::{account::list_accounts, demo::LoadDemo, error::ApiError},
    domain::{account::Account, dashboard::Need},
    ui::part::{
        empty_state::EmptyState,
        error_box::ErrorBox,
        icon::Icon,
        live::Live,
        page_head::PageHead,
        post::{Post, PostForm},
        shown::Shown,
        skeleton::TableSkeleton,
        submit::Submit,
    },
};
use dialog::Dialogs;
use leptos::{either::EitherOf4, prelude::*};
use row::AccountRow;

/// The page without a dialog.
const HERE: &str = "/accounts";

/// All accounts, from the server.
type Loaded = Resource<Result<Vec<Account>, ApiError>>;

/// The page. It is part of the module that every page loads, because nearly every visit begins with it: as a part of its
/// own it would be the second half of the same download, and compress worse.
#[component]
pub fn Accounts() -> impl IntoView {
    let live = Live::get();
    let accounts = Resource::new_blocking(move || live.accounts.get(), |_| list_accounts());
    view! {
        <PageHead title="Messaging Accounts" line="Connect e-mail, WhatsApp and SMS for multi-channel outreach">
            <a id="add-account" class="btn primary" href="/accounts?add=1" data-noscroll="">
                "Add Account"
            </a>
        </PageHead>
        <Transition fallback=|| view! { <TableSkeleton columns=5 /> }>
            <AccountList accounts />
        </Transition>
        <Dialogs />
    }
}

#[component]
fn AccountList(accounts: Loaded) -> impl IntoView {
    let shown = Shown::of(accounts, Vec::is_empty);
    move || match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=5 /> }),
        Shown::Failed(error) => EitherOf4::B(view! { <ErrorBox error retry=move |()| accounts.refetch() /> }),
        Shown::Empty => EitherOf4::C(view! { <NoAccounts /> }),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(Unsuspend::new(move || {
            // A memo, not a derived signal: each row looks into it, and must not copy it.
            let list = Memo::new(move |_| accounts.get().and_then(Result::ok).unwrap_or_default());
            view! { <Table list /> }
        })),
    }
}

#[component]
fn NoAccounts() -> impl IntoView {
    let live = Live::get();
    let load = Post::to::<LoadDemo>(move |()| live.resync()).or_toast();
    view! {
        <EmptyState
            icon=Icon::Phone
            title="No messaging accounts"
            text="Connect a mailbox or a phone number to reach people, or look around with made-up data first."
        >
            <a class="btn primary" href="/accounts?add=1" data-noscroll="">
                "Add your first account"
            </a>
            <PostForm to=load>
                <Submit pending=load.pending() busy="Loading…" class="">
                    "Explore with demo data"
                </Submit>
            </PostForm>
        </EmptyState>
    }
}

#[component]
fn Table(list: Memo<Vec<Account>>) -> impl IntoView {
    view! {
        <Totals list />
        <div class="card table">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Account"</th>
                        <th scope="col">"Channel"</th>
                        <th scope="col">"Usage today"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col" class="act">
                            "Actions"
                        </th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || list.get() key=|account| account.id.clone() let:account>
                        <AccountRow first=account list />
                    </For>
                </tbody>
            </table>
        </div>
    }
}

/// The day at a glance.
#[component]
fn Totals(list: Memo<Vec<Account>>) -> impl IntoView {
    move || list.with(|list| totals(list))
}

fn totals(list: &[Account]) -> impl IntoView + use<> {
    let active = || list.iter().filter(|account| account.is_active);
    let sent: u32 = list.iter().map(|account| account.sent_today).sum();
    let limit: u32 = active().map(|account| account.daily_limit).sum();
    let needy = list.iter().filter(|account| Need::of(account).is_some()).count();
    let tile = |name: &'static str, number: String, rest: String| {
        view! {
            <div class="tile">
                <dt>{name}</dt>
                <dd>
                    <b>{number}</b>
                    <small>{rest}</small>
                </dd>
            </div>
        }
    };
    let health = if needy == 0 { "all connections work" } else { "the status says why" };
    view! {
        <dl class="strip">
            {tile("Sent today", sent.to_string(), format!("of {limit} over all accounts"))}
            {tile("Active accounts", active().count().to_string(), format!("of {} connected", list.len()))}
            {tile("Needs a person", needy.to_string(), health.to_owned())}
        </dl>
    }
}

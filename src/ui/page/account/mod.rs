//! The sender accounts: list, and the dialogs to connect, change and delete one. Which dialog is open is in the URL.

mod connect;
mod delete;
mod edit;
mod limit;
mod row;

use crate::{
    api::{
        account::{ConnectAccount, DeleteAccount, ReplaceCredentials, UpdateAccount, list_accounts},
        demo::LoadDemo,
        error::ApiError,
    },
    domain::{
        account::{Account, ConnectionStatus},
        id::AccountId,
    },
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
        toast::Toasts,
    },
};
use connect::ConnectDialog;
use delete::DeleteDialog;
use edit::EditDialog;
use leptos::{either::EitherOf4, prelude::*};
use leptos_router::{LazyRoute, hooks::use_query_map, lazy_route};
use row::AccountRow;

/// The page without a dialog.
const HERE: &str = "/accounts";

/// All accounts, from the server.
type Loaded = Resource<Result<Vec<Account>, ApiError>>;

/// The page, loaded when it is visited.
pub struct AccountsPage;

#[lazy_route]
impl LazyRoute for AccountsPage {
    fn data() -> Self {
        Self
    }

    fn view(page: Self) -> AnyView {
        let AccountsPage = page;
        view! { <Accounts /> }.into_any()
    }
}

/// The page.
#[component]
fn Accounts() -> impl IntoView {
    let live = Live::get();
    let accounts = Resource::new_blocking(move || live.accounts.get(), |_| list_accounts());
    view! {
        <PageHead title="Messaging Accounts" line="Connect WhatsApp and SMS for multi-channel outreach">
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
    // A memo, not a derived signal: each row looks into it, and must not copy it.
    let list = Memo::new(move |_| accounts.get().and_then(Result::ok).unwrap_or_default());
    move || match shown.get() {
        Shown::Loading => EitherOf4::A(view! { <TableSkeleton columns=5 /> }),
        Shown::Failed(error) => EitherOf4::B(view! { <ErrorBox error retry=move |()| accounts.refetch() /> }),
        Shown::Empty => EitherOf4::C(view! { <NoAccounts /> }),
        // The server walks through a `Suspense` more than once to find what to wait for: not through all rows (Unsuspend).
        Shown::Full => EitherOf4::D(Unsuspend::new(move || view! { <Table list /> })),
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
            text="Connect a phone number to reach people by WhatsApp or SMS, or look around with made-up data first."
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
    let sum = move |of: fn(&Account) -> u32| list.with(|list| list.iter().map(of).sum::<u32>());
    let sent = move || sum(|account| account.sent_today);
    let limit = move || sum(|account| if account.is_active { account.daily_limit } else { 0 });
    let count = move |of: fn(&Account) -> bool| list.with(|list| list.iter().filter(|account| of(account)).count());
    let active = move || count(|account| account.is_active);
    let broken = move || count(|account| account.is_active && account.connection_status == ConnectionStatus::Error);
    view! {
        <dl class="strip">
            <div class="tile">
                <dt>"Sent today"</dt>
                <dd>
                    <b>{sent}</b>
                    <small>"of " {limit} " over all accounts"</small>
                </dd>
            </div>
            <div class="tile">
                <dt>"Active accounts"</dt>
                <dd>
                    <b>{active}</b>
                    <small>"of " {move || list.with(Vec::len)} " connected"</small>
                </dd>
            </div>
            <div class="tile">
                <dt>"Needs a person"</dt>
                <dd>
                    <b>{broken}</b>
                    <small>{move || if broken() == 0 { "all connections work" } else { "connections with an error" }}</small>
                </dd>
            </div>
        </dl>
    }
}

/// Which dialog is open. The posts live here, because a dialog is gone by the time that its answer is told.
#[component]
fn Dialogs() -> impl IntoView {
    let query = use_query_map();
    let id_of = move |name: &'static str| {
        Memo::new(move |_| query.with(|query| query.get(name)).and_then(|id| id.parse::<AccountId>().ok()))
    };
    let is_adding = Memo::new(move |_| query.with(|query| query.get("add").is_some()));
    let (edited, deleted) = (id_of("edit"), id_of("delete"));

    let (live, toasts) = (Live::get(), Toasts::get());
    let tell = move |text: String| {
        let _ = live.accounts.try_update(|n| *n += 1);
        toasts.good(text);
    };
    let connect = Post::to::<ConnectAccount>(move |account| tell(format!("{} is connected.", account.display_name)));
    let update = Post::to::<UpdateAccount>(move |account| tell(format!("{} is saved.", account.display_name)));
    let replace = Post::to::<ReplaceCredentials>(move |account| {
        tell(format!("{} has new credentials, and they work.", account.display_name));
    });
    let delete = Post::to::<DeleteAccount>(move |()| tell("The account is deleted.".to_owned()));
    // A dialog that is opened again does not show the failure of before.
    Effect::new(move |before: Option<bool>| {
        let is_open = is_adding.get() || edited.get().is_some() || deleted.get().is_some();
        if before == Some(true) && !is_open {
            connect.clear();
            update.clear();
            replace.clear();
            delete.clear();
        }
        is_open
    });
    view! {
        {move || is_adding.get().then(|| view! { <ConnectDialog action=connect /> })}
        {move || edited.get().map(|id| view! { <EditDialog id update replace /> })}
        {move || deleted.get().map(|id| view! { <DeleteDialog id action=delete /> })}
    }
}

//! The messages: list with filters, and the dialog to send one. Filters, page and dialog are in the URL.

mod compose;
pub mod detail;
mod preview;
mod row;
mod selection;
mod text;

use crate::{
    api::{account::list_accounts, error::ApiError, message::list_messages, selection::ApplySelection},
    domain::{
        account::Account,
        channel::Channel,
        message::{Message, Status},
        selection::{Bulk, Done},
    },
    ui::part::{
        empty_state::EmptyState,
        icon::Icon,
        late::late,
        lazy::lazy_page,
        listing::Listing,
        live::Live,
        page_head::PageHead,
        pager::{NoMatch, address},
        post::Post,
        select::entries,
        toast::Toasts,
    },
};
use compose::ComposeDialog;
use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};
use row::{Posts, Row};
use selection::{BulkDialog, Bulks, Offered, offered, told};

/// The page without a dialog.
const HERE: &str = "/messages";
/// The parameters that filter.
const FILTERS: [&str; 4] = ["q", "status", "channel", "account_id"];

/// What the list asks for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Asked {
    filters: [Option<String>; 4],
    cursor: Option<String>,
}

impl Asked {
    fn read(query: &ParamsMap) -> Self {
        let text = |name: &str| query.get(name).filter(|text| !text.is_empty());
        Self { filters: FILTERS.map(text), cursor: text("cursor") }
    }

    fn filter(&self, name: &str) -> String {
        let at = FILTERS.iter().position(|filter| *filter == name);
        at.and_then(|at| self.filters[at].clone()).unwrap_or_default()
    }

    fn is_filtered(&self) -> bool {
        self.filters.iter().any(Option::is_some)
    }

    /// The address of another page of the same list.
    fn href(&self, cursor: Option<&str>) -> String {
        self.address(cursor.map(|cursor| ("cursor", cursor)))
    }

    /// The address of the newest page with one thing more.
    fn with(&self, name: &str, value: &str) -> String {
        self.address(Some((name, value)))
    }

    fn address(&self, more: Option<(&str, &str)>) -> String {
        let given = FILTERS.iter().zip(&self.filters).map(|(name, text)| (*name, text.as_deref()));
        address(HERE, given.chain(more.map(|(name, text)| (name, Some(text)))))
    }
}

lazy_page! {
    /// The page, loaded when it is visited.
    MessagesPage, messages_page, Messages
}

/// The page.
#[component]
fn Messages() -> impl IntoView {
    let live = Live::get();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Asked::read));
    let open = Memo::new(move |_| query.with(Open::read));
    let accounts = Resource::new_blocking(|| (), |()| list_accounts());
    let messages = Resource::new_blocking(
        move || (asked.get(), live.messages.get()),
        |(asked, _)| {
            let [q, status, channel, account_id] = asked.filters;
            list_messages(status, channel, account_id, None, q, asked.cursor)
        },
    );
    let offered = offered(asked, live.messages);
    let toasts = Toasts::get();
    let bulk = RwSignal::new(None::<Bulk>);
    let action = Post::to::<ApplySelection>(move |done| {
        if let Some(bulk) = bulk.try_get_untracked().flatten() {
            toasts.good(told(bulk, done));
        }
        let _ = live.messages.try_update(|n| *n += 1);
    });
    Effect::new(move || match open.get() {
        Some(Open::Bulk(chosen)) => bulk.set(Some(chosen)),
        // A dialog that is opened again does not show the failure of before.
        _ => action.clear(),
    });
    let href = Callback::new(move |cursor: Option<String>| asked.with(|asked| asked.href(cursor.as_deref())));
    let empty = Callback::new(move |older: Option<String>| {
        view! { <NoMessages is_filtered=asked.with(Asked::is_filtered) older /> }.into_any()
    });
    let rows = Callback::new(move |rows: Memo<Vec<Message>>| {
        let posts = Posts::new();
        view! {
            <For each=move || rows.get() key=|message| message.id.clone() let:message>
                <Row first=message rows accounts posts />
            </For>
        }
        .into_any()
    });
    view! {
        <PageHead title="Messages" line="What went out, what came back, and what waits">
            <a
                id="send-message"
                class="btn primary"
                href=move || asked.get().with("compose", "1")
                data-noscroll=""
            >
                "Send a message"
            </a>
        </PageHead>
        <Transition>
            <Filters asked accounts />
        </Transition>
        <Transition>
            <Bulks asked offered />
        </Transition>
        <Listing
            loaded=messages
            class="messages"
            columns=&["Contact", "Text", "Channel", "Status", "When"]
            is_later=Signal::derive(move || asked.with(|asked| asked.cursor.is_some()))
            href
            empty
            rows
        />
        {late(open, move |open| Box::pin(dialog(open, asked.get_untracked(), Data { accounts, offered, action })))}
    }
}

/// The dialogs there are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Open {
    Compose,
    Bulk(Bulk),
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        if query.get("compose").is_some() {
            return Some(Self::Compose);
        }
        query.get("bulk").and_then(|name| Bulk::from_name(&name)).map(Self::Bulk)
    }
}

/// What the dialogs need of the page.
#[derive(Clone, Copy)]
struct Data {
    accounts: Accounts,
    offered: Offered,
    action: Post<Done>,
}

#[wasm_split(message_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn dialog(open: Open, asked: Asked, data: Data) -> Result<AnyView, SplitLoaderError> {
    let Data { accounts, offered, action } = data;
    Ok(match open {
        Open::Compose => view! { <ComposeDialog accounts back=asked.href(None) /> }.into_any(),
        Open::Bulk(bulk) => view! { <BulkDialog bulk asked offered accounts action /> }.into_any(),
    })
}

/// The accounts, from the server.
type Accounts = Resource<Result<Vec<Account>, ApiError>>;

fn known(accounts: Accounts) -> Vec<Account> {
    accounts.get().and_then(Result::ok).unwrap_or_default()
}

#[component]
fn Filters(asked: Memo<Asked>, accounts: Accounts) -> impl IntoView {
    move || {
        let (asked, accounts) = (asked.get(), known(accounts));
        let is_filtered = asked.is_filtered();
        let accounts = accounts.into_iter().map(|account| (account.id.to_string(), account.display_name));
        let (status, channel, account_id) =
            (asked.filter("status"), asked.filter("channel"), asked.filter("account_id"));
        view! {
            <Form method="GET" action=HERE>
                <div class="filters" role="search">
                    <div class="field">
                        <label for="q">"Search"</label>
                        <input id="q" name="q" type="search" placeholder="Recipient, subject or text" value=asked.filter("q") />
                    </div>
                    <div class="field">
                        <label for="status">"Status"</label>
                        <select id="status" name="status">
                            <option value="">"All"</option>
                            {entries(Status::ALL.map(|status| (status.as_str(), status.label())), &status)}
                        </select>
                    </div>
                    <div class="field">
                        <label for="channel">"Channel"</label>
                        <select id="channel" name="channel">
                            <option value="">"All"</option>
                            {entries(Channel::ALL.map(|channel| (channel.as_str(), channel.label())), &channel)}
                        </select>
                    </div>
                    <div class="field">
                        <label for="account_id">"Account"</label>
                        <select id="account_id" name="account_id">
                            <option value="">"All"</option>
                            {entries(accounts, &account_id)}
                        </select>
                    </div>
                    <div class="row">
                        <button class="btn">"Filter"</button>
                        {is_filtered.then(|| view! { <a class="btn quiet" href=HERE>"Clear"</a> })}
                    </div>
                </div>
            </Form>
        }
    }
}

#[component]
fn NoMessages(
    is_filtered: bool,
    /// A search reads so many messages and no more: where it goes on.
    older: Option<String>,
) -> impl IntoView {
    if is_filtered || older.is_some() {
        view! { <NoMatch title="No message matches" all=HERE older /> }.into_any()
    } else {
        view! {
            <EmptyState
                icon=Icon::Messages
                title="No messages yet"
                text="Send the first one; its whole life appears here as it happens."
            >
                <a class="btn primary" href="/messages?compose=1" data-noscroll="">
                    "Send your first message"
                </a>
            </EmptyState>
        }
        .into_any()
    }
}

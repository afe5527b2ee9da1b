//! What goes on only when a person does something.

use crate::{
    api::{account::TryAccount, message::ResolveMessage},
    domain::{
        account::Account,
        dashboard::{Dashboard, Need, Outlook},
        message::Message,
    },
    ui::part::{
        badge::ChannelTile,
        icon::{Draw, Icon},
        live::Live,
        post::{Post, PostForm},
        time::Time,
        toast::Toasts,
    },
};
use leptos::prelude::*;

/// Unknown messages with their two answers, and accounts that are stopped, wait for their provider, or do not see what comes
/// back.
pub fn section(all: Memo<Dashboard>, outlooks: Memo<Vec<Outlook>>) -> AnyView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let resolve = Post::to::<ResolveMessage>(move |_| live.resync()).or_toast();
    let again = Post::to::<TryAccount>(move |account| {
        toasts.good(format!("{} tries again.", account.display_name));
        live.resync();
    })
    .or_toast();
    let unknown = Memo::new(move |_| all.with(|all| all.unknown.first.clone()));
    let words = Memo::new(move |_| all.with(|all| all.unknown.words()));
    let accounts = Memo::new(move |_| {
        let needy = |outlook: &&Outlook| Need::of(&outlook.account).is_some();
        outlooks.with(|all| all.iter().filter(needy).map(|outlook| outlook.account.clone()).collect::<Vec<_>>())
    });
    let is_calm = move || words.with(Option::is_none) && accounts.with(Vec::is_empty);
    view! {
        <section class="card inner stack needs" aria-labelledby="needs">
            <h2 id="needs">"Needs a person"</h2>
            {move || is_calm().then(calm)}
            {move || words.get().map(explained)}
            <ul>
                <For each=move || unknown.get() key=|message| message.id.clone() let:message>
                    {decision(message, resolve)}
                </For>
                <For
                    each=move || accounts.get()
                    key=|account| (account.id.clone(), account.block.clone().map(|block| block.until), account.last_error.clone(), account.mailbox_error.clone())
                    let:account
                >
                    {trouble(&account, again)}
                </For>
            </ul>
        </section>
    }
    .into_any()
}

fn calm() -> AnyView {
    view! {
        <p class="row soft">
            <Draw icon=Icon::Tick />
            "Nothing needs anybody. Everything goes on by itself."
        </p>
    }
    .into_any()
}

fn explained(words: String) -> AnyView {
    view! {
        <div class="notice warn">
            <b>{words}</b>
            " and nobody can say. Look into the provider's log, then decide. "
            <a href="/messages?status=unknown">"See all of them"</a>
        </div>
    }
    .into_any()
}

/// One message and the two answers.
fn decision(message: Message, resolve: Post<Message>) -> AnyView {
    let answer = |value: &'static str, words: &'static str| {
        view! {
            <button class="btn small" name="was_sent" value=value disabled=resolve.pending()>
                {words}
                <span class="unseen">{format!(" to {}", message.to)}</span>
            </button>
        }
    };
    let (sent, unsent) = (answer("true", "It was sent"), answer("false", "It was not sent"));
    let (id, to, channel) = (message.id.to_string(), message.to.clone(), message.channel);
    view! {
        <li>
            <div class="who">
                <ChannelTile channel />
                <div>
                    <a href=format!("/messages/{id}")>
                        <b>{to}</b>
                    </a>
                    <p class="clip">{message.body}</p>
                    <span>
                        {channel.label()}
                        ", "
                        <Time at=message.updated_at />
                    </span>
                </div>
            </div>
            <PostForm to=resolve>
                <input type="hidden" name="id" value=id />
                <div class="row">{sent} {unsent}</div>
            </PostForm>
        </li>
    }
    .into_any()
}

/// One account, why it stands still, and what to do.
fn trouble(account: &Account, again: Post<Account>) -> Option<AnyView> {
    let (id, name, channel) = (account.id.to_string(), account.display_name.clone(), account.channel);
    let of_name = format!(" {name}");
    let edit = |words: &'static str| {
        let (href, of_name) = (format!("/accounts?edit={id}"), of_name.clone());
        view! {
            <a class="btn small" href=href>
                {words}
                <span class="unseen">" of" {of_name}</span>
            </a>
        }
        .into_any()
    };
    let (text, until, action) = match Need::of(account)? {
        // Up to the operator.
        Need::Stopped(error) if account.is_platform => (error.to_owned(), None, ().into_any()),
        Need::Blocked(block) if account.is_platform => (block.detail.clone(), block.until, ().into_any()),
        Need::Stopped(error) => (error.to_owned(), None, edit("Enter credentials")),
        Need::Unread(trouble) => (trouble, None, edit("Change the mailbox")),
        Need::Blocked(block) => {
            let form = view! {
                <PostForm to=again>
                    <input type="hidden" name="id" value=id.clone() />
                    <button class="btn small" disabled=again.pending()>
                        "Try now"
                        <span class="unseen">{of_name.clone()}</span>
                    </button>
                </PostForm>
            };
            (block.detail.clone(), block.until, form.into_any())
        }
    };
    let item = view! {
        <li>
            <div class="who">
                <ChannelTile channel />
                <div>
                    <b>{name}</b>
                    <p class="soft">{text} {until.map(|at| view! { " It goes on " <Time at /> "." })}</p>
                </div>
            </div>
            {action}
        </li>
    };
    Some(item.into_any())
}

//! One account in the list.

use crate::{
    api::account::{SetAccountActive, TestAccount, TryAccount},
    domain::{
        account::{Account, Health, MAILBOX_UNREAD, TestOutcome},
        email_account::SmtpSecurity,
        message::WaitingReason,
    },
    ui::part::{
        badge::{ChannelBadge, ChannelTile},
        icon::{Draw, Icon},
        live::Live,
        post::{Post, PostForm},
        time::Time,
        toast::Toasts,
        usage_bar::usage_bar,
    },
};
use leptos::prelude::*;

/// A row that lives as long as its account: numbers move in place, so that no focus is lost.
///
/// What changes is drawn by one closure, not by one for each number: only what is different reaches the document, and
/// neither server nor browser keeps a dozen closures for every row.
#[component]
pub fn AccountRow(
    /// As it was when the row appeared.
    first: Account,
    /// All accounts as they are now.
    list: Memo<Vec<Account>>,
) -> impl IntoView {
    let id = first.id.clone();
    let account = Memo::new(move |last: Option<&Account>| {
        let found = list.with(|list| list.iter().find(|account| account.id == id).cloned());
        found.or_else(|| last.cloned()).unwrap_or_else(|| first.clone())
    });
    let wanted = RwSignal::new(None::<bool>);
    let (switch, test, again) = (switch_of(account, wanted), test_of(account), try_of());
    move || {
        let mut now = account.get();
        now.is_active = wanted.get().unwrap_or(now.is_active);
        row(now, switch, test, again)
    }
}

/// Enables or disables: shows at once, and goes back when the server refuses.
fn switch_of(account: Memo<Account>, wanted: RwSignal<Option<bool>>) -> Post<Account> {
    let (live, toasts) = (Live::get(), Toasts::get());
    // The list has caught up.
    Effect::new(move || {
        let stored = account.with(|account| account.is_active);
        if wanted.get_untracked() == Some(stored) {
            let _ = wanted.try_set(None);
        }
    });
    Post::to::<SetAccountActive>(move |_| {
        let _ = live.accounts.try_update(|n| *n += 1);
    })
    .at_once(move || {
        let shown = wanted.get_untracked().unwrap_or_else(|| account.with_untracked(|account| account.is_active));
        wanted.set(Some(!shown));
    })
    .or_else(move |error| {
        let _ = wanted.try_set(None);
        toasts.error(&error);
    })
}

/// Asks the provider whether the credentials work, and says what it said.
fn test_of(account: Memo<Account>) -> Post<TestOutcome> {
    let (live, toasts) = (Live::get(), Toasts::get());
    Post::to::<TestAccount>(move |outcome: TestOutcome| {
        let name = account.try_with_untracked(|account| account.display_name.clone()).unwrap_or_default();
        match outcome.error {
            None => toasts.good(format!("{name} is connected.")),
            Some(error) => toasts.bad(format!("{name}: {error}")),
        }
        let _ = live.accounts.try_update(|n| *n += 1);
    })
    .or_toast()
}

fn state_of(health: Health) -> &'static str {
    match health {
        Health::Active => "state ok",
        Health::Paused => "state wait",
        Health::Error => "state bad",
        Health::Inactive => "state off",
    }
}

/// Lets it go on at once, although its provider wants a pause.
fn try_of() -> Post<Account> {
    let (live, toasts) = (Live::get(), Toasts::get());
    Post::to::<TryAccount>(move |account| {
        toasts.good(format!("{} tries again.", account.display_name));
        let _ = live.accounts.try_update(|n| *n += 1);
    })
    .or_toast()
}

/// Until when nothing leaves, and the button for who does not want to wait. A limit is waited for: it is no fault.
fn wait_of(now: &Account, again: Post<Account>) -> Option<AnyView> {
    let block = now.block.as_ref().filter(|_| now.is_active)?;
    let words = if block.reason == WaitingReason::Provider { "It goes on " } else { "Limit reached; it goes on " };
    let until = block.until.map(|at| view! { <small class="soft line">{words} <Time at /></small> });
    let button = (block.reason == WaitingReason::Provider).then(|| {
        let (id, label) = (now.id.to_string(), format!("Try {} now", now.display_name));
        view! {
            <PostForm to=again>
                <input type="hidden" name="id" value=id />
                <button class="btn small" disabled=again.pending().get() aria-label=label>
                    "Try now"
                </button>
            </PostForm>
        }
    });
    Some(view! { {until} {button} }.into_any())
}

fn row(now: Account, switch: Post<Account>, test: Post<TestOutcome>, again: Post<Account>) -> impl IntoView {
    let wait = wait_of(&now, again);
    let (health, fault) = now.health();
    let (state, fault) = (state_of(health), fault.map(str::to_owned));
    let mend = now.mailbox_error.is_some().then(|| format!("/accounts?edit={}", now.id));
    let Account { id, channel, address, display_name: name, is_active, .. } = now;
    let is_in_clear = now.smtp.is_some_and(|smtp| smtp.security == SmtpSecurity::None);
    let word = if is_active { "Disable" } else { "Enable" };
    let (switch_label, test_label) = (format!("{word} {name}"), format!("Test {name}"));
    let (switch_id, test_id) = (id.to_string(), id.to_string());
    let edit = act(format!("edit-{id}"), format!("/accounts?edit={id}"), "Edit", &name, Icon::Pencil);
    let delete = act(format!("delete-{id}"), format!("/accounts?delete={id}"), "Delete", &name, Icon::Bin);
    let (is_switching, is_testing) = (switch.pending().get(), test.pending().get());
    view! {
        <tr>
            <td>
                <div class="who">
                    <ChannelTile channel />
                    <div>
                        <b>{name.clone()} {now.is_demo.then(|| view! { <small class="tag">"Demo"</small> })}</b>
                        <span>{address}</span>
                        {is_in_clear
                            .then(|| view! { <small class="insecure">"No TLS: mail and password travel in clear"</small> })}
                    </div>
                </div>
            </td>
            <td>
                <ChannelBadge channel />
            </td>
            <td class="wide">{usage_bar(now.sent_today, now.daily_limit, &name)}</td>
            <td class="wide">
                <span class=state>{health.label()}</span>
                {fault.map(|fault| view! { <small>{fault}</small> })}
                {wait}
                {mend
                    .map(|href| {
                        view! {
                            <p class="trouble">
                                {MAILBOX_UNREAD}
                                ". "
                                <a href=href data-noscroll="">
                                    "See why and mend it"
                                </a>
                            </p>
                        }
                    })}
            </td>
            <td class="act">
                <div>
                    <PostForm to=switch>
                        <input type="hidden" name="id" value=switch_id />
                        <input type="hidden" name="is_active" value=(!is_active).to_string() />
                        <button class="btn" disabled=is_switching aria-label=switch_label>
                            {word}
                        </button>
                    </PostForm>
                    <PostForm to=test>
                        <input type="hidden" name="id" value=test_id />
                        <button class="btn quiet" disabled=is_testing aria-label=test_label>
                            {is_testing.then(|| view! { <span class="spin" aria-hidden="true"></span> })}
                            {if is_testing { "Testing…" } else { "Test" }}
                        </button>
                    </PostForm>
                    {edit}
                    {delete}
                </div>
            </td>
        </tr>
    }
}

/// A drawing that leads to a dialog.
fn act(id: String, href: String, word: &'static str, name: &str, icon: Icon) -> impl IntoView + use<> {
    view! {
        <a id=id class="btn quiet icon-only" href=href data-noscroll="" title=word aria-label=format!("{word} {name}")>
            <Draw icon />
        </a>
    }
}

//! One account in the list.

use crate::{
    api::account::{SetAccountActive, TestAccount},
    domain::{
        account::{Account, ConnectionStatus},
        email_account::SmtpSecurity,
    },
    ui::part::{
        badge::{ChannelBadge, ChannelTile},
        icon::{Draw, Icon},
        live::Live,
        post::{Post, PostForm},
        submit::Submit,
        toast::Toasts,
        usage_bar::UsageBar,
    },
};
use leptos::prelude::*;

/// A row that lives as long as its account: numbers move in place, so that no focus is lost.
#[component]
pub fn AccountRow(
    /// As it was when the row appeared.
    first: Account,
    /// All accounts as they are now.
    list: Memo<Vec<Account>>,
) -> impl IntoView {
    let (id, channel, address) = (first.id.clone(), first.channel, first.address.clone());
    let is_in_clear = first.smtp.as_ref().is_some_and(|smtp| smtp.security == SmtpSecurity::None);
    let row_id = StoredValue::new(id.clone());
    let account = Memo::new(move |last: Option<&Account>| {
        let found = list.with(|list| list.iter().find(|account| row_id.with_value(|id| account.id == *id)).cloned());
        found.or_else(|| last.cloned()).unwrap_or_else(|| first.clone())
    });
    let name = Signal::derive(move || account.with(|account| account.display_name.clone()));
    let used = Signal::derive(move || account.with(|account| account.sent_today));
    let limit = Signal::derive(move || account.with(|account| account.daily_limit));
    let (edit, delete) = (format!("/accounts?edit={id}"), format!("/accounts?delete={id}"));
    let (edit_id, delete_id) = (format!("edit-{id}"), format!("delete-{id}"));
    let is_active = RwSignal::new(None::<bool>);
    view! {
        <tr>
            <td>
                <div class="who">
                    <ChannelTile channel />
                    <div>
                        <b>{name} {move || account.with(|a| a.is_demo).then(|| view! { <small class="tag">"Demo"</small> })}</b>
                        <span>{address}</span>
                        {is_in_clear.then(|| view! { <small class="insecure">"No TLS: mail and password travel in clear"</small> })}
                    </div>
                </div>
            </td>
            <td>
                <ChannelBadge channel />
            </td>
            <td class="wide">
                <UsageBar used limit name />
            </td>
            <td class="wide">
                <AccountState account is_active />
            </td>
            <td class="act">
                <div>
                    <Toggle account is_active />
                    <Test account />
                    <a
                        id=edit_id
                        class="btn quiet icon-only"
                        href=edit
                        data-noscroll=""
                        title="Edit"
                        aria-label=move || format!("Edit {}", name.get())
                    >
                        <Draw icon=Icon::Pencil />
                    </a>
                    <a
                        id=delete_id
                        class="btn quiet icon-only"
                        href=delete
                        data-noscroll=""
                        title="Delete"
                        aria-label=move || format!("Delete {}", name.get())
                    >
                        <Draw icon=Icon::Bin />
                    </a>
                </div>
            </td>
        </tr>
    }
}

/// Active, Inactive, or the connection's error in words.
#[component]
fn AccountState(account: Memo<Account>, is_active: RwSignal<Option<bool>>) -> impl IntoView {
    move || {
        let account = account.get();
        if !is_active.get().unwrap_or(account.is_active) {
            return view! { <span class="state off">"Inactive"</span> }.into_any();
        }
        match (account.connection_status, account.last_error) {
            (ConnectionStatus::Error, error) => view! {
                <span class="state bad">"Error"</span>
                <small>{error}</small>
            }
            .into_any(),
            _ => view! { <span class="state ok">"Active"</span> }.into_any(),
        }
    }
}

/// Enable or disable: shows at once, and goes back when the server refuses.
#[component]
fn Toggle(account: Memo<Account>, is_active: RwSignal<Option<bool>>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let shown = move || is_active.get().unwrap_or_else(|| account.with(|account| account.is_active));
    let action = Post::to::<SetAccountActive>(move |_| {
        let _ = live.accounts.try_update(|n| *n += 1);
    })
    .or_else(move |error| {
        let _ = is_active.try_set(None);
        toasts.error(&error);
    });
    let at_once = move |_| is_active.set(Some(!shown()));
    // The list has caught up.
    Effect::new(move || {
        let stored = account.with(|account| account.is_active);
        if is_active.get_untracked() == Some(stored) {
            let _ = is_active.try_set(None);
        }
    });
    view! {
        <PostForm to=action on:submit=at_once>
            <input type="hidden" name="id" value=account.with_untracked(|account| account.id.to_string()) />
            <input type="hidden" name="is_active" prop:value=move || (!shown()).to_string() value=move || (!shown()).to_string() />
            <button
                class="btn"
                disabled=action.pending()
                aria-label=move || {
                    let word = if shown() { "Disable" } else { "Enable" };
                    format!("{word} {}", account.with(|account| account.display_name.clone()))
                }
            >
                {move || if shown() { "Disable" } else { "Enable" }}
            </button>
        </PostForm>
    }
}

/// Asks the provider whether the credentials work, and says what it said.
#[component]
fn Test(account: Memo<Account>) -> impl IntoView {
    let (live, toasts) = (Live::get(), Toasts::get());
    let action = Post::to::<TestAccount>(move |outcome| {
        let name = account.try_with_untracked(|account| account.display_name.clone()).unwrap_or_default();
        match outcome.error {
            None => toasts.good(format!("{name} is connected.")),
            Some(error) => toasts.bad(format!("{name}: {error}")),
        }
        let _ = live.accounts.try_update(|n| *n += 1);
    })
    .or_toast();
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=account.with_untracked(|account| account.id.to_string()) />
            <Submit pending=action.pending() busy="Testing…" class="quiet">
                "Test"
                <span class="unseen">" " {move || account.with(|account| account.display_name.clone())}</span>
            </Submit>
        </PostForm>
    }
}

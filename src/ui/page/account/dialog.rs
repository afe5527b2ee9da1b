//! Which dialog is open, and what follows when it is done.

use super::{connect::ConnectDialog, delete::DeleteDialog, edit::EditDialog};
use crate::{
    api::account::{ConnectAccount, DeleteAccount, ReplaceCredentials, UpdateAccount},
    domain::{account::Account, id::AccountId},
    ui::part::{late::late, live::Live, post::Post, toast::Toasts},
};
use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{hooks::use_query_map, params::ParamsMap};

/// The dialogs there are.
#[derive(Debug, Clone, PartialEq)]
enum Open {
    Connect,
    Edit(AccountId),
    Delete(AccountId),
}

impl Open {
    fn read(query: &ParamsMap) -> Option<Self> {
        let id = |name: &str| query.get(name).and_then(|id| id.parse::<AccountId>().ok());
        if query.get("add").is_some() {
            return Some(Self::Connect);
        }
        id("edit").map(Self::Edit).or_else(|| id("delete").map(Self::Delete))
    }
}

/// What the dialogs post. It lives longer than they do: a dialog is gone by the time that its answer is told.
#[derive(Clone, Copy)]
struct Posts {
    connect: Post<Account>,
    update: Post<Account>,
    replace: Post<Account>,
    delete: Post<()>,
}

/// The dialog that the URL asks for.
#[component]
pub fn Dialogs() -> impl IntoView {
    let query = use_query_map();
    let open = Memo::new(move |_| query.with(Open::read));
    let (live, toasts) = (Live::get(), Toasts::get());
    let tell = move |text: String| {
        let _ = live.accounts.try_update(|n| *n += 1);
        toasts.good(text);
    };
    let posts = Posts {
        connect: Post::to::<ConnectAccount>(move |account| tell(format!("{} is connected.", account.display_name))),
        update: Post::to::<UpdateAccount>(move |account| tell(format!("{} is saved.", account.display_name))),
        replace: Post::to::<ReplaceCredentials>(move |account| {
            tell(format!("{} has new credentials, and they work.", account.display_name));
        }),
        delete: Post::to::<DeleteAccount>(move |()| tell("The account is deleted.".to_owned())),
    };
    // A dialog that is opened again does not show the failure of before.
    Effect::new(move |before: Option<bool>| {
        let is_open = open.with(Option::is_some);
        if before == Some(true) && !is_open {
            let Posts { connect, update, replace, delete } = posts;
            [connect, update, replace].into_iter().for_each(Post::clear);
            delete.clear();
        }
        is_open
    });
    late(open, move |open| Box::pin(dialog(open, posts)))
}

#[wasm_split(account_dialog, wasm_split_path = leptos::wasm_split, fallible)]
#[allow(clippy::unnecessary_wraps, reason = "it fails when its code cannot be loaded")]
fn dialog(open: Open, posts: Posts) -> Result<AnyView, SplitLoaderError> {
    Ok(match open {
        Open::Connect => view! { <ConnectDialog action=posts.connect /> }.into_any(),
        Open::Edit(id) => view! { <EditDialog id update=posts.update replace=posts.replace /> }.into_any(),
        Open::Delete(id) => view! { <DeleteDialog id action=posts.delete /> }.into_any(),
    })
}

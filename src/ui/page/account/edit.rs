//! The dialog that changes an account: name and limit, and new credentials.

use super::{HERE, connect::Credentials, limit::LimitFields, pace::PaceFields};
use crate::{
    api::account::load_account,
    domain::{account::Account, id::AccountId},
    ui::part::{
        error_box::FormError,
        field::Field,
        form::Faults,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::{either::Either, prelude::*};

/// The dialog. The account is loaded once: what arrives meanwhile must not overwrite what is being typed.
#[component]
pub fn EditDialog(id: AccountId, update: Post<Account>, replace: Post<Account>) -> impl IntoView {
    let opener = format!("edit-{id}");
    let account = Resource::new_blocking(move || id.clone(), load_account);
    view! {
        <Modal title="Edit account" back=HERE opener>
            <Suspense fallback=|| {
                view! { <span class="bone"></span> }
            }>
                {move || Suspend::new(async move {
                    match account.await {
                        Ok(account) => Either::Left(view! { <Forms account update replace /> }),
                        Err(error) => Either::Right(view! { <p role="alert">{error.message}</p> }),
                    }
                })}
            </Suspense>
        </Modal>
    }
}

#[component]
fn Forms(account: Account, update: Post<Account>, replace: Post<Account>) -> impl IntoView {
    let (faults, secret_faults) = (Faults::of_post(update), Faults::of_post(replace));
    let (id, secret_id) = (account.id.to_string(), account.id.to_string());
    let provider = account.provider;
    let of_pace = account.clone();
    let has_failed = secret_faults.answer().with_untracked(Option::is_some);
    view! {
        <PostForm to=update>
            <input type="hidden" name="id" value=id />
            <Field
                name="display_name"
                label="Display name"
                value=faults.typed("display_name").unwrap_or(account.display_name)
                faults
            />
            <LimitFields
                value=faults.typed("daily_limit").unwrap_or_else(|| account.daily_limit.to_string())
                confirmation=faults.typed("confirmation").unwrap_or_default()
                faults
            />
            <PaceFields account=of_pace faults />
            <FormError error=faults.answer() />
            <div class="row end">
                <a class="btn" href=HERE data-noscroll="">
                    "Cancel"
                </a>
                <Submit pending=update.pending() busy="Saving…">
                    "Save"
                </Submit>
            </div>
        </PostForm>
        {(!provider.fields().is_empty())
            .then(|| {
                view! {
                    <hr />
                    <details open=has_failed>
                        <summary>"Replace credentials"</summary>
                        <PostForm to=replace>
                            <input type="hidden" name="id" value=secret_id.clone() />
                            <Credentials provider faults=secret_faults />
                            <FormError error=secret_faults.answer() />
                            <div class="row end">
                                <Submit pending=replace.pending() busy="Testing…" class="">
                                    "Test and replace"
                                </Submit>
                            </div>
                        </PostForm>
                    </details>
                }
            })}
    }
}

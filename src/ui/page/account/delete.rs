//! The question before an account is deleted.

use super::HERE;
use crate::{
    api::account::load_account,
    domain::id::AccountId,
    ui::part::{
        error_box::FormError,
        form::Faults,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::{either::Either, prelude::*};

/// Names the account and says what stays.
#[component]
pub fn DeleteDialog(id: AccountId, action: Post<()>) -> impl IntoView {
    let opener = format!("delete-{id}");
    let account = Resource::new_blocking(move || id.clone(), load_account);
    let faults = Faults::of_post(action);
    view! {
        <Modal title="Delete account?" back=HERE opener>
            <Suspense fallback=|| {
                view! { <span class="bone"></span> }
            }>
                {move || Suspend::new(async move {
                    match account.await {
                        Err(error) => Either::Right(view! { <p role="alert">{error.message}</p> }),
                        Ok(account) => {
                            Either::Left(
                                view! {
                                    <PostForm to=action>
                                        <input type="hidden" name="id" value=account.id.to_string() />
                                        <p>
                                            <b>{account.display_name}</b>
                                            " ("
                                            {account.address}
                                            ") will send nothing more, and its credentials are wiped. Messages that still wait are canceled; its history stays."
                                        </p>
                                        <FormError error=faults.answer() />
                                        <div class="foot">
                                            <a class="btn" href=HERE data-noscroll="">
                                                "Cancel"
                                            </a>
                                            <Submit pending=action.pending() busy="Deleting…" class="danger">
                                                "Delete account"
                                            </Submit>
                                        </div>
                                    </PostForm>
                                },
                            )
                        }
                    }
                })}
            </Suspense>
        </Modal>
    }
}

//! The dialog that changes an account: name and limit, and new credentials.

use super::{
    HERE,
    bounce::{self, BounceFields},
    connect::Credentials,
    limit::LimitFields,
    pace::PaceFields,
    sender::{self, AuthField, SenderFields},
};
use crate::{
    api::account::load_account,
    domain::{account::Account, email_account::SmtpSettings, id::AccountId},
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
    let trouble = account.mailbox_trouble();
    let auth = account.smtp.as_ref().map(|smtp| smtp.auth);
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
            {account.smtp.map(|smtp| view! { <MailFields smtp trouble faults /> })}
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
                            {auth.map(|auth| view! { <AuthField name="credentials[smtp_auth]" chosen=auth faults=secret_faults /> })}
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

/// What only a mailbox has, each folded away unless something is wrong in it.
#[component]
fn MailFields(smtp: SmtpSettings, trouble: Option<String>, faults: Faults) -> impl IntoView {
    let is_wrong =
        move |names: [&'static str; 5]| Memo::new(move |_| names.iter().any(|name| faults.of(name).is_some()));
    let (of_sender, of_bounces) = (is_wrong(sender::FIELDS), is_wrong(bounce::FIELDS));
    let (imap, has_trouble) = (smtp.imap.clone(), trouble.is_some());
    view! {
        <details open=move || of_sender.get()>
            <summary>"Replies and signature (DKIM)"</summary>
            <div class="stack">
                <SenderFields stored=Some(smtp) faults />
            </div>
        </details>
        <details open=move || has_trouble || of_bounces.get()>
            <summary>"Bounces and replies (IMAP)"</summary>
            <div class="stack">
                {trouble.map(|trouble| view! { <p class="notice warn">{trouble}</p> })}
                <BounceFields stored=imap faults />
            </div>
        </details>
    }
}

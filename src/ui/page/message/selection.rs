//! All messages that match, at once: how many there are, and the question before anything is done to them.

use super::{Accounts, Asked, known};
use crate::{
    api::{error::ApiError, selection::count_selection},
    domain::{
        channel::Channel,
        message::Status,
        selection::{Bulk, Count, Done, Offers},
    },
    ui::part::{
        error_box::FormError,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;

/// What can be done to the messages that match, from the server.
pub type Offered = Resource<Result<Offers, ApiError>>;

/// Asks for it whenever filters or messages change.
pub fn offered(asked: Memo<Asked>, version: RwSignal<u32>) -> Offered {
    let filters = Memo::new(move |_| asked.with(|asked| asked.filters.clone()));
    Resource::new_blocking(
        move || (filters.get(), version.get()),
        |(filters, _)| {
            let [q, status, channel, account_id] = filters.map(Option::unwrap_or_default);
            count_selection(status, channel, account_id, q)
        },
    )
}

/// The buttons; nothing where nothing can be done.
#[component]
pub fn Bulks(asked: Memo<Asked>, offered: Offered) -> impl IntoView {
    move || {
        let offers = offered.get().and_then(Result::ok).unwrap_or_default();
        let asked = asked.get();
        let button = |bulk: Bulk, words: &str| {
            let count = offers.of(bulk);
            (!count.is_none()).then(|| {
                view! {
                    <a
                        id=format!("bulk-{}", bulk.as_str())
                        class="btn small"
                        href=asked.with("bulk", bulk.as_str())
                        data-noscroll=""
                    >
                        {format!("{words} ({})", count.words())}
                    </a>
                }
            })
        };
        let (retry, cancel) = (button(Bulk::Retry, "Retry failed"), button(Bulk::Cancel, "Cancel queued"));
        let is_any = retry.is_some() || cancel.is_some();
        is_any.then(|| view! { <div class="row bulks" role="group" aria-label="All that match">{retry} {cancel}</div> })
    }
}

/// What is said when it is done.
pub fn told(bulk: Bulk, done: Done) -> String {
    let messages = if done.count == 1 { "1 message is".to_owned() } else { format!("{} messages are", done.count) };
    let what = match bulk {
        Bulk::Retry => "queued again",
        Bulk::Cancel => "canceled",
    };
    let more = if done.has_more { " There are more: do it once more for them." } else { "" };
    format!("{messages} {what}.{more}")
}

/// The question.
#[component]
pub fn BulkDialog(bulk: Bulk, asked: Asked, offered: Offered, accounts: Accounts, action: Post<Done>) -> impl IntoView {
    let (title, words, busy, class, keep) = match bulk {
        Bulk::Retry => ("Retry failed messages", "Send again", "Queuing…", "primary", "Cancel"),
        Bulk::Cancel => ("Cancel queued messages", "Cancel messages", "Canceling…", "danger", "Keep them"),
    };
    let back = asked.href(None);
    let chosen = asked.clone();
    let matching = move || match_words(&chosen, accounts);
    let count = move || offered.get().and_then(Result::ok).unwrap_or_default().of(bulk);
    let hidden = ["q", "status", "channel", "account_id"]
        .map(|name| view! { <input type="hidden" name=name value=asked.filter(name) /> })
        .collect_view();
    view! {
        <Modal title back=back.clone() opener=format!("bulk-{}", bulk.as_str())>
            <Suspense>
                <p>
                    <b>{move || many(count())}</b>
                    " "
                    {matching}
                </p>
                <p class="soft">{explained(bulk)}</p>
            </Suspense>
            <PostForm to=action>
                <input type="hidden" name="bulk" value=bulk.as_str() />
                {hidden}
                <FormError error=action.failure() />
                <div class="row end">
                    <a class="btn" href=back data-noscroll="">
                        {keep}
                    </a>
                    <Submit pending=action.pending() busy class>
                        {words}
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

fn many(count: Count) -> String {
    let messages = if count.count == 1 && !count.is_more { "message" } else { "messages" };
    format!("{} {messages}", count.words())
}

fn explained(bulk: Bulk) -> &'static str {
    match bulk {
        Bulk::Retry => {
            "Each is queued again and leaves within the limit and pace of its account. What was refused for good is not among them: a number that does not exist, or somebody who asked not to be contacted. Such a message can still be sent again from its own page."
        }
        Bulk::Cancel => {
            "They are never sent, and this cannot be undone. What is being handed to a provider right now is not stopped."
        }
    }
}

/// "of all messages", or what the filters say.
fn match_words(asked: &Asked, accounts: Accounts) -> String {
    let status = Status::from_name(&asked.filter("status")).map(|status| format!("status {}", status.label()));
    let channel = Channel::from_name(&asked.filter("channel")).map(|channel| channel.label().to_owned());
    let id = asked.filter("account_id");
    let account = known(accounts).into_iter().find(|account| account.id.as_str() == id);
    let account = account.map(|account| format!("account {}", account.display_name));
    let q = Some(asked.filter("q")).filter(|q| !q.is_empty()).map(|q| format!("“{q}”"));
    let words: Vec<String> = [status, channel, account, q].into_iter().flatten().collect();
    if words.is_empty() {
        "of all channels and accounts.".to_owned()
    } else {
        format!("matching {}.", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_with_its_number() {
        let done = |count, has_more| Done { count, has_more };
        assert_eq!(told(Bulk::Retry, done(1, false)), "1 message is queued again.");
        assert_eq!(told(Bulk::Cancel, done(12, false)), "12 messages are canceled.");
        assert!(told(Bulk::Retry, done(50_000, true)).ends_with("once more for them."));
        assert_eq!(
            (many(Count::of(1, false)), many(Count::of(2_000, false))),
            ("1 message".into(), "1 000+ messages".into())
        );
    }
}

//! The dialogs of a sequence: whom it takes in, and whether it is to go.

use crate::{
    api::{
        lead::list_tags,
        sequence::{DeleteSequence, EnrollLeads},
    },
    domain::id::SequenceId,
    ui::part::{
        error_box::FormError,
        field::Field,
        form::Faults,
        live::Live,
        modal::Modal,
        post::{Post, PostForm},
        question::Question,
        select::Select,
        submit::Submit,
    },
};
use leptos::prelude::*;

/// Enrolls all leads of a tag or a search.
#[component]
pub fn EnrollDialog(id: SequenceId, back: String) -> impl IntoView {
    let live = Live::get();
    let action = Post::to::<EnrollLeads>(move |_| live.resync());
    let faults = Faults::of_post(action);
    let tags = Resource::new_blocking(|| (), |()| list_tags());
    let tag = move || {
        let given = tags.get()?.unwrap_or_default().into_iter().map(|tag| (tag.clone(), tag)).collect();
        let chosen = faults.typed("tag").unwrap_or_default();
        Some(view! { <Select id="f-tag" name="tag" label="Tag" none="Any" given chosen faults /> })
    };
    view! {
        <Modal title="Enroll leads" back=back.clone() opener="enroll-leads">
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <Suspense>{tag}</Suspense>
                <Field
                    name="q"
                    label="Search"
                    placeholder="Name, company, e-mail or number"
                    value=faults.typed("q").unwrap_or_default()
                    required=false
                    hint="With a tag both must hold."
                    faults
                />
                <label class="check">
                    <input type="checkbox" name="all" value="yes" checked=faults.typed("all").is_some_and(|all| all == "yes") />
                    "All leads, when both are empty"
                </label>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Enrolling…">
                        "Enroll"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

/// Forgets it.
#[component]
pub fn DeleteDialog(id: SequenceId, name: String, back: String) -> impl IntoView {
    let to = Post::to::<DeleteSequence>(|()| {});
    view! {
        <Question to id=id.to_string() title="Delete sequence?" back opener="delete-sequence" verb="Delete sequence" busy="Deleting…">
            <b>{name}</b>
            " and all its runs are forgotten; what they have queued is canceled. What was sent stays among the messages."
        </Question>
    }
}

//! The dialogs of a sequence: whom it takes in, and whether it is to go.

use crate::{
    api::{
        lead::list_tags,
        sequence::{DeleteSequence, EnrollLeads},
    },
    domain::id::SequenceId,
    ui::part::{
        error_box::FormError,
        field::{Field, FieldFrame},
        form::Faults,
        live::Live,
        modal::Modal,
        post::{Post, PostForm},
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
    let fault = Memo::new(move |_| faults.of("tag"));
    let chosen = faults.typed("tag").unwrap_or_default();
    let options = move || {
        let chosen = chosen.clone();
        let option = move |tag: String| {
            let is_chosen = tag == chosen;
            view! {
                <option value=tag.clone() selected=is_chosen>
                    {tag.clone()}
                </option>
            }
        };
        tags.get().and_then(Result::ok).unwrap_or_default().into_iter().map(option).collect_view()
    };
    view! {
        <Modal title="Enroll leads" back=back.clone() opener="enroll-leads">
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <FieldFrame id="f-tag" label="Tag" message=fault hint=String::new()>
                    <Suspense>
                        <select
                            id="f-tag"
                            name="tag"
                            aria-invalid=move || fault.get().map(|_| "true")
                            aria-describedby="f-tag-fault"
                        >
                            <option value="">"Any"</option>
                            {options.clone()}
                        </select>
                    </Suspense>
                </FieldFrame>
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
    let action = Post::to::<DeleteSequence>(|()| {});
    let faults = Faults::of_post(action);
    view! {
        <Modal title="Delete sequence?" back=back.clone() opener="delete-sequence">
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <p>
                    <b>{name}</b>
                    " and all its runs are forgotten; what they have queued is canceled. What was sent stays among the messages."
                </p>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Deleting…" class="danger">
                        "Delete sequence"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

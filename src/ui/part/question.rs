//! The question before something is done that cannot be undone.

use super::{
    error_box::FormError,
    form::Faults,
    modal::Modal,
    post::{Post, PostForm},
    submit::Submit,
};
use leptos::prelude::*;
use serde::de::DeserializeOwned;

/// A dialog with a sentence, a way back, and the button that does it.
#[component]
pub fn Question<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    /// What does it; it gets the field `id`.
    to: Post<T>,
    id: String,
    title: &'static str,
    back: String,
    /// The id of what opened it.
    #[prop(into)]
    opener: String,
    /// The words of the way back.
    #[prop(default = "Cancel")]
    keep: &'static str,
    /// What the button says.
    verb: &'static str,
    /// What it says meanwhile.
    busy: &'static str,
    children: Children,
) -> impl IntoView {
    let faults = Faults::of_post(to);
    view! {
        <Modal title back=back.clone() opener>
            <PostForm to=to>
                <input type="hidden" name="id" value=id />
                <p>{children()}</p>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        {keep}
                    </a>
                    <Submit pending=to.pending() busy class="danger">
                        {verb}
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

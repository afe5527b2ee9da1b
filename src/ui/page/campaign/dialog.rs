//! The dialogs of a campaign: whether it is to end, and whether it is to go.

use crate::{
    api::campaign::{DeleteCampaign, MoveCampaign},
    domain::id::CampaignId,
    ui::part::{
        error_box::FormError,
        form::Faults,
        live::Live,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;

/// Ends it.
#[component]
pub fn CancelDialog(id: CampaignId, name: String, back: String) -> impl IntoView {
    let live = Live::get();
    let action = Post::to::<MoveCampaign>(move |_| live.resync());
    let faults = Faults::of_post(action);
    view! {
        <Modal title="Cancel campaign?" back=back.clone() opener="cancel-campaign">
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="what" value="cancel" />
                <p>
                    "Nothing more of " <b>{name}</b>
                    " leaves, and what it has queued is canceled. It cannot be started again; what was sent stays."
                </p>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Keep it"
                    </a>
                    <Submit pending=action.pending() busy="Canceling…" class="danger">
                        "Cancel campaign"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

/// Forgets it.
#[component]
pub fn DeleteDialog(id: CampaignId, name: String, back: String) -> impl IntoView {
    let action = Post::to::<DeleteCampaign>(|()| {});
    let faults = Faults::of_post(action);
    view! {
        <Modal title="Delete campaign?" back=back.clone() opener="delete-campaign">
            <PostForm to=action>
                <input type="hidden" name="id" value=id.to_string() />
                <p>
                    <b>{name}</b>
                    " and its numbers are forgotten. What was sent stays among the messages."
                </p>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Deleting…" class="danger">
                        "Delete campaign"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

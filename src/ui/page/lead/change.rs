//! Changes to all leads that the list shows: the dialog that begins one, and how far those are that are under way.

use super::Asked;
use crate::{
    api::{
        change::{CancelChange, ChangeLeads},
        error::ApiError,
    },
    domain::{
        change::{ChangeChoices, Told},
        selection::Count,
    },
    ui::part::{
        error_box::FormError,
        field::FieldFrame,
        form::Faults,
        live::Live,
        modal::Modal,
        post::{Post, PostForm},
        select::Select,
        shown::{Kept, kept},
        submit::Submit,
    },
};
use leptos::prelude::*;

/// All that are under way, and what came of the newest.
#[component]
pub fn Changes(changes: Resource<Result<Vec<Told>, ApiError>>) -> impl IntoView {
    let shown = kept(move || changes.get().and_then(Result::ok).unwrap_or_default());
    let ids = move || shown.with(|shown| shown.iter().map(|told| told.id.clone()).collect::<Vec<_>>());
    view! {
        <For each=ids key=String::clone let:id>
            <One id shown />
        </For>
    }
}

/// One; its button keeps the focus while the numbers move.
#[component]
fn One(id: String, shown: Kept<Vec<Told>>) -> impl IntoView {
    let own = id.clone();
    let told = kept(move || shown.with(|shown| shown.iter().find(|told| told.id == own).cloned()));
    let is_running = kept(move || told.with(|told| told.as_ref().is_some_and(|told| told.is_running)));
    let text = move || told.with(|told| told.as_ref().map(|told| told.text.clone()));
    let class = move || {
        let tone = told.with(|told| told.as_ref().map(|told| told.tone.clone())).unwrap_or_default();
        if is_running.get() { "notice import-progress".to_owned() } else { format!("notice {tone}") }
    };
    let far = move || told.with(|told| told.as_ref().map(|told| told.matched.to_string()));
    let total = told.with_untracked(|told| told.as_ref().and_then(|told| told.total));
    let action = Post::to::<CancelChange>(|()| {}).or_toast();
    let going = move || {
        let id = id.clone();
        is_running.get().then(|| {
            view! {
                {total.map(|total| view! { <progress aria-label="Leads looked at" max=total.to_string() value=far></progress> })}
                <PostForm to=action>
                    <input type="hidden" name="id" value=id />
                    <Submit pending=action.pending() busy="Stopping…" class="small">
                        "Stop"
                    </Submit>
                </PostForm>
            }
        })
    };
    view! {
        <div class="bulks">
            <div class=class role="status">
                <span>{text}</span>
                {going}
            </div>
        </div>
    }
}

/// What is to be done to all leads of the list.
#[component]
pub fn ChangeDialog(asked: Asked, choices: ChangeChoices, back: String) -> impl IntoView {
    let live = Live::get();
    let action = Post::to::<ChangeLeads>(move |()| live.resync());
    let faults = Faults::of_post(action);
    let ChangeChoices { whom, count, is_more, tags, sequences } = choices;
    let number = Count { count, is_more }.words();
    let leads = if count == 1 && !is_more { "lead" } else { "leads" };
    let title = format!("Change {number} {leads}");
    let chosen = faults.typed("action").unwrap_or_else(|| "add_tag".to_owned());
    let of = [("of[q]", asked.q), ("of[tag]", asked.tag), ("of[segment]", asked.segment), ("of[sort]", asked.sort)];
    let of =
        of.into_iter().map(|(name, text)| view! { <input type="hidden" name=name value=text.unwrap_or_default() /> });
    let way = move |name: &'static str, label: &'static str| {
        let is_chosen = chosen == name;
        view! {
            <label class="check">
                <input type="radio" name="action" value=name checked=is_chosen />
                {label}
            </label>
        }
    };
    let typed = move |field: &str| faults.typed(field).unwrap_or_default();
    let [new_tag, is_sure] = ["new_tag", "is_sure"].map(|field| Memo::new(move |_| faults.of(field)));
    let known = tags.iter().map(|tag| view! { <option value=tag.clone()></option> }).collect_view();
    let tags = tags.into_iter().map(|tag| (tag.clone(), tag)).collect();
    let sequences = sequences.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    view! {
        <Modal title back=back.clone() opener="change-leads">
            <PostForm to=action>
                {of.collect_view()}
                <p>{format!("{whom}. It goes on in the background; you can stop it, and what is done stays done.")}</p>
                <fieldset class="stack changes">
                    <legend class="unseen">"What is done to them"</legend>
                    {way("add_tag", "Add a tag")}
                    <div class="of-add_tag">
                        <FieldFrame id="f-new-tag" label="New tag" message=new_tag hint=String::new()>
                            <input
                                id="f-new-tag"
                                name="new_tag"
                                list="known-tags"
                                autocomplete="off"
                                value=typed("new_tag")
                                aria-invalid=move || new_tag.get().map(|_| "true")
                                aria-describedby="f-new-tag-fault"
                            />
                        </FieldFrame>
                        <datalist id="known-tags">{known}</datalist>
                    </div>
                    {way("remove_tag", "Remove a tag")}
                    <div class="of-remove_tag">
                        <Select id="f-old-tag" name="old_tag" label="Tag to remove" none="Choose" given=tags chosen=typed("old_tag") faults />
                    </div>
                    {way("enroll", "Enroll in a sequence")}
                    <div class="of-enroll">
                        <Select id="f-sequence" name="sequence_id" label="Sequence" none="Choose" given=sequences chosen=typed("sequence_id") faults />
                    </div>
                    {way("suppress", "Do not contact them any more, on any channel")}
                    {way("delete", "Delete them")}
                    <div class="of-delete">
                        <label class="check">
                            <input
                                type="checkbox"
                                name="is_sure"
                                value="yes"
                                aria-invalid=move || is_sure.get().map(|_| "true")
                                aria-describedby="f-sure-fault"
                            />
                            {format!("Yes, delete {number} {leads}; this cannot be undone")}
                        </label>
                        <span class="fault" id="f-sure-fault">
                            {is_sure}
                        </span>
                    </div>
                </fieldset>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Starting…">
                        <span class="changing">{format!("Change {number} {leads}")}</span>
                        <span class="deleting">{format!("Delete {number} {leads}")}</span>
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

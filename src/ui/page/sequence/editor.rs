//! The editor of a sequence: a list of steps, and the rules of the whole.
//!
//! Without a script the buttons that change the list ask for the page anew, with what was typed in its address: nothing is
//! stored, and what comes back is the list as it would be.

use super::{
    HERE, NEW, OPEN,
    field::{Accounts, Fault, Hours},
    step::Steps,
};
use crate::{
    api::sequence::{SaveSequence, load_editor},
    domain::sequence::{
        Choices, Sequence, SequenceForm,
        draft::{Draft, Fields},
    },
    ui::part::{
        error_box::{ErrorBox, FormError},
        field::Field,
        form::Faults,
        page_head::PageHead,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::{either::Either, prelude::*};
use leptos_router::{hooks::use_query_map, params::ParamsMap};

/// The editor of the one of the `id`, or of a new one when that is empty.
#[component]
pub fn EditorOf(id: String) -> impl IntoView {
    let title = if id.is_empty() { "New sequence" } else { "Edit sequence" };
    // Not again when somebody saves it or a template: what is typed here would be gone.
    let loaded = Resource::new_blocking(move || id.clone(), load_editor);
    view! {
        <p class="crumb">
            <a href=HERE>"Sequences"</a>
        </p>
        <PageHead title />
        <Transition>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok((sequence, choices)) => {
                        Either::Left(Unsuspend::new(move || view! { <Editor sequence choices /> }))
                    }
                    Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| loaded.refetch() /> }),
                }
            })}
        </Transition>
    }
}

/// What stands in the fields at first: what was typed before a failure or a change of the list, else what is stored.
fn first(sequence: Option<&Sequence>, failed: Option<Fields>, query: ParamsMap) -> Draft {
    if let Some(typed) = failed {
        return Draft::read(&typed);
    }
    if let Some(what) = query.get("edit").filter(|what| what != OPEN) {
        let typed: Fields = query.into_iter().map(|(name, text)| (name.into_owned(), text)).collect();
        let mut draft = Draft::read(&typed);
        draft.edit(&what);
        return draft;
    }
    sequence.map_or_else(Draft::default, |sequence| Draft::of(SequenceForm::from(sequence)))
}

#[component]
fn Editor(sequence: Option<Sequence>, choices: Choices) -> impl IntoView {
    let action = Post::to::<SaveSequence>(|_| {});
    let faults = Faults::of_post(action);
    let failed =
        faults.answer().with_untracked(|error| error.as_ref().map(|error| error.typed.iter().cloned().collect()));
    let draft = first(sequence.as_ref(), failed, use_query_map().get_untracked());
    let (here, back) = match &sequence {
        Some(sequence) => {
            let page = format!("{HERE}/{}", sequence.id);
            (page.clone(), page)
        }
        None => (format!("{HERE}/{NEW}"), HERE.to_owned()),
    };
    let id = sequence.map(|sequence| sequence.id.to_string()).unwrap_or_default();
    let Draft { name, steps, stop_on_reply, stop_tags, has_window, window, skip_holidays, accounts } = draft;
    view! {
        <PostForm to=action>
            // Enter in a field presses the first button of a form, which must not be one that moves a step.
            <button class="unseen" tabindex="-1" aria-hidden="true">
                "Save"
            </button>
            <div class="stack wide-gap sequence-editor">
                <section class="card inner stack">
                    <input type="hidden" name="id" value=id />
                    <Field name="name" label="Name" placeholder="Follow-up after the fair" value=name faults />
                    <h2>"Steps"</h2>
                    <Steps steps templates=choices.templates here faults clear=Callback::new(move |()| action.clear()) />
                </section>
                <section class="card inner stack">
                    <h2>"When messages may leave"</h2>
                    <Hours has_window window skip_holidays faults />
                </section>
                <section class="card inner stack">
                    <h2>"When it ends for a lead"</h2>
                    <label class="check">
                        <input type="checkbox" name="rule[stop_on_reply]" value="yes" checked=stop_on_reply />
                        "When they answer, on any channel"
                    </label>
                    <Field
                        name="rule[stop_tags]"
                        fault="stop_tags"
                        label="When they get one of these tags"
                        value=stop_tags
                        required=false
                        hint="With commas between them."
                        faults
                    />
                </section>
                <section class="card inner stack">
                    <h2>"Who sends"</h2>
                    <Accounts all=choices.accounts chosen=accounts then="switch the sequence on" />
                    <Fault of="account_ids" faults />
                </section>
                <div>
                    <FormError error=faults.answer() />
                    <div class="row end">
                        <a class="btn" href=back>
                            "Cancel"
                        </a>
                        <Submit pending=action.pending() busy="Saving…">
                            "Save"
                        </Submit>
                    </div>
                </div>
            </div>
        </PostForm>
    }
}

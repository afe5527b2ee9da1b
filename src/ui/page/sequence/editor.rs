//! The editor of a sequence: a list of steps, and the rules of the whole.
//!
//! Without a script the buttons that change the list ask for the page anew, with what was typed in its address: nothing is
//! stored, and what comes back is the list as it would be.

use super::{HERE, NEW, OPEN, step::Steps};
use crate::{
    api::sequence::{SaveSequence, load_editor},
    domain::{
        sequence::{
            Choice, Choices, Sequence, SequenceForm,
            draft::{Draft, Fields},
        },
        window::DAYS,
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
    let (from, to) = (window.from.clone(), window.to.clone());
    let day = move |(at, day): (usize, &'static str)| {
        view! {
            <label class="check">
                <input type="checkbox" name=format!("days[{day}]") checked=window.has_day(at) />
                {format!("{}{}", day[..1].to_uppercase(), &day[1..])}
            </label>
        }
    };
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
                    <fieldset class="stack">
                        <legend class="unseen">"When messages may leave"</legend>
                        <label class="check">
                            <input type="radio" name="rule[hours]" value="any" checked=!has_window />
                            "At any time"
                        </label>
                        <label class="check">
                            <input type="radio" name="rule[hours]" value="window" checked=has_window />
                            "On some days and hours, by each lead's clock"
                        </label>
                        <div class="window stack">
                            <div class="row" role="group" aria-label="Days">
                                {DAYS.into_iter().enumerate().map(day).collect_view()}
                            </div>
                            <Fault of="window.days" faults />
                            <div class="pairs">
                                <Field name="rule[from]" fault="window.from" label="From" value=from required=false faults />
                                <Field
                                    name="rule[to]"
                                    fault="window.to"
                                    label="Until"
                                    value=to
                                    required=false
                                    hint="24:00 is the end of the day."
                                    faults
                                />
                            </div>
                        </div>
                        <Fault of="window" faults />
                    </fieldset>
                    <label class="check">
                        <input type="checkbox" name="rule[skip_holidays]" value="yes" checked=skip_holidays />
                        <span>"Not on holidays (" <a href="/settings">"settings"</a> ")"</span>
                    </label>
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
                    <Accounts all=choices.accounts chosen=accounts />
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

/// A fault of what is no single field.
#[component]
fn Fault(of: &'static str, faults: Faults) -> impl IntoView {
    move || faults.of(of).map(|text| view! { <p class="field"><span class="fault">{text}</span></p> })
}

#[component]
fn Accounts(all: Vec<Choice>, chosen: Vec<String>) -> impl IntoView {
    if all.is_empty() {
        return view! {
            <p class="soft">
                "There is no account yet. " <a href="/accounts?add=1">"Connect one"</a> " before you switch the sequence on."
            </p>
        }
        .into_any();
    }
    let account = move |account: Choice| {
        let is_chosen = chosen.contains(&account.id);
        view! {
            <label class="check">
                <input type="checkbox" name=format!("accounts[{}]", account.id) checked=is_chosen />
                <span>{account.label} " " <span class=format!("badge {}", account.channel.as_str())>{account.channel.label()}</span></span>
            </label>
        }
    };
    view! {
        <p class="soft">"These accounts share the work. Without a tick all active ones do."</p>
        <div class="stack" role="group" aria-label="Accounts">{all.into_iter().map(account).collect_view()}</div>
    }
    .into_any()
}

//! How the rows of a file are read.

use crate::{
    api::import::CheckImport,
    domain::import::{Import, OnDuplicate},
    ui::part::{
        error_box::FormError,
        field::Field,
        form::Faults,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;

/// The form; afterwards the rows are counted.
#[component]
pub fn OptionsForm(import: Import) -> impl IntoView {
    let action = Post::to::<CheckImport>(|_| {});
    let faults = Faults::of_post(action);
    let options = import.options;
    let value = move |name: &str, stored: String| faults.typed(name).unwrap_or(stored);
    let chosen = value("on_duplicate", options.on_duplicate.as_str().to_owned());
    let is = move |kind: OnDuplicate| kind.as_str() == chosen;
    let (is_update, is_skip) = (is(OnDuplicate::Update), is(OnDuplicate::Skip));
    view! {
        <PostForm to=action>
            <input type="hidden" name="id" value=import.id.to_string() />
            <div class="card inner stack">
                <h2>"How are the rows read?"</h2>
                <fieldset class="choices stack">
                    <legend>"People you have already"</legend>
                    <label class="check">
                        <input type="radio" name="on_duplicate" value="update" checked=is_update />
                        "Update them with what the file knows"
                    </label>
                    <label class="check">
                        <input type="radio" name="on_duplicate" value="skip" checked=is_skip />
                        "Leave them as they are"
                    </label>
                </fieldset>
                <div class="pairs">
                    <Field
                        name="default_country"
                        label="Country of numbers without country code"
                        placeholder="DE"
                        value=value("default_country", options.default_country)
                        required=false
                        hint="Two letters. Without it such numbers are rejected."
                        faults
                    />
                    <Field
                        name="tags"
                        label="Tags to add"
                        placeholder="fair 2026"
                        value=value("tags", options.tags.into_iter().collect::<Vec<_>>().join(", "))
                        required=false
                        hint="With commas between them."
                        faults
                    />
                </div>
                <Field
                    name="consent_source"
                    label="Why may you write to these people?"
                    placeholder="Trade fair 2026, paper form"
                    value=value("consent_source", options.consent_source)
                    required=false
                    hint="Kept with the import, in case somebody asks."
                    faults
                />
                <FormError error=faults.answer() />
                <div>
                    <Submit pending=action.pending() busy="Checking…">
                        "Check the rows"
                    </Submit>
                </div>
            </div>
        </PostForm>
    }
}

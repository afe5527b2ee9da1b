//! The dialog that takes a lead in or changes one.

use crate::{
    api::lead::SaveLead,
    domain::lead::{Lead, lines_of_custom},
    ui::part::{
        error_box::FormError,
        field::{Field, FieldFrame},
        form::Faults,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::prelude::*;

/// The dialog; on success the visitor is on the page of the lead.
#[component]
pub fn LeadDialog(
    /// Who is changed; nobody: a new one.
    #[prop(optional)]
    lead: Option<Lead>,
    /// Where it was opened.
    back: String,
    /// Id of what opened it.
    opener: &'static str,
) -> impl IntoView {
    let action = Post::to::<SaveLead>(|_| {});
    let faults = Faults::of_post(action);
    let is_new = lead.is_none();
    let known = lead.clone();
    // What was typed before the server's answer, else what is stored.
    let value = move |field: &'static str, stored: fn(&Lead) -> Option<String>| {
        let typed = faults.typed(&format!("lead[{field}]"));
        typed.or_else(|| known.as_ref().and_then(stored)).unwrap_or_default()
    };
    let other = move || faults.answer().get().and_then(|error| error.other);
    view! {
        <Modal title=if is_new { "Add lead" } else { "Edit lead" } back=back.clone() opener>
            <PostForm to=action>
                <input type="hidden" name="id" value=lead.map(|lead| lead.id.to_string()).unwrap_or_default() />
                <div class="pairs">
                    <Field name="lead[name]" fault="name" label="Name" value=value("name", |l| Some(l.name.clone())) required=false faults />
                    <Field name="lead[company]" fault="company" label="Company" value=value("company", |l| l.company.clone()) required=false faults />
                </div>
                <Field
                    name="lead[email]"
                    fault="email"
                    label="E-mail"
                    kind="email"
                    placeholder="kim@example.com"
                    value=value("email", |l| l.email.clone())
                    required=false
                    faults
                />
                <div class="pairs">
                    <Field
                        name="lead[phone]"
                    fault="phone"
                        label="Phone"
                        kind="tel"
                        placeholder="+14155552671"
                        value=value("phone", |l| l.phone.clone())
                        required=false
                        hint="With country code."
                        faults
                    />
                    <Field
                        name="lead[whatsapp]"
                    fault="whatsapp"
                        label="WhatsApp"
                        kind="tel"
                        placeholder="+14155552671"
                        value=value("whatsapp", |l| l.whatsapp.clone())
                        required=false
                        hint="If it is another number."
                        faults
                    />
                </div>
                <Field
                    name="lead[tags]"
                    fault="tags"
                    label="Tags"
                    placeholder="customer, berlin"
                    value=value("tags", |l| Some(l.tags.join(", ")))
                    required=false
                    hint="With commas between them."
                    faults
                />
                <details open=!is_new>
                    <summary>"More"</summary>
                    <div class="stack">
                    <Field
                        name="lead[time_zone]"
                    fault="time_zone"
                        label="Time zone"
                        placeholder="Europe/Berlin"
                        value=value("time_zone", |l| l.time_zone.clone())
                        required=false
                        faults
                    />
                    <Area
                        name="custom"
                        id="f-custom"
                        label="Custom fields"
                        value=value("custom", |l| Some(lines_of_custom(&l.custom)))
                        hint="A line for each, like plan: pro"
                        faults
                    />
                    <Area name="notes" id="f-notes" label="Notes" value=value("notes", |l| Some(l.notes.clone())) hint="" faults />
                    </div>
                </details>
                <FormError error=faults.answer() />
                {move || other().map(|id| view! { <p><a href=format!("/leads/{id}")>"Open the other lead"</a></p> })}
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Saving…">
                        {if is_new { "Add lead" } else { "Save" }}
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

#[component]
fn Area(
    name: &'static str,
    id: &'static str,
    label: &'static str,
    value: String,
    hint: &'static str,
    faults: Faults,
) -> impl IntoView {
    let message = Memo::new(move |_| faults.of(name));
    let hint = Signal::derive(move || hint.to_owned());
    view! {
        <FieldFrame id label message hint>
            <textarea
                id=id
                name=format!("lead[{name}]")
                rows="3"
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby=format!("{id}-fault {id}-hint")
            >
                {value}
            </textarea>
        </FieldFrame>
    }
}

//! Two leads become one: who the other one is.

use crate::{
    api::lead::{MergeLead, list_leads},
    domain::lead::Lead,
    ui::part::{
        error_box::FormError,
        field::FieldFrame,
        form::Faults,
        modal::Modal,
        post::{Post, PostForm},
        submit::Submit,
    },
};
use leptos::{leptos_dom::helpers::debounce, prelude::*};
use std::time::Duration;

/// How long nobody types before it is looked for.
const PAUSE: Duration = Duration::from_millis(250);

/// The other lead is told by whatever finds it alone.
#[component]
pub fn MergeDialog(lead: Lead, back: String) -> impl IntoView {
    let action = Post::to::<MergeLead>(|_| {});
    let faults = Faults::of_post(action);
    let message = Memo::new(move |_| faults.of("other"));
    let (own, typed) = (lead.id.clone(), RwSignal::new(String::new()));
    // Whoever is found is offered while somebody types; the server finds them also without.
    let found = Resource::new(
        move || typed.get(),
        async |q| match q.trim() {
            "" => None,
            _ => list_leads(Some(q), None, None, None, None).await.ok(),
        },
    );
    let mut look = debounce(PAUSE, move |text| {
        let _ = typed.try_set(text);
    });
    let look = move |event| look(event_target_value(&event));
    let offered = move || {
        let others =
            found.get().flatten().map(|page| page.data).unwrap_or_default().into_iter().filter(|one| one.id != own);
        let offer = |one: Lead| {
            let label = one.label().to_owned();
            let value = one.email.or(one.phone_number.map(|number| number.to_string())).unwrap_or(one.id.to_string());
            view! { <option value=value>{label}</option> }
        };
        others.take(10).map(offer).collect_view()
    };
    view! {
        <Modal title="Merge leads" back=back.clone() opener="merge-lead">
            <PostForm to=action>
                <input type="hidden" name="id" value=lead.id.to_string() />
                <p>
                    <b>{lead.label().to_owned()}</b>
                    " stays, and is told what the other lead knew; the other's messages become its own. It can be undone."
                </p>
                <FieldFrame id="f-other" label="The other lead" message hint="Or the address of its page.".to_owned()>
                    <input
                        id="f-other"
                        name="other"
                        required
                        list="other-leads"
                        autocomplete="off"
                        placeholder="Name, e-mail or number"
                        value=faults.typed("other").unwrap_or_default()
                        aria-invalid=move || message.get().map(|_| "true")
                        aria-describedby="f-other-fault f-other-hint"
                        on:input=look
                    />
                    <datalist id="other-leads">
                        <Transition>{offered}</Transition>
                    </datalist>
                </FieldFrame>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Merging…">
                        "Merge"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

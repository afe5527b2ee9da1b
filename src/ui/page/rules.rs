//! What an organization asks of all that it sends by plan, in the settings.

use crate::{
    api::rules::{SaveRules, load_rules},
    domain::rules::Rules,
    ui::part::{
        error_box::{ErrorBox, FormError},
        field::{Field, FieldFrame},
        form::Faults,
        post::{Post, PostForm},
        submit::Submit,
        toast::Toasts,
    },
};
use leptos::{either::Either, prelude::*};

/// The section.
#[component]
pub fn RulesSection() -> impl IntoView {
    // Not again when somebody else saves them: what is typed here would be gone.
    let rules = Resource::new_blocking(|| (), |()| load_rules());
    view! {
        <section class="card inner stack">
            <div>
                <h2>"Rules for sequences and campaigns"</h2>
                <p class="soft">"A message that a person or a program sends by itself is their own decision."</p>
            </div>
            <Transition>
                {move || Suspend::new(async move {
                    match rules.await {
                        Ok(rules) => Either::Left(view! { <Form rules /> }),
                        Err(error) => Either::Right(view! { <ErrorBox error retry=move |()| rules.refetch() /> }),
                    }
                })}
            </Transition>
        </section>
    }
}

#[component]
fn Form(rules: Rules) -> impl IntoView {
    let toasts = Toasts::get();
    let action = Post::to::<SaveRules>(move |_| toasts.good("The rules are saved."));
    let faults = Faults::of_post(action);
    let cap = |cap: Option<u32>| cap.map(|cap| cap.to_string()).unwrap_or_default();
    let typed = move |name: &str, stored: String| faults.typed(name).unwrap_or(stored);
    let quiet = faults.typed("quiet_hours").map_or(rules.quiet_hours, |typed| typed == "yes");
    let days = typed("holidays", rules.holidays.into_iter().collect::<Vec<_>>().join("\n"));
    let fault = Memo::new(move |_| faults.of("holidays"));
    view! {
        <PostForm to=action>
            <div class="stack">
                <div class="pairs">
                    <Field
                        name="time_zone"
                        label="Time zone"
                        placeholder="Europe/Berlin"
                        value=typed("time_zone", rules.time_zone)
                        hint="Of leads of whom no other is known."
                        faults
                    />
                    <FieldFrame id="f-holidays" label="Holidays" message=fault hint="A day on each line, like 2026-12-25.".to_owned()>
                        <textarea
                            id="f-holidays"
                            name="holidays"
                            rows="3"
                            aria-invalid=move || fault.get().map(|_| "true")
                            aria-describedby="f-holidays-fault f-holidays-hint"
                        >
                            {days}
                        </textarea>
                    </FieldFrame>
                </div>
                <label class="check">
                    <input type="checkbox" name="quiet_hours" value="yes" checked=quiet />
                    "SMS and WhatsApp wait for 8 a.m. to 9 p.m. of whom they are for"
                </label>
                <div class="pairs">
                    <Field
                        name="cap_per_day"
                        label="Messages a person gets in a day"
                        placeholder="Any number"
                        value=typed("cap_per_day", cap(rules.cap_per_day))
                        required=false
                        hint="At most, over all accounts and channels."
                        faults
                    />
                    <Field
                        name="cap_per_week"
                        label="In seven days"
                        placeholder="Any number"
                        value=typed("cap_per_week", cap(rules.cap_per_week))
                        required=false
                        faults
                    />
                </div>
                <FormError error=faults.answer() />
                <div class="row">
                    <Submit pending=action.pending() busy="Saving…">
                        "Save rules"
                    </Submit>
                </div>
            </div>
        </PostForm>
    }
}

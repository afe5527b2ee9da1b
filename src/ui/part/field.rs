//! One line of a form: label, input, hint, fault.

use super::form::Faults;
use leptos::prelude::*;

/// A labelled input. Its fault stands beneath it and is read out with it.
#[component]
pub fn Field(
    /// Name in the form.
    #[prop(into)]
    name: String,
    /// Name among the faults, when it is another one.
    #[prop(optional, into)]
    fault: Option<String>,
    #[prop(into)] label: String,
    /// A word beside the label.
    #[prop(optional)]
    aside: &'static str,
    /// A sentence beneath.
    #[prop(optional, into)]
    hint: Option<String>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(optional)] placeholder: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    /// For `number`.
    #[prop(optional)]
    min: Option<&'static str>,
    /// For `number`.
    #[prop(optional, into)]
    max: Option<Signal<&'static str>>,
    /// What stands in it at first.
    #[prop(optional, into)]
    value: String,
    #[prop(default = true)] required: bool,
    /// The faults of the form.
    faults: Faults,
) -> impl IntoView {
    let id = format!("f-{}", name.replace(['[', ']'], "-"));
    let (fault_id, hint_id) = (format!("{id}-fault"), format!("{id}-hint"));
    let key = fault.unwrap_or_else(|| name.clone());
    let message = Memo::new(move |_| faults.of(&key));
    let has_hint = hint.is_some();
    let described = {
        let (fault_id, hint_id) = (fault_id.clone(), hint_id.clone());
        move || match (message.get().is_some(), has_hint) {
            (true, true) => Some(format!("{fault_id} {hint_id}")),
            (true, false) => Some(fault_id.clone()),
            (false, true) => Some(hint_id.clone()),
            (false, false) => None,
        }
    };
    view! {
        <div class="field">
            <label for=id.clone()>
                {label} {(!aside.is_empty()).then(|| view! { <small>" " {aside}</small> })}
            </label>
            <input
                id=id
                name=name
                type=kind
                placeholder=placeholder
                autocomplete=autocomplete
                min=min
                max=move || max.map(|max| max.get())
                value=value
                required=required
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby=described
            />
            {move || message.get().map(|text| view! { <span class="fault" id=fault_id.clone()>{text}</span> })}
            {hint.map(|hint| view! { <span class="hint" id=hint_id>{hint}</span> })}
        </div>
    }
}

/// Label, fault and hint around a control that is no plain input; it names them as `{id}-fault` and `{id}-hint`.
#[component]
pub fn FieldFrame(
    /// Of the control.
    id: &'static str,
    label: &'static str,
    /// What is wrong with it.
    message: Memo<Option<String>>,
    /// A sentence beneath.
    #[prop(into)]
    hint: Signal<String>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{label}</label>
            {children()}
            <span class="fault" id=format!("{id}-fault")>
                {message}
            </span>
            <span class="hint" id=format!("{id}-hint")>
                {hint}
            </span>
        </div>
    }
}

//! The steps in the editor: each with its fields, and buttons that change the list.

use crate::{
    domain::{
        channel::Channel,
        sequence::{
            Choice,
            draft::{DraftStep, edit},
        },
    },
    ui::part::{
        form::Faults,
        select::{entries, of_channels},
    },
};
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, MouseEvent};

/// A step as it began. What is typed stays in its fields, which move with it; its key never changes.
#[derive(Debug, Clone)]
struct Row {
    key: usize,
    begun: DraftStep,
}

/// The list.
#[component]
pub fn Steps(
    steps: Vec<DraftStep>,
    templates: Vec<Choice>,
    /// Where the page is, for buttons without a script.
    here: String,
    faults: Faults,
    /// Forgets the faults: they name steps by their places.
    clear: Callback<()>,
) -> impl IntoView {
    let next = StoredValue::new(steps.len());
    let rows = RwSignal::new(steps.into_iter().enumerate().map(|(key, begun)| Row { key, begun }).collect::<Vec<_>>());
    let templates = StoredValue::new(templates);
    let here = StoredValue::new(here);
    let change = Callback::new(move |(event, what): (MouseEvent, String)| {
        event.prevent_default();
        let button = event.current_target().and_then(|button| button.dyn_into::<HtmlElement>().ok());
        let key = next.get_value();
        next.set_value(key + 1);
        rows.update(|rows| {
            edit(rows, &what, |last| Row { key, begun: DraftStep::after(last.map(|last| &last.begun)) });
        });
        clear.run(());
        // A button that has moved has lost the focus, and one that is gone leaves it to the one that adds.
        request_animation_frame(move || {
            let stays = button.filter(|button| button.is_connected() && !button.has_attribute("disabled"));
            let adds = || document().get_element_by_id("add-step")?.dyn_into::<HtmlElement>().ok();
            if let Some(to) = stays.or_else(adds) {
                let _ = to.focus();
            }
        });
    });
    let fault = Memo::new(move |_| faults.of("steps"));
    view! {
        <ol class="step-editor">
            <For each=move || rows.get() key=|row| row.key let:row>
                <Step row rows templates here faults change />
            </For>
        </ol>
        {move || fault.get().map(|text| view! { <p class="field"><span class="fault">{text}</span></p> })}
        <div class="row">
            <button
                id="add-step"
                class="btn"
                name="edit"
                value="add"
                formaction=here.get_value()
                formmethod="get"
                formnovalidate
                on:click=move |event| change.run((event, "add".to_owned()))
            >
                "Add step"
            </button>
            <a href="/templates/new">"Write a template"</a>
        </div>
    }
}

#[component]
fn Step(
    row: Row,
    rows: RwSignal<Vec<Row>>,
    templates: StoredValue<Vec<Choice>>,
    here: StoredValue<String>,
    faults: Faults,
    change: Callback<(MouseEvent, String)>,
) -> impl IntoView {
    let Row { key, begun } = row;
    let place = Memo::new(move |_| rows.with(|rows| rows.iter().position(|row| row.key == key)).unwrap_or_default());
    let last = Memo::new(move |_| rows.with(Vec::len).saturating_sub(1));
    let name = move |field: &'static str| move || format!("steps[{}][{field}]", place.get());
    let id = move |field: &str| format!("step-{key}-{field}");
    let fault = move |field: &'static str| {
        let text = Memo::new(move |_| faults.of(&format!("steps.{}.{field}", place.get())));
        let invalid = move || text.get().map(|_| "true");
        let id = format!("step-{key}-{field}-fault");
        let described = {
            let id = id.clone();
            move || text.get().map(|_| id.clone())
        };
        let shown = move || text.get().map(|text| view! { <span class="fault" id=id.clone()>{text}</span> });
        (invalid, described, shown)
    };
    let button = move |what: &'static str, label: &'static str, is_off: Signal<bool>| {
        let what = move || format!("{what}-{}", place.get_untracked());
        let value = Signal::derive(move || {
            place.track();
            what()
        });
        view! {
            <button
                class="btn small quiet"
                name="edit"
                value=value
                formaction=here.get_value()
                formmethod="get"
                formnovalidate
                disabled=is_off
                aria-label=move || format!("{label}: step {}", place.get() + 1)
                on:click=move |event| change.run((event, what()))
            >
                {label}
            </button>
        }
    };
    // A template of another channel cannot stay chosen.
    let template = NodeRef::<html::Select>::new();
    let on_channel = move |_| {
        if let Some(select) = template.get_untracked() {
            select.set_value("");
        }
    };
    let groups = templates.with_value(|templates| of_channels(templates, &begun.template_id));
    let (channel_invalid, channel_described, channel_fault) = fault("channel");
    let (delay_invalid, delay_described, delay_fault) = fault("delay_hours");
    let (template_invalid, template_described, template_fault) = fault("template_id");
    let (missing_invalid, missing_described, missing_fault) = fault("on_missing");
    view! {
        <li>
            <fieldset>
                <legend>{move || format!("Step {}", place.get() + 1)}</legend>
                <div class="step">
                    <div class="field">
                        <label for=id("channel")>"Channel"</label>
                        <select id=id("channel") class="channel" name=name("channel") on:change=on_channel aria-invalid=channel_invalid aria-describedby=channel_described>
                            {entries(Channel::ALL.map(|channel| (channel.as_str(), channel.label())), &begun.channel)}
                        </select>
                        {channel_fault}
                    </div>
                    <div class="field">
                        <label for=id("delay")>
                            {move || if place.get() == 0 { "After enrolling" } else { "After the step before" }}
                        </label>
                        <div class="delay">
                            <input id=id("delay") name=name("delay") inputmode="numeric" autocomplete="off" value=begun.delay.clone() aria-invalid=delay_invalid aria-describedby=delay_described />
                            <select name=name("unit") aria-label="Unit of the delay">
                                {entries([("hours", "hours"), ("days", "days")], &begun.unit)}
                            </select>
                        </div>
                        {delay_fault}
                    </div>
                    <div class="field">
                        <label for=id("template")>"Template"</label>
                        <select id=id("template") name=name("template_id") node_ref=template aria-invalid=template_invalid aria-describedby=template_described>
                            <option value="">"Choose…"</option>
                            {groups}
                        </select>
                        {template_fault}
                    </div>
                    <div class="field">
                        <label for=id("missing")>"Without an address"</label>
                        <select id=id("missing") name=name("on_missing") aria-invalid=missing_invalid aria-describedby=missing_described>
                            {entries([("skip", "Skip the step"), ("stop", "End the run")], &begun.on_missing)}
                        </select>
                        {missing_fault}
                    </div>
                </div>
                <div class="row">
                    {button("up", "Move up", Signal::derive(move || place.get() == 0))}
                    {button("down", "Move down", Signal::derive(move || place.get() == last.get()))}
                    {button("remove", "Remove", Signal::from(false))}
                </div>
            </fieldset>
        </li>
    }
}

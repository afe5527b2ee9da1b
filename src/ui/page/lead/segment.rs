//! Segments above the list, and the dialogs that keep them: a name, and what must hold of whoever is meant.

use super::{Asked, HERE};
use crate::{
    api::{
        error::ApiError,
        segment::{DeleteSegment, SaveSegment},
    },
    domain::audience::{Audience, Choices, Condition, OPS, Op, Segment, TEXT_FIELDS, TIME_FIELDS},
    ui::part::{
        error_box::FormError,
        field::Field,
        form::Faults,
        modal::Modal,
        pager::address,
        post::{Post, PostForm},
        question::Question,
        select::entries,
        submit::Submit,
    },
};
use leptos::prelude::*;

/// Empty conditions that the form offers.
const BLANK: usize = 2;

/// The segments as ways to those whom they mean.
#[component]
pub fn Segments(asked: Memo<Asked>, segments: Resource<Result<Vec<Segment>, ApiError>>) -> impl IntoView {
    move || {
        let segments = segments.get().and_then(Result::ok).unwrap_or_default();
        let (asked, is_any) = (asked.get(), !segments.is_empty());
        let chosen = asked.segment.clone();
        let is_known = segments.iter().any(|segment| chosen.as_deref() == Some(segment.id.as_str()));
        let way = |id: Option<String>, name: String| {
            let is_here = chosen == id;
            let href = address(HERE, [("segment", id.as_deref())]);
            view! {
                <a class="badge" href=href aria-current=is_here.then_some("true")>
                    {name}
                </a>
            }
        };
        is_any.then(|| {
            view! {
                <nav class="segments" aria-label="Segments">
                    {way(None, "All leads".to_owned())}
                    {segments.into_iter().map(|segment| way(Some(segment.id.to_string()), segment.name)).collect_view()}
                    {is_known
                        .then(|| {
                            view! {
                                <a id="edit-segment" class="btn small" href=asked.with("edit", Some("1")) data-noscroll="">
                                    "Edit segment"
                                </a>
                                <a id="delete-segment" class="btn small" href=asked.with("delete", Some("1")) data-noscroll="">
                                    "Delete segment"
                                </a>
                            }
                        })}
                </nav>
            }
        })
    }
}

/// A field that conditions can be about, as people call it.
fn label(field: &str) -> String {
    match field {
        "whatsapp" => "WhatsApp".to_owned(),
        "email" => "E-mail".to_owned(),
        "time_zone" => "Time zone".to_owned(),
        "any" => "Any text".to_owned(),
        "created" => "Added".to_owned(),
        "contacted" => "Written to".to_owned(),
        "replied" => "Answered".to_owned(),
        "sequence" => "In any sequence".to_owned(),
        _ if field.starts_with("custom.") => field["custom.".len()..].replace('_', " "),
        _ => {
            let mut letters = field.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

/// How a field is compared, in words that fit it; of no field yet: in words that fit most.
fn words(op: Op, field: &str) -> &'static str {
    let is_run = field.starts_with("sequence");
    match op {
        Op::Is => "is",
        Op::IsNot => "is not",
        Op::Contains => "contains",
        Op::StartsWith => "begins with",
        Op::IsSet if is_run => "yes",
        Op::IsNotSet if is_run => "no",
        Op::IsSet if TIME_FIELDS.contains(&field) => "ever",
        Op::IsNotSet if TIME_FIELDS.contains(&field) => "never",
        Op::IsSet if field.is_empty() => "is there, yes, ever",
        Op::IsNotSet if field.is_empty() => "is not there, no, never",
        Op::IsSet => "is there",
        Op::IsNotSet => "is not there",
        Op::Within => "in the last days:",
        Op::NotWithin => "not in the last days:",
    }
}

/// The dialog that makes a segment of what the list asks for, or changes the one of the list.
#[component]
pub fn SegmentDialog(is_new: bool, asked: Asked, choices: Choices, back: String) -> impl IntoView {
    let action = Post::to::<SaveSegment>(|_| {});
    let faults = Faults::of_post(action);
    let Choices { segment, custom, sequences } = choices;
    let (id, name) = match &segment {
        Some(segment) if !is_new => (segment.id.to_string(), segment.name.clone()),
        _ => (String::new(), String::new()),
    };
    // A new one has what its origin asks for, and what the list asks for beside it.
    let stored = segment.map(|segment| segment.audience).unwrap_or_default();
    let begun = if is_new {
        let beside =
            Audience { q: asked.q.unwrap_or_default(), tag: asked.tag.unwrap_or_default(), ..Audience::default() };
        beside.and(stored)
    } else {
        stored
    };
    let typed = move |field: &str, stored: String| faults.typed(field).unwrap_or(stored);
    let mut fields: Vec<(String, String)> = Vec::new();
    let plain = ["any", "tag", "sequence"].into_iter().chain(TIME_FIELDS).chain(TEXT_FIELDS);
    fields.extend(plain.map(|field| (field.to_owned(), label(field))));
    fields.extend(sequences.into_iter().map(|(id, name)| (format!("sequence.{id}"), format!("In sequence “{name}”"))));
    fields.extend(custom.into_iter().map(|name| (format!("custom.{name}"), label(&format!("custom.{name}")))));
    // What is asked of somebody that is not there any more stays to be seen.
    for condition in &begun.conditions {
        if fields.iter().all(|(field, _)| *field != condition.field) {
            fields.push((condition.field.clone(), label(&condition.field)));
        }
    }
    let fields = StoredValue::new(fields);
    let blank = Condition { field: String::new(), op: Op::Is, value: String::new() };
    let conditions = begun.conditions.into_iter().chain((0..BLANK).map(|_| blank.clone()));
    let rows = conditions
        .enumerate()
        .map(|(at, condition)| {
            let field = typed(&format!("fields[{at}]"), condition.field);
            let op = faults.typed(&format!("ops[{at}]")).and_then(|op| Op::from_name(&op)).unwrap_or(condition.op);
            let value = typed(&format!("values[{at}]"), condition.value);
            view! { <Row at condition=Condition { field, op, value } fields /> }
        })
        .collect_view();
    let opener = if is_new { "save-segment" } else { "edit-segment" };
    view! {
        <Modal title=if is_new { "Save as segment" } else { "Edit segment" } back=back.clone() opener>
            <PostForm to=action>
                <input type="hidden" name="id" value=id />
                <Field name="name" label="Name" placeholder="Silent customers" value=typed("name", name) faults />
                <div class="pairs">
                    <Field
                        name="q"
                        label="Search"
                        value=typed("q", begun.q)
                        required=false
                        hint="Part of a name, a company, an address or a number."
                        faults
                    />
                    <Field name="tag" label="Tag" value=typed("tag", begun.tag) required=false faults />
                </div>
                <fieldset class="conditions" aria-describedby="conditions-hint">
                    <legend>"All of this must hold, too"</legend>
                    {rows}
                    <span class="hint" id="conditions-hint">
                        "Leave a line empty to drop it. Whoever meets the conditions later belongs to the segment from then on."
                    </span>
                </fieldset>
                <FormError error=faults.answer() />
                <div class="foot">
                    <a class="btn" href=back data-noscroll="">
                        "Cancel"
                    </a>
                    <Submit pending=action.pending() busy="Saving…">
                        "Save segment"
                    </Submit>
                </div>
            </PostForm>
        </Modal>
    }
}

/// One condition. Only what fits the field can be chosen once there is a script; the server says what does not fit.
#[component]
fn Row(at: usize, condition: Condition, fields: StoredValue<Vec<(String, String)>>) -> impl IntoView {
    let Condition { field, op, value } = condition;
    let chosen = RwSignal::new(field.clone());
    let ops = move || {
        let field = chosen.get();
        let fitting = OPS.into_iter().filter(|op| field.is_empty() || op.fits(&field));
        entries(fitting.map(|each| (each.as_str(), words(each, &field))), op.as_str())
    };
    let number = at + 1;
    view! {
        <div class="condition">
            <select name=format!("fields[{at}]") aria-label=format!("Field {number}") on:change=move |event| chosen.set(event_target_value(&event))>
                <option value="">"–"</option>
                {entries(fields.get_value(), &field)}
            </select>
            <select name=format!("ops[{at}]") aria-label=format!("Comparison {number}")>
                {ops}
            </select>
            <input name=format!("values[{at}]") aria-label=format!("Value {number}") autocomplete="off" value=value />
        </div>
    }
}

/// The question before a segment goes.
#[component]
pub fn DeleteSegmentDialog(segment: Segment, back: String) -> impl IntoView {
    let to = Post::to::<DeleteSegment>(|()| {});
    view! {
        <Question to id=segment.id.to_string() title="Delete segment?" back opener="delete-segment" verb="Delete segment" busy="Deleting…">
            <b>{segment.name}</b>
            " is forgotten. The leads stay, and so do runs that have begun."
        </Question>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_comparisons_read_like_sentences() {
        assert_eq!(label("custom.last_order"), "last order");
        assert_eq!((label("company"), label("whatsapp")), ("Company".to_owned(), "WhatsApp".to_owned()));
        assert_eq!((words(Op::IsNotSet, "replied"), words(Op::IsSet, "sequence")), ("never", "yes"));
        assert_eq!(words(Op::IsSet, "email"), "is there");
    }
}

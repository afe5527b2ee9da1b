//! minijinja with nothing in it but what templates may use.

use super::context::Missing;
use minijinja::{Environment, State, UndefinedBehavior, Value, filters, tests, value::Rest};
use std::sync::OnceLock;

/// Work for one text. One unit is an instruction, or 64 bytes read or written: about 2 MB in all, far more than the longest
/// mail needs, and some milliseconds.
const FUEL: u64 = 30_000;

/// The engine, once made.
pub(super) fn engine() -> Environment<'static> {
    static ENGINE: OnceLock<Environment<'static>> = OnceLock::new();
    ENGINE.get_or_init(make).clone()
}

fn make() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    // Errors know their columns then.
    engine.set_debug(true);
    // Plain text everywhere, whatever a snippet is called.
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let kept = [
        ("abs", Value::from_function(filters::abs)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("first", Value::from_function(filters::first)),
        ("float", Value::from_function(filters::float)),
        ("int", Value::from_function(filters::int)),
        ("join", Value::from_function(filters::join)),
        ("last", Value::from_function(filters::last)),
        ("lower", Value::from_function(filters::lower)),
        ("replace", Value::from_function(filters::replace)),
        ("reverse", Value::from_function(filters::reverse)),
        ("round", Value::from_function(filters::round)),
        ("sort", Value::from_function(filters::sort)),
        ("title", Value::from_function(filters::title)),
        ("trim", Value::from_function(filters::trim)),
        ("upper", Value::from_function(filters::upper)),
    ];
    for (name, filter) in kept {
        // What is missing stays so, whatever is done to it: the fallback comes last.
        let keep = move |state: &mut State<'_, '_>, args: Rest<Value>| match args.first() {
            Some(value) if is_missing(value) => Ok(value.clone()),
            _ => filter.call(state, &args),
        };
        engine.add_filter(name, keep);
    }
    for name in ["default", "d"] {
        engine.add_filter(name, default);
    }
    for name in ["length", "count"] {
        engine.add_filter(name, filters::length);
    }
    engine.add_test("defined", |value: &Value| !is_missing(value));
    engine.add_test("undefined", |value: &Value| is_missing(value));
    engine.add_test("none", |value: &Value| is_missing(value));
    engine.add_test("eq", tests::is_eq);
    engine.add_test("ne", tests::is_ne);
    engine.add_test("string", |value: &Value| value.as_str().is_some());
    for (name, is_so) in [
        ("lower", (|text, _| text == text.to_lowercase()) as fn(&str, &str) -> bool),
        ("upper", |text, _| text == text.to_uppercase()),
        ("startingwith", |text, part| text.starts_with(part)),
        ("endingwith", |text, part| text.ends_with(part)),
    ] {
        engine.add_test(name, move |value: &Value, part: Option<&str>| {
            value.as_str().is_some_and(|text| is_so(text, part.unwrap_or_default()))
        });
    }
    engine
}

fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.is_none() || value.downcast_object_ref::<Missing>().is_some()
}

/// Takes the place of what is missing or empty.
fn default(value: Value, instead: Option<Value>, _is_lax: Option<bool>) -> Value {
    let is_empty = value.as_str().is_some_and(|text| text.trim().is_empty());
    if is_missing(&value) || is_empty { instead.unwrap_or_else(|| Value::from("")) } else { value }
}

//! What templates say, what they refuse, and that nothing in them takes much.

use super::{Compiled, Context, Fault, RenderError, Rendered, Sender};
use crate::domain::{channel::Channel, lead::Lead, template::Draft};
use std::collections::BTreeMap;

fn kim() -> Lead {
    Lead {
        name: "Kim Lee".into(),
        company: None,
        custom: BTreeMap::from([("plan".into(), "pro".into())]),
        tags: vec!["fair".into(), "vip".into()],
        ..Context::example_lead()
    }
}

fn context(lead: &Lead) -> Context {
    let sender = Sender { name: "Ann".into(), address: "ann@northwind.example".into() };
    Context::new(lead, Some(&sender), Some("https://tern.test/u/x"))
}

fn snippets() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("sign".into(), "-- {{ sender.name }}{!|.}".into()),
        ("broken".into(), "Line\n{{ name | nope }}".into()),
    ])
}

fn compile(body: &str) -> Result<Compiled, Vec<Fault>> {
    Compiled::new(None, &Draft { channel: Channel::Whatsapp, subject: None, body: body.into() }, &snippets())
}

fn render(body: &str) -> Result<String, RenderError> {
    compile(body).unwrap_or_else(|faults| panic!("{body}: {faults:?}")).render(&context(&kim())).map(|made| made.body)
}

fn made(body: &str) -> String {
    render(body).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn fault(body: &str) -> String {
    let faults = compile(body).map(|_| ()).expect_err(body);
    faults[0].to_string()
}

#[test]
fn variables_filters_and_conditions_are_filled_in() {
    for (body, text) in [
        ("Hi {{ first_name }} {{ last_name }}!", "Hi Kim Lee!"),
        ("{{ name | upper }} {{ name|replace('Kim', \"K.\") }}", "KIM LEE K. Lee"),
        (
            "{{ custom.plan | title }} {{ tags }} {{ tags | join('/') }} {{ tags | first }}",
            "Pro fair, vip fair/vip fair",
        ),
        ("{% for tag in tags %}{{ loop.index }}{{ tag }} {% endfor %}", "1fair 2vip "),
        ("{% if custom.plan == \"pro\" and \"vip\" in tags %}yes{% elif name %}no{% else %}?{% endif %}", "yes"),
        ("{% if company is defined %}a{% else %}b{% endif %}{% if name is startingwith('K') %}c{% endif %}", "bc"),
        (
            "{{ 'a' if company else 'b' }} {{ tags | length }} {{ sender.name }} {{ unsubscribe_url }}",
            "b 2 Ann https://tern.test/u/x",
        ),
        ("a {#- nothing -#} b{{ '}}' }}", "ab}}"),
        ("Dear {{ name }},\n{% include \"sign\" %}", "Dear Kim Lee,\n-- Ann"),
    ] {
        assert!(made(body).trim_end_matches(['!', '.']) == text.trim_end_matches(['!', '.']), "{body}: {}", made(body));
    }
}

#[test]
fn a_fallback_stands_for_what_is_missing_or_empty() {
    let nobody = Lead { name: " ".into(), tags: Vec::new(), ..kim() };
    for (body, text) in [
        ("{{ name | default(\"there\") }}", "there"),
        ("{{ name or \"there\" }}", "there"),
        ("{{ name | d(company) | d('you') }}", "you"),
        ("{{ first_name | upper | default('there') }}", "there"),
        ("{{ custom.city or custom.plan }}", "pro"),
        ("{{ nickname.short | default('x') }}", "x"),
        ("{% if name %}{{ name }}{% endif %}.", "."),
        ("{% for tag in tags %}{{ tag }}{% else %}none{% endfor %}", "none"),
        ("{{ tags | length }}{{ 'vip' in tags }}{{ tags | default('-') }}", "0False-"),
    ] {
        let made = compile(body).expect(body).render(&context(&nobody));
        assert_eq!(made, Ok(Rendered { subject: None, body: text.into() }), "{body}");
    }
}

#[test]
fn what_is_missing_without_a_fallback_is_named_before_anything_goes_out() {
    let body =
        "{{ company }} {{ custom.city | upper }} {{ nickname }} {% if false %}{{ other }}{% endif %}{{ company }}";
    let missing = vec!["company".to_owned(), "custom.city".to_owned(), "nickname".to_owned()];
    assert_eq!(render(body), Err(RenderError::Missing(missing.clone())));
    let compiled = compile(body).expect("a template");
    let (seen, named) = compiled.preview(&context(&kim())).expect("a preview");
    assert_eq!((seen.body.as_str(), named), ("[company] [custom.city] [nickname] [company]", missing));
    let alone = Context::new(&kim(), None, None);
    let lacking = compile("{{ sender.name }}{{ unsubscribe_url }}").expect("a template").missing(&alone);
    assert_eq!(lacking, Ok(vec!["sender.name".to_owned(), "unsubscribe_url".to_owned()]));
}

#[test]
fn variants_are_the_same_whenever_a_lead_is_looked_at_and_differ_between_leads() {
    let body = "{Hi|Hello|{Good|Fine} day|Hey {{ first_name }}}, {how|where} are you?";
    let compiled = compile(body).expect("a template");
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..400 {
        let lead = Lead { id: format!("{n:026}").parse().expect("an id"), ..kim() };
        let once = compiled.render(&context(&lead)).expect("a text").body;
        assert_eq!(compile(body).expect("a template").render(&context(&lead)).expect("a text").body, once);
        seen.insert(once);
    }
    let firsts = ["Hi", "Hello", "Good day", "Fine day", "Hey Kim"];
    let all = firsts.iter().flat_map(|first| ["how", "where"].map(|ask| format!("{first}, {ask} are you?"))).collect();
    assert_eq!(seen, all);
}

#[test]
fn braces_and_bars_can_be_meant_as_they_are() {
    for (body, text) in [
        (r"\{a|b\} \{\{ name }} \{% x %}", "{a|b} {{ name }} {% x %}"),
        (r"C:\dir \\srv a|b :} {x\|y|x\|y}", r"C:\dir \\srv a|b :} x|y"),
        (r"\\{same|same} \\\{", r"\same \{"),
        ("{{{ first_name }}|{{ first_name }}} {{% if name %}a{% endif %}|a}", "Kim a"),
        ("{same|{{ 'same' }}}", "same"),
        ("{{ 'a|b}' }}{||}.", "a|b}."),
    ] {
        assert_eq!(made(body), text, "{body}");
    }
    // What a lead is called is never read as a template.
    let lead = Lead { name: "{{ 7 }} {a|b}".into(), ..kim() };
    assert_eq!(
        compile("{{ name }}").expect("a template").render(&context(&lead)).expect("a text").body,
        "{{ 7 }} {a|b}"
    );
}

#[test]
fn errors_are_told_in_the_authors_own_lines_and_columns() {
    for (body, told) in [
        ("Hi\n  {{ name", "line 2, column 3: this {{ is never closed with }}"),
        ("{a|b}\nüü {{ name | shout }}", "line 2, column 14: there is no filter shout"),
        ("{a|\nb} {% if name %}x", "line 2, column 4: this {% if %} has no {% endif %}"),
        ("{a|b", "line 1, column 1: this { is never closed; write \\{ for a brace"),
        (
            "Hi {first_name}",
            "line 1, column 4: this { has only one variant: write {{ first_name }} for a variable, {a|b} for variants, or \\{ for a brace",
        ),
        (
            "{a{% if name %}|b}{% endif %}",
            "line 1, column 16: close the {% if %} before this |, or write \\| for the character",
        ),
        ("{a|b{% endif %}}", "line 1, column 5: close the { before this {% endif %}"),
        ("{{ name ~ name }}", "line 1, column 9: ~ cannot be used in a tag"),
        ("{{ 'x' * 9 }}", "line 1, column 8: * cannot be used in a tag"),
        ("{{ range(9) }}", "line 1, column 9: range cannot be called; filters are written with |, as in name | upper"),
        (
            "{{ name.upper() }}",
            "line 1, column 14: name cannot be called; filters are written with |, as in name | upper",
        ),
        ("{{ name.first }}", "line 1, column 9: name has no first"),
        ("{{ name.__class__ }}", "line 1, column 9: no variable begins with _, as __class__ does"),
        ("{% set a = 1 %}", "line 1, column 4: there is no {% set %} here; there are if, for and include"),
        (
            "{% for c in name %}{% endfor %}",
            "line 1, column 13: name is no list; a loop is written {% for tag in tags %}",
        ),
        ("a{#}", "line 1, column 2: this {# is never closed with #}"),
        ("{% include 'gone' %}", "line 1, column 4: there is no snippet gone"),
        ("{{ “x” }}", "line 1, column 4: texts in tags need plain quotes, \" or '"),
        ("{{ custom }}", "line 1, column 4: a custom field is written like custom.plan"),
        ("{% include \"broken\" %}", "line 2, column 11: there is no filter nope"),
    ] {
        assert_eq!(fault(body), told, "{body}");
    }
    // The engine's own complaints, behind text that became longer on its way to it.
    let told = fault("{a|b|c} \\{\n{x|y} {{ name name }}");
    assert!(told.starts_with("line 2, column 15: unexpected identifier"), "{told}");
    let told = fault("{{ }}");
    assert!(told.starts_with("line 1, column 1: there is no variable"), "{told}");
}

#[test]
fn all_variants_are_checked_though_one_is_sent() {
    for part in ["{a|b|{{ name | nope }}}", "{a|{% if %}x{% endif %}}", "{a|{b}}"] {
        assert!(compile(part).is_err(), "{part}");
    }
}

#[test]
fn a_text_ends_where_its_channel_does() {
    let draft = |channel, body: String| Draft { channel, subject: None, body };
    let render = |channel, body| {
        Compiled::new(None, &draft(channel, body), &BTreeMap::new()).expect("a template").render(&context(&kim()))
    };
    assert!(render(Channel::Sms, "ü".repeat(1_600)).is_ok());
    assert_eq!(render(Channel::Sms, "ü".repeat(1_601)), Err(RenderError::TooLong("body", 1_600)));
    assert!(render(Channel::Email, "ü".repeat(5_000)).is_ok());
    assert_eq!(render(Channel::Sms, "{% if company %}x{% endif %} ".into()), Err(RenderError::Empty("body")));
}

#[test]
fn a_subject_is_one_line() {
    let draft =
        Draft { channel: Channel::Email, subject: Some("{Hi|Hi}  {{ first_name }}\n".into()), body: "x".into() };
    let made = Compiled::new(None, &draft, &BTreeMap::new()).expect("a template").render(&context(&kim()));
    assert_eq!(made.expect("a mail").subject.as_deref(), Some("Hi Kim"));
    let wrong = Draft { subject: Some("{{ name".into()), ..draft };
    assert_eq!(Compiled::new(None, &wrong, &BTreeMap::new()).expect_err("a fault")[0].field, "subject");
}

#[test]
fn a_compiled_template_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&compile("x").expect("a template"));
}

mod bound;

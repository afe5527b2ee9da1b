//! No text takes much, whatever is in it. Memory is counted by an allocator that is there in tests only; work is the time that
//! this thread had of a processor, which load does not change, and the fuel behind it.

use super::{compile, context, kim, snippets};
use crate::{
    domain::{
        channel::Channel,
        lead::Lead,
        template::{Draft, SOURCE_MAX},
    },
    server::template::Compiled,
};
use minijinja::Environment;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The most bytes at a time.
const MEMORY_MAX: u64 = 8 << 20;
/// The most time of a processor in milliseconds: 50 as shipped. Without optimisation the same work takes about ten times as long.
const MILLIS_MAX: u64 = if cfg!(debug_assertions) { 500 } else { 50 };

/// A lead that has as much of everything as leads may have.
fn full() -> Lead {
    let long = "ж".repeat(1_000);
    let custom = (0..50).map(|n| (format!("k{n}"), long.clone())).collect();
    let tags = (0..50).map(|n| format!("{n:02}{}", "т".repeat(48))).collect();
    Lead { name: "н".repeat(200), company: Some("к".repeat(200)), custom, tags, ..kim() }
}

/// What this thread had of a processor so far, in milliseconds, where the system tells.
fn millis() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse::<u64>().ok().map(|nanos| nanos / 1_000_000)
}

/// Bytes and milliseconds that it takes.
fn cost(work: impl FnOnce()) -> (u64, u64) {
    let before = millis();
    let memory = allocation_counter::measure(work).bytes_max;
    (memory, millis().zip(before).map_or(0, |(after, before)| after - before))
}

/// A whole life of a text: read, compiled, rendered for the fullest lead.
fn cost_of(channel: Channel, body: &str) -> (u64, u64) {
    let lead = context(&full());
    let draft = Draft { channel, subject: None, body: body.to_owned() };
    cost(|| {
        if let Ok(compiled) = Compiled::new(None, &draft, &snippets()) {
            let _ = compiled.preview(&lead);
        }
    })
}

fn assert_bounded(body: &str) {
    for channel in [Channel::Sms, Channel::Email] {
        let (memory, millis) = cost_of(channel, body);
        let shown: String = body.chars().take(80).collect();
        assert!(memory <= MEMORY_MAX && millis <= MILLIS_MAX, "{memory} bytes, {millis} ms: {shown}");
    }
}

/// As much of a piece as a template takes, between a head and a tail.
fn filled(head: &str, piece: &str, tail: &str) -> String {
    format!("{head}{}{tail}", piece.repeat((SOURCE_MAX - head.len() - tail.len()) / piece.len()))
}

#[test]
fn what_is_built_to_hurt_does_not() {
    let hundred = |piece: &str| piece.repeat(32);
    for body in [
        filled("", "{{custom.k0}}", ""),
        filled("{% for t in tags %}", "{{custom.k0}}", "{% endfor %}"),
        filled("{% for t in tags %}", "{{t|upper|lower|title}}", "{% endfor %}"),
        filled("{% for t in tags %}", "{% if 'x' in custom.k0 %}{% endif %}", "{% endfor %}"),
        filled("{% for t in tags %}", "{% if custom.k0 == custom.k1 %}{% endif %}", "{% endfor %}"),
        filled("{% for t in tags %}", "{% include 'sign' %}", "{% endfor %}"),
        filled("{% for t in tags %}", "a", "{% endfor %}"),
        filled("", &format!("{{{{custom.k0{}}}}}", hundred("|replace('ж','жжжж')")), ""),
        filled("", &format!("{{{{custom.k0{}}}}}", hundred("|join('жжжжжжжжжж')")), ""),
        filled("", &format!("{{{{tags{}}}}}", hundred("|sort|reverse")), ""),
        filled("", "{{company}}", ""),
        filled("", "{{custom.none}}", ""),
        filled("{", "|", "}"),
        filled("", "{|}", ""),
        filled("", "{", ""),
        filled("", "{a|", "}"),
        filled("", "{{{", ""),
        filled("", "\\", "{"),
        filled("", "\\{", ""),
        filled("{{", "(", "}}"),
        filled("{{ name", "|upper", "}}"),
        filled("{{ name", " or name", "}}"),
        filled("{{ ", "not ", "name }}"),
        filled("{{ name", ".a", "}}"),
        filled("", "{% if name %}", ""),
        filled("{% if name %}", "{% elif name %}", "{% endif %}"),
        filled("", "{#", ""),
        filled("", "{##}", ""),
        filled("", "{{'", ""),
        filled("{{", "x if y else ", "z}}"),
        filled("", "\n", "{{ name | nope }}"),
    ] {
        assert!(body.len() <= SOURCE_MAX);
        assert_bounded(&body);
    }
}

/// The same measure on the bare engine: it sees what the guards keep out.
#[test]
fn without_the_guards_the_measure_sees_bombs() {
    let bare = |body: &str, fuel: Option<u64>| {
        let mut engine = Environment::new();
        engine.set_fuel(fuel);
        cost(|| {
            let _ = engine.render_str(body, BTreeMap::from([("name", "Kim")]));
        })
    };
    let (memory, _) = bare("{{ 'x' * 99999999 }}", None);
    assert!(memory > MEMORY_MAX, "{memory} bytes");
    let doubling = format!("{{% set x = 'xxxxxxxx' %}}{}", "{% set x = x ~ x %}".repeat(24));
    let (memory, _) = bare(&doubling, None);
    assert!(memory > MEMORY_MAX, "{memory} bytes");
    let loops = "{% for a in range(10000) %}{% for b in range(100) %}{{ a == b }}{% endfor %}{% endfor %}";
    if millis().is_some() {
        let (_, millis) = bare(loops, None);
        assert!(millis > 50, "{millis} ms");
    }
    for body in ["{{ 'x' * 99999999 }}", &doubling, loops] {
        assert!(compile(body).is_err(), "{body}");
    }
}

/// Pieces of which templates are made, good and bad.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{",
        "|",
        "}",
        "\\",
        " ",
        "\n",
        "ж",
        "a",
        "name",
        "custom.k0",
        "tags",
        "tag",
        "if",
        "elif",
        "else",
        "endif",
        "for",
        "in",
        "endfor",
        "include",
        "'sign'",
        "\"",
        "'",
        "(",
        ")",
        ",",
        ".",
        "==",
        "or",
        "and",
        "not",
        "is",
        "upper",
        "replace",
        "join",
        "default",
        "loop.index",
        "{% for tag in tags %}",
        "{% endfor %}",
        "{% if name %}",
        "{% endif %}",
        "{{ custom.k0 }}",
        "{{ tag | replace('т', custom.k1) }}",
        "{a|b}",
        "{{ tags | join(custom.k2) }}",
        "{% include 'sign' %}",
        "99999999",
        "*",
        "~",
        "range",
        "set",
        "macro",
        "raw",
    ];
    prop_oneof![8 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => "\\PC{1,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_takes_more_than_8_megabytes_or_50_milliseconds(
        pieces in proptest::collection::vec(piece(), 1..40),
        is_long in any::<bool>(),
    ) {
        let body = pieces.concat();
        let times = if is_long { SOURCE_MAX / body.len() } else { 1 };
        assert_bounded(&body.repeat(times.max(1)));
    }

    #[test]
    fn plain_text_comes_out_as_it_went_in(text in "[^{}|\\\\]{0,200}") {
        let made = compile(&text).expect("plain text").preview(&context(&kim())).expect("a text").0.body;
        prop_assert_eq!(made.as_str(), text.strip_suffix('\n').unwrap_or(&text).trim_end_matches('\r'));
    }

    #[test]
    fn escaped_text_comes_out_as_it_was_meant(text in "[a-z{}|% #\n]{0,80}x") {
        let escaped: String = text.chars().map(|c| if "{|}".contains(c) { format!("\\{c}") } else { c.to_string() }).collect();
        let made = compile(&escaped).expect("plain text").preview(&context(&kim())).expect("a text").0.body;
        prop_assert_eq!(made, text);
    }
}

//! The one-way rule and the house rules, read off the sources. Each rule is a function from a source to what breaks it,
//! and each is shown here to see the violation it is for.

use std::{fs, path::Path};

/// A source: its path from the package's folder, and its text without comments.
struct Source {
    path: String,
    raw: String,
    code: String,
}

impl Source {
    fn new(path: &str, raw: &str) -> Self {
        let uncommented = raw.lines().map(|line| line.split("// ").next().unwrap_or(line));
        let code: Vec<&str> = uncommented.map(|line| if line.trim().starts_with("//") { "" } else { line }).collect();
        Self { path: path.to_owned(), raw: raw.to_owned(), code: code.join("\n") }
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("src/{folder}"))
    }

    /// The folder's module: `server::store` for all files in src/server/store.
    fn parent(&self) -> Vec<&str> {
        let mut segments: Vec<&str> = self.path.trim_start_matches("src/").split('/').collect();
        segments.pop();
        segments
    }
}

/// Every Rust source below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("below").display().to_string();
                found.push(Source::new(&name, &fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    assert!(found.len() > 3, "the sources are there");
    found
}

/// A path that a source names, from the crate's root, and whether a function's body names it.
#[derive(Debug, PartialEq)]
struct Named {
    path: String,
    is_in_body: bool,
}

/// Every path of this crate that the source names, `use` trees spelt out, `super` resolved.
fn named(source: &Source) -> Vec<Named> {
    let code = &source.code;
    let mut all = Vec::new();
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') || code[..at].ends_with("super::") {
                continue;
            }
            let mut rest = &code[at..];
            let mut base = if root == "crate::" { Vec::new() } else { source.parent() };
            let is_module = source.path.ends_with("/mod.rs");
            let mut ups = 0;
            while let Some(up) = rest.strip_prefix("super::") {
                rest = up;
                ups += 1;
            }
            for _ in 0..if is_module { ups } else { ups.max(1) - 1 } {
                base.pop();
            }
            let is_in_body = is_in_body(&code[..at]);
            for path in tree(rest.strip_prefix("crate::").unwrap_or(rest)) {
                all.push(Named { path: resolve(&base, &path), is_in_body });
            }
        }
    }
    all
}

/// The path below `base`, without a `super` in its middle, as trees may have one.
fn resolve<'a>(base: &[&'a str], path: &'a str) -> String {
    let mut segments = base.to_vec();
    for segment in path.split("::") {
        if segment == "super" {
            segments.pop();
        } else {
            segments.push(segment);
        }
    }
    segments.join("::")
}

/// The paths of one `use` tree, which begins the text: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn tree(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    let Some(inner) = rest.strip_prefix('{').filter(|_| head.ends_with("::") || head.is_empty()) else {
        return vec![head.to_owned()];
    };
    let (mut paths, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        if (c == ',' || c == '}') && depth == 0 {
            let part = inner[start..at].trim();
            paths.extend(tree(part).into_iter().filter(|_| !part.is_empty()).map(|path| format!("{head}{path}")));
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths
}

/// True when the text ends inside a function's body.
fn is_in_body(before: &str) -> bool {
    let (mut open, mut start) = (Vec::new(), 0);
    for (at, c) in before.char_indices().filter(|(_, c)| matches!(c, '{' | '}' | ';')) {
        match c {
            '{' => open.push(before[start..at].split_whitespace().any(|word| word == "fn")),
            '}' => drop(open.pop()),
            _ => {}
        }
        start = at + 1;
    }
    open.contains(&true)
}

/// What breaks a rule in a source.
type Rule = fn(&Source) -> Vec<String>;

/// The paths of a source that `is_wrong` says must not be there.
fn paths_that(source: &Source, is_wrong: impl Fn(&Named) -> bool) -> Vec<String> {
    named(source).into_iter().filter(is_wrong).map(|named| named.path).collect()
}

/// The lines of a source that `is_wrong` says must not be there.
fn lines_that(text: &str, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    text.lines().filter(|line| is_wrong(line)).map(str::to_owned).collect()
}

fn layer(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

fn domain_knows_nobody(source: &Source) -> Vec<String> {
    paths_that(source, |named| source.is_in("domain/") && layer(&named.path) != "domain")
}

fn ui_never_calls_the_server(source: &Source) -> Vec<String> {
    paths_that(source, |named| source.is_in("ui/") && layer(&named.path) == "server")
}

fn api_reaches_the_server_in_bodies_only(source: &Source) -> Vec<String> {
    paths_that(source, |named| {
        let is_allowed = match layer(&named.path) {
            "api" | "domain" => true,
            "server" => named.is_in_body,
            _ => false,
        };
        source.is_in("api/") && !is_allowed
    })
}

fn store_and_channel_never_meet(source: &Source) -> Vec<String> {
    paths_that(source, |named| {
        (source.is_in("server/store/") && named.path.starts_with("server::channel"))
            || (source.is_in("server/channel/") && named.path.starts_with("server::store"))
    })
}

/// Lines that use a crate outside its place, but for `types`, which a signature may name anywhere on the server.
fn stays(source: &Source, krate: &str, places: &[&str], types: &[&str]) -> Vec<String> {
    let is_at_home = !source.is_in("") || places.iter().any(|place| source.is_in(place));
    lines_that(&source.code, |line| {
        let mut line = line.to_owned();
        for name in types.iter().filter(|_| source.is_in("server/")) {
            line = line.replace(&format!("{krate}::{name}"), "");
        }
        !is_at_home && line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == krate)
    })
}

/// Transactions are written where use cases and the worker compose them, so those name the error of the database.
fn the_database_stays_in_the_store(source: &Source) -> Vec<String> {
    stays(source, "sqlx", &["server/store/", "server/error.rs"], &["Error", "Result"])
}

/// A `Url` is taken apart elsewhere too; nothing goes out there. `tern send` is a client of a Tern.
fn requests_go_out_in_the_channels(source: &Source) -> Vec<String> {
    let places = ["server/channel/", "server/command.rs", "server/mod.rs", "server/send", "server/simulate"];
    stays(source, "reqwest", &places, &["Url"])
}

fn every_file_says_what_it_is(source: &Source) -> Vec<String> {
    if source.raw.starts_with("//! ") { Vec::new() } else { vec!["begins without `//!`".to_owned()] }
}

fn no_file_is_long(source: &Source) -> Vec<String> {
    let lines = source.raw.lines().count();
    if lines > 600 { vec![format!("{lines} lines")] } else { Vec::new() }
}

fn no_module_is_a_drawer(source: &Source) -> Vec<String> {
    const DRAWERS: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];
    let is_drawer = |name: &str| DRAWERS.contains(&name);
    let mut wrong: Vec<_> = source.path.split(['/', '.']).filter(|part| is_drawer(part)).map(str::to_owned).collect();
    wrong.extend(lines_that(&source.code, |line| {
        let item = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        item.strip_prefix("mod ").is_some_and(|name| is_drawer(name.trim_end_matches([' ', '{', ';'])))
    }));
    wrong
}

/// sqlx takes texts of the program only, unless it is told that another one is safe; nobody tells it so.
fn sql_is_a_constant(source: &Source) -> Vec<String> {
    const WRITTEN_OUT: [&str; 3] = ["query(", "query_as(", "query_scalar("];
    let is_store = source.is_in("server/store/") && !source.path.ends_with("store/mod.rs");
    // What a macro is given is held to the rule by sqlx's own types: a text of the program.
    let begins_with_a_constant = |rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase() || c == '$');
    lines_that(&source.code, |line| {
        let call = WRITTEN_OUT.iter().find_map(|call| line.split_once(&format!("sqlx::{call}")));
        let typed = line.split_once("sqlx::query").and_then(|(_, rest)| rest.split_once(">("));
        let is_loose = call.or(typed).is_some_and(|(_, rest)| !begins_with_a_constant(rest));
        line.contains("AssertSqlSafe") || line.contains("QueryBuilder") || (is_store && is_loose)
    })
}

fn nothing_is_left_undone(source: &Source) -> Vec<String> {
    lines_that(&source.raw, |line| ["TODO", "FIXME", "unimplemented!", "todo!"].iter().any(|word| line.contains(word)))
}

/// Holds the rule against the sources below the folders.
fn holds(rule: Rule, folders: &[&str]) {
    let broken: Vec<_> = sources(folders)
        .iter()
        .flat_map(|source| rule(source).into_iter().map(|what| format!("{}: {what}", source.path)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Shows that the rule sees each of these, each as (path, text).
fn sees(rule: Rule, seeded: &[(&str, &str)]) {
    for (path, text) in seeded {
        assert!(!rule(&Source::new(path, text)).is_empty(), "unseen in {path}: {text}");
    }
}

/// Shows that the rule lets these pass.
fn allows(rule: Rule, fine: &[(&str, &str)]) {
    for (path, text) in fine {
        assert_eq!(rule(&Source::new(path, text)), [] as [String; 0], "in {path}: {text}");
    }
}

#[test]
fn the_domain_knows_nobody_else() {
    holds(domain_knows_nobody, &["src/domain"]);
    sees(
        domain_knows_nobody,
        &[
            ("src/domain/a.rs", "use crate::server::clock;"),
            ("src/domain/a.rs", "use crate::{domain::id::MessageId, api::error::ApiError};"),
            ("src/domain/a.rs", "use super::super::ui::app;"),
            ("src/domain/a.rs", "use super::{id, super::ui::app};"),
            ("src/domain/mod.rs", "use super::server;"),
        ],
    );
    let fine = [("src/domain/a.rs", "use super::{id::MessageId, time};\n// crate::server does it\n")];
    allows(domain_knows_nobody, &fine);
}

#[test]
fn the_page_never_calls_the_server_directly() {
    holds(ui_never_calls_the_server, &["src/ui"]);
    sees(
        ui_never_calls_the_server,
        &[
            ("src/ui/page/a.rs", "use crate::{api, server::store::{self, Db}};"),
            ("src/ui/page/a.rs", "fn f() { crate::server::app(); }"),
            ("src/ui/page/a.rs", "use super::super::super::server;"),
        ],
    );
    allows(
        ui_never_calls_the_server,
        &[("src/ui/page/a.rs", "use crate::{api, domain::id};\nuse super::server_error;")],
    );
}

#[test]
fn the_seam_reaches_the_server_only_inside_a_function() {
    holds(api_reaches_the_server_in_bodies_only, &["src/api"]);
    sees(
        api_reaches_the_server_in_bodies_only,
        &[
            ("src/api/a.rs", "use crate::server::request;\nfn f() {}"),
            ("src/api/a.rs", "fn f() { g(); }\nimpl From<crate::server::error::Error> for A {}"),
            ("src/api/a.rs", "fn f(app: crate::server::App) {}"),
            ("src/api/a.rs", "fn f() { crate::ui::app::App; }"),
        ],
    );
    let fine = "use crate::domain::id;\npub async fn f() -> A { let a = format!(\"{b}\"); crate::server::request() }";
    allows(api_reaches_the_server_in_bodies_only, &[("src/api/a.rs", fine)]);
}

#[test]
fn the_store_and_the_channels_never_meet() {
    holds(store_and_channel_never_meet, &["src/server"]);
    sees(
        store_and_channel_never_meet,
        &[
            ("src/server/store/a.rs", "use crate::{domain::id, server::{channel::Outgoing, App}};"),
            ("src/server/store/a.rs", "use super::super::channel;"),
            ("src/server/channel/twilio/mod.rs", "use super::super::store::Db;"),
            ("src/server/channel/mod.rs", "fn f() { crate::server::store::account::list() }"),
        ],
    );
    allows(store_and_channel_never_meet, &[("src/server/worker/a.rs", "use crate::server::{channel, store};")]);
}

#[test]
fn the_database_is_spoken_to_in_the_store_alone() {
    holds(the_database_stays_in_the_store, &["src"]);
    sees(
        the_database_stays_in_the_store,
        &[
            ("src/server/worker/a.rs", "sqlx::query(TEXT)"),
            ("src/server/usecase/a.rs", "use sqlx::AnyPool;"),
            ("src/domain/a.rs", "#[error(transparent)] A(sqlx::Error)"),
            ("src/server/usecase/a.rs", "fn f() -> sqlx::Result<sqlx::AnyConnection>"),
        ],
    );
    let fine = [("src/server/worker/a.rs", "Ok::<_, sqlx::Error>(())"), ("src/server/store/a.rs", "sqlx::query(A)")];
    allows(the_database_stays_in_the_store, &fine);
}

#[test]
fn requests_go_out_only_where_providers_are_spoken_to() {
    holds(requests_go_out_in_the_channels, &["src"]);
    let seeded = [
        ("src/server/usecase/a.rs", "reqwest::Client::builder()"),
        ("src/server/worker/a.rs", "use reqwest::get;"),
        ("src/ui/a.rs", "reqwest::Url::parse(text)"),
    ];
    sees(requests_go_out_in_the_channels, &seeded);
    allows(requests_go_out_in_the_channels, &[("src/server/config.rs", "reqwest::Url::parse(text)")]);
}

#[test]
fn every_file_begins_with_what_it_is() {
    holds(every_file_says_what_it_is, &["src", "tests", "xtask/src"]);
    sees(every_file_says_what_it_is, &[("src/a.rs", "use b;\n//! Late."), ("src/a.rs", "")]);
}

#[test]
fn no_file_is_longer_than_600_lines() {
    holds(no_file_is_long, &["src", "tests", "xtask/src"]);
    sees(no_file_is_long, &[("src/a.rs", &"a\n".repeat(601))]);
    allows(no_file_is_long, &[("src/a.rs", &"a\n".repeat(600))]);
}

#[test]
fn every_module_is_called_by_what_is_in_it() {
    holds(no_module_is_a_drawer, &["src", "tests", "xtask/src"]);
    let seeded =
        [("src/util.rs", ""), ("src/common/a.rs", ""), ("src/lib.rs", "pub mod helpers;"), ("src/a.rs", "mod misc {")];
    sees(no_module_is_a_drawer, &seeded);
    allows(no_module_is_a_drawer, &[("src/utility_bill.rs", "pub mod common_name;")]);
}

#[test]
fn every_sql_text_is_a_constant() {
    holds(sql_is_a_constant, &["src"]);
    sees(
        sql_is_a_constant,
        &[
            ("src/server/store/a.rs", "sqlx::query(&format!(\"select {a}\"))"),
            ("src/server/store/a.rs", "sqlx::query_scalar(\"select 1\")"),
            ("src/server/store/a.rs", "sqlx::query_as::<_, Row>(text)"),
            ("src/server/worker/a.rs", "sqlx::query(AssertSqlSafe(text))"),
            ("src/server/store/a.rs", "QueryBuilder::new(text)"),
        ],
    );
    let fine = "sqlx::query(CLAIM.of(dialect)); \n sqlx::query_as::<_, Row>(FIND)";
    allows(sql_is_a_constant, &[("src/server/store/a.rs", fine)]);
}

#[test]
fn nothing_is_left_for_later() {
    holds(nothing_is_left_undone, &["src"]);
    let seeded = [
        ("src/a.rs", "// TODO: later"),
        ("src/a.rs", "fn f() { todo!() }"),
        ("src/a.rs", "unimplemented!()"),
        ("src/a.rs", "// FIXME"),
    ];
    sees(nothing_is_left_undone, &seeded);
}

#[test]
fn use_trees_are_spelt_out() {
    let source = Source::new(
        "src/server/store/a.rs",
        "use crate::{\n    domain::{id::{A, B}, time},\n    server::App,\n};\nfn f() { super::row::id() }",
    );
    let paths: Vec<_> = named(&source).into_iter().map(|named| (named.path, named.is_in_body)).collect();
    let expected = [
        ("domain::id::A", false),
        ("domain::id::B", false),
        ("domain::time", false),
        ("server::App", false),
        ("server::store::row::id", true),
    ];
    assert_eq!(paths, expected.map(|(path, is_in_body)| (path.to_owned(), is_in_body)));
}

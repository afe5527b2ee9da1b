//! Every text is SQL on both engines, and the hot ones read an index.

use super::{Folder, each_engine};
use sqlx::{Executor, Row, SqlSafeStr};
use tern::server::store::{self, Db};

#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    each_engine(async |db| {
        let mut conn = db.read().await.expect("a connection");
        let mut count = 0;
        for text in store::statements().map(|sql| sql.of(db.dialect)) {
            let prepared = (*conn).prepare(text.into_sql_str()).await;
            assert!(prepared.is_ok(), "{text}\n{}", prepared.err().map(|e| e.to_string()).unwrap_or_default());
            count += 1;
        }
        assert!(count > 50, "only {count} statements are listed");
    })
    .await;
}

/// A text that is missing in `statements()` would escape the test above, and the plans below.
#[test]
fn every_statement_of_the_sources_is_listed() {
    let listed = store::statements().count();
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/store")).expect("the store");
    let texts = sources.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a text"));
    let written: usize = texts.map(|text| constants(&text)).sum();
    assert_eq!(listed, written, "each `const …: &str` and `const …: Sql` is in STATEMENTS or DUAL");
}

/// How many SQL constants a source has; the connection's settings are none.
fn constants(source: &str) -> usize {
    let count = |line: &str| match line {
        line if line.contains(": &str =") || line.contains(": Sql =") => 1,
        line if line.contains(": [Sql; 2] =") => 2,
        _ => 0,
    };
    let constants = source.lines().filter(|line| line.starts_with("const ") && !line.starts_with("const PRAGMAS"));
    constants.map(count).sum()
}

#[test]
fn a_forgotten_constant_would_be_counted() {
    assert_eq!(
        constants(
            "const A: &str = \"select 1\";\nconst B: Sql = Sql { … };\nconst C: [Sql; 2] = both!(…);\npub const STATEMENTS: &[&str] = &[A];"
        ),
        4
    );
}

/// What SQLite would do for the one statement that contains `part`.
async fn plan(part: &str) -> String {
    let folder = Folder::new();
    let db = Db::open(&folder.url()).await.expect("opened");
    db.migrate().await.expect("migrated");
    let found: Vec<_> = store::statements().map(|sql| sql.of(db.dialect)).filter(|text| text.contains(part)).collect();
    let [text] = found[..] else { panic!("{} statements contain {part}", found.len()) };
    let mut conn = db.read().await.expect("a connection");
    let question = sqlx::AssertSqlSafe(format!("explain query plan {text}"));
    let steps = sqlx::query(question).fetch_all(&mut *conn).await.expect(text);
    drop(conn);
    db.close().await;
    steps.iter().map(|step| step.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

/// The plan of the statement reaches messages by `by`, and nothing walks through all of them.
async fn goes_by(part: &str, by: &str) {
    let plan = plan(part).await;
    let is_walk = |line: &str| line.starts_with("SCAN m") && !line.contains("message_poll");
    assert!(plan.contains(by) && !plan.lines().any(is_walk), "{part} goes so:\n{plan}");
}

#[tokio::test]
async fn a_page_of_messages_begins_at_its_cursor_wherever_it_is_in_history() {
    goes_by(
        "where m.organization_id = $1 and m.id < $2 and m.id >= $9",
        "message_page (organization_id=? AND id>? AND id<?)",
    )
    .await;
}

#[tokio::test]
async fn the_worker_finds_accounts_with_due_messages_without_walking_through_the_queue() {
    goes_by("and exists (select 1 from message m", "message_due (account_id=? AND due_at<?)").await;
}

#[tokio::test]
async fn how_long_the_worker_may_sleep_is_read_off_an_index() {
    goes_by("order by m.due_at limit 1) as due_at", "message_due (account_id=?)").await;
    goes_by("select min(poll_at)", "message_poll").await;
}

#[tokio::test]
async fn a_claim_reads_the_head_of_the_accounts_queue() {
    goes_by("due_at <= $2 order by due_at, id limit $3", "message_due (account_id=? AND due_at<?)").await;
}

/// A batch is walked through once, and each of its rows is looked up: never the other way round.
#[tokio::test]
async fn a_batch_is_looked_up_row_by_row() {
    for statement in [" message.lease_token = x.token", " m.lease_token = x.token", "updated_at = x.updated_at"] {
        let plan = plan(statement).await;
        assert!(!plan.contains("SCAN m"), "{statement}: {plan}");
    }
}

#[tokio::test]
async fn a_webhook_finds_its_message_by_the_providers_id() {
    goes_by(
        "select id from message where account_id = $1 and provider_message_id",
        "message_provider (account_id=? AND provider_message_id=?)",
    )
    .await;
}

#[tokio::test]
async fn lost_leases_are_found_by_their_end() {
    goes_by("status = 'sending' and lease_until", "message_lease (lease_until<?)").await;
}

#[tokio::test]
async fn whom_to_ask_for_news_is_found_by_the_instant() {
    goes_by("m.poll_at <= $1", "message_poll (poll_at<?)").await;
}

#[tokio::test]
async fn a_forecast_counts_in_the_index_alone() {
    goes_by("limit $5) as q", "COVERING INDEX message_due (account_id=? AND due_at<?)").await;
}

#[tokio::test]
async fn what_needs_a_person_is_found_by_the_organization() {
    goes_by("m.status = 'unknown' order by m.id limit", "message_unknown (organization_id=?)").await;
    goes_by("m.status = 'unknown' limit $2", "message_unknown (organization_id=?)").await;
}

#[tokio::test]
async fn a_timeline_is_found_by_its_message() {
    assert!(plan("from event e join").await.contains("event_message (message_id=?)"));
}

#[tokio::test]
async fn a_walk_through_all_messages_would_be_seen() {
    let folder = Folder::new();
    let db = Db::open(&folder.url()).await.expect("opened");
    db.migrate().await.expect("migrated");
    let mut conn = db.read().await.expect("a connection");
    let step =
        sqlx::query("explain query plan select m.id from message m where m.body = 'x'").fetch_one(&mut *conn).await;
    assert!(step.expect("a plan").get::<String, _>("detail").starts_with("SCAN m"));
}

#[tokio::test]
async fn a_search_ends_where_an_index_says() {
    goes_by("min(q.id) from (select m.id", "message_page (organization_id=? AND id<?)").await;
}

#[tokio::test]
async fn what_can_be_sent_again_is_found_without_walking_through_history() {
    goes_by("and m.id > $6 order by m.id limit", "message_failed (organization_id=? AND id>?)").await;
    goes_by("= 'yes' order by m.id desc limit $6) as q", "message_failed (organization_id=?)").await;
}

#[tokio::test]
async fn a_leads_messages_are_found_by_the_lead() {
    goes_by("where m.lead_id = $6", "message_lead (lead_id=? AND id>? AND id<?)").await;
}

#[tokio::test]
async fn messages_of_strangers_are_found_by_their_addresses() {
    goes_by("cross join message m where m.organization_id = $2 and m.lead_id", "message_stranger (organization_id=?")
        .await;
    goes_by("update message set lead_id = x.lead_id", "id=?)").await;
}

#[tokio::test]
async fn leads_are_found_by_an_index_whatever_is_asked() {
    for (part, by) in [
        ("and l.id < $4 and l.id >= $5", "lead_page (organization_id=? AND id>? AND id<?)"),
        ("and g.lead_id < $4 and g.lead_id >= $5", "(organization_id=? AND tag=? AND lead_id>? AND lead_id<?)"),
        ("min(q.id) from (select l.id", "lead_page (organization_id=? AND id<?)"),
        ("min(q.id) from (select g.lead_id", "(organization_id=? AND tag=? AND lead_id<?)"),
        ("whatsapp_key in ($3, $4)", "lead_whatsapp (organization_id=? AND whatsapp_key=?)"),
        ("and (phone_key = $2 or whatsapp_key", "lead_phone (organization_id=? AND phone_key=?)"),
    ] {
        let plan = plan(part).await;
        let is_walk = |line: &str| ["SCAN l", "SCAN g", "SCAN lead"].iter().any(|walk| line.starts_with(walk));
        assert!(plan.contains(by) && !plan.lines().any(is_walk), "{part} goes so:\n{plan}");
    }
}

#[tokio::test]
async fn what_an_audience_asks_of_a_lead_is_one_look_into_an_index() {
    for page in ["and l.id < $4 and l.id >= $5", "and g.lead_id < $4 and g.lead_id >= $5"] {
        let plan = plan(page).await;
        for by in [
            "INDEX message_contacted (lead_id=? AND accepted_at>?)",
            "COVERING INDEX message_replied (lead_id=?)",
            "COVERING INDEX enrollment_running (lead_id=?",
            "COVERING INDEX lead_tag_lead (lead_id=?",
        ] {
            assert!(plan.contains(by), "{by} is not how it goes:\n{plan}");
        }
        assert!(!plan.contains("TEMP B-TREE"), "nothing is sorted:\n{plan}");
    }
    let plan = plan("from segment s where s.organization_id = $1").await;
    assert!(plan.contains("segment_page (organization_id=? AND id<?)"), "{plan}");
}

/// On PostgreSQL a plan depends on what there is: with a long history one lead's newest message is still one look.
#[tokio::test]
async fn a_long_history_costs_an_audience_nothing_on_postgres() {
    each_engine(async |db| {
        if db.dialect != store::Dialect::Postgres {
            return;
        }
        let organization = super::organization(&db).await;
        let mut conn = db.read().await.expect("a connection");
        let history = "insert into message (id, organization_id, lead_id, channel, direction, recipient, body, segments, status, \
             due_at, accepted_at, created_at, updated_at) select 'm' || n, $1, 'l' || n % 50, 'sms', \
             case when n % 3 = 0 then 'inbound' else 'outbound' end, '+1', 'x', 1, 'sent', n, n, n, n \
             from generate_series(1, 20000) n";
        sqlx::query(history).bind(organization.as_str()).execute(&mut *conn).await.expect("a history");
        sqlx::query("analyze message").execute(&mut *conn).await.expect("counted");
        for (part, index) in [
            ("m.direction = 'outbound' and m.accepted_at is not null order by m.accepted_at", "message_contacted"),
            ("m.direction = 'inbound' order by m.created_at", "message_replied"),
        ] {
            let text = format!("explain select 1 from message m where m.lead_id = 'l7' and {part} desc limit 1");
            let steps = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut *conn).await.expect(part);
            let steps: Vec<String> = steps.iter().map(|step| step.get::<String, _>(0)).collect();
            let plan = steps.join("\n");
            assert!(plan.contains(index) && !plan.contains("Sort"), "{part} goes so:\n{plan}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_must_not_be_written_to_is_found_by_their_fingerprint() {
    for part in [
        "cross join suppression s where s.organization_id = $2",
        "delete from suppression where organization_id = $2 and reason",
    ] {
        goes_by(part, "suppression_person (organization_id=? AND fingerprint=?)").await;
    }
    goes_by("from suppression where organization_id = $1 and id < $2", "suppression_page (organization_id=? AND id<?)")
        .await;
    goes_by(
        "from consent where organization_id = $1 and fingerprint",
        "consent_person (organization_id=? AND fingerprint=?)",
    )
    .await;
}

#[tokio::test]
async fn imports_reach_everything_by_an_index() {
    for (part, by) in [
        ("cross join lead e where", "lead_email (organization_id=? AND email=?)"),
        ("cross join lead p where", "lead_phone (organization_id=? AND phone_key=?)"),
        ("cross join lead w where", "lead_whatsapp (organization_id=? AND whatsapp_key=?)"),
        ("cross join import_seen s", "(import_id=? AND round=? AND key=?)"),
        ("(select i.id from import i where i.state = 'running'", "import_running"),
        ("sweep_at <= $1", "import_sweep (sweep_at<?)"),
        ("r.line > $3 order by r.line", "(import_id=? AND round=? AND line>?)"),
        ("organization_id = $1 and id < $2 and encoding", "import_page (organization_id=? AND id<?)"),
    ] {
        let plan = plan(part).await;
        let is_walk =
            |line: &str| ["SCAN lead", "SCAN s", "SCAN r", "SCAN l"].iter().any(|walk| line.starts_with(walk));
        assert!(plan.contains(by) && !plan.lines().any(is_walk), "{part} goes so:\n{plan}");
    }
}

#[tokio::test]
async fn changes_of_leads_reach_everything_by_an_index() {
    for (part, by) in [
        ("where state = 'running' order by id", "lead_change_running"),
        (
            "from lead_change b where b.organization_id = $1 and b.id < $2",
            "lead_change_page (organization_id=? AND id<?)",
        ),
        ("cross join enrollment e where e.lead_id = x.id", "enrollment_lead (lead_id=?)"),
        ("update message set lead_id = null where lead_id in (select o.id", "message_lead (lead_id=?)"),
        ("delete from lead where id in", "sqlite_autoindex_lead_1 (id=?)"),
        ("update lead set updated_at = $3 where id in", "sqlite_autoindex_lead_1 (id=?)"),
        ("and l.id >= $4", "lead_page (organization_id=? AND id>?)"),
        ("i.whatsapp_number, '') as key from lead i where i.organization_id = $2", "lead_name (organization_id=? AND"),
        ("end) as key from lead i where i.organization_id = $2", "lead_company (organization_id=? AND"),
        ("i.whatsapp_number, '') as key from lead i where i.organization_id = $1", "lead_name (organization_id=? AND"),
        ("end) as key from lead i where i.organization_id = $1", "lead_company (organization_id=? AND"),
    ] {
        goes_by(part, by).await;
    }
}

#[tokio::test]
async fn what_can_be_canceled_is_found_in_the_queues() {
    goes_by("(m.due_at, m.id) > ($7, $8)", "message_due (account_id=? AND (due_at,id)>(?,?))").await;
    goes_by("as hit from account a cross join message m", "message_due (account_id=?)").await;
}

#[tokio::test]
async fn templates_and_snippets_are_found_by_an_index() {
    for (part, by) in [
        ("where t.organization_id = $1 and t.id < $2", "template_page (organization_id=? AND id<?)"),
        ("where u.organization_id = $1 and u.name = $2) order by", "template_snippet_1 (organization_id=? AND name=?)"),
        ("v.version < $3 order by v.version desc", "(template_id=? AND version<?)"),
        ("snippet s where s.organization_id = $1 and s.id < $2", "snippet_page (organization_id=? AND id<?)"),
        ("cross join snippet s where", "snippet_name (organization_id=? AND name=?)"),
    ] {
        let plan = plan(part).await;
        let is_walk =
            |line: &str| ["SCAN t", "SCAN v", "SCAN u", "SCAN template"].iter().any(|walk| line.starts_with(walk));
        assert!(plan.contains(by) && !plan.lines().any(is_walk), "{part} goes so:\n{plan}");
    }
}

#[tokio::test]
async fn campaigns_are_moved_on_and_held_without_walking_through_what_has_left() {
    for part in ["due_at = 9000000000000000, waiting_reason", "set due_at = $3, waiting_reason = null"] {
        goes_by(part, "message_sequence (sequence_id=? AND step=? AND status=?)").await;
    }
    goes_by("m.status in ('queued', 'sending') limit 1", "message_sequence (sequence_id=? AND step=? AND status=?)")
        .await;
    goes_by("e.status = 'active' limit 1) as x", "enrollment_due (sequence_id=?)").await;
    goes_by(
        "sequence_id = $1 and step = 0 and status in ('failed', 'undelivered')",
        "message_sequence (sequence_id=? AND step=? AND status=?)",
    )
    .await;
    for (part, by) in [
        ("coalesce(send_at, 0) <= $1 order by id", "campaign_open"),
        ("select min(coalesce(send_at, 0)) from campaign", "campaign_open"),
        ("and stop_reason is not null group by stop_reason", "enrollment_stopped (sequence_id=?"),
        ("s.kind = 'sequence' and s.id < $2", "sequence_page (organization_id=? AND kind=? AND id<?)"),
        ("c.organization_id = $1 and c.id < $2", "campaign_page (organization_id=? AND id<?)"),
        ("and lead_id > $3", "enrollment_active (sequence_id=? AND lead_id>?)"),
        ("end as standing from", "sqlite_autoindex_enrollment_1 (id=?)"),
        (
            "m.status in ('accepted', 'sent', 'delivered', 'read', 'failed', 'undelivered'",
            "message_sequence (sequence_id=?",
        ),
        ("delete from enrollment where id in", "enrollment_page (sequence_id=?)"),
    ] {
        let plan = plan(part).await;
        assert!(plan.contains(by), "{part} goes so:\n{plan}");
    }
}

#[tokio::test]
async fn a_forecast_reads_what_it_needs_by_an_index() {
    goes_by("t.status = 'queued' or exists", "message_lead (lead_id=?)").await;
    goes_by("t.id in ((select m.id", "message_contacted (lead_id=?").await;
    goes_by("order by t.due_at, t.id limit $5", "message_due (account_id=? AND (due_at,id)>(?,?)").await;
}

/// A column that is added to a table is copied, too: whoever forgets it has another forecast than what happens.
#[tokio::test]
async fn a_forecast_knows_every_column_of_what_it_copies() {
    let folder = Folder::new();
    let db = Db::open(&folder.url()).await.expect("opened");
    db.migrate().await.expect("migrated");
    let mut conn = db.read().await.expect("a connection");
    let puts = store::statements()
        .map(|sql| sql.of(db.dialect))
        .filter(|text| text.ends_with("where true on conflict do nothing"));
    let mut seen = 0;
    for text in puts.filter(|text| text.starts_with("insert into ") && text.contains(") select x.")) {
        let (table, rest) = text["insert into ".len()..].split_once(" (").expect("columns");
        let written = rest.split_once(')').expect("columns").0.split(", ").count();
        let question = sqlx::AssertSqlSafe(format!("select cast(count(*) as text) from pragma_table_info('{table}')"));
        let there: String = sqlx::query_scalar(question).fetch_one(&mut *conn).await.expect("a table");
        // Of messages only what a forecast reads: not their texts, nor what providers said of them.
        assert!(table == "message" || there == written.to_string(), "{table}: {written} of {there} columns");
        seen += 1;
    }
    assert!(seen >= 16, "only {seen} tables");
}

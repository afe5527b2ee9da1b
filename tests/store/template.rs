//! Templates: versions that stay as they are, snippets and who uses them.

use super::{NOW, each_engine, id_at, organization};
use std::collections::BTreeMap;
use tern::{
    domain::{
        channel::Channel,
        id::{OrganizationId, SnippetId, TemplateId},
        page::Limit,
        template::TemplateFilter,
        time::Timestamp,
    },
    server::store::{self, Conn, Db, template::NewVersion},
};

fn says(id: &TemplateId, body: &str, snippets: &[(&str, &str)]) -> NewVersion {
    let snippets = snippets.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    NewVersion { id: id.clone(), subject: None, body: body.to_owned(), snippets: snippets.collect() }
}

async fn add(db: &Db, organization: &OrganizationId, name: &str, channel: Channel, at: Timestamp) -> TemplateId {
    let id: TemplateId = id_at(at);
    let work = async |conn: &mut Conn| {
        store::template::insert(conn, &id, organization, name, channel, false, at).await?;
        let first = [says(&id, &format!("Text of {name}"), &[])];
        store::template::add_versions(conn, db.dialect, organization, &first, at).await
    };
    db.write(work).await.expect("stored");
    id
}

async fn change(db: &Db, organization: &OrganizationId, versions: &[NewVersion], at: Timestamp) {
    let work =
        async |conn: &mut Conn| store::template::add_versions(conn, db.dialect, organization, versions, at).await;
    db.write(work).await.expect("stored");
}

#[tokio::test]
async fn a_version_stays_as_it_was_whatever_comes_after_it() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let one = add(&db, &ours, "Welcome", Channel::Sms, NOW).await;
        let two = add(&db, &ours, "Other", Channel::Sms, NOW.plus(1)).await;
        let later = NOW.plus(5_000);
        change(&db, &ours, &[says(&one, "Second", &[("sign", "Ann")]), says(&two, "Changed", &[])], later).await;
        // Nobody else changes it.
        change(&db, &theirs, &[says(&one, "Stolen", &[])], later).await;
        let mut conn = db.read().await.expect("a connection");
        let now = store::template::find(&mut conn, &one, &ours).await.expect("read").expect("there");
        assert_eq!((now.body.as_str(), now.version, now.created_at, now.updated_at), ("Second", 2, NOW, later));
        let first = store::template::find_version(&mut conn, &one, &ours, 1).await.expect("read").expect("there");
        assert_eq!((first.body.as_str(), first.snippets.len(), first.created_at), ("Text of Welcome", 0, NOW));
        let second = store::template::find_version(&mut conn, &one, &ours, 2).await.expect("read").expect("there");
        assert_eq!(second.snippets, BTreeMap::from([("sign".to_owned(), "Ann".to_owned())]));
        for of in [&theirs, &ours] {
            let third = store::template::find_version(&mut conn, &one, of, 3).await.expect("read");
            assert_eq!(third, None);
        }
        assert_eq!(store::template::find(&mut conn, &one, &theirs).await.expect("read"), None);
        let limit = Limit::parse("1").expect("a limit");
        let page = store::template::list_versions(&mut conn, &one, &ours, None, limit).await.expect("a page");
        assert_eq!((page.data[0].version, page.next_cursor.as_deref()), (2, Some("2")));
        let page = store::template::list_versions(&mut conn, &one, &ours, Some(2), limit).await.expect("a page");
        assert_eq!((page.data[0].version, page.next_cursor), (1, None));
    })
    .await;
}

#[tokio::test]
async fn templates_are_found_page_by_page() {
    each_engine(async |db| {
        let ours = organization(&db).await;
        for n in 0..5 {
            let channel = if n % 2 == 0 { Channel::Sms } else { Channel::Email };
            add(&db, &ours, &format!("Ü {n}"), channel, NOW.plus(n)).await;
        }
        let mut conn = db.read().await.expect("a connection");
        let mut names = async |filter: TemplateFilter, limit: &str| {
            let limit = Limit::parse(limit).expect("a limit");
            let page = store::template::list(&mut conn, &ours, &filter, limit).await.expect("a page");
            (page.data.iter().map(|t| t.name.clone()).collect::<Vec<_>>(), page.next_cursor)
        };
        let (first, cursor) = names(TemplateFilter::default(), "3").await;
        assert_eq!(first, ["Ü 4", "Ü 3", "Ü 2"]);
        let cursor = cursor.map(|cursor| cursor.parse().expect("an id"));
        let (rest, end) = names(TemplateFilter { cursor, ..TemplateFilter::default() }, "3").await;
        assert_eq!((rest, end), (vec!["Ü 1".to_owned(), "Ü 0".to_owned()], None));
        let (mails, _) =
            names(TemplateFilter { channel: Some(Channel::Email), ..TemplateFilter::default() }, "9").await;
        assert_eq!(mails, ["Ü 3", "Ü 1"]);
        let (found, _) = names(TemplateFilter { q: "TEXT".into(), ..TemplateFilter::default() }, "9").await;
        assert_eq!(found.len(), 5);
        let (found, _) = names(TemplateFilter { q: "%".into(), ..TemplateFilter::default() }, "9").await;
        assert!(found.is_empty(), "a sign of patterns is a sign like any other");
    })
    .await;
}

#[tokio::test]
async fn a_snippet_knows_which_templates_use_it_now() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let id: SnippetId = id_at(NOW);
        let save = async |name: &str, body: &str| {
            let work = async |conn: &mut Conn| store::snippet::save(conn, &id, &ours, (name, body), NOW).await;
            db.write(work).await.expect("stored");
        };
        save("sign", "Ann").await;
        let one = add(&db, &ours, "Welcome", Channel::Sms, NOW).await;
        change(&db, &ours, &[says(&one, "Hi", &[("sign", "Ann"), ("gone", "x")])], NOW).await;
        let used = async || {
            let mut conn = db.read().await.expect("a connection");
            let using = store::template::list_using(&mut conn, &ours, "sign").await.expect("read");
            let others = store::template::list_using(&mut conn, &theirs, "sign").await.expect("read");
            assert!(others.is_empty());
            let snippet = store::snippet::find(&mut conn, &id, &ours).await.expect("read").expect("there");
            assert_eq!(usize::try_from(snippet.used_by), Ok(using.len()));
            using.len()
        };
        assert_eq!(used().await, 1);
        change(&db, &ours, &[says(&one, "Hi", &[])], NOW).await;
        assert_eq!(used().await, 0);
        let mut conn = db.read().await.expect("a connection");
        let names = ["sign", "none"].map(str::to_owned);
        let texts = store::snippet::texts(&mut conn, db.dialect, &ours, &names).await.expect("read");
        assert_eq!(texts, BTreeMap::from([("sign".to_owned(), "Ann".to_owned())]));
        assert!(store::snippet::texts(&mut conn, db.dialect, &theirs, &names).await.expect("read").is_empty());
        assert_eq!(store::snippet::find_named(&mut conn, &ours, "sign").await.expect("read"), Some(id.clone()));
        assert_eq!(store::snippet::find(&mut conn, &id, &theirs).await.expect("read"), None);
    })
    .await;
}

#[tokio::test]
async fn a_template_goes_with_its_versions_and_no_other() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let one = add(&db, &ours, "Welcome", Channel::Sms, NOW).await;
        change(&db, &ours, &[says(&one, "Hi", &[("sign", "Ann")])], NOW).await;
        let delete = async |of: &OrganizationId| {
            let work = async |conn: &mut Conn| store::template::delete(conn, &one, of).await;
            db.write(work).await.expect("a delete")
        };
        assert!(!delete(&theirs).await);
        assert!(delete(&ours).await);
        assert!(!delete(&ours).await);
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(store::template::find_version(&mut conn, &one, &ours, 1).await.expect("read"), None);
        assert!(store::template::list_using(&mut conn, &ours, "sign").await.expect("read").is_empty());
    })
    .await;
}

//! Imports in the database: one worker at a time, progress with its rows, many leads in one statement.

use super::{NOW, each_engine, each_engine_twice, id, id_at, organization};
use std::collections::{BTreeMap, BTreeSet};
use tern::{
    domain::{
        id::{ImportId, LeadId, OrganizationId},
        import::{Counts, Import, OnDuplicate, Options, State, column::Field},
        lead::Lead,
        time::SECOND,
    },
    server::store::{
        self, Conn, Db,
        import::{Litter, NewReject, Position, Seen, StoredImport},
        import_lead::{Address, Written},
    },
};

async fn write<T>(db: &Db, work: impl AsyncFnOnce(&mut Conn) -> sqlx::Result<T>) -> T {
    db.write(work).await.expect("written")
}

/// An import whose file is here.
async fn draft(db: &Db, organization: &OrganizationId) -> StoredImport {
    let id: ImportId = id();
    write(db, async |conn| store::import::insert(conn, &id, organization, "fair.csv", NOW, NOW.plus(SECOND)).await)
        .await;
    let import = Import {
        id: id.clone(),
        state: State::Draft,
        dry_run: false,
        file_name: "fair.csv".to_owned(),
        encoding: "UTF-8".to_owned(),
        delimiter: ";".to_owned(),
        has_header: true,
        columns: vec!["Mail".to_owned()],
        mapping: vec![Field::Email],
        options: Options::default(),
        rows_total: 2,
        rows_done: 0,
        counts: Counts::default(),
        reason: None,
        created_at: NOW,
        updated_at: NOW,
        ended_at: None,
    };
    let stored =
        StoredImport { import, organization_id: organization.clone(), first: vec![vec!["Mail".to_owned()]], round: 0 };
    write(db, async |conn| store::import::add_chunk(conn, &id, 0, 1, "Mail\na@b.example\n").await).await;
    assert!(write(db, async |conn| store::import::ready(conn, &stored).await).await);
    stored
}

async fn find(db: &Db, stored: &StoredImport) -> Option<StoredImport> {
    let mut conn = db.read().await.expect("a connection");
    store::import::find(&mut conn, &stored.import.id, &stored.organization_id).await.expect("asked")
}

#[tokio::test]
async fn what_is_stored_of_an_import_is_found_again_by_its_organization_alone() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let mut stored = draft(&db, &ours).await;
        assert_eq!(find(&db, &stored).await.expect("it").import, stored.import);
        stored.import.options = Options {
            on_duplicate: OnDuplicate::Skip,
            default_country: "DE".to_owned(),
            tags: BTreeSet::from(["fair".to_owned()]),
            consent_source: "Fair 2026".to_owned(),
        };
        stored.import.mapping = vec![Field::Custom("plan".to_owned())];
        assert!(write(&db, async |conn| store::import::settle(conn, &stored).await).await);
        assert_eq!(find(&db, &stored).await.expect("it").import, stored.import);
        let foreign = StoredImport { organization_id: theirs.clone(), ..stored.clone() };
        assert!(find(&db, &foreign).await.is_none());
        let id = &stored.import.id;
        assert!(!write(&db, async |conn| store::import::settle(conn, &foreign).await).await);
        assert!(!write(&db, async |conn| store::import::start(conn, id, &theirs, false, NOW).await).await);
        assert!(!write(&db, async |conn| store::import::cancel(conn, id, &theirs, NOW).await).await);
        let mut conn = db.read().await.expect("a connection");
        assert!(store::import::rejected(&mut conn, id, &theirs, 0, 9).await.expect("asked").is_empty());
        assert_eq!(
            store::import::chunk(&mut conn, id, 0).await.expect("asked"),
            Some((1, "Mail\na@b.example\n".to_owned()))
        );
        assert_eq!(store::import::chunk(&mut conn, id, 1).await.expect("asked"), None);
    })
    .await;
}

#[tokio::test]
async fn one_worker_has_an_import_until_its_lease_ends() {
    each_engine_twice(async |db, other| {
        let organization = organization(&db).await;
        let stored = draft(&db, &organization).await;
        let id = &stored.import.id;
        assert!(write(&db, async |conn| store::import::start(conn, id, &organization, false, NOW).await).await);
        let claim = async |db: &Db, token: &str, now| {
            write(db, async |conn| store::import::claim(conn, id, token, now, now.plus(SECOND)).await).await
        };
        let claimable = async |now| {
            let mut conn = db.read().await.expect("a connection");
            store::import::claimable(&mut conn, now).await.expect("asked").len()
        };
        assert_eq!(claimable(NOW).await, 1);
        assert_eq!(claim(&db, "a", NOW).await, Some(Position::default()));
        assert_eq!((claim(&other, "b", NOW).await, claimable(NOW).await), (None, 0));
        let counts = Counts { created: 3, failed: 1, ..Counts::default() };
        let next = Position { chunk: 0, row: 4 };
        write(&db, async |conn| store::import::advance(conn, id, "a", counts, next, NOW).await).await;
        // Who was frozen comes back, and has lost it.
        let later = NOW.plus(2 * SECOND);
        assert_eq!(claim(&other, "b", later).await, Some(next));
        write(&db, async |conn| store::import::advance(conn, id, "a", counts, next, NOW).await).await;
        assert_eq!(write(&db, async |conn| store::import::hold(conn, id, "a", later).await).await, None);
        assert_eq!(find(&db, &stored).await.expect("it").import.counts, counts);
        write(&db, async |conn| store::import::finish(conn, id, "a", State::Done, None, later).await).await;
        assert_eq!(find(&db, &stored).await.expect("it").import.state, State::Running);
        write(&db, async |conn| store::import::finish(conn, id, "b", State::Failed, Some("why"), later).await).await;
        let ended = find(&db, &stored).await.expect("it").import;
        assert_eq!((ended.state, ended.reason.as_deref(), ended.ended_at), (State::Failed, Some("why"), Some(later)));
        assert!(!write(&db, async |conn| store::import::cancel(conn, id, &organization, NOW).await).await);
    })
    .await;
}

#[tokio::test]
async fn what_is_left_is_swept_a_little_at_a_time() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let stored = draft(&db, &organization).await;
        let id = &stored.import.id;
        for round in 1..3 {
            let reject = |line| NewReject { line, field: "Mail".into(), reason: "why".into(), cells: "[\"x\"]".into() };
            let rejects: Vec<NewReject> = (1..2_500).map(reject).collect();
            write(&db, async |conn| store::import::reject(conn, db.dialect, id, round, &rejects).await).await;
            let seen = [Seen { key: "a@b.example".into(), lead_id: "x".into(), state: None }];
            write(&db, async |conn| store::import::see(conn, db.dialect, id, round, &seen).await).await;
            write(&db, async |conn| store::import::see(conn, db.dialect, id, round, &seen).await).await;
        }
        for (litter, times) in [(Litter::Rejects(2), 2), (Litter::Seen(2), 1), (Litter::Chunks, 1)] {
            for time in 0..=times {
                let is_more = write(&db, async |conn| store::import::sweep(conn, id, litter).await).await;
                assert_eq!(is_more, time < times, "{litter:?}");
            }
        }
        let mut conn = db.read().await.expect("a connection");
        let seen = async |conn: &mut Conn, round| {
            store::import::seen(conn, db.dialect, id, round, ["a@b.example", "c"]).await.expect("asked").len()
        };
        assert_eq!((seen(&mut conn, 1).await, seen(&mut conn, 2).await), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn columns_are_remembered_for_the_organization() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        for mapping in [vec![Field::Name], vec![Field::Email, Field::Custom("plan".into())]] {
            write(&db, async |conn| store::import::remember(conn, &ours, "hash", &mapping, NOW).await).await;
            let mut conn = db.read().await.expect("a connection");
            assert_eq!(store::import::recall(&mut conn, &ours, "hash").await.expect("asked"), Some(mapping));
            assert_eq!(store::import::recall(&mut conn, &theirs, "hash").await.expect("asked"), None);
        }
    })
    .await;
}

#[tokio::test]
async fn many_leads_are_written_at_once_new_ones_and_known_ones() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let import = draft(&db, &ours).await.import.id;
        let (kim, bo): (LeadId, LeadId) = (id_at(NOW), id_at(NOW.plus(1)));
        let custom = |plan: &str| {
            BTreeMap::from([("plan".to_owned(), plan.to_owned()), (format!("from {plan}"), "'\"\\".to_owned())])
        };
        let nothing = |id| Written {
            id,
            name: None,
            company: None,
            email: None,
            phone: None,
            phone_number: None,
            phone_key: None,
            whatsapp: None,
            whatsapp_number: None,
            whatsapp_key: None,
            time_zone: None,
            custom: None,
            notes: None,
        };
        let (free, pro) = (custom("free"), custom("pro"));
        let first = [
            Written {
                name: Some("Kim"),
                email: Some("kim@example.com"),
                custom: Some(&free),
                notes: Some("old"),
                ..nothing(kim.as_str())
            },
            Written {
                phone: Some("0171"),
                phone_number: Some("+49171234567"),
                phone_key: Some("+49171234567"),
                ..nothing(bo.as_str())
            },
        ];
        let store_all = async |organization: &OrganizationId, leads: &[Written<'_>]| {
            write(&db, async |conn| store::import_lead::write(conn, db.dialect, organization, leads, NOW).await).await;
        };
        store_all(&ours, &first).await;
        let again = [Written {
            company: Some("Northwind"),
            custom: Some(&pro),
            whatsapp_key: Some("+4930901820"),
            whatsapp: Some("030"),
            whatsapp_number: Some("+4930901820"),
            ..nothing(kim.as_str())
        }];
        store_all(&ours, &again).await;
        let stolen = [Written { name: Some("Stolen"), ..nothing(kim.as_str()) }];
        store_all(&theirs, &stolen).await;
        write(&db, async |conn| {
            store::lead::add_tags(conn, db.dialect, &ours, [("vip", kim.as_str()), ("fair", kim.as_str())]).await
        })
        .await;
        let mut conn = db.read().await.expect("a connection");
        let load = async |conn: &mut Conn, id| -> Lead {
            store::lead::find(conn, db.dialect, id, &ours).await.expect("asked").expect("it")
        };
        let stored = load(&mut conn, &kim).await;
        assert_eq!(
            (stored.name.as_str(), stored.company.as_deref(), stored.notes.as_str()),
            ("Kim", Some("Northwind"), "old")
        );
        assert_eq!((stored.custom["plan"].as_str(), stored.custom.len()), ("pro", 3));
        let asked = [
            Address { email: Some("kim@example.com"), number: Some("+49171234567") },
            Address { email: None, number: Some("+4930901820") },
            Address { email: Some("nobody@example.com"), number: None },
        ];
        let known = async |conn: &mut Conn, organization| {
            let mut known = store::import_lead::known(conn, db.dialect, organization, &asked).await.expect("asked");
            known.sort_by(|a, b| a.id.cmp(&b.id));
            known
        };
        let found = known(&mut conn, &ours).await;
        assert_eq!(found.iter().map(|known| &known.id).collect::<Vec<_>>(), [&kim, &bo]);
        let tags: BTreeSet<&str> = found[0].tags.iter().map(String::as_str).collect();
        assert_eq!((&found[0].custom, tags), (&stored.custom, BTreeSet::from(["fair", "vip"])));
        assert!(known(&mut conn, &theirs).await.is_empty());
        drop(conn);
        for _ in 0..2 {
            write(&db, async |conn| store::import_lead::link(conn, db.dialect, &import, [&kim, &bo]).await).await;
        }
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(store::import_lead::sources(&mut conn, &kim, &ours).await.expect("asked"), [import]);
        assert!(store::import_lead::sources(&mut conn, &kim, &theirs).await.expect("asked").is_empty());
        drop(conn);
        let gone = [kim.clone()];
        write(&db, async |conn| store::lead::delete(conn, db.dialect, &ours, &gone).await).await;
    })
    .await;
}

//! Leads: found by any address and in any notation, by what is known of them, page by page.

use super::{NOW, each_engine, id_at, organization};
use std::collections::{BTreeMap, BTreeSet};
use tern::{
    domain::{
        audience::{Audience, Condition, Op, Order, Place},
        channel::Channel,
        email::Email,
        id::{LeadId, OrganizationId},
        lead::{Lead, NewLead, Number},
        page::Limit,
        phone::PhoneNumber,
        time::{DAY, Timestamp},
    },
    server::store::{self, Db, audience::SEARCHED},
};

fn number(text: &str) -> Number {
    Number { given: text.to_owned(), dialled: PhoneNumber::parse_typed(text).expect("a number") }
}

fn kim() -> NewLead {
    NewLead {
        name: "Kim Lee".into(),
        company: Some("Northwind".into()),
        email: Some(Email::parse("kim@example.com").expect("an address")),
        phone: Some(number("+1 415 555 2671")),
        custom: BTreeMap::from([("plan".into(), "Pro".into())]),
        tags: BTreeSet::from(["vip".into(), "fair".into()]),
        ..NewLead::default()
    }
}

async fn add(db: &Db, organization: &OrganizationId, lead: &NewLead, at: Timestamp) -> LeadId {
    let id: LeadId = id_at(at);
    let work = async |conn: &mut store::Conn| {
        store::lead::save(conn, db.dialect, &id, organization, lead, false, (at, at)).await
    };
    db.write(work).await.expect("stored");
    id
}

async fn found(db: &Db, organization: &OrganizationId, audience: &Audience) -> Vec<String> {
    let mut conn = db.read().await.expect("a connection");
    let asked = store::audience::list(
        &mut conn,
        db.dialect,
        organization,
        audience,
        None,
        Limit::default(),
        SEARCHED,
        NOW.plus(DAY),
    );
    asked.await.expect("a page").data.into_iter().map(|lead| lead.name).collect()
}

#[tokio::test]
async fn what_is_stored_is_found_again_as_it_was() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let id = add(&db, &ours, &kim(), NOW).await;
        let find = async |organization: &OrganizationId| {
            let mut conn = db.read().await.expect("a connection");
            store::lead::find(&mut conn, db.dialect, &id, organization).await.expect("asked")
        };
        let lead = find(&ours).await.expect("the lead");
        assert_eq!((lead.name.as_str(), lead.phone.as_deref()), ("Kim Lee", Some("+1 415 555 2671")));
        assert_eq!(lead.phone_number.as_ref().map(PhoneNumber::as_str), Some("+14155552671"));
        assert_eq!((lead.tags, lead.custom["plan"].as_str()), (vec!["fair".to_owned(), "vip".to_owned()], "Pro"));
        assert_eq!(find(&theirs).await, None);
    })
    .await;
}

#[tokio::test]
async fn one_person_is_found_by_each_address_in_each_notation() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        let lead = NewLead { phone: Some(number("+52 1 55 1234 5678")), ..kim() };
        let id = add(&db, &ours, &lead, NOW).await;
        let same = async |organization: &OrganizationId, lead: NewLead, but: Option<&LeadId>| {
            let mut conn = db.read().await.expect("a connection");
            store::lead::find_same(&mut conn, organization, &lead, but).await.expect("asked")
        };
        let by_mail =
            NewLead { email: Some(Email::parse("KIM@example.com").expect("an address")), ..NewLead::default() };
        let by_phone = NewLead { phone: Some(number("+525512345678")), ..NewLead::default() };
        let by_whatsapp = NewLead { whatsapp: Some(number("+525512345678")), ..NewLead::default() };
        for other in [by_mail, by_phone, by_whatsapp] {
            assert_eq!(same(&ours, other.clone(), None).await, Some(id.clone()));
            assert_eq!(same(&ours, other.clone(), Some(&id)).await, None);
            assert_eq!(same(&theirs, other, None).await, None);
        }
        let whose = async |channel, address: &str| {
            let mut conn = db.read().await.expect("a connection");
            store::lead::find_by_address(&mut conn, &ours, channel, address).await.expect("asked")
        };
        assert_eq!(whose(Channel::Email, "kim@example.com").await, Some(id.clone()));
        assert_eq!(whose(Channel::Whatsapp, "+5215512345678").await, Some(id.clone()));
        assert_eq!(whose(Channel::Sms, "+525512345678").await, Some(id));
        assert_eq!(whose(Channel::Sms, "INFO").await, None);
    })
    .await;
}

#[tokio::test]
async fn an_audience_means_those_of_whom_all_its_conditions_hold() {
    each_engine(async |db| {
        let (ours, theirs) = (organization(&db).await, organization(&db).await);
        add(&db, &ours, &kim(), NOW).await;
        let lee = NewLead {
            name: "Lee 100% Smith".into(),
            company: None,
            email: Some(Email::parse("lee@example.org").expect("an address")),
            phone: None,
            custom: BTreeMap::from([("plan".into(), "free".into())]),
            tags: BTreeSet::from(["fair".into()]),
            ..kim()
        };
        add(&db, &ours, &lee, NOW.plus(-10 * DAY)).await;
        add(&db, &theirs, &kim(), NOW).await;
        let (kim, lee) = (["Kim Lee"], ["Lee 100% Smith"]);
        let (both, nobody) = (["Kim Lee", "Lee 100% Smith"], [""; 0]);
        let condition = |field: &str, op, value: &str| Condition { field: field.into(), op, value: value.into() };
        let audience = |conditions: Vec<Condition>| Audience { conditions, ..Audience::default() };
        assert_eq!(found(&db, &ours, &Audience::default()).await, both);
        for (q, who) in [("lee", &both[..]), ("NORTHWIND", &kim), ("415555", &kim), ("100%", &lee), ("1_0", &nobody)] {
            assert_eq!(found(&db, &ours, &Audience { q: q.into(), ..Audience::default() }).await, who, "{q}");
        }
        for (tag, who) in [("fair", &both[..]), ("vip", &kim), ("vi", &nobody)] {
            assert_eq!(found(&db, &ours, &Audience { tag: tag.into(), ..Audience::default() }).await, who, "{tag}");
        }
        for (field, op, value, who) in [
            ("name", Op::Is, "kim lee", &kim[..]),
            ("name", Op::IsNot, "Kim Lee", &lee),
            ("name", Op::Contains, "00%", &lee),
            ("name", Op::StartsWith, "lee", &lee),
            ("company", Op::IsSet, "", &kim),
            ("company", Op::IsNotSet, "", &lee),
            ("company", Op::IsNot, "Northwind", &lee),
            ("phone", Op::StartsWith, "+1415", &kim),
            ("email", Op::Contains, "example.org", &lee),
            ("custom.plan", Op::Is, "PRO", &kim),
            ("custom.plan", Op::IsSet, "", &both),
            ("custom.city", Op::IsSet, "", &nobody),
            ("custom.city", Op::IsNot, "Berlin", &both),
            ("tag", Op::Is, "vip", &kim),
            ("tag", Op::IsNot, "vip", &lee),
            ("created", Op::Within, "5", &kim),
            ("created", Op::NotWithin, "5", &lee),
            ("contacted", Op::IsSet, "", &nobody),
            ("contacted", Op::IsNotSet, "", &both),
            ("replied", Op::NotWithin, "30", &both),
            ("created", Op::IsSet, "", &both),
            ("tag", Op::IsSet, "", &both),
            ("tag", Op::IsNotSet, "", &nobody),
            ("any", Op::Contains, "NORTHWIND", &kim),
            ("any", Op::Contains, "1415555", &kim),
            ("sequence", Op::IsSet, "", &nobody),
            ("sequence.01JDF3ZS0V8R4C7N2Q9W5K6M1T", Op::IsNotSet, "", &both),
        ] {
            let meant = found(&db, &ours, &audience(vec![condition(field, op, value)])).await;
            assert_eq!(meant, who, "{field} {op:?} {value}");
        }
        let pair = vec![condition("tag", Op::Is, "fair"), condition("custom.plan", Op::Is, "free")];
        assert_eq!(found(&db, &ours, &audience(pair.clone())).await, lee);
        let tagged = Audience { tag: "vip".into(), conditions: pair, ..Audience::default() };
        assert_eq!(found(&db, &ours, &tagged).await, nobody);
    })
    .await;
}

#[tokio::test]
async fn pages_show_everybody_once_and_a_search_says_where_to_go_on() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        for n in 0..7 {
            let lead = NewLead {
                name: format!("Lead {n}"),
                email: None,
                phone: Some(number(&format!("+1415555000{n}"))),
                ..kim()
            };
            add(&db, &organization, &lead, NOW.plus(n)).await;
        }
        let mut conn = db.read().await.expect("a connection");
        for audience in [Audience::default(), Audience { tag: "vip".into(), ..Audience::default() }] {
            let (mut seen, mut cursor) = (Vec::new(), None::<LeadId>);
            loop {
                let limit = Limit::parse("3").expect("a limit");
                let page = store::audience::list(
                    &mut conn,
                    db.dialect,
                    &organization,
                    &audience,
                    cursor.as_ref(),
                    limit,
                    SEARCHED,
                    NOW,
                );
                let page = page.await.expect("a page");
                seen.extend(page.data.into_iter().map(|lead| lead.name));
                cursor = page.next_cursor.map(|cursor| cursor.parse().expect("an id"));
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, (0..7).rev().map(|n| format!("Lead {n}")).collect::<Vec<_>>());
        }
        for tag in ["", "vip"] {
            let search = Audience { q: "Lead 1".into(), tag: tag.into(), ..Audience::default() };
            let limit = Limit::default();
            let first = store::audience::list(&mut conn, db.dialect, &organization, &search, None, limit, 4, NOW);
            let first = first.await.expect("a page");
            assert!(first.data.is_empty(), "it reads four and no more");
            let cursor = first.next_cursor.expect("where to go on").parse().expect("an id");
            let next =
                store::audience::list(&mut conn, db.dialect, &organization, &search, Some(&cursor), limit, 4, NOW);
            let next = next.await.expect("a page");
            assert_eq!((next.data.len(), next.next_cursor), (1, None));
        }
    })
    .await;
}

#[tokio::test]
async fn in_each_order_everybody_is_there_once() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        // Two of one name, one without a name, one without a company.
        let people = [("kim", Some("zeta")), ("Ada", None), ("Kim", Some("Alpha")), ("", Some("beta"))];
        for (n, (name, company)) in (0..).zip(people) {
            let lead = NewLead {
                name: name.to_owned(),
                company: company.map(str::to_owned),
                email: name.is_empty().then(|| Email::parse("lee@example.com").expect("an address")),
                phone: Some(number(&format!("+1415555000{n}"))),
                ..kim()
            };
            add(&db, &organization, &lead, NOW.plus(n)).await;
        }
        let mut conn = db.read().await.expect("a connection");
        let by_name = ["Ada/", "kim/zeta", "Kim/Alpha", "/beta"];
        let by_company = ["Kim/Alpha", "/beta", "kim/zeta", "Ada/"];
        for (order, expected) in [(Order::Name, by_name), (Order::Company, by_company)] {
            for tag in ["", "vip"] {
                // Pages of one and searches that look at one lead at a time.
                for (rows, searched) in [("1", SEARCHED), ("200", 1), ("200", SEARCHED)] {
                    let audience = Audience { tag: tag.into(), ..Audience::default() };
                    let (mut seen, mut place) = (Vec::new(), None::<Place>);
                    for _ in 0..=2 * people.len() {
                        let limit = Limit::parse(rows).expect("a limit");
                        let (dialect, meant) = (db.dialect, (&audience, order));
                        let page = store::audience::list_in(
                            &mut conn,
                            dialect,
                            &organization,
                            meant,
                            place.as_ref(),
                            limit,
                            searched,
                            NOW,
                        );
                        let page = page.await.expect("a page");
                        let told = |lead: Lead| format!("{}/{}", lead.name, lead.company.unwrap_or_default());
                        seen.extend(page.data.into_iter().map(told));
                        place = page.next_cursor.map(|cursor| cursor.parse::<Place>().expect("a place"));
                        if place.is_none() {
                            break;
                        }
                    }
                    assert_eq!(seen, expected, "{order:?}, {tag:?}, {rows} of {searched}");
                }
            }
        }
        let search = Audience { q: "alpha".into(), ..Audience::default() };
        let (meant, limit) = ((&search, Order::Name), Limit::default());
        let page = store::audience::list_in(&mut conn, db.dialect, &organization, meant, None, limit, SEARCHED, NOW);
        assert_eq!(page.await.expect("a page").data.len(), 1);
    })
    .await;
}

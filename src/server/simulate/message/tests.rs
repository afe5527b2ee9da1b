//! Stories of messages through the stand-in.

use super::{
    super::{
        fate::Fate,
        is_sid,
        tests::{FROM, World},
    },
    *,
};
use axum::{body::Body, http::Method};

const TO: &str = "+15558675310";

#[tokio::test]
async fn a_message_is_accepted_shown_and_moves_on() {
    let world = World::new();
    let answer = world.create(&[("To", TO), ("From", FROM), ("Body", "Hello")]).await;
    assert_eq!(answer.status, 201);
    let created = answer.json();
    let sid = created["sid"].as_str().expect("a SID");
    assert!(is_sid("SM", sid));
    assert_eq!(created["status"], "queued");
    assert_eq!(created["date_created"], "Thu, 24 Aug 2023 05:01:45 +0000");
    assert_eq!(created["num_segments"], "1");
    for name in ["date_sent", "price", "error_code", "error_message", "messaging_service_sid"] {
        assert!(created[name].is_null(), "{name}");
    }
    let path = format!("/Messages/{sid}.json");
    assert_eq!(created["uri"], format!("/2010-04-01/Accounts/{}{path}", created["account_sid"].as_str().unwrap()));
    assert_eq!(world.get(&path).await.json(), created);

    world.clock.advance(2_000);
    assert!(world.simulator.take_callbacks().is_empty(), "no address was given");
    let later = world.get(&path).await.json();
    assert_eq!(later["status"], "delivered");
    assert_eq!(later["date_sent"], "Thu, 24 Aug 2023 05:01:47 +0000");
    assert_eq!(later["price"], "-0.00790");
    assert_eq!(world.get("/Messages/SM00000000000000000000000000000000.json").await.refusal(), (404, 20404));
}

#[tokio::test]
async fn every_mistake_has_twilios_code() {
    let world = World::new();
    let long = "x".repeat(1_601);
    let media = [("MediaUrl", "https://pictures.example/1.png"); 11];
    let (to, from, body) = (("To", TO), ("From", FROM), ("Body", "Hello"));
    let table: Vec<(Vec<(&str, &str)>, u64)> = vec![
        (vec![from, body], 21604),
        (vec![to, body], 21603),
        (vec![to, from, ("Body", "")], 21602),
        (vec![to, from], 21619),
        (vec![("To", "hello"), from, body], 21211),
        (vec![("To", "whatsapp:5558675310"), ("From", "whatsapp:+14155550132"), body], 21211),
        (vec![to, from, ("Body", &long)], 21617),
        (vec![to, ("From", "+4915123456789"), body], 21606),
        (vec![to, ("From", "12345"), body], 21606),
        (vec![to, ("From", "+1"), body], 21212),
        (vec![to, ("From", TO), body], 21266),
        (vec![("To", "whatsapp:+15558675310"), from, body], 21910),
        (vec![("To", "whatsapp:+15558675310"), ("From", "whatsapp:+4915123456789"), body], 63007),
        (vec![to, from, body, ("StatusCallback", "not a url")], 21609),
        (vec![to, from, body, ("StatusCallback", "https://my_host.example/")], 21609),
        (vec![to, body, ("MessagingServiceSid", "MG12")], 21705),
        (vec![to, from, ("MediaUrl", "ftp://pictures.example/1.png")], 21620),
        ([&[to, from][..], &media].concat(), 21623),
        (vec![to, from, ("ContentSid", "HX1")], 21655),
        (vec![to, from, body, ("ContentVariables", "{}")], 21656),
    ];
    for (form, code) in table {
        assert_eq!(world.create(&form).await.refusal(), (400, code), "{form:?}");
    }
    assert!(world.simulator.accepted().is_empty());
}

#[tokio::test]
async fn the_magic_numbers_are_twilios() {
    let world = World::new();
    for (to, code) in [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
    ] {
        assert!(matches!(fate(to), Fate::Refuse { .. }));
        assert_eq!(world.create(&[("To", to), ("From", "+15005550006"), ("Body", "x")]).await.refusal(), (400, code));
    }
    for (from, code) in [("+15005550001", 21212), ("+15005550007", 21606), ("+15005550008", 21611)] {
        assert_eq!(world.create(&[("To", TO), ("From", from), ("Body", "x")]).await.refusal(), (400, code));
    }
    for from in ["+15005550006", "Northwind"] {
        assert_eq!(world.create(&[("To", TO), ("From", from), ("Body", "x")]).await.status, 201);
    }
}

#[tokio::test]
async fn a_form_is_expected() {
    let world = World::new();
    let mut request =
        World::request((super::super::ACCOUNT_SID, super::super::AUTH_TOKEN), Method::POST, "/Messages.json", &[]);
    request.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
    *request.body_mut() = Body::from("{}");
    assert_eq!(world.call(request).await.status, 415);
}

#[tokio::test]
async fn a_messaging_service_chooses_the_sender_later() {
    let world = World::new();
    let service = ("MessagingServiceSid", "MG0123456789abcdef0123456789abcdef");
    let created =
        world.create(&[("To", TO), service, ("Body", "x"), ("StatusCallback", "https://x.example")]).await.json();
    assert_eq!((&created["status"], &created["num_segments"]), (&json!("accepted"), &json!("0")));
    assert!(created["from"].is_null());
    let callbacks = world.simulator.take_callbacks();
    let first = super::super::tests::read(&callbacks[0]);
    assert_eq!((first["MessageStatus"].as_str(), first["From"].as_str()), ("queued", FROM));
    assert_eq!((callbacks.len(), first["MessagingServiceSid"].as_str()), (3, service.1));
}

#[tokio::test]
async fn media_make_another_kind_of_sid() {
    let world = World::new();
    let created =
        world.create(&[("To", TO), ("From", FROM), ("MediaUrl", "https://pictures.example/1.png")]).await.json();
    assert!(is_sid("MM", created["sid"].as_str().expect("a SID")));
    assert_eq!((&created["num_media"], &created["body"]), (&json!("1"), &Value::Null));
}

async fn found(world: &World, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/Messages.json{query}")).await.json();
    let messages = answer["messages"].as_array().expect("a list");
    messages.iter().map(|message| message["to"].as_str().expect("a number").to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_filtered_and_the_newest_come_first() {
    let world = World::new();
    world.send("+15558675310").await;
    world.send("whatsapp:+15558675311").await;
    world.simulator.take_callbacks();
    world.clock.advance(DAY);
    world.send("+15558675312").await;
    assert_eq!(found(&world, "").await, ["+15558675312", "whatsapp:+15558675311", "+15558675310"]);
    assert_eq!(found(&world, "?To=%2B15558675310").await, ["+15558675310"]);
    assert_eq!(found(&world, "?From=whatsapp%3A%2B14155550132").await, ["whatsapp:+15558675311"]);
    assert_eq!(found(&world, "?DateSent=2023-08-24").await.len(), 2);
    assert_eq!(found(&world, "?DateSent=2023-08-25").await.len(), 0, "the last one is still queued");
    world.simulator.take_callbacks();
    assert_eq!(found(&world, "?DateSent%3E=2023-08-25").await, ["+15558675312"]);
    assert_eq!(found(&world, "?DateSent%3C=2023-08-24T05%3A01%3A45Z").await.len(), 2);
    assert_eq!(found(&world, "?DateSent%3E=2023-08-24T05%3A01%3A46Z&DateSent%3C=2023-08-24").await.len(), 0);
    assert_eq!(world.get("/Messages.json?DateSent=yesterday").await.refusal(), (400, 20001));
}

#[tokio::test]
async fn a_list_comes_in_pages_that_do_not_shift() {
    let world = World::new();
    for last in 0..5 {
        world.send(&format!("+1555867531{last}")).await;
    }
    let first = world.get("/Messages.json?PageSize=2&From=%2B14155550132").await.json();
    assert_eq!((&first["page"], &first["page_size"], &first["end"]), (&json!(0), &json!(2), &json!(1)));
    assert_eq!(first["previous_page_uri"], Value::Null);
    world.send("+15558675319").await;
    let (mut seen, mut next) = (Vec::new(), first);
    loop {
        seen.extend(next["messages"].as_array().expect("a list").iter().map(|m| m["to"].as_str().unwrap().to_owned()));
        let Some(uri) = next["next_page_uri"].as_str() else { break };
        assert!(uri.contains("From=%2B14155550132"), "{uri}");
        let path = uri.strip_prefix("/2010-04-01/Accounts/AC00000000000000000000000000000001").expect("relative");
        next = world.get(path).await.json();
    }
    assert_eq!(seen, ["+15558675314", "+15558675313", "+15558675312", "+15558675311", "+15558675310"]);
    assert_eq!(found(&world, "?PageSize=2&Page=2").await, ["+15558675311", "+15558675310"]);
}

#[tokio::test]
async fn by_itself_a_message_lives_to_its_end() {
    let world = World::new();
    world.control("settings", &json!({ "pace_ms": 0 })).await;
    let created =
        world.create(&[("To", "whatsapp:+15558675310"), ("From", "whatsapp:+14155550132"), ("Body", "x")]).await;
    world.simulator.clone().live(created.json()["sid"].as_str().expect("a SID").to_owned()).await;
    assert_eq!(world.simulator.accepted()[0].status, "read");
}

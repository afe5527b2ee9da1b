//! Demo data: leads, templates, a sequence and a campaign over them, accounts of the sandbox on all channels and a week of messages in all states, marked, removed with one
//! call.

use crate::{
    domain::{
        account::Account,
        audience::Audience,
        channel::{Channel, Provider},
        id::{CampaignId, LeadId, OrganizationId, TemplateId},
        lead::LeadForm,
        message::{Direction, Failure, Message, Source, Status},
        sequence::{OnMissing, Plan, Sequence, SequenceKind, Step},
        time::{DAY, HOUR, MINUTE, Timestamp},
        window::Window,
    },
    server::{
        App, Who,
        bucket::{day_of, is_zone},
        clock::new_id,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn, campaign::Draft, message::StoredMessage, template::NewVersion, usage::Reservation},
    },
};
use std::collections::BTreeMap;

/// Channel, sender, name, daily limit.
const ACCOUNTS: [(Channel, &str, &str, u32); 3] = [
    (Channel::Whatsapp, "+14155550132", "Sales WhatsApp", 250),
    (Channel::Sms, "+16285550188", "Reminders", 100),
    (Channel::Email, "ann@northwind.example", "Ann at Northwind", 400),
];

/// Name, company, mailbox, tags; their numbers follow each other.
const PEOPLE: [(&str, &str, &str, &[&str]); 4] = [
    ("Sam Ortiz", "Blue Harbor", "sam", &["customer"]),
    ("Kim Lee", "Contoso", "kim", &["customer", "vip"]),
    ("Lee Wagner", "Fabrikam", "lee", &["trial"]),
    ("Robin Sato", "Tailspin Toys", "robin", &["fair 2026", "trial"]),
];

/// Channel, name, subject, text.
const TEMPLATES: [(Channel, &str, Option<&str>, &str); 3] = [
    (
        Channel::Whatsapp,
        "Follow-up after a call",
        None,
        "{Hi|Hello} {{ first_name or \"there\" }}, it was good to talk. Shall I send you the price list{% if company %} for \
         {{ company }}{% endif %}?",
    ),
    (
        Channel::Sms,
        "Appointment reminder",
        None,
        "Hi {{ first_name or \"there\" }}, your appointment with {{ sender.name }} is tomorrow at 09:30. Reply C to cancel.",
    ),
    (
        Channel::Email,
        "Welcome",
        Some("{Welcome|Good to have you}, {{ first_name or \"friend\" }}"),
        "Dear {{ name | default(\"friend\") }},\n\nthank you for choosing us. {% if \"vip\" in tags %}As one of our best customers you \
         have a number of your own to call.{% else %}Just answer this mail when you need us.{% endif %}\n\n{{ sender.name }}\n\n\
         No more mails: {{ unsubscribe_url }}",
    ),
];

/// Hours that each step of the demo's sequence waits; its templates are those of [`TEMPLATES`], in their order.
const DELAYS: [u32; 3] = [0, 48, 120];

fn mailbox_of(person: usize) -> String {
    format!("{}@customer.example", PEOPLE[person].2)
}

fn phone_of(person: usize) -> String {
    format!("+1415555{:04}", 140 + person)
}

/// Text and what became of it.
const STORIES: [(&str, Status); 12] = [
    ("Your sample box left our warehouse this morning.", Status::Read),
    ("Shall we talk on Tuesday at ten?", Status::Delivered),
    ("Your order 4812 is ready for pick-up.", Status::Delivered),
    ("Reminder: your appointment is tomorrow at 09:30.", Status::Sent),
    ("Thank you for your visit. Here is the price list you asked for.", Status::Delivered),
    ("We moved your delivery to Friday, as you asked.", Status::Read),
    ("Last call: the early price ends tonight.", Status::Undelivered),
    ("Did the replacement part arrive?", Status::Delivered),
    ("Your invoice for October is attached to your account.", Status::Failed),
    ("Good news: the blue one is back in stock.", Status::Delivered),
    ("We could not reach you by phone; is this number still right?", Status::Canceled),
    ("A quick follow-up to our call.", Status::Unknown),
];

/// Adds the demo data, once.
pub async fn load(who: &Who) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let now = app.clock.now();
    app.db
        .write(async |conn| {
            if store::message::has_demo(conn, organization).await? {
                return Ok(());
            }
            let people = add_people(app, conn, organization, now).await?;
            let templates = add_templates(app, conn, organization, now).await?;
            add_campaign(app, conn, organization, templates.last().cloned(), now).await?;
            add_sequence(app, conn, organization, templates, now).await?;
            for (index, (channel, address, name, daily_limit)) in ACCOUNTS.into_iter().enumerate() {
                let account = Account {
                    is_demo: true,
                    ..Account::connected(
                        app.new_id(),
                        (Provider::Sandbox, channel),
                        address.to_owned(),
                        name.to_owned(),
                        daily_limit,
                        now,
                    )
                };
                if store::account::insert(conn, &account, organization, None).await? {
                    fill(app, conn, organization, &account, &people, index, now).await?;
                }
            }
            Ok::<_, Error>(())
        })
        .await?;
    changed(who);
    Ok(())
}

/// The leads, in the order of [`PEOPLE`]; nobody in the place of those whom the organization knows already.
async fn add_people(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    now: Timestamp,
) -> Result<Vec<Option<LeadId>>, Error> {
    store::lead::lock(conn, app.db.dialect, organization).await?;
    let mut people = Vec::new();
    for (person, (name, company, _, tags)) in PEOPLE.into_iter().enumerate() {
        let form = LeadForm {
            name: name.to_owned(),
            company: company.to_owned(),
            email: mailbox_of(person),
            phone: phone_of(person),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..LeadForm::default()
        };
        let lead = form.parse(phone::parse, is_zone)?;
        if store::lead::find_same(conn, organization, &lead, None).await?.is_some() {
            people.push(None);
            continue;
        }
        let (id, at): (LeadId, _) = (app.new_id(), now.plus(-8 * DAY));
        store::lead::save(conn, app.db.dialect, &id, organization, &lead, true, (at, at)).await?;
        people.push(Some(id));
    }
    Ok(people)
}

/// The templates, in the order of [`TEMPLATES`].
async fn add_templates(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<Vec<TemplateId>> {
    let mut versions = Vec::new();
    for (channel, name, subject, body) in TEMPLATES {
        let id: TemplateId = app.new_id();
        store::template::insert(conn, &id, organization, name, channel, true, now).await?;
        versions.push(NewVersion {
            id,
            subject: subject.map(str::to_owned),
            body: body.to_owned(),
            snippets: BTreeMap::new(),
        });
    }
    store::template::add_versions(conn, app.db.dialect, organization, &versions, now).await?;
    Ok(versions.into_iter().map(|version| version.id).collect())
}

/// A sequence to look at: it is held, so that nothing of it leaves by itself.
async fn add_sequence(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    templates: Vec<TemplateId>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let steps = templates.into_iter().zip(TEMPLATES).zip(DELAYS).map(|((template_id, (channel, ..)), delay_hours)| {
        Step { channel, delay_hours, template_id, template_version: 1, on_missing: OnMissing::Skip }
    });
    let days = ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).into();
    let window = Window { days, from: "09:00".to_owned(), to: "17:00".to_owned() };
    let plan = Plan { steps: steps.collect(), window: Some(window), skip_holidays: true, account_ids: Vec::new() };
    let sequence = Sequence {
        id: app.new_id(),
        name: "After a first call".to_owned(),
        is_active: false,
        stop_on_reply: true,
        stop_tags: vec!["lost".to_owned(), "won".to_owned()],
        version: 1,
        plan,
        kind: SequenceKind::Sequence,
        is_demo: true,
        created_at: now,
        updated_at: now,
    };
    store::sequence::insert(conn, app.db.dialect, organization, &sequence).await
}

/// A campaign to look at, which nobody has started: a mail to all customers.
async fn add_campaign(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    template: Option<TemplateId>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(template_id) = template else { return Ok(()) };
    let (channel, on_missing) = (Channel::Email, OnMissing::Stop);
    let step = Step { channel, delay_hours: 0, template_id, template_version: 1, on_missing };
    let plan = Plan { steps: vec![step], window: None, skip_holidays: false, account_ids: Vec::new() };
    let id: CampaignId = app.new_id();
    let sent = Sequence {
        id: store::campaign::sequence_of(&id),
        name: "Welcome to our customers".to_owned(),
        is_active: false,
        stop_on_reply: false,
        stop_tags: Vec::new(),
        version: 1,
        plan,
        kind: SequenceKind::Campaign,
        is_demo: true,
        created_at: now,
        updated_at: now,
    };
    store::sequence::insert(conn, app.db.dialect, organization, &sent).await?;
    let audience = Audience { tag: PEOPLE[0].3[0].to_owned(), ..Audience::default() };
    store::campaign::insert(conn, organization, &Draft { id: &id, audience: &audience, send_at: None }, now).await
}

/// A week of one account's messages: two a day of the past, and today's up to now.
async fn fill(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    account: &Account,
    people: &[Option<LeadId>],
    shift: usize,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (today, _) = day_of(now, "UTC");
    for (index, (body, status)) in STORIES.into_iter().enumerate() {
        let back = i64::try_from(index + shift).unwrap_or(0);
        let at = now.plus(-(back * 14 * HOUR + 20 * MINUTE));
        let person = (index + shift) % PEOPLE.len();
        let lead_id = people.get(person).cloned().flatten();
        let message = Message { lead_id, ..message(account, person, body, status, at) };
        let (account_id, organization_id) = (Some(account.id.clone()), organization.clone());
        let stored = StoredMessage {
            message,
            account_id,
            organization_id,
            lease_token: None,
            accepted_at: Some(at),
            origin: None,
        };
        store::message::insert(conn, app.db.dialect, &stored, at).await?;
        story(app, conn, &stored.message, at).await?;
        let (day, _) = day_of(at, "UTC");
        if day == today && status != Status::Canceled {
            reserve(app, conn, account, &day, 1).await?;
        }
    }
    // Round numbers of today make the bars worth looking at.
    let more = [37, 84, 62].get(shift).copied().unwrap_or(10);
    reserve(app, conn, account, &today, more).await
}

async fn reserve(app: &App, conn: &mut Conn, account: &Account, key: &str, count: u32) -> sqlx::Result<()> {
    let reservation = Reservation { account_id: account.id.as_str(), key, count };
    store::usage::reserve(conn, app.db.dialect, &[reservation]).await
}

fn message(account: &Account, person: usize, body: &str, status: Status, at: Timestamp) -> Message {
    let to = if account.channel == Channel::Email { mailbox_of(person) } else { phone_of(person) };
    let failure = |code: &str, message: &str| {
        Some(Failure { code: code.to_owned(), message: message.to_owned(), retryable: true })
    };
    let error = match status {
        Status::Undelivered => failure("30003", "The phone could not be reached: switched off, or without signal."),
        Status::Failed => failure("30007", "The message was filtered as unwanted by the carrier."),
        _ => None,
    };
    Message {
        id: new_id(at).parse().expect("a ULID is an id"),
        channel: account.channel,
        direction: Direction::Outbound,
        to,
        from: Some(account.address.clone()),
        subject: (account.channel == Channel::Email).then(|| "From Northwind".to_owned()),
        body: body.to_owned(),
        status,
        account_id: Some(account.id.clone()),
        lead_id: None,
        provider_message_id: None,
        segments: 1,
        attempts: u32::from(status != Status::Canceled),
        error,
        waiting: None,
        is_demo: true,
        created_at: at,
        updated_at: at.plus(MINUTE),
    }
}

/// The timeline that leads to the status.
async fn story(app: &App, conn: &mut Conn, message: &Message, at: Timestamp) -> sqlx::Result<()> {
    let way: &[(Status, Source)] = match message.status {
        Status::Canceled => &[(Status::Canceled, Source::User)],
        Status::Unknown => &[(Status::Sending, Source::Worker), (Status::Unknown, Source::Worker)],
        Status::Failed => &[(Status::Accepted, Source::Worker), (Status::Failed, Source::Webhook)],
        Status::Sent => &[(Status::Accepted, Source::Worker), (Status::Sent, Source::Webhook)],
        Status::Undelivered => &[
            (Status::Accepted, Source::Worker),
            (Status::Sent, Source::Webhook),
            (Status::Undelivered, Source::Webhook),
        ],
        Status::Read => &[
            (Status::Accepted, Source::Worker),
            (Status::Sent, Source::Webhook),
            (Status::Delivered, Source::Webhook),
            (Status::Read, Source::Webhook),
        ],
        _ => {
            &[(Status::Accepted, Source::Worker), (Status::Sent, Source::Webhook), (Status::Delivered, Source::Webhook)]
        }
    };
    let queued = [(Status::Queued, Source::Api)];
    for (step, (status, source)) in queued.iter().chain(way).enumerate() {
        let when = at.plus(i64::try_from(step).unwrap_or(0) * 3_000);
        let mut event = store::message::event(new_id(when).parse().expect("a ULID is an id"), when, *status, *source);
        if matches!(status, Status::Failed | Status::Undelivered) {
            event.error.clone_from(&message.error);
        }
        store::message::insert_event(conn, app.db.dialect, &message.id, &event).await?;
    }
    Ok(())
}

/// Removes the demo data: its accounts, and every message that went through them.
pub async fn remove(who: &Who) -> Result<(), Error> {
    let (organization, now) = (&who.organization.id, who.app.clock.now());
    who.app
        .db
        .write(async |conn| {
            store::message::remove_demo(conn, organization).await?;
            store::lead::remove_demo(conn, organization).await?;
            // It holds on to its templates.
            store::sequence::remove_demo(conn, organization).await?;
            store::template::remove_demo(conn, organization).await?;
            store::account::remove_demo(conn, organization, now).await
        })
        .await?;
    changed(who);
    Ok(())
}

fn changed(who: &Who) {
    who.app.live.publish(&who.organization.id, Topic::Accounts, None);
    for topic in [Topic::Messages, Topic::Leads, Topic::Templates, Topic::Sequences] {
        who.app.live.publish(&who.organization.id, topic, None);
    }
}

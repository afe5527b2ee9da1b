//! What real mail servers send, and servers that misbehave.

use super::{
    dialogue::{Dialogue, Door, Fault, Step},
    mail::{Letter, Mail, is_worth_reading, read},
    *,
};
use crate::{
    domain::{email_account::SmtpSecurity, message::Status},
    server::dial::SystemResolver,
};
use proptest::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

const OWN: &str = "ann@tern.example";
const ID: &str = "01jdf3zs0v8r4c7n2q9w5k6m1a@tern.example";

/// A mail as it lies in `tests/data/bounce`.
fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/bounce/{name}.eml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn bounce(name: &str) -> Bounce {
    match read(&sample(name), OWN) {
        Mail::Bounce(bounce) => bounce,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn reports_of_mail_servers_are_read() {
    for (name, action, code, is_hard, words) in [
        ("gmail", Action::Failed, "5.1.1", true, "double-checking"),
        ("gmail_delayed", Action::Delayed, "4.4.1", false, "did not accept"),
        ("exchange", Action::Failed, "5.1.10", true, "RecipientNotFound"),
        ("postfix", Action::Failed, "5.1.1", true, "virtual mailbox table"),
        ("postfix_expired", Action::Failed, "4.4.1", false, "timed out"),
        ("postfix_full", Action::Failed, "5.2.2", false, "Mailbox full"),
        ("postfix_policy", Action::Failed, "5.7.1", false, "spam"),
        ("postfix_delayed", Action::Delayed, "4.4.1", false, "refused"),
        ("postfix_delivered", Action::Delivered, "2.0.0", false, "queued"),
        ("exim", Action::Failed, "5.1.1", true, "user unknown"),
        ("exim_old", Action::Failed, "5.1.1", true, "no such user"),
        ("qmail", Action::Failed, "5.1.1", true, "no mailbox here"),
        ("ses", Action::Failed, "5.1.1", true, "user unknown"),
        ("sendmail_envelope", Action::Failed, "5.1.1", true, "User unknown"),
    ] {
        let bounce = bounce(name);
        let fate = &bounce.fates[0];
        assert_eq!((bounce.fates.len(), fate.action, fate.code.as_str()), (1, action, code), "{name}");
        assert_eq!(fate.is_hard(), is_hard, "{name}");
        assert!(fate.said.contains(words), "{name}: {}", fate.said);
        let is_named = bounce.names.iter().any(|id| id == ID || id == "01JDF3ZS0V8R4C7N2Q9W5K6M1A");
        assert!(is_named, "{name}: {:?}", bounce.names);
        let head = sample(name).windows(4).position(|four| four == b"\r\n\r\n").expect("a header") + 4;
        assert!(is_worth_reading(&sample(name)[..head]), "{name} is told by its header");
    }
}

#[test]
fn what_is_no_report_is_told_apart() {
    let answered = vec![ID.to_owned(), "first@tern.example".to_owned()];
    let letter = |subject: &str, text: &str| Letter {
        from: "kim@example.net".to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
    };
    let away = "I am out of the office. A mail could not be delivered to my desk.";
    for (name, expected) in [
        ("reply", Mail::Reply { to_message_id: answered, letter: letter("Re: Hello", "Yes, gladly.\n\n> Hello") }),
        ("own_copy", Mail::Other),
        (
            "out_of_office",
            Mail::AutoReply { to_message_id: vec![ID.to_owned()], letter: letter("Automatic reply: Hello", away) },
        ),
        (
            "vacation",
            Mail::AutoReply { to_message_id: vec![ID.to_owned()], letter: letter("Re: Hello", "On holiday.") },
        ),
        ("complaint", Mail::Complaint { about_message_id: vec![ID.to_owned()] }),
        ("warning_in_prose", Mail::Other),
    ] {
        assert_eq!(read(&sample(name), OWN), expected, "{name}");
    }
    assert!(matches!(read(&sample("newsletter"), OWN), Mail::AutoReply { .. }));
    assert!(is_worth_reading(&sample("reply")) && !is_worth_reading(&sample("newsletter")));
    let of_others = String::from_utf8_lossy(&sample("reply")).replace("01jdf3zs0v8r4c7n2q9w5k6m1a", "kim-7");
    assert!(!is_worth_reading(of_others.as_bytes()), "what people write to each other is not read");
}

#[test]
fn a_report_becomes_a_status_with_code_and_words() {
    let report = |name: &str| bounce(name).fates[0].report();
    let failed = report("postfix");
    let failure = failed.failure.expect("a failure");
    assert_eq!((failed.status, failure.code.as_str(), failure.retryable), (Status::Undelivered, "5.1.1", false));
    assert!(
        failure.message.starts_with("The mailbox does not exist. The server said: 550 5.1.1"),
        "{}",
        failure.message
    );
    assert_eq!(report("gmail_delayed").status, Status::Sent);
    assert_eq!(report("postfix_delivered").status, Status::Delivered);
    assert_eq!(report("postfix_full").failure.map(|failure| failure.retryable), Some(true));
}

#[test]
fn a_mail_that_was_cut_off_is_still_read() {
    let whole = sample("gmail");
    let status = whole.windows(15).position(|w| w == b"Last-Attempt-Da").expect("a status");
    match read(&whole[..status], OWN) {
        // Gmail names the mail in the header of its report, too.
        Mail::Bounce(bounce) => assert_eq!((bounce.names[0].as_str(), bounce.fates[0].code.as_str()), (ID, "5.1.1")),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_mail_is_too_strange(cut in 0_usize..4_000, at in 0_usize..4_000, with in prop::collection::vec(any::<u8>(), 0..40)) {
        for name in ["gmail", "exchange", "qmail", "reply"] {
            let mut raw = sample(name);
            let at = at.min(raw.len());
            raw.splice(at..(at + cut % 50).min(raw.len()), with.iter().copied());
            raw.truncate(cut.max(10));
            let _ = (read(&raw, OWN), is_worth_reading(&raw), mail::message_id(&raw));
        }
    }
}

/// A server that says these lines: one after each command, `T` at its beginning stands for the command's tag.
async fn scripted(lines: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("somebody");
        let mut stream = BufReader::new(stream);
        let _ = stream.write_all(b"* OK ready\r\n").await;
        for answer in lines {
            let mut command = String::new();
            let _ = stream.read_line(&mut command).await;
            let tag = command.split(' ').next().unwrap_or_default().to_owned();
            let _ = stream.write_all(answer.replace("TAG", &tag).as_bytes()).await;
        }
    });
    port
}

async fn dialogue_with(lines: &'static [&'static str], security: SmtpSecurity) -> Result<Dialogue, Fault> {
    let settings = ImapSettings { host: "127.0.0.1".to_owned(), port: scripted(lines).await, security, username: None };
    let dialer = Dialer::new(&["127.0.0.0/8".parse().expect("a range")], Arc::new(SystemResolver));
    let tls = crate::server::tls::client(None).expect("the built-in roots");
    let (username, password, auth) = (OWN, "a secret", SmtpAuth::Password);
    Dialogue::open(&Door { dialer: &dialer, tls: &tls, settings: &settings, username, auth, password }).await
}

const WELCOME: [&str; 2] = ["* CAPABILITY IMAP4rev1\r\nTAG OK\r\n", "TAG OK in\r\n"];

#[tokio::test]
async fn a_refused_or_broken_fetch_is_no_empty_mailbox() {
    for (answer, is_refused) in [
        ("TAG NO [LIMIT] later\r\n", true),
        ("* BYE overloaded\r\n", true),
        ("* 1 FETCH (UID 5 BODY[HEADER]<0> {400}\r\nFrom: x\r\n", false),
        ("* 1 FETCH (UID 5 BODY[HEADER]<0> {99999999}\r\n", false),
        ("* 1 FETCH (nonsense\r\n", false),
        ("", false),
    ] {
        let lines: &'static [&'static str] = Box::leak(vec![WELCOME[0], WELCOME[1], answer].into_boxed_slice());
        let mut dialogue = dialogue_with(lines, SmtpSecurity::None).await.expect("a connection");
        let fault = dialogue.fetch(1, 9, "HEADER", 1_000).await.expect_err("no mails");
        assert_eq!(matches!(fault, Fault::Refused(Step::Read, _)), is_refused, "{answer}: {fault:?}");
    }
}

#[tokio::test]
async fn mails_are_read_whatever_stands_in_them() {
    const ANSWER: &str = "* 1 FETCH (UID 5 BODY[]<0> {22}\r\n* 2 FETCH {5}\r\nTAG NO\r\n)\r\n* XVENDOR new thing\r\n* 9 FETCH (FLAGS (\\Seen))\r\nTAG OK\r\n";
    let mut dialogue = dialogue_with(&[WELCOME[0], WELCOME[1], ANSWER], SmtpSecurity::None).await.expect("in");
    let fetched = dialogue.fetch(1, 9, "", 1_000).await.expect("mails");
    assert_eq!(fetched.len(), 1);
    assert_eq!((fetched[0].uid, fetched[0].bytes.len()), (5, 22));
}

#[tokio::test]
async fn a_server_that_repeats_the_password_is_not_quoted() {
    let refused = dialogue_with(&[WELCOME[0], "TAG NO wrong: a secret\r\n"], SmtpSecurity::None).await.err();
    let fault = refused.expect("refused");
    assert!(matches!(&fault, Fault::Refused(Step::Auth, said) if !said.contains("a secret")), "{fault:?}");
}

#[tokio::test]
async fn no_password_leaves_in_clear_when_starttls_was_asked_for() {
    const BOTH: [&str; 2] =
        ["* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n", "TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"];
    let stripped = dialogue_with(&[WELCOME[0]], SmtpSecurity::Starttls).await.err();
    assert!(matches!(stripped, Some(Fault::NotOffered(_))), "{stripped:?}");
    let injected = dialogue_with(&BOTH, SmtpSecurity::Starttls).await.err();
    assert!(matches!(injected, Some(Fault::Insecure(_))), "{injected:?}");
}

#[test]
fn reading_goes_on_where_it_ended_and_begins_with_the_newest() {
    let now = Bookmark { validity: 7, next: 1_000 };
    assert_eq!(window(Some(Bookmark { validity: 7, next: 950 }), now), 950);
    assert_eq!(window(Some(Bookmark { validity: 7, next: 2_000 }), now), 1_000, "a server that went back");
    assert_eq!(window(Some(Bookmark { validity: 6, next: 950 }), now), 800, "it counts anew");
    assert_eq!(window(None, Bookmark { validity: 1, next: 1 }), 1);
}

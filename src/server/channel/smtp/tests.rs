//! The adapter against the stand-in: every outcome, on a real socket.

use super::*;
use crate::{
    domain::{
        channel::Channel,
        email_account::{SmtpSecurity, SmtpSettings},
        id::{AccountId, AttemptId, MessageId},
        secret::Secret,
        time::Timestamp,
    },
    server::{
        channel::Mail,
        clock::{FakeClock, SystemClock},
        dial::SystemResolver,
        lease::Lease,
        simulate::smtp::{Identity, MailServer, Manners, PASSWORD, TOKEN, USER},
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::net::TcpListener;

/// A mail server, and the adapter that trusts it.
struct World {
    server: Arc<MailServer>,
    smtp: Smtp,
    port: u16,
    tls_port: u16,
}

fn trusting(pem: &str) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

impl World {
    async fn new() -> Self {
        Self::with(&Identity::new(&["localhost"]), true, 10_000).await
    }

    async fn with(identity: &Identity, is_trusted: bool, millis: u64) -> Self {
        let server = MailServer::new(identity).expect("a server");
        let mut ports = Vec::new();
        for is_tls in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            ports.push(listener.local_addr().expect("an address").port());
            tokio::spawn(server.clone().serve(listener, is_tls));
        }
        let tls =
            if is_trusted { trusting(&identity.certificate) } else { crate::server::tls::client(None).expect("roots") };
        let allowed = ["127.0.0.0/8", "::1"].map(|range| range.parse().expect("a range"));
        let patience = Patience {
            offer: Duration::from_millis(millis),
            confirm: Duration::from_millis(millis),
            ..Patience::default()
        };
        let smtp = Smtp::new(
            Dialer::new(&allowed, Arc::new(SystemResolver)),
            tls,
            "tern.example".to_owned(),
            Arc::new(FakeClock::new(Timestamp(1_795_339_800_000))),
            patience,
        );
        Self { server, smtp, port: ports[0], tls_port: ports[1] }
    }

    fn login(&self, security: SmtpSecurity, auth: SmtpAuth, secret: &str) -> Login {
        let port = if security == SmtpSecurity::Tls { self.tls_port } else { self.port };
        let settings = SmtpSettings {
            host: "localhost".to_owned(),
            port,
            security,
            username: USER.to_owned(),
            auth,
            reply_to: None,
            dkim: None,
            imap: None,
        };
        Login::new(vec![("smtp_password".to_owned(), Secret::new(secret.to_owned()))]).with_mailbox(Mailbox {
            account: AccountId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1T").expect("an id"),
            address: USER.to_owned(),
            display_name: "Ann".to_owned(),
            settings,
        })
    }

    fn usual(&self) -> Login {
        self.login(SmtpSecurity::Starttls, SmtpAuth::Password, PASSWORD)
    }

    async fn send(&self, login: &Login, to: &str) -> Result<Receipt, SendError> {
        self.smtp.send(login, &message(to, "Hello")).await
    }

    async fn test(&self, login: &Login) -> Result<(), TestError> {
        let probe = Probe { channel: Channel::Email, sender: None, force: false };
        self.smtp.test(login, &probe).await
    }
}

fn message(to: &str, body: &str) -> Outgoing {
    Outgoing {
        message_id: MessageId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1A").expect("an id"),
        attempt_id: AttemptId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1B").expect("an id"),
        channel: Channel::Email,
        from: USER.to_owned(),
        to: to.to_owned(),
        subject: Some("Hello".to_owned()),
        body: body.to_owned(),
        status_url: None,
        mail: Mail::default(),
        lease: Lease::begin(Arc::new(SystemClock), 90_000),
    }
}

fn word(outcome: &Result<Receipt, SendError>) -> String {
    match outcome {
        Ok(receipt) => receipt.status.as_str().to_owned(),
        Err(SendError::Rejected(failure)) => format!("rejected {}", failure.code),
        Err(SendError::Unauthorized(_)) => "unauthorized".to_owned(),
        Err(SendError::Throttled { .. }) => "throttled".to_owned(),
        Err(SendError::Unavailable(_)) => "unavailable".to_owned(),
        Err(SendError::Unknown(_)) => "unknown".to_owned(),
        Err(SendError::Withheld(_)) => "withheld".to_owned(),
    }
}

#[tokio::test]
async fn every_way_to_be_secure_and_to_sign_in() {
    let world = World::new().await;
    for security in SmtpSecurity::ALL {
        for (auth, secret, offered) in [
            (SmtpAuth::Password, PASSWORD, &["PLAIN", "LOGIN"][..]),
            (SmtpAuth::Password, PASSWORD, &["LOGIN"]),
            (SmtpAuth::Xoauth2, TOKEN, &["PLAIN", "XOAUTH2"]),
        ] {
            for pipelining in [true, false] {
                let auth_offered = offered.iter().map(|name| (*name).to_owned()).collect();
                world.server.behave(Manners { auth: auth_offered, pipelining, ..Manners::default() });
                let login = world.login(security, auth, secret);
                assert_eq!(world.test(&login).await, Ok(()));
                world.smtp.pool.forget();
                let receipt = world.send(&login, "kim@example.com").await.expect("taken");
                assert_eq!(receipt.provider_message_id, "<01jdf3zs0v8r4c7n2q9w5k6m1a@tern.example>");
                let mail = world.server.kept().pop().expect("a mail");
                assert_eq!((mail.is_secure, mail.user.as_deref()), (security != SmtpSecurity::None, Some(USER)));
                assert_eq!((mail.from.as_str(), mail.to), (USER, vec!["kim@example.com".to_owned()]));
            }
        }
    }
}

#[tokio::test]
async fn every_fate_has_its_outcome() {
    for pipelining in [true, false] {
        let world = World::with(&Identity::new(&["localhost"]), true, 700).await;
        world.server.behave(Manners { pipelining, ..Manners::default() });
        let login = world.usual();
        for (to, expected, kept) in [
            ("kim@example.com", "sent", 1),
            ("4xx@example.com", "throttled", 0),
            ("5xx@example.com", "rejected 5.1.1", 0),
            ("550@example.com", "rejected 550", 0),
            ("452-4.2.2@example.com", "unavailable", 0),
            ("421@example.com", "throttled", 0),
            ("data-554-5.7.1@example.com", "rejected 5.7.1", 0),
            ("data-451-4.7.1@example.com", "throttled", 0),
            ("data-550-5.7.26@example.com", "unauthorized", 0),
            ("drop-before-dot@example.com", "unavailable", 0),
            ("drop-after-dot@example.com", "unknown", 1),
            ("lose-after-dot@example.com", "unknown", 0),
            ("hang@example.com", "unavailable", 0),
            ("hang-after-dot@example.com", "unknown", 1),
            ("kim@example.com", "sent", 1),
        ] {
            let before = world.server.kept().len();
            let outcome = world.send(&login, to).await;
            // `drop-before-dot` closes while the text is on its way: whether the last write fails is the network's matter,
            // and a dot that was written into a closed connection is honestly unknown.
            let is_as_expected =
                word(&outcome) == expected || (to.starts_with("drop-before") && word(&outcome) == "unknown");
            assert!(is_as_expected, "{to} pipelining {pipelining}: {outcome:?}");
            assert_eq!(world.server.kept().len() - before, kept, "{to}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_of_a_long_text_sent_nothing() {
    let world = World::new().await;
    let long = message("drop-before-dot@example.com", &"A line of text.\n".repeat(400_000));
    assert_eq!(word(&world.smtp.send(&world.usual(), &long).await), "unavailable");
    assert!(world.server.kept().is_empty());
}

/// A process may be frozen in the middle of a conversation.
#[tokio::test]
async fn a_mail_whose_lease_has_ended_gets_no_final_dot() {
    let world = World::new().await;
    let clock = Arc::new(FakeClock::new(Timestamp(0)));
    let late = Outgoing { lease: Lease::begin(clock.clone(), 90_000), ..message("kim@example.com", "Hello") };
    clock.advance(90_001);
    assert_eq!(world.smtp.send(&world.usual(), &late).await, Err(SendError::Withheld(TOO_LATE)));
    assert!(world.server.kept().is_empty());
    assert_eq!(word(&world.send(&world.usual(), "kim@example.com").await), "sent");
}

#[tokio::test]
async fn one_connection_carries_many_mails_and_survives_refusals() {
    let world = World::new().await;
    let login = world.usual();
    for to in [
        "a@example.com",
        "5xx@example.com",
        "b@example.com",
        "4xx@example.com",
        "data-550@example.com",
        "c@example.com",
    ] {
        let _ = world.send(&login, to).await;
    }
    let seen = world.server.seen();
    assert_eq!((seen.connections, seen.sign_ins, world.server.kept().len()), (1, 1, 3));
}

#[tokio::test]
async fn at_most_eight_connections_are_open() {
    let world = World::new().await;
    let login = world.usual();
    let sends = (0..64).map(|at| {
        let (world, login) = (&world, &login);
        async move { world.send(login, &format!("r{at}@example.com")).await }
    });
    let outcomes = futures::future::join_all(sends).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(world.server.seen().connections <= 8, "{:?}", world.server.seen());
    assert_eq!(world.server.kept().len(), 64);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let world = World::new().await;
    world.server.behave(Manners { mails_per_connection: Some(2), ..Manners::default() });
    let login = world.usual();
    for _ in 0..5 {
        assert_eq!(word(&world.send(&login, "kim@example.com").await), "sent");
    }
    assert_eq!((world.server.seen().connections, world.server.kept().len()), (3, 5));
}

#[tokio::test]
async fn another_password_never_rides_on_an_open_connection() {
    let world = World::new().await;
    assert_eq!(word(&world.send(&world.usual(), "kim@example.com").await), "sent");
    assert_eq!(world.smtp.pool.idle(), 1);
    let wrong = world.login(SmtpSecurity::Starttls, SmtpAuth::Password, "wrong");
    assert_eq!(word(&world.send(&wrong, "kim@example.com").await), "unauthorized");
    assert_eq!(world.smtp.pool.idle(), 0, "the connection of before is closed");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed() {
    let mut world = World::new().await;
    world.smtp.pool = Pool::new(Duration::from_millis(30));
    assert_eq!(word(&world.send(&world.usual(), "kim@example.com").await), "sent");
    let closed = async {
        while world.smtp.pool.idle() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), closed).await.expect("it is closed");
}

#[tokio::test]
async fn without_starttls_nothing_of_the_password_is_sent() {
    let world = World::new().await;
    world.server.behave(Manners { starttls: false, ..Manners::default() });
    let outcome = world.send(&world.usual(), "kim@example.com").await;
    assert_eq!(word(&outcome), "unauthorized", "{outcome:?}");
    let test = world.test(&world.usual()).await.expect_err("refused");
    assert!(test.code == "tls" && test.message.contains("STARTTLS"), "{test:?}");
    assert_eq!((world.server.seen().auth_bytes, world.server.kept().len()), (0, 0));
}

#[tokio::test]
async fn what_comes_in_clear_before_the_handshake_is_not_believed() {
    let world = World::new().await;
    world.server.behave(Manners { inject: true, ..Manners::default() });
    let outcome = world.send(&world.usual(), "kim@example.com").await;
    assert_eq!(word(&outcome), "unavailable", "{outcome:?}");
    assert_eq!((world.server.seen().auth_bytes, world.server.kept().len()), (0, 0));
}

#[tokio::test]
async fn certificates_are_verified() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("names");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let expired =
        Identity { certificate: params.self_signed(&key).expect("a certificate").pem(), key: key.serialize_pem() };
    for (identity, is_trusted, part) in [
        (expired, true, "has expired"),
        (Identity::new(&["other.example"]), true, "another name"),
        (Identity::new(&["localhost"]), false, "nobody that this machine trusts"),
    ] {
        let world = World::with(&identity, is_trusted, 5_000).await;
        for security in [SmtpSecurity::Tls, SmtpSecurity::Starttls] {
            let login = world.login(security, SmtpAuth::Password, PASSWORD);
            let test = world.test(&login).await.expect_err("refused");
            assert!(test.code == "tls" && test.message.contains(part), "{test:?}");
            assert_eq!(word(&world.send(&login, "kim@example.com").await), "unavailable");
        }
        assert_eq!(world.server.seen().auth_bytes, 0);
    }
}

#[tokio::test]
async fn a_test_says_which_step_failed_and_what_to_do() {
    let world = World::new().await;
    let wrong = |auth| world.login(SmtpSecurity::Starttls, auth, "wrong");
    let failed = async |login: &Login| world.test(login).await.expect_err("it failed");
    for (auth, part) in [(SmtpAuth::Password, "535 5.7.8"), (SmtpAuth::Xoauth2, "about an hour")] {
        let error = failed(&wrong(auth)).await;
        assert!(
            error.code == "credentials" && error.message.starts_with("AUTH failed: ") && error.message.contains(part),
            "{error:?}"
        );
    }
    world.server.behave(Manners { sender: Some("553 5.7.1 Not yours".to_owned()), ..Manners::default() });
    let error = failed(&world.usual()).await;
    assert!(error.code == "sender" && error.message.starts_with("MAIL FROM failed: "), "{error:?}");
    world.server.behave(Manners { auth: Vec::new(), ..Manners::default() });
    assert!(failed(&world.usual()).await.message.starts_with("AUTH failed: "));
    world.server.behave(Manners { greeting: Some("554 5.7.1 Go away".to_owned()), ..Manners::default() });
    assert_eq!(failed(&world.usual()).await.code, "provider");
    world.server.behave(Manners { greeting: Some("hello".to_owned()), ..Manners::default() });
    assert_eq!(failed(&world.usual()).await.code, "connect");
    // TLS where the server greets in clear.
    let mut crossed = world.login(SmtpSecurity::Tls, SmtpAuth::Password, PASSWORD);
    crossed.mailbox.as_mut().expect("a mailbox").settings.port = world.port;
    let error = failed(&crossed).await;
    assert!(error.code == "tls" && error.message.contains("STARTTLS for port 587"), "{error:?}");
}

#[tokio::test]
async fn hosts_and_ports_that_are_closed_tell_nothing() {
    let world = World::new().await;
    let smtp = Smtp::new(
        Dialer::new(&[], Arc::new(SystemResolver)),
        trusting(&world.server.certificate),
        "tern.example".to_owned(),
        Arc::new(FakeClock::new(Timestamp(0))),
        Patience::default(),
    );
    let probe = Probe { channel: Channel::Email, sender: None, force: false };
    let mut sentences = Vec::new();
    for (host, port) in [
        ("localhost", world.port),
        ("localhost", 1),
        ("127.0.0.1", 25),
        ("169.254.169.254", 80),
        ("::ffff:10.0.0.1", 465),
    ] {
        let mut login = world.usual();
        let settings = &mut login.mailbox.as_mut().expect("a mailbox").settings;
        host.clone_into(&mut settings.host);
        settings.port = port;
        let error = smtp.test(&login, &probe).await.expect_err("closed");
        assert_eq!(error.code, "host_not_allowed");
        sentences.push(error.message);
        assert_eq!(word(&smtp.send(&login, &message("kim@example.com", "x")).await), "unauthorized");
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert_eq!(world.server.seen().connections, 0);
}

#[tokio::test]
async fn a_text_cannot_smuggle_a_second_mail_past_a_careless_server() {
    for is_careless in [true, false] {
        let world = World::new().await;
        world.server.behave(Manners { is_careless, ..Manners::default() });
        let login = world.usual();
        let smuggled = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nBoo\r\n.\r\n";
        let bodies = [
            "\n.\n",
            "\r.\r",
            "\r\n.\r\n",
            "\n.\r\n",
            "\r\n.\n",
            "\r.\n",
            "\n\r.\r\n",
            ".",
            "\n.\r\nMAIL FROM:",
            "a\n.\nb",
            "..\n.\n..",
            "=\n.\n",
            " \n.\n\u{85}.\u{2028}.\r",
        ];
        for body in bodies
            .iter()
            .flat_map(|body| [(*body).to_owned(), format!("Hello{body}{smuggled}"), format!("ü{body}{smuggled}")])
        {
            for html in [None, Some(body.clone())] {
                let before = world.server.kept().len();
                let mut mail = message("kim@example.com", &body);
                mail.mail.html = html;
                assert_eq!(word(&world.smtp.send(&login, &mail).await), "sent", "{body:?}");
                let kept = world.server.kept();
                assert_eq!(kept.len() - before, 1, "{body:?}");
                assert_eq!(kept.last().map(|mail| mail.to.clone()), Some(vec!["kim@example.com".to_owned()]));
            }
        }
        assert_eq!(world.server.seen().connections, 1, "no dialogue was out of step");
    }
}

#[tokio::test]
async fn a_server_that_repeats_a_password_is_not_quoted() {
    let world = World::new().await;
    let refusal = format!("535 5.7.8 Wrong password {}", "my-own-secret");
    world.server.behave(Manners { refusal, ..Manners::default() });
    let login = world.login(SmtpSecurity::Starttls, SmtpAuth::Password, "my-own-secret");
    let error = world.test(&login).await.expect_err("refused");
    assert!(!error.message.contains("my-own-secret") && error.message.contains("535 5.7.8"), "{error:?}");
}

#[test]
fn large_providers_are_known_by_any_of_their_hosts() {
    assert!(hint("smtp.gmail.com").is_some_and(|hint| hint.contains("app password")));
    assert!(hint("email-smtp.eu-west-1.amazonaws.com").is_some_and(|hint| hint.contains("SES")));
    assert_eq!(hint("smtp.example.com"), None);
    assert_eq!(hint("localhost"), None);
}

//! Letters: headers, encodings, signatures, and what is refused.

use super::*;
use crate::{
    domain::{
        channel::Channel,
        email_account::{SmtpAuth, SmtpSecurity, SmtpSettings},
        id::{AccountId, AttemptId, MessageId},
    },
    server::{channel::Mail, clock::SystemClock, lease::Lease},
};
use proptest::prelude::*;
use std::sync::Arc;

/// The first key of RFC 8032.
const ED25519_SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

fn mailbox() -> Mailbox {
    Mailbox {
        account: AccountId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1T").expect("an id"),
        address: "ann@example.com".to_owned(),
        display_name: "Ann Müller".to_owned(),
        settings: SmtpSettings {
            host: "smtp.example.com".to_owned(),
            port: 465,
            security: SmtpSecurity::Tls,
            username: "ann".to_owned(),
            auth: SmtpAuth::Password,
            reply_to: None,
            dkim: None,
            imap: None,
        },
    }
}

fn message(body: &str) -> Outgoing {
    Outgoing {
        message_id: MessageId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1A").expect("an id"),
        attempt_id: AttemptId::parse("01JDF3ZS0V8R4C7N2Q9W5K6M1B").expect("an id"),
        channel: Channel::Email,
        from: "ann@example.com".to_owned(),
        to: "kim@bücher.example".to_owned(),
        subject: Some("Größe".to_owned()),
        body: body.to_owned(),
        status_url: None,
        mail: Mail::default(),
        lease: Lease::begin(Arc::new(SystemClock), 90_000),
    }
}

fn written(message: &Outgoing, mailbox: &Mailbox) -> String {
    let letter = write(message, mailbox, ED25519_SEED, Timestamp(1_795_339_800_000)).expect("a letter");
    String::from_utf8(letter.data).expect("ASCII")
}

/// The value of a header, unfolded.
fn header<'a>(mail: &'a str, name: &str) -> Vec<String> {
    let head: &'a str = mail.split("\r\n\r\n").next().unwrap_or_default();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let start = format!("{}: ", name.to_lowercase());
    unfolded
        .split("\r\n")
        .filter(|line| line.to_lowercase().starts_with(&start))
        .map(|line| line[start.len()..].to_owned())
        .collect()
}

#[test]
fn a_letter_has_the_headers_of_a_mail_and_one_name_for_ever() {
    let letter = write(&message("Hello"), &mailbox(), "", Timestamp(1_795_339_800_000)).expect("a letter");
    assert_eq!((letter.from.as_str(), letter.to.as_str()), ("ann@example.com", "kim@xn--bcher-kva.example"));
    assert_eq!(letter.message_id, "<01jdf3zs0v8r4c7n2q9w5k6m1a@example.com>");
    let mail = String::from_utf8(letter.data).expect("ASCII");
    assert_eq!(header(&mail, "Message-ID"), [letter.message_id]);
    assert_eq!(header(&mail, "Date"), ["Sun, 22 Nov 2026 09:30:00 +0000"]);
    assert_eq!(header(&mail, "From"), ["=?utf-8?b?QW5uIE3DvGxsZXI=?= <ann@example.com>"]);
    assert_eq!(header(&mail, "To"), ["kim@xn--bcher-kva.example"]);
    assert_eq!(header(&mail, "Subject"), ["=?utf-8?b?R3LDtsOfZQ==?="]);
    assert_eq!(header(&mail, "Content-Type"), ["text/plain; charset=utf-8"]);
    assert!(mail.ends_with("\r\n\r\nHello\r\n"));
    let named_after_itself = Mailbox { display_name: "ann@example.com".to_owned(), ..mailbox() };
    assert_eq!(header(&written(&message("Hello"), &named_after_itself), "From"), ["ann@example.com"]);
}

#[test]
fn one_click_unsubscribes_and_threads_hold_together() {
    let mut message = message("Hello");
    message.mail = Mail {
        unsubscribe_url: Some(format!("https://tern.example/u/{}", "x".repeat(300))),
        in_reply_to: Some("<a@example.com>".to_owned()),
        references: Some("<b@example.com> <a@example.com>".to_owned()),
        reply_to: Some("answers@example.com".to_owned()),
        from_name: Some("Ann, of \"Acme\"".to_owned()),
        html: Some("<p>Hello</p>".to_owned()),
    };
    let mail = written(&message, &mailbox());
    assert_eq!(header(&mail, "List-Unsubscribe"), [format!("<https://tern.example/u/{}>", "x".repeat(300))]);
    assert_eq!(header(&mail, "List-Unsubscribe-Post"), ["List-Unsubscribe=One-Click"]);
    assert_eq!(header(&mail, "In-Reply-To"), ["<a@example.com>"]);
    assert_eq!(header(&mail, "References"), ["<b@example.com> <a@example.com>"]);
    assert_eq!(header(&mail, "Reply-To"), ["answers@example.com"]);
    assert_eq!(header(&mail, "From"), ["=?utf-8?b?QW5uLCBvZiAiQWNtZSI=?= <ann@example.com>"]);
    let kind = header(&mail, "Content-Type").remove(0);
    assert!(kind.starts_with("multipart/alternative; boundary="), "{kind}");
    assert_eq!(mail.matches("Content-Type: text/plain").count(), 1);
    assert_eq!(mail.matches("Content-Type: text/html").count(), 1);
    assert_eq!(mail.matches("MIME-Version").count(), 1);
}

#[test]
fn what_would_become_a_header_of_its_own_is_refused() {
    for sneaky in ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\0b"] {
        let with = |change: &dyn Fn(&mut Outgoing)| {
            let mut message = message("Hello");
            change(&mut message);
            write(&message, &mailbox(), "", Timestamp(0))
                .map(|letter| String::from_utf8_lossy(&letter.data).into_owned())
        };
        let url = format!("https://tern.example/{sneaky}");
        let tries: [&dyn Fn(&mut Outgoing); 8] = [
            &|m| m.to = format!("kim@example.com{sneaky}"),
            &|m| m.from = format!("ann@example.com{sneaky}"),
            &|m| m.subject = Some(sneaky.to_owned()),
            &|m| m.mail.from_name = Some(sneaky.to_owned()),
            &|m| m.mail.reply_to = Some(format!("a@example.com{sneaky}")),
            &|m| m.mail.in_reply_to = Some(sneaky.to_owned()),
            &|m| m.mail.unsubscribe_url = Some(url.clone()),
            &|m| {
                m.mail.in_reply_to = Some("<a@b>".to_owned());
                m.mail.references = Some(sneaky.to_owned());
            },
        ];
        for (at, change) in tries.iter().enumerate() {
            assert!(with(*change).is_err(), "{at} {sneaky:?}");
        }
    }
    for url in ["http://tern.example/u", "https://x/> <mailto:a@b", "javascript:x", ""] {
        let mut message = message("Hello");
        message.mail.unsubscribe_url = Some(url.to_owned());
        assert!(write(&message, &mailbox(), "", Timestamp(0)).is_err(), "{url}");
    }
    let mut strange = message("Hello");
    strange.to = "jörg@example.com".to_owned();
    assert_eq!(write(&strange, &mailbox(), "", Timestamp(0)).expect_err("refused").code, "unsupported_address");
}

#[test]
fn a_signature_covers_what_is_there() {
    let mut signed = mailbox();
    signed.settings.dkim = Some(Dkim { domain: "example.com".to_owned(), selector: "tern1".to_owned() });
    for html in [None, Some("<p>Hello</p>".to_owned())] {
        let mut message = message("Hello");
        message.mail.html = html;
        message.mail.unsubscribe_url = Some("https://tern.example/u/x".to_owned());
        let mail = written(&message, &signed);
        let signature = header(&mail, "DKIM-Signature").remove(0);
        for part in [
            "v=1; a=ed25519-sha256; d=example.com; s=tern1; c=relaxed/relaxed",
            "content-type",
            "list-unsubscribe:list-unsubscribe-post",
        ] {
            assert!(signature.contains(part), "{part}: {signature}");
        }
        let covered = signature.split("h=").nth(1).and_then(|rest| rest.split(';').next()).expect("a list");
        for name in covered.split(':') {
            assert_eq!(header(&mail, name).len(), 1, "{name} is signed and there");
        }
    }
    assert!(write(&message("Hello"), &signed, "no key", Timestamp(0)).is_err());
    assert!(parse_key("-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----").is_err());
}

/// What a reader of quoted-printable or base64 sees.
fn decoded(encoding: ContentTransferEncoding, bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).expect("ASCII");
    let plain = if encoding == ContentTransferEncoding::Base64 {
        use base64::{Engine, prelude::BASE64_STANDARD};
        BASE64_STANDARD.decode(text.replace("\r\n", "")).expect("base64")
    } else {
        let mut out = Vec::new();
        let joined = text.replace("=\r\n", "");
        let mut bytes = joined.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'=' {
                let digits = [bytes.next().expect("a digit"), bytes.next().expect("a digit")];
                out.extend(hex::decode(digits).expect("hex"));
            } else {
                out.push(byte);
            }
        }
        out
    };
    String::from_utf8(plain).expect("UTF-8")
}

proptest! {
    #[test]
    fn any_text_stays_one_mail_and_the_same_text(body in "(?s).{1,400}", breaks in "[\r\n. a]{0,60}") {
        let body = format!("{body}{breaks}.\r\nMAIL FROM:<x@y.z>\n.\n{breaks}");
        let (encoding, bytes) = encode(&body);
        prop_assert!(bytes.is_ascii());
        let wire = String::from_utf8(for_the_wire(&bytes)).expect("ASCII");
        prop_assert!(!wire.replace("\r\n", "").contains(['\r', '\n']), "no lone line end");
        prop_assert!(wire.split("\r\n").all(|line| line != "."), "no line ends the mail");
        prop_assert!(wire.split("\r\n").all(|line| line.len() <= 100));
        let unstuffed: Vec<&str> = wire.split("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
        let read = decoded(encoding, unstuffed.join("\r\n").as_bytes());
        let meant = with_crlf(&body);
        prop_assert_eq!(read.trim_end_matches("\r\n"), meant.trim_end_matches("\r\n"));
    }

    #[test]
    fn no_bytes_at_all_end_a_mail_early(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..200)) {
        let wire = for_the_wire(&bytes);
        let ends_line = |at: usize| at == 0 || wire[..at].ends_with(b"\r\n");
        for at in 0..wire.len() {
            if wire[at] == b'.' && ends_line(at) {
                prop_assert_eq!(wire.get(at + 1), Some(&b'.'));
            }
            if wire[at] == b'\n' { prop_assert!(at > 0 && wire[at - 1] == b'\r'); }
            if wire[at] == b'\r' { prop_assert_eq!(wire.get(at + 1), Some(&b'\n')); }
        }
    }
}

//! Forms of e-mail accounts: what is read, what is refused, and how.

use super::*;

fn form() -> EmailForm {
    EmailForm {
        email_address: "Ann@Example.com".into(),
        smtp_host: "SMTP.example.com.".into(),
        smtp_username: "ann".into(),
        credentials: vec![("smtp_password".into(), Secret::new(" a b ".into()))],
        ..EmailForm::default()
    }
}

#[test]
fn a_good_form_becomes_an_account_named_after_its_mailbox() {
    let account = form().parse().expect("valid");
    let smtp = account.smtp.expect("a server");
    assert_eq!((account.display_name.as_str(), account.daily_limit.get()), ("ann@example.com", 100));
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.security), ("smtp.example.com", 465, SmtpSecurity::Tls));
    assert_eq!((smtp.auth, account.credentials[0].1.expose()), (SmtpAuth::Password, " a b "));
}

#[test]
fn a_preset_names_the_server() {
    let chosen = |preset: &str| {
        let field = |name: &str| match name {
            "preset" => preset.to_owned(),
            "email_address" => "ann@example.com".to_owned(),
            "smtp_host" => "own.example".to_owned(),
            _ => String::new(),
        };
        let entered = [("smtp_username", "ann"), ("smtp_password", "secret")];
        EmailForm::of_dialog(field, entered.map(|(name, text)| (name.into(), Secret::new(text.into()))).into())
    };
    let gmail = chosen("gmail").parse().expect("valid").smtp.expect("a server");
    assert_eq!((gmail.host.as_str(), gmail.port, gmail.username.as_str()), ("smtp.gmail.com", 465, "ann"));
    for other in ["own", "", "x"] {
        assert_eq!(chosen(other).smtp_host, "own.example", "{other}");
    }
    assert_eq!(chosen("sandbox").parse().expect("valid").provider, Provider::Sandbox);
}

#[test]
fn port_and_security_follow_each_other() {
    let of = |port: &str, security: &str| {
        let form = EmailForm { smtp_port: port.into(), smtp_security: security.into(), ..form() };
        form.parse().ok().and_then(|account| account.smtp).map(|smtp| (smtp.port, smtp.security))
    };
    assert_eq!(of("", "starttls"), Some((587, SmtpSecurity::Starttls)));
    assert_eq!(of("", "none"), Some((25, SmtpSecurity::None)));
    assert_eq!(of("465", ""), Some((465, SmtpSecurity::Tls)));
    assert_eq!(of("2525", ""), Some((2525, SmtpSecurity::Starttls)), "never in clear unless somebody says so");
    for (port, security) in [("0", ""), ("65536", ""), ("x", ""), ("", "ssl"), ("-1", "tls")] {
        assert_eq!(of(port, security), None, "{port} {security}");
    }
}

#[test]
fn every_missing_field_is_named_at_once() {
    let errors = EmailForm::default().parse().expect_err("empty");
    for field in ["email_address", "smtp_host", "smtp_username", "smtp_password"] {
        assert_eq!(errors.of(field), Some("is required"), "{field}");
    }
    let sandbox = EmailForm { provider: "sandbox".into(), ..EmailForm::default() };
    assert_eq!(sandbox.missing(), ["email_address"]);
    let open = EmailForm { smtp_auth: "none".into(), ..EmailForm::default() };
    assert_eq!(open.missing(), ["email_address", "smtp_host"]);
    assert!(EmailForm { provider: "twilio".into(), ..form() }.parse().is_err());
}

#[test]
fn what_becomes_a_header_or_a_command_has_no_line_breaks() {
    for sneaky in ["a\r\nBcc: x", "a\nb", "a\rb", "a\0b"] {
        let password = || vec![("smtp_password".to_owned(), Secret::new(sneaky.to_owned()))];
        let forms = [
            ("email_address", EmailForm { email_address: format!("ann@example.com{sneaky}"), ..form() }),
            ("display_name", EmailForm { display_name: sneaky.into(), ..form() }),
            ("smtp_host", EmailForm { smtp_host: sneaky.into(), ..form() }),
            ("smtp_username", EmailForm { smtp_username: sneaky.into(), ..form() }),
            ("smtp_password", EmailForm { credentials: password(), ..form() }),
            ("reply_to", EmailForm { reply_to: format!("a@example.com{sneaky}"), ..form() }),
            ("dkim_domain", EmailForm { dkim_domain: sneaky.into(), ..form() }),
            ("dkim_selector", EmailForm { dkim_selector: sneaky.into(), ..form() }),
        ];
        for (field, form) in forms {
            let errors = form.parse().expect_err(field);
            assert!(errors.of(field).is_some(), "{field} {sneaky:?}");
        }
    }
}

#[test]
fn names_and_addresses_of_servers() {
    for (typed, kept) in [
        (" smtp.example.com ", "smtp.example.com"),
        ("localhost", "localhost"),
        ("mail_relay", "mail_relay"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("bücher.example", "bücher.example"),
    ] {
        assert_eq!(parse_host(typed).as_deref(), Ok(kept), "{typed}");
    }
    for wrong in [
        "",
        ".",
        "a..b",
        "-a.com",
        "a b",
        "smtp.example.com:25",
        "http://x",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        "a/b",
        "a@b",
        "[::1",
        "x\u{200b}.com",
        "١٢٧.١",
    ] {
        assert_eq!(parse_host(wrong), Err(NotAHost), "{wrong}");
    }
    assert!(PRESETS.iter().all(|preset| preset.host.is_empty() || parse_host(preset.host).is_ok()));
    assert!(PRESETS.iter().all(|preset| SMTP_PORTS.contains(&preset.port)));
}

#[test]
fn a_signature_needs_domain_selector_and_key_to_fit() {
    let dkim = |domain: &str, selector: &str| {
        EmailForm { dkim_domain: domain.into(), dkim_selector: selector.into(), ..form() }.parse()
    };
    let account = dkim("Example.com", "tern1").expect("valid");
    assert_eq!(account.smtp.and_then(|smtp| smtp.dkim).map(|dkim| dkim.domain), Some("example.com".to_owned()));
    for (domain, selector) in
        [("example.com", ""), ("", "tern1"), ("example", "tern1"), ("a b.com", "t"), ("a.com; x", "t")]
    {
        assert!(dkim(domain, selector).is_err(), "{domain} {selector}");
    }
}

//! Twilio's webhook signature. Source: twilio.com/docs/usage/security and the official SDKs.
//!
//! HMAC-SHA1, keyed with the auth token, over the URL and the sorted form parameters; for JSON over the URL, which then
//! carries the SHA-256 of the body. The URL is the configured public one, never the Host header.

use crate::server::channel::Incoming;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The HMAC over URL and parameters, each distinct name and value once, in code-point order.
fn mac(token: &str, url: &str, params: &BTreeSet<(String, String)>) -> Hmac<Sha1> {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in params {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac
}

/// The header's value for a URL and parameters: what Twilio would send.
pub fn sign(token: &str, url: &str, params: &[(String, String)]) -> String {
    BASE64_STANDARD.encode(mac(token, url, &params.iter().cloned().collect()).finalize().into_bytes())
}

/// The form parameters of a call.
pub fn params(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// True when the call was signed with `token`, in constant time. Twilio signs with or without the port.
pub fn is_genuine(token: &str, call: &Incoming<'_>) -> bool {
    let Some(given) = call.signature.and_then(|text| BASE64_STANDARD.decode(text).ok()) else { return false };
    if token.is_empty() {
        return false;
    }
    let url = call.url.split('#').next().unwrap_or_default();
    let is_form = call.method == "POST" && call.content_type == "application/x-www-form-urlencoded";
    let signed = if is_form { params(call.body).into_iter().collect() } else { BTreeSet::new() };
    let is_signed = |url: &str| mac(token, url, &signed).verify_slice(&given).is_ok();
    let matches = is_signed(url) || with_and_without_port(url).iter().any(|url| is_signed(url));
    matches && (is_form || call.body.is_empty() || is_body_hash(url, call.body))
}

/// The URL without a port, and with the one it has or implies.
fn with_and_without_port(url: &str) -> Vec<String> {
    let Ok(parsed) = Url::parse(url) else { return Vec::new() };
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else { return Vec::new() };
    let Some((scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let tail = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    vec![format!("{scheme}://{host}{tail}"), format!("{scheme}://{host}:{port}{tail}")]
}

/// A body that is no form is bound by its hash in the signed URL.
fn is_body_hash(url: &str, body: &[u8]) -> bool {
    let hash = hex::encode(Sha256::digest(body));
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "bodySHA256" && value == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345678901234567890123456789012";

    fn call<'a>(method: &'a str, url: &'a str, body: &'a str, signature: &'a str) -> Incoming<'a> {
        let content_type = if method == "POST" { "application/x-www-form-urlencoded" } else { "" };
        Incoming { method, url, signature: Some(signature), content_type, body: body.as_bytes() }
    }

    /// Vectors made with both official SDKs.
    #[test]
    fn the_official_sdks_vectors_hold() {
        let v1 = call(
            "POST",
            "https://outreach.example.com/webhooks/twilio/status?msg=42",
            "AccountSid=ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&ApiVersion=2010-04-01&From=%2B15005550006&MessageSid=SM0123456789abcdef0123456789abcdef&SmsSid=SM0123456789abcdef0123456789abcdef&MessageStatus=delivered&SmsStatus=delivered&To=%2B15558675310",
            "blI2FNxwxPcxDXOdOGRJ7wS4KJg=",
        );
        assert!(is_genuine(TOKEN, &v1));
        let v4 = "https://outreach.example.com/webhooks/twilio/inbound?MessageSid=SM00000000000000000000000000000002&From=%2B15558675310&Body=STOP";
        assert!(is_genuine(TOKEN, &call("GET", v4, "", "0UUhEExe6S5fQ2fALtx9l2M5Ozk=")));
        let v5 = "Digits=5&Digits=1&Digits=5&a=1&Z=2&MediaUrl0=x&MediaUrl10=y&MediaUrl1=z";
        assert!(is_genuine(
            TOKEN,
            &call("POST", "https://outreach.example.com/hook", v5, "JuG5dvx3Qgv58AwR4rhH0MVpeIk=")
        ));
    }

    #[test]
    fn a_port_may_be_there_or_not() {
        let sign = |url: &str| sign(TOKEN, url, &[("a".into(), "1".into())]);
        let bare = sign("https://x.example/hook?y=1");
        assert!(is_genuine(TOKEN, &call("POST", "https://x.example:8443/hook?y=1", "a=1", &bare)));
        assert!(is_genuine(TOKEN, &call("POST", "https://x.example:443/hook?y=1", "a=1", &bare)));
        let with_port = sign("https://x.example:8443/hook?y=1");
        assert!(!is_genuine(TOKEN, &call("POST", "https://x.example/hook?y=1", "a=1", &with_port)));
        assert!(!is_genuine(TOKEN, &call("POST", "http://x.example/hook?y=1", "a=1", &bare)));
    }

    #[test]
    fn anything_changed_is_refused() {
        let body = "Body=Gr%C3%BC%C3%9Fe+%26+co%0A&Blank=";
        let given = sign(TOKEN, "https://x.example/", &params(body.as_bytes()));
        assert!(is_genuine(TOKEN, &call("POST", "https://x.example/", body, &given)));
        assert!(!is_genuine("other", &call("POST", "https://x.example/", body, &given)));
        assert!(!is_genuine(
            "",
            &call("POST", "https://x.example/", body, &sign("", "https://x.example/", &params(body.as_bytes())))
        ));
        assert!(!is_genuine(TOKEN, &call("POST", "https://x.example/", "Body=other&Blank=", &given)));
        assert!(!is_genuine(TOKEN, &call("POST", "https://x.example/", body, "no base64!")));
    }

    #[test]
    fn a_json_body_is_bound_by_its_hash() {
        let (body, mut url) = (r#"{"a":1}"#, "https://x.example/hook?bodySHA256=".to_owned());
        url.push_str(&hex::encode(Sha256::digest(body.as_bytes())));
        let given = sign(TOKEN, &url, &[]);
        let json = |body| Incoming { content_type: "application/json", ..call("POST", &url, body, &given) };
        assert!(is_genuine(TOKEN, &json(body)));
        assert!(!is_genuine(TOKEN, &json(r#"{"a":2}"#)));
    }
}

//! Signed callbacks of a provider.

use crate::{
    load,
    sink::{ACCOUNT, Accepted, TOKEN},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::{collections::BTreeMap, net::SocketAddr};

/// What Twilio would post for a message that was delivered.
pub fn delivered(address: SocketAddr, message: &Accepted) -> Vec<u8> {
    let form = BTreeMap::from([
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("From", &message.from),
        ("MessageSid", &message.sid),
        ("MessageStatus", "delivered"),
        ("SmsSid", &message.sid),
        ("SmsStatus", "delivered"),
        ("To", &message.to),
    ]);
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.status_callback.as_bytes());
    for (name, value) in &form {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    let path = message.status_callback.splitn(4, '/').nth(3).unwrap_or_default();
    let kind = "application/x-www-form-urlencoded";
    load::post(address, &format!("/{path}"), &[("X-Twilio-Signature", &signature)], kind, &body)
}

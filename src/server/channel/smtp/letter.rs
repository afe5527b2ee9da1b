//! A message as mail: headers, bodies, signature. lettre writes them; what is here keeps out what could become a header
//! or a command of its own.

use crate::{
    domain::{
        email::Email,
        email_account::Dkim,
        message::Failure,
        text::{NotAText, parse_line},
        time::Timestamp,
    },
    server::channel::{Mailbox, Outgoing},
};
use lettre::{
    Address, Message,
    message::{
        Body, MultiPart, SinglePart,
        dkim::{DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey},
        header::{ContentTransferEncoding, ContentType, Date, HeaderName, HeaderValue},
    },
};
use std::time::{Duration, SystemTime};

/// Headers that a signature covers, where they are there; `List-Unsubscribe` must be (RFC 8058).
const SIGNED: [&str; 13] = [
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// The longest header line of ours (RFC 5322: 998).
const LINE_MAX: usize = 900;

/// A message, ready for a server.
#[derive(Debug)]
pub struct Letter {
    /// The return path.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// With angle brackets; the same at every attempt.
    pub message_id: String,
    /// The mail as it goes over the wire: CRLF everywhere, dots doubled, no final dot.
    pub data: Vec<u8>,
}

fn refuse(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), message: message.to_owned(), retryable: false }
}

/// An address for headers and commands: ASCII, its domain in the form of DNS. Mailboxes with other letters need an
/// extension that few servers offer; they are refused in words instead of failing somewhere on the way.
pub fn parse_address(text: &str) -> Result<Address, Failure> {
    let wrong = || refuse("invalid_address", "This is no e-mail address that a mail server would take.");
    let email = Email::parse(text).map_err(|_| wrong())?;
    let (local, domain) = email.as_str().rsplit_once('@').ok_or_else(wrong)?;
    if !local.is_ascii() {
        let message = "Mailboxes with letters beyond a–z, like this one, cannot be written to yet.";
        return Err(refuse("unsupported_address", message));
    }
    let url = reqwest::Url::parse(&format!("http://{domain}")).map_err(|_| wrong())?;
    let domain = url.host_str().filter(|domain| domain.is_ascii()).ok_or_else(wrong)?;
    Address::new(local, domain).map_err(|_| wrong())
}

/// Every way to end a line becomes CRLF: what is left of a lone CR or LF could end a message early.
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// Always encoded: quoted-printable for what is mostly ASCII, else base64. Ends with a line end, which signatures count.
fn encode(text: &str) -> (ContentTransferEncoding, Vec<u8>) {
    let text = with_crlf(text);
    let others = text.chars().filter(|c| !c.is_ascii()).count();
    let encoding = if others * 6 > text.chars().count() {
        ContentTransferEncoding::Base64
    } else {
        ContentTransferEncoding::QuotedPrintable
    };
    let body = Body::new_with_encoding(text, encoding).expect("both encodings take every text");
    let mut bytes = body.into_vec();
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    (encoding, bytes)
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    let (encoding, bytes) = encode(text);
    SinglePart::builder().header(kind).body(Body::dangerous_pre_encoded(bytes, encoding))
}

/// One header of ours, unfolded, that holds nothing but visible ASCII and spaces.
fn plain_header(name: &'static str, value: &str) -> Result<HeaderValue, Failure> {
    let is_plain = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if !is_plain || value.is_empty() || value.len() > LINE_MAX {
        return Err(refuse("invalid_header", &format!("The header {name} cannot be written as it is.")));
    }
    let name = HeaderName::new_from_ascii(name.to_owned()).expect("a name of ours");
    Ok(HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned()))
}

/// Bytes for the wire: dots at the beginning of lines doubled, and whatever is no CRLF made one. lettre writes CRLF
/// only; should it ever not, a lone CR or LF still ends no message here.
fn for_the_wire(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 32 + 2);
    let mut is_line_start = true;
    let mut bytes = mail.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' && bytes.peek() == Some(&b'\n') {
                    bytes.next();
                }
                out.extend_from_slice(b"\r\n");
                is_line_start = true;
            }
            byte => {
                if is_line_start && byte == b'.' {
                    out.push(b'.');
                }
                out.push(byte);
                is_line_start = false;
            }
        }
    }
    if !is_line_start {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Reads a key for signatures: PKCS#1 RSA in PEM, or the 32 bytes of an Ed25519 seed in base64.
pub fn parse_key(text: &str) -> Result<DkimSigningKey, &'static str> {
    let text = text.trim();
    let read = if text.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        DkimSigningKey::new(text, DkimSigningAlgorithm::Rsa)
    } else {
        DkimSigningKey::new(text, DkimSigningAlgorithm::Ed25519)
    };
    read.map_err(|_| {
        "must be an RSA key in PEM that begins with BEGIN RSA PRIVATE KEY (openssl rsa -traditional), or an Ed25519 seed in base64"
    })
}

fn sign(message: &mut Message, dkim: &Dkim, key: &str) -> Result<(), Failure> {
    let unreadable = |_| refuse("dkim_key", "The key of the DKIM signature cannot be read. Enter it again.");
    let key = parse_key(key).map_err(unreadable)?;
    let is_there = |name: &&&str| message.headers().get_raw(name).is_some();
    let headers = SIGNED.iter().filter(is_there).map(|name| HeaderName::new_from_ascii_str(name)).collect();
    let relaxed = DkimCanonicalizationType::Relaxed;
    let canonicalization = DkimCanonicalization { header: relaxed, body: relaxed };
    message.sign(&DkimConfig::new(dkim.selector.clone(), dkim.domain.clone(), key, headers, canonicalization));
    Ok(())
}

/// One line of a header that people wrote.
fn line(text: &str, max: usize, name: &str) -> Result<String, Failure> {
    parse_line(text, max).map_err(|error: NotAText| refuse("invalid_header", &format!("The {name} {error}.")))
}

/// Writes the mail.
pub fn write(message: &Outgoing, mailbox: &Mailbox, dkim_key: &str, now: Timestamp) -> Result<Letter, Failure> {
    let (from, to) = (parse_address(&message.from)?, parse_address(&message.to)?);
    let message_id = format!("<{}@{}>", message.message_id.as_str().to_lowercase(), from.domain());
    let name = message.mail.from_name.as_deref().unwrap_or(&mailbox.display_name);
    let name = if name == message.from { None } else { Some(line(name, 200, "name of the sender")?) };
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let mut builder = Message::builder()
        .from(lettre::message::Mailbox::new(name, from.clone()))
        .to(to.clone().into())
        .message_id(Some(message_id.clone()))
        .header(Date::new(date));
    if let Some(subject) = &message.subject {
        builder = builder.subject(line(subject, 998, "subject")?);
    }
    let own = mailbox.settings.reply_to.as_ref().map(Email::as_str);
    if let Some(reply_to) = message.mail.reply_to.as_deref().or(own) {
        builder = builder.reply_to(parse_address(reply_to)?.into());
    }
    if let Some(parent) = &message.mail.in_reply_to {
        builder = builder.raw_header(plain_header("In-Reply-To", parent)?);
        let references = message.mail.references.as_ref().unwrap_or(parent);
        builder = builder.raw_header(plain_header("References", references)?);
    }
    if let Some(url) = &message.mail.unsubscribe_url {
        let is_url =
            reqwest::Url::parse(url).is_ok_and(|url| url.scheme() == "https") && !url.contains(['<', '>', ' ']);
        if !is_url {
            return Err(refuse("invalid_header", "The address for unsubscribing must be an https URL."));
        }
        builder = builder
            .raw_header(plain_header("List-Unsubscribe", &format!("<{url}>"))?)
            .raw_header(plain_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")?);
    }
    let mut mail = body(builder, &message.body, message.mail.html.as_deref())?;
    if let Some(dkim) = &mailbox.settings.dkim {
        sign(&mut mail, dkim, dkim_key)?;
    }
    Ok(Letter { from: from.to_string(), to: to.to_string(), message_id, data: for_the_wire(&mail.formatted()) })
}

/// Content headers stand beside the others, not inside the body as lettre's multipart builder has them: a signature that
/// names `Content-Type` covers it only there.
fn body(builder: lettre::message::MessageBuilder, text: &str, html: Option<&str>) -> Result<Message, Failure> {
    let builder = builder.header(lettre::message::header::MIME_VERSION_1_0);
    let (kind, encoding, bytes) = match html {
        None => {
            let (encoding, bytes) = encode(text);
            (ContentType::TEXT_PLAIN, encoding, bytes)
        }
        Some(html) => {
            let both = MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, text))
                .singlepart(part(ContentType::TEXT_HTML, html));
            let kind = both.headers().get::<ContentType>().expect("a multipart has one");
            let formatted = both.formatted();
            let start = formatted.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
            (kind, ContentTransferEncoding::SevenBit, formatted[start..].to_vec())
        }
    };
    let body = Body::dangerous_pre_encoded(bytes, encoding);
    builder
        .header(kind)
        .body(body)
        .map_err(|error| refuse("invalid_message", &format!("The mail cannot be written: {error}.")))
}

#[cfg(test)]
mod tests;

//! What becomes of a mail, by the local part of its recipient.

/// Where a mail goes wrong, if it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is taken.
    Take,
    /// The recipient is refused with this line.
    RefuseRecipient(String),
    /// The whole mail is refused with this line, behind its final dot.
    RefuseMail(String),
    /// The connection ends in the middle of the text: not taken.
    DropBeforeDot,
    /// The whole mail is taken, and the connection ends without a word.
    DropAfterDot,
    /// The whole mail is thrown away, and the connection ends without a word.
    LoseAfterDot,
    /// Silence at the recipient: not taken.
    Hang,
    /// The whole mail is taken, and then silence.
    HangAfterDot,
}

/// `450`, `550-5.1.1` and the like: the line of such a refusal.
fn refusal(text: &str) -> Option<String> {
    let (code, enhanced) = text.split_once('-').unwrap_or((text, ""));
    let number: u16 = code.parse().ok().filter(|code| (400..600).contains(code))?;
    let is_enhanced = enhanced.split('.').count() == 3 && enhanced.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match enhanced {
        "" => Some(format!("{number} as the recipient asked for")),
        enhanced => is_enhanced.then(|| format!("{number} {enhanced} as the recipient asked for")),
    }
}

/// The fate of a mail to `recipient`. `4xx` and `5xx` stand for usual refusals; any code may be named, as in
/// `452-4.2.2@…`, and `data-` before it moves the refusal behind the final dot.
pub fn fate(recipient: &str) -> Fate {
    let local = recipient.split('@').next().unwrap_or_default();
    match local {
        "4xx" => Fate::RefuseRecipient("451 4.7.1 Greylisted, come back later".to_owned()),
        "5xx" => Fate::RefuseRecipient("550 5.1.1 No such user here".to_owned()),
        "drop-before-dot" => Fate::DropBeforeDot,
        "drop-after-dot" => Fate::DropAfterDot,
        "lose-after-dot" => Fate::LoseAfterDot,
        "hang" => Fate::Hang,
        "hang-after-dot" => Fate::HangAfterDot,
        local => match local.strip_prefix("data-") {
            Some(code) => refusal(code).map_or(Fate::Take, Fate::RefuseMail),
            None => refusal(local).map_or(Fate::Take, Fate::RefuseRecipient),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_name_their_fate() {
        let line = |text: &str| text.to_owned();
        assert_eq!(fate("ann@example.com"), Fate::Take);
        assert_eq!(fate("421@example.com"), Fate::RefuseRecipient(line("421 as the recipient asked for")));
        assert_eq!(fate("452-4.2.2@x"), Fate::RefuseRecipient(line("452 4.2.2 as the recipient asked for")));
        assert_eq!(fate("data-554-5.7.1@x"), Fate::RefuseMail(line("554 5.7.1 as the recipient asked for")));
        assert_eq!(fate("drop-after-dot@x"), Fate::DropAfterDot);
        for plain in ["200@x", "600@x", "550-x@x", "550-5.1@x", "data@x", "4242@x"] {
            assert_eq!(fate(plain), Fate::Take, "{plain}");
        }
    }
}

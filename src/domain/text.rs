//! Text that people type: what is trimmed, what is refused.

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAText {
    /// Nothing but space.
    #[error("is required")]
    Missing,
    /// Longer than the field allows, in characters.
    #[error("must be at most {0} characters")]
    TooLong(usize),
    /// A character that cannot be seen: control, zero-width, or one that turns the writing direction.
    #[error("contains a character that cannot be seen ({0}); type it again instead of pasting it")]
    Invisible(String),
}

/// Characters nobody types on purpose into a name or an address, and that make two of them look alike.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// One line, such as a name: trimmed, not empty, at most `max` characters, nothing invisible in it.
pub fn parse_line(text: &str, max: usize) -> Result<String, NotAText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NotAText::Missing);
    }
    if let Some(c) = text.chars().find(|c| invisible(*c)) {
        return Err(NotAText::Invisible(format!("U+{:04X}", u32::from(c))));
    }
    if text.chars().count() > max {
        return Err(NotAText::TooLong(max));
    }
    Ok(text.to_owned())
}

/// The text of a message: line breaks and joiners of emoji are part of it; other control characters are not. CRLF becomes LF.
pub fn parse_body(text: &str, max: usize) -> Result<String, NotAText> {
    let text = text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(NotAText::Missing);
    }
    if let Some(c) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(NotAText::Invisible(format!("U+{:04X}", u32::from(c))));
    }
    if text.chars().count() > max {
        return Err(NotAText::TooLong(max));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_bounded() {
        assert_eq!(parse_line("  My WhatsApp ", 20), Ok("My WhatsApp".into()));
        assert_eq!(parse_line(" \t ", 20), Err(NotAText::Missing));
        assert_eq!(parse_line("abc", 2), Err(NotAText::TooLong(2)));
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for sneaky in ["a\u{200b}b", "a\u{202e}b", "a\0b", "a\nb", "\u{feff}x"] {
            assert!(matches!(parse_line(sneaky, 20), Err(NotAText::Invisible(_))), "{sneaky:?}");
        }
        assert!(matches!(parse_body("a\0b", 20), Err(NotAText::Invisible(_))));
        assert_eq!(parse_body("a\r\nb 👩\u{200d}🚀", 20), Ok("a\nb 👩\u{200d}🚀".into()));
    }
}

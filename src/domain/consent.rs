//! What people say about being written to: words that end it, begin it again, or ask for help; and the record of it.
//!
//! Words are matched by rule, never by a model. Sources: Twilio's default keywords (support 223134027), 47 CFR
//! 64.1200(a)(10) for the words that count by definition in the USA, and what the same is called in other languages.

use super::{channel::Channel, id::SuppressionId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// What a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing more is to be sent.
    Stop,
    /// It may begin again.
    Start,
    /// Who is writing, and how to end it.
    Help,
}

/// The whole message is one of these, in the form that [`folded`] gives it.
const STOP: &[&str] = &[
    // English
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "cancel",
    "end",
    "quit",
    "optout",
    "opt out",
    "revoke",
    "remove",
    // French
    "arret",
    "arrete",
    "arrett",
    "arretez",
    "desabonner",
    "desinscrire",
    "desabonnement",
    // German
    "stopp",
    "abmelden",
    "abbestellen",
    "austragen",
    "aufhoren",
    "aufhoeren",
    // Spanish
    "parar",
    "pare",
    "alto",
    "baja",
    "darme de baja",
    "cancelar",
    "detener",
    "desuscribir",
    "no mas",
    // Portuguese
    "sair",
    "descadastrar",
    "remover",
    // Italian
    "ferma",
    "fermare",
    "basta",
    "annulla",
    "cancellami",
    "disiscrivi",
    "disiscrivimi",
    // Dutch
    "stoppen",
    "afmelden",
    "uitschrijven",
    // Swedish, Danish, Norwegian
    "sluta",
    "avsluta",
    "avregistrera",
    "afmeld",
    "avmeld",
    "meld av",
    // Polish
    "koniec",
    "wypisz",
    "rezygnuje",
    "rezygnacja",
    // Turkish
    "dur",
    "iptal",
    "ret",
    // Russian, Ukrainian
    "стоп",
    "отписаться",
    "отписка",
    "отмена",
    "відписатися",
    // Arabic
    "توقف",
    "ايقاف",
    "الغاء",
    // Hebrew
    "הסר",
    "הסרה",
    "עצור",
    // Hindi
    "रोकें",
    "बंद",
    // Chinese, Japanese, Korean
    "退订",
    "停止",
    "取消",
    "退訂",
    "解除",
    "配信停止",
    "수신거부",
    "중지",
];

/// The message has one of these in it: consent may be revoked by any reasonable words.
const STOP_PHRASES: &[&str] = &[
    "stop texting",
    "stop messaging",
    "stop contacting",
    "stop writing",
    "stop sending",
    "stop emailing",
    "stop calling",
    "stop please",
    "please stop",
    "unsubscribe me",
    "remove me",
    "take me off",
    "opt me out",
    "opt out of",
    "do not contact",
    "dont contact",
    "do not text",
    "dont text",
    "do not message",
    "dont message",
    "leave me alone",
    "no more messages",
    "no more texts",
    "no more emails",
    "delete my number",
    "lose my number",
    "wrong number",
    "nicht mehr schreiben",
    "keine nachrichten mehr",
    "keine sms mehr",
    "bitte abmelden",
    "ne me contactez plus",
    "ne plus recevoir",
    "no me contacten",
    "no quiero recibir",
    "no me escriban",
];

const START: &[&str] = &[
    "start",
    "unstop",
    "resume",
    "optin",
    "opt in",
    "subscribe",
    "demarrer",
    "starten",
    "iniciar",
    "inizia",
    "старт",
    "开始",
];

/// Begins it again for whoever has ended it by a word, and is a plain answer for everybody else.
const YES: &[&str] = &["yes", "si", "oui", "ja"];

const HELP: &[&str] = &["help", "info", "aide", "hilfe", "ayuda", "ajuda", "aiuto", "помощь", "帮助"];

/// The longest message that is looked through for phrases: who writes more than that has more to say.
const SHORT: usize = 200;

/// Lower case, without accents that people leave out on a phone, without punctuation, one space between words.
fn folded(text: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'أ' | 'إ' | 'آ' => 'ا',
        c => c,
    };
    let words: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '\'' | '’' | '\u{307}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fe0f}'))
        .map(plain)
        // Marks of Devanagari belong to their letters.
        .map(|c| if c.is_alphanumeric() || ('\u{900}'..='\u{97f}').contains(&c) { c } else { ' ' })
        .collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Wish {
    /// What it comes to; `None` for a mere question.
    pub fn act(self) -> Option<Act> {
        match self {
            Self::Stop => Some(Act::Stopped),
            Self::Start => Some(Act::Started),
            Self::Help => None,
        }
    }

    /// Reads a message that came in; `is_stopped`: whether its sender has ended it by a word before.
    pub fn of(text: &str, is_stopped: bool) -> Option<Self> {
        let said = folded(text);
        let is = |words: &[&str]| words.contains(&said.as_str());
        if is(STOP) {
            Some(Self::Stop)
        } else if is(START) || (is_stopped && is(YES)) {
            Some(Self::Start)
        } else if is(HELP) {
            Some(Self::Help)
        } else {
            let padded = format!(" {said} ");
            let has = |phrase: &&str| padded.contains(&format!(" {phrase} "));
            (text.chars().count() <= SHORT && STOP_PHRASES.iter().any(has)).then_some(Self::Stop)
        }
    }
}

/// Why somebody must not be written to, or may be again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// They said so, in a message.
    Stopped,
    /// They said that it may begin again.
    Started,
    /// They used the link or the button of their mail program.
    Unsubscribed,
    /// Their carrier says that they opted out.
    CarrierStopped,
    /// Mail to the address came back for good.
    Bounced,
    /// They called a mail unwanted.
    Complained,
    /// A person of the organization put them on the list.
    Suppressed,
    /// A person of the organization took them off the list.
    Allowed,
    /// They agreed to be written to: on paper, in a form.
    Agreed,
}

impl Act {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Stopped, "stopped"),
        (Self::Started, "started"),
        (Self::Unsubscribed, "unsubscribed"),
        (Self::CarrierStopped, "carrier_stopped"),
        (Self::Bounced, "bounced"),
        (Self::Complained, "complained"),
        (Self::Suppressed, "suppressed"),
        (Self::Allowed, "allowed"),
        (Self::Agreed, "agreed"),
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(act, _)| *act == self).map_or("", |(_, name)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(act, _)| *act)
    }

    /// Whether it is the person's will, which counts for all that is known of them, or a fact about one address.
    pub fn is_of_person(self) -> bool {
        !matches!(self, Self::Bounced | Self::Suppressed | Self::Allowed)
    }

    /// Whether nothing may be sent after it; `None` when it says nothing about that.
    pub fn is_stop(self) -> Option<bool> {
        match self {
            Self::Stopped
            | Self::Unsubscribed
            | Self::CarrierStopped
            | Self::Bounced
            | Self::Complained
            | Self::Suppressed => Some(true),
            Self::Started | Self::Allowed => Some(false),
            Self::Agreed => None,
        }
    }

    /// Whether a word of the person is enough to begin again.
    pub fn ends_with_a_word(self) -> bool {
        matches!(self, Self::Stopped | Self::CarrierStopped)
    }

    /// Why a message was not sent, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Stopped => "This recipient asked not to be contacted.",
            Self::Unsubscribed => "This recipient unsubscribed.",
            Self::CarrierStopped => "The recipient opted out at the provider.",
            Self::Bounced => "Mail to this address came back: it does not exist.",
            Self::Complained => "This recipient called a mail unwanted.",
            _ => "This recipient is on the list of those who must not be contacted.",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Stopped => "Asked to stop",
            Self::Started => "Asked to begin again",
            Self::Unsubscribed => "Unsubscribed",
            Self::CarrierStopped => "Opted out at the carrier",
            Self::Bounced => "Mail came back",
            Self::Complained => "Called it unwanted",
            Self::Suppressed => "Put on the list",
            Self::Allowed => "Taken off the list",
            Self::Agreed => "Agreed to be written to",
        }
    }
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// The person.
    Recipient,
    /// A carrier, a mail server.
    Provider,
    /// Somebody of the organization.
    User,
}

impl Teller {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Recipient, "recipient"), (Self::Provider, "provider"), (Self::User, "user")];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(teller, _)| *teller == self).map_or("", |(_, name)| name)
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(teller, _)| *teller)
    }
}

/// An address that must not be written to, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Identifier.
    pub id: SuppressionId,
    /// On which channel.
    pub channel: Channel,
    /// The address; `None` when whose it was is forgotten, and only its fingerprint is kept.
    pub address: Option<String>,
    /// Why.
    pub reason: Act,
    /// Who says so.
    pub source: Teller,
    /// Since when.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_end_it_are_known_in_any_case_and_with_any_punctuation() {
        for text in [
            "STOP",
            " stop. ",
            "Stop!!!",
            "\"STOP\"",
            "S\u{200b}TOP",
            "stopall",
            "STOP ALL",
            "Unsubscribe",
            "CANCEL",
            "end",
            "Quit",
            "opt-out",
            "OptOut",
            "REVOKE",
            "Arrêt",
            "ARRETE",
            "Stopp",
            "abmelden",
            "Darme de baja",
            "¡BASTA!",
            "Стоп",
            "إيقاف",
            "停止",
            "退订。",
            "रोकें",
            "수신거부",
            "İPTAL",
        ] {
            assert_eq!(Wish::of(text, false), Some(Wish::Stop), "{text}");
        }
    }

    #[test]
    fn other_words_for_the_same_count_too() {
        for text in [
            "Please stop texting me",
            "remove me from your list",
            "Don't contact me again",
            "STOP PLEASE",
            "take me off this list!",
            "Bitte keine Nachrichten mehr",
        ] {
            assert_eq!(Wish::of(text, false), Some(Wish::Stop), "{text}");
        }
    }

    #[test]
    fn an_answer_that_only_has_such_a_word_in_it_ends_nothing() {
        for text in [
            "When does the offer end?",
            "I will stop by on Monday",
            "Can I cancel my order 4812?",
            "non-stop flights?",
            "",
            "👍",
            "The end of the month is fine",
            "Yes",
            "ja",
            "is this unsubscribed from the old plan?",
        ] {
            assert_eq!(Wish::of(text, false), None, "{text}");
        }
        let long = format!("{} please stop {}", "word ".repeat(30), "word ".repeat(30));
        assert_eq!(Wish::of(&long, false), None, "who writes that much has more to say");
    }

    #[test]
    fn it_begins_again_by_a_word_and_by_yes_for_whoever_had_ended_it() {
        for text in ["START", "unstop", "Opt in"] {
            assert_eq!(Wish::of(text, false), Some(Wish::Start), "{text}");
        }
        assert_eq!(Wish::of("Yes!", true), Some(Wish::Start));
        assert_eq!(Wish::of("HELP", false), Some(Wish::Help));
        assert_eq!(Wish::of("Info?", true), Some(Wish::Help));
    }

    #[test]
    fn every_word_is_in_its_folded_form() {
        for word in [STOP, STOP_PHRASES, START, YES, HELP].into_iter().flatten() {
            assert_eq!(folded(word), *word);
        }
        for (act, name) in Act::ALL {
            assert_eq!((act.as_str(), Act::from_name(name)), (name, Some(act)));
        }
        for (teller, name) in Teller::ALL {
            assert_eq!((teller.as_str(), Teller::from_name(name)), (name, Some(teller)));
        }
    }
}

//! What templates are filled with, and the values that notice when they are missed.

use crate::domain::{channel::Channel, id::LeadId, lead::Lead, template::names_of, time::Timestamp};
use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Who a message comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The account's display name.
    pub name: String,
    /// Its number or e-mail address.
    pub address: String,
}

/// What is known of one lead: made once, for all templates that it gets.
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) lead_id: LeadId,
    values: Arc<BTreeMap<&'static str, Value>>,
    custom: Arc<BTreeMap<String, Value>>,
    sender: Arc<BTreeMap<&'static str, Value>>,
}

impl Context {
    /// Of a lead, whoever writes to it (nobody yet: `sender.…` is missing), and where it opts out.
    pub fn new(lead: &Lead, sender: Option<&Sender>, unsubscribe_url: Option<&str>) -> Self {
        let (first, last) = names_of(&lead.name);
        let texts = [
            ("name", Some(lead.name.as_str())),
            ("first_name", first.as_deref()),
            ("last_name", last.as_deref()),
            ("company", lead.company.as_deref()),
            ("email", lead.address(Channel::Email)),
            ("phone", lead.phone.as_deref()),
            ("whatsapp", lead.whatsapp.as_deref().or(lead.phone.as_deref())),
            ("time_zone", lead.time_zone.as_deref()),
            ("unsubscribe_url", unsubscribe_url),
        ];
        let given = |text: &&str| !text.trim().is_empty();
        let mut values: BTreeMap<_, _> =
            texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text.filter(given)?)))).collect();
        if !lead.tags.is_empty() {
            values.insert(
                "tags",
                Value::from_object(Tags(lead.tags.iter().map(|tag| Value::from(tag.as_str())).collect())),
            );
        }
        let custom = lead.custom.iter().filter(|(_, text)| given(&text.as_str()));
        let custom = custom.map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
        let sender = sender.map(|sender| [("name", sender.name.as_str()), ("address", sender.address.as_str())]);
        let sender = sender.into_iter().flatten().filter(|(_, text)| given(text));
        let sender = sender.map(|(name, text)| (name, Value::from(text))).collect();
        Self { lead_id: lead.id.clone(), values: Arc::new(values), custom: Arc::new(custom), sender: Arc::new(sender) }
    }

    /// Of a person who does not exist, for pages on which there is none yet.
    pub fn example_lead() -> Lead {
        let text = |text: &str| Some(text.to_owned());
        Lead {
            id: LeadId::parse("00000000000000000000000000").expect("a ULID"),
            name: "Alex Example".to_owned(),
            company: text("Example Ltd"),
            email: text("alex@example.com"),
            phone: text("+1 415 555 0100"),
            phone_number: None,
            whatsapp: None,
            whatsapp_number: None,
            time_zone: text("Europe/Berlin"),
            custom: BTreeMap::new(),
            tags: vec!["customer".to_owned()],
            notes: String::new(),
            is_demo: false,
            contacted_at: None,
            replied_at: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }
}

/// What was asked for and is not there, in the order of the text.
pub(super) type Missed = Arc<Mutex<Vec<String>>>;

/// What one rendering reads: the context, and which variant of each group it is.
#[derive(Debug)]
pub(super) struct Fields {
    pub context: Context,
    pub missed: Missed,
    /// The number of variants of each group, by part.
    pub groups: Arc<Vec<Vec<u64>>>,
    pub seed: u64,
}

impl Fields {
    /// Whether `_part_group_variant` is the one of this lead; `None` when it is no such name.
    fn is_chosen(&self, name: &str) -> Option<bool> {
        let mut numbers = name.strip_prefix('_')?.split('_').map(|number| number.parse::<usize>().ok());
        let (part, group, variant) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let count = *self.groups.get(part)?.get(group)?;
        let place = u64::try_from(part * 100_000 + group + 1).ok()?;
        Some(mix(self.seed ^ mix(place)) % count.max(1) == u64::try_from(variant).ok()?)
    }
}

/// The finalizer of `SplitMix64`: every bit of the number changes every bit of the result.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(is_chosen) = self.is_chosen(name) {
            return Some(Value::from(is_chosen));
        }
        if name == "custom" || name == "sender" {
            return Some(Value::from_object(Inner { fields: self.clone(), is_custom: name == "custom" }));
        }
        let missing = || Value::from_object(Missing { name: name.to_owned(), missed: self.missed.clone() });
        Some(self.context.values.get(name).cloned().unwrap_or_else(missing))
    }
}

/// `custom` or `sender`.
#[derive(Debug)]
struct Inner {
    fields: Arc<Fields>,
    is_custom: bool,
}

impl Object for Inner {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        let context = &self.fields.context;
        let found = if self.is_custom { context.custom.get(name) } else { context.sender.get(name) };
        let missing = || {
            let of = if self.is_custom { "custom" } else { "sender" };
            Value::from_object(Missing { name: format!("{of}.{name}"), missed: self.fields.missed.clone() })
        };
        Some(found.cloned().unwrap_or_else(missing))
    }
}

/// Something that is not known of the lead: false, an empty list, and noted as soon as its text is needed.
#[derive(Debug)]
pub(super) struct Missing {
    name: String,
    missed: Missed,
}

impl Object for Missing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value_by_str(self: &Arc<Self>, part: &str) -> Option<Value> {
        Some(Value::from_object(Self { name: format!("{}.{part}", self.name), missed: self.missed.clone() }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(0)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if !missed.contains(&self.name) {
            missed.push(self.name.clone());
        }
        write!(f, "[{}]", self.name)
    }
}

/// The tags of a lead: a list, and as a text with commas between them.
#[derive(Debug)]
struct Tags(Vec<Value>);

impl Object for Tags {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(usize::try_from(key.as_i64()?).ok()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, tag) in self.0.iter().enumerate() {
            write!(f, "{}{tag}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

//! Templates: texts with variables, made into messages. One renderer for what is previewed and what is sent.
//!
//! `source` and `expression` read what an author wrote, `engine` is minijinja with little in it, `context` is what it is filled
//! with. Whatever an author writes, one text takes bounded work and memory: by the short lists of `expression`, by fuel, and by
//! a writer that stops where the channel does.

mod context;
mod engine;
mod expression;
mod source;
#[cfg(test)]
mod tests;

pub use context::{Context, Sender};

use crate::domain::{
    channel::Channel,
    id::{OrganizationId, TemplateId},
    message::SUBJECT_MAX,
    template::{Draft, Position, Version, body_max},
};
use context::Fields;
use minijinja::{Environment, ErrorKind, Value};
use sha2::{Digest, Sha256};
use source::{Source, Wrong, translate};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// The engine's names of the texts; no snippet can be called so.
const SUBJECT: &str = ".subject";
const BODY: &str = ".body";

/// What is wrong with a text, at a place of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", at.map_or_else(|| "as a whole".to_owned(), |at| at.to_string()))]
pub struct Fault {
    /// `subject`, `body`, or the name of a snippet.
    pub field: String,
    /// Where, in the author's own lines and columns.
    pub at: Option<Position>,
    /// What to do about it, without full stop.
    pub reason: String,
}

/// A template's version, compiled: made once, rendered for many leads.
#[derive(Debug, Clone)]
pub struct Compiled {
    channel: Channel,
    seed: String,
    engine: Environment<'static>,
    sources: Arc<BTreeMap<String, (Source, String)>>,
    groups: Arc<Vec<Vec<u64>>>,
    has_subject: bool,
}

/// Versions that were compiled: they never change.
#[derive(Default)]
pub struct Texts(Mutex<BTreeMap<Place, Arc<Compiled>>>);

/// Whose version of which template: nobody gets what another organization has compiled.
pub type Place = (OrganizationId, TemplateId, u32);

/// Versions that are kept compiled.
const KEPT: usize = 200;

impl Texts {
    /// One that is kept.
    pub fn get(&self, place: &Place) -> Option<Arc<Compiled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// Keeps one.
    pub fn keep(&self, place: Place, compiled: Compiled) -> Arc<Compiled> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear(); // rare, and soon made again
        }
        kept.entry(place).or_insert_with(|| Arc::new(compiled)).clone()
    }
}

/// What a lead gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
}

/// Why a lead gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The lead has no value for these variables, and the text no fallback.
    #[error("there is nothing for {}", .0.join(", "))]
    Missing(Vec<String>),
    /// More characters than the channel takes.
    #[error("the {0} is longer than {1} characters")]
    TooLong(&'static str, usize),
    /// Nothing but space.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// The text could not be made.
    #[error("{0}")]
    Failed(Fault),
}

impl Compiled {
    /// Compiles what a template says. `snippets` are texts by name, of which it takes what it uses; `template` tells the variants
    /// of this one from those of others.
    pub fn new(
        template: Option<&TemplateId>,
        draft: &Draft,
        snippets: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Fault>> {
        let mut made =
            Maker { engine: engine::engine(), sources: BTreeMap::new(), groups: Vec::new(), faults: Vec::new() };
        if let Some(subject) = &draft.subject {
            made.add(SUBJECT, subject, false);
        } else {
            made.groups.push(Vec::new());
        }
        made.add(BODY, &draft.body, true);
        let used: Vec<(String, usize)> =
            made.sources.get(BODY).map(|(source, _)| source.includes.clone().into_iter().collect()).unwrap_or_default();
        for (name, at) in used {
            match snippets.get(&name) {
                Some(text) => made.add(&name, text, false),
                None => made.fault(BODY, &draft.body, Some(at), format!("there is no snippet {name}")),
            }
        }
        if !made.faults.is_empty() {
            return Err(made.faults);
        }
        Ok(Self {
            channel: draft.channel,
            seed: template.map(ToString::to_string).unwrap_or_default(),
            engine: made.engine,
            sources: Arc::new(made.sources),
            groups: Arc::new(made.groups),
            has_subject: draft.subject.is_some(),
        })
    }

    /// The same of a stored version, with the snippets that it has kept.
    pub fn of_version(template: &TemplateId, channel: Channel, version: &Version) -> Result<Self, Vec<Fault>> {
        let draft = Draft { channel, subject: version.subject.clone(), body: version.body.clone() };
        Self::new(Some(template), &draft, &version.snippets)
    }

    /// Whether a snippet's text can be used.
    pub fn check_snippet(text: &str) -> Result<(), Fault> {
        let mut made =
            Maker { engine: engine::engine(), sources: BTreeMap::new(), groups: Vec::new(), faults: Vec::new() };
        made.add(BODY, text, false);
        made.faults.pop().map_or(Ok(()), Err)
    }

    /// The names of the snippets that a body uses; nothing of one that cannot be read.
    pub fn includes(body: &str) -> Vec<String> {
        translate(0, body, true).map(|source| source.includes.into_keys().collect()).unwrap_or_default()
    }

    /// The snippets that this one uses.
    pub fn snippets(&self) -> Vec<String> {
        self.sources.keys().filter(|name| !name.starts_with('.')).cloned().collect()
    }

    /// The message for a lead, or why there is none.
    pub fn render(&self, context: &Context) -> Result<Rendered, RenderError> {
        let (rendered, missing) = self.preview(context)?;
        if !missing.is_empty() {
            return Err(RenderError::Missing(missing));
        }
        if rendered.body.trim().is_empty() {
            return Err(RenderError::Empty("body"));
        }
        if rendered.subject.as_ref().is_some_and(|subject| subject.trim().is_empty()) {
            return Err(RenderError::Empty("subject"));
        }
        Ok(rendered)
    }

    /// The message as far as it can be made, with `[name]` in the place of what is missing, and the names of that.
    pub fn preview(&self, context: &Context) -> Result<(Rendered, Vec<String>), RenderError> {
        let missed = Arc::new(Mutex::new(Vec::new()));
        let fields = Fields {
            context: context.clone(),
            missed: missed.clone(),
            groups: self.groups.clone(),
            seed: seed(context.lead_id.as_str(), &self.seed),
        };
        let fields = Value::from_object(fields);
        let subject = if self.has_subject {
            // A header is one line, whatever was put into it.
            let subject = self.write(SUBJECT, &fields, ("subject", SUBJECT_MAX))?;
            Some(subject.split_whitespace().collect::<Vec<_>>().join(" "))
        } else {
            None
        };
        let body = self.write(BODY, &fields, ("body", body_max(self.channel)))?;
        let missing = std::mem::take(&mut *missed.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((Rendered { subject, body }, missing))
    }

    /// The variables that keep a lead from getting it; empty when there are none.
    pub fn missing(&self, context: &Context) -> Result<Vec<String>, RenderError> {
        self.preview(context).map(|(_, missing)| missing)
    }

    fn write(&self, name: &str, fields: &Value, (field, max): (&'static str, usize)) -> Result<String, RenderError> {
        let failed = |error: &minijinja::Error| RenderError::Failed(self.fault(name, error));
        let template = self.engine.get_template(name).map_err(|error| failed(&error))?;
        let mut limited = Limited { text: Vec::new(), left: max, is_over: false };
        let done = template.render_captured_to(fields.clone(), &mut limited).map(drop);
        if limited.is_over {
            return Err(RenderError::TooLong(field, max));
        }
        done.map_err(|error| failed(&error))?;
        Ok(String::from_utf8_lossy(&limited.text).into_owned())
    }

    /// What the engine says, in the author's terms.
    fn fault(&self, name: &str, error: &minijinja::Error) -> Fault {
        // An error inside a snippet comes wrapped in one of the text that uses it.
        let inner = std::error::Error::source(error).and_then(|inner| inner.downcast_ref::<minijinja::Error>());
        if let Some(inner) = inner {
            return self.fault(name, inner);
        }
        let name = error.name().filter(|name| self.sources.contains_key(*name)).unwrap_or(name);
        let (source, text) = &self.sources[name];
        told(name, source, text, error)
    }
}

/// What the engine says of a text.
fn told(name: &str, source: &Source, text: &str, error: &minijinja::Error) -> Fault {
    let line = || {
        let before = source.text.split_inclusive('\n').take(error.line()?.saturating_sub(1));
        Some(before.map(str::len).sum())
    };
    let at = error.range().map(|range| range.start).or_else(line);
    let reason = match error.kind() {
        ErrorKind::OutOfFuel => "this does more work than one message may".to_owned(),
        _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    };
    Fault { field: field_of(name), at: at.map(|at| Position::of(text, source.place(at))), reason }
}

fn field_of(name: &str) -> String {
    name.trim_start_matches('.').to_owned()
}

/// What a compiled template is made of, on the way.
struct Maker {
    engine: Environment<'static>,
    sources: BTreeMap<String, (Source, String)>,
    groups: Vec<Vec<u64>>,
    faults: Vec<Fault>,
}

impl Maker {
    fn fault(&mut self, name: &str, text: &str, at: Option<usize>, reason: String) {
        self.faults.push(Fault { field: field_of(name), at: at.map(|at| Position::of(text, at)), reason });
    }

    fn add(&mut self, name: &str, text: &str, may_include: bool) {
        let source = match translate(self.groups.len(), text, may_include) {
            Ok(source) => source,
            Err(Wrong { at, reason }) => {
                self.groups.push(Vec::new());
                return self.fault(name, text, Some(at), reason);
            }
        };
        self.groups.push(source.groups.clone());
        if let Err(error) = self.engine.add_template_owned(name.to_owned(), source.text.clone()) {
            self.faults.push(told(name, &source, text, &error));
        }
        self.sources.insert(name.to_owned(), (source, text.to_owned()));
    }
}

/// The lot of a lead with a template: the same whenever and wherever it is drawn.
fn seed(lead: &str, template: &str) -> u64 {
    let digest = Sha256::digest(format!("{lead}/{template}"));
    digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// Takes so many characters and no more.
struct Limited {
    text: Vec<u8>,
    left: usize,
    is_over: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Of each character the first byte is no continuation.
        let characters = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let Some(left) = self.left.checked_sub(characters) else {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.left = left;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Provider cards: how chat front ends describe a provider in TypeScript or JSON. One is read here, field by field, with the place
//! of every mistake; what would be made of it, and what has to be asked of the server first, is in `card/plan.rs`.
//!
//! Nothing of a card is run, and nothing is stored here.

mod literal;
mod plan;

use serde::Serialize;

use literal::{At, Literal, object};
pub use plan::{Asked, Plan};

/// A card, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// `id`: becomes the slug.
    pub id: String,
    /// `name`: for people.
    pub name: String,
    /// `url`: where the server is.
    pub url: String,
    /// `models`; `None` where it names none: all that the server lists.
    pub models: Option<Vec<CardModel>>,
    /// `api.chat`: the path it is said to be asked at.
    pub chat: Option<String>,
    /// `api.type`: the dialect it is said to speak.
    pub dialect: Option<String>,
    /// What is remarkable about it.
    pub notes: Vec<Note>,
}

/// One model of a card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CardModel {
    /// `id`: what the server knows it by.
    pub id: String,
    /// `name`: for people.
    pub name: Option<String>,
    /// `enabled`: one that is not is kept, and offered to nobody.
    pub enabled: bool,
    /// `streaming`: one that does not stream is asked for its answer in one piece.
    pub streaming: bool,
}

/// A remark for whoever imports the card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// What it is about, for machines: `unknown_field`, `contradiction`, `hidden`, `no_stream`, `not_installed`, `asked` …
    pub code: &'static str,
    /// In English.
    pub message: String,
    /// The same in Chinese.
    pub message_zh: String,
}

impl Note {
    fn new(code: &'static str, message: String, message_zh: String) -> Note {
        Note { code, message, message_zh }
    }
}

/// Why a text is no card: the first mistake, its place, and a way out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}; {hint}")]
pub struct CardError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl CardError {
    fn at(text: &str, at: usize, message: String, hint: &str) -> CardError {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        CardError { line, column, message, hint: hint.to_owned() }
    }
}

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 256 << 10;

impl Card {
    /// Reads a card out of a TypeScript, JavaScript or JSON file.
    pub fn read(text: &str) -> Result<Card, CardError> {
        if text.len() > LONGEST {
            let message = format!("this is longer than {LONGEST} bytes");
            return Err(CardError::at(text, 0, message, "import one card at a time"));
        }
        let object = object(text)?;
        Fields::of(text, &object, "the card")?.card()
    }
}

/// The fields of one object: each is asked for by name, and what nobody asked for is told.
struct Fields<'a> {
    text: &'a str,
    at: usize,
    what: &'a str,
    fields: &'a [(At<String>, At<Literal>)],
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn of(text: &'a str, found: &'a At<Literal>, what: &'a str) -> Result<Fields<'a>, CardError> {
        let Literal::Object(fields) = &found.value else {
            let message = format!("{what} is {} where an object is expected", found.value.kind());
            return Err(CardError::at(text, found.at, message, "write it in braces: { … }"));
        };
        Ok(Fields { text, at: found.at, what, fields, asked: Vec::new() })
    }

    fn card(mut self) -> Result<Card, CardError> {
        let mut notes = Vec::new();
        let id = self.text_of(&["id"])?;
        let name = self.text_of(&["name", "displayName"])?;
        let (id, name) = match (id, name) {
            (Some(id), Some(name)) => (id, name),
            (Some(id), None) => (id.clone(), id),
            (None, Some(name)) => (name.clone(), name),
            (None, None) => return Err(self.missing("id", "give it a name: id: 'my-server'")),
        };
        let url = self.text_of(&["url", "baseURL", "baseUrl"])?;
        let url = url.ok_or_else(|| self.missing("url", "say where the server is: url: 'http://localhost:11434'"))?;
        let models = match self.find(&["models", "chatModels"]) {
            None => None,
            Some(found) => Some(self.models(found, &mut notes)?),
        };
        let (mut chat, mut dialect) = (None, None);
        if let Some(found) = self.find(&["api"]) {
            let mut api = Fields::of(self.text, found, "`api`")?;
            chat = api.text_of(&["chat"])?;
            dialect = api.text_of(&["type"])?;
            api.tell_unknown(&mut notes);
        }
        self.tell_unknown(&mut notes);
        Ok(Card { id, name, url, models, chat, dialect, notes })
    }

    fn models(&self, found: &At<Literal>, notes: &mut Vec<Note>) -> Result<Vec<CardModel>, CardError> {
        let Literal::List(all) = &found.value else {
            let message = format!("`models` is {} where a list is expected", found.value.kind());
            return Err(CardError::at(self.text, found.at, message, "write it in brackets: [{ id: 'llama3' }]"));
        };
        let mut models: Vec<CardModel> = Vec::with_capacity(all.len());
        for one in all {
            let model = match &one.value {
                Literal::Text(id) => CardModel { id: id.clone(), name: None, enabled: true, streaming: true },
                _ => {
                    let mut fields = Fields::of(self.text, one, "a model")?;
                    let id = fields.text_of(&["id"])?;
                    let model = CardModel {
                        id: id.ok_or_else(|| fields.missing("id", "what the server knows it by: id: 'llama3'"))?,
                        name: fields.text_of(&["name", "displayName"])?,
                        enabled: fields.flag("enabled")?.unwrap_or(true),
                        streaming: fields.flag("streaming")?.unwrap_or(true),
                    };
                    fields.tell_unknown(notes);
                    model
                }
            };
            if models.iter().any(|known| known.id == model.id) {
                let message = format!("the model `{}` stands here twice", model.id);
                return Err(CardError::at(self.text, one.at, message, "leave one of them out"));
            }
            models.push(model);
        }
        Ok(models)
    }

    fn find(&mut self, names: &[&'static str]) -> Option<&'a At<Literal>> {
        self.asked.extend(names);
        let found = names.iter().find_map(|name| self.fields.iter().find(|(key, _)| key.value == *name));
        found.map(|(_, value)| value).filter(|found| found.value != Literal::Nothing)
    }

    /// A text that is not empty.
    fn text_of(&mut self, names: &[&'static str]) -> Result<Option<String>, CardError> {
        let Some(found) = self.find(names) else { return Ok(None) };
        match &found.value {
            Literal::Text(text) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            Literal::Text(_) => {
                let message = format!("`{}` of {} is empty", names[0], self.what);
                Err(CardError::at(self.text, found.at, message, "write it, or leave the field out"))
            }
            other => {
                let message = format!("`{}` is {} where a text is expected", names[0], other.kind());
                Err(CardError::at(self.text, found.at, message, "write it in quotes"))
            }
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, CardError> {
        let Some(found) = self.find(&[name]) else { return Ok(None) };
        match &found.value {
            Literal::Flag(flag) => Ok(Some(*flag)),
            other => {
                let message = format!("`{name}` is {} where true or false is expected", other.kind());
                Err(CardError::at(self.text, found.at, message, "write it without quotes: true or false"))
            }
        }
    }

    fn missing(&self, name: &str, hint: &str) -> CardError {
        CardError::at(self.text, self.at, format!("{} has no `{name}`", self.what), hint)
    }

    fn tell_unknown(&self, notes: &mut Vec<Note>) {
        for (key, _) in self.fields.iter().filter(|(key, _)| !self.asked.contains(&key.value.as_str())) {
            let place = CardError::at(self.text, key.at, String::new(), "");
            let (name, line, column) = (&key.value, place.line, place.column);
            notes.push(Note::new(
                "unknown_field",
                format!("`{name}` (line {line}, column {column}) is not used: Portico has no such setting"),
                format!("未使用 `{name}`（第 {line} 行第 {column} 列）：Portico 没有这一项设置"),
            ));
        }
    }
}

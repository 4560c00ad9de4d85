//! The model's own chat template: messages in, the prompt as text out. The template comes with the model and is not trusted: it has fuel
//! instead of time and sees nothing but the messages. What a person wrote is a value in it, never template source.

use domain::Timestamp;
use minijinja::{Environment, ErrorKind, Value, context, value::Kwargs};
use serde_json::{Map, Value as Json};

mod date;

/// Instructions that one rendering may take: some twenty times what a thousand messages need, and a fraction of a second of a hostile loop.
const FUEL: u64 = 4_000_000;
const ENDLESS: &str = "the model's chat template does not come to an end";
const NAME: &str = "chat";

/// A compiled chat template, with the marks of its model's vocabulary.
pub struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

/// The template refused the conversation, or is broken; the sentence is its own where it gives one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Template {
    /// Compiles `source`. `bos` and `eos` are what the template knows as `bos_token` and `eos_token`.
    ///
    /// # Errors
    /// [`Refused`] when the source is no template.
    pub fn new(source: &str, bos: String, eos: String) -> Result<Self, Refused> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        // As transformers' `apply_chat_template` sets up Jinja.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |sentence: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, sentence))
        });
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, source.to_owned()).map_err(refused)?;
        Ok(Template { environment, bos, eos })
    }

    /// The prompt for `messages` (objects of the OpenAI dialect whose content is text), ending where the answer begins. `more` are
    /// further variables (`enable_thinking` and the like). A template that knows no system role gets its text before the first question.
    ///
    /// # Errors
    /// [`Refused`] with the template's own sentence, or why it failed.
    pub fn render(&self, messages: &[Json], more: &Map<String, Json>, now: Timestamp) -> Result<String, Refused> {
        self.render_with(true, messages, more, now)
    }

    /// A conversation that is over: as [`render`](Self::render), but nothing begins after its last message.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_whole(&self, messages: &[Json], more: &Map<String, Json>, now: Timestamp) -> Result<String, Refused> {
        self.render_with(false, messages, more, now)
    }

    fn render_with(
        &self,
        goes_on: bool,
        messages: &[Json],
        more: &Map<String, Json>,
        now: Timestamp,
    ) -> Result<String, Refused> {
        let first = match self.render_as_is(goes_on, messages, more, now) {
            Ok(prompt) => return Ok(prompt),
            Err(refused) if refused.0 == ENDLESS => return Err(refused),
            Err(refused) => refused,
        };
        let Some(merged) = without_system(messages) else {
            return Err(first);
        };
        self.render_as_is(goes_on, &merged, more, now).map_err(|_| first)
    }

    fn render_as_is(
        &self,
        goes_on: bool,
        messages: &[Json],
        more: &Map<String, Json>,
        now: Timestamp,
    ) -> Result<String, Refused> {
        let known = context! {
            messages => messages,
            add_generation_prompt => goes_on,
            bos_token => self.bos,
            eos_token => self.eos,
            strftime_now => Value::from_function(move |format: &str| date::format(now, format)),
        };
        let variables = context! { ..known, ..Value::from_serialize(more) };
        let template = self.environment.get_template(NAME).map_err(refused)?;
        template.render(variables).map_err(refused)
    }
}

/// What a model without a template is asked: the last question, with the system prompt on the lines before it. `None` where nobody asks.
pub(crate) fn plain_question(messages: &[Json]) -> Option<String> {
    let of = |role: &'static str| {
        messages.iter().filter(move |message| message["role"] == role).filter_map(|message| message["content"].as_str())
    };
    let question = of("user").next_back()?;
    let system: Vec<_> = of("system").chain(of("developer")).filter(|text| !text.is_empty()).collect();
    if system.is_empty() {
        return Some(question.to_owned());
    }
    Some(format!("{}\n{question}", system.join("\n")))
}

/// Whether a rendered text begins with the BOS already, as most templates write it: two of them would not be what the model was trained on.
pub(crate) fn has_begun(text: &str, bos: &str) -> bool {
    !bos.is_empty() && text.starts_with(bos)
}

/// The conversation with its system messages written before the first question; `None` when there is nothing to move.
fn without_system(messages: &[Json]) -> Option<Vec<Json>> {
    let role = |message: &Json| message["role"].as_str().unwrap_or_default().to_owned();
    let is_system = |message: &&Json| matches!(role(message).as_str(), "system" | "developer");
    let system: Vec<_> = messages.iter().filter(is_system).filter_map(|message| message["content"].as_str()).collect();
    if system.is_empty() {
        return None;
    }
    let mut others: Vec<_> = messages.iter().filter(|message| !is_system(message)).cloned().collect();
    let question = others.iter_mut().find(|message| role(message) == "user")?;
    let merged = format!("{}\n\n{}", system.join("\n\n"), question["content"].as_str().unwrap_or_default());
    question["content"] = Json::String(merged);
    Some(others)
}

fn refused(error: minijinja::Error) -> Refused {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => Refused(ENDLESS.into()),
        (ErrorKind::InvalidOperation, Some(sentence)) => {
            Refused(format!("the model's chat template refused: {sentence}"))
        }
        _ => Refused(format!("the model's chat template failed: {error}")),
    }
}

/// As Python writes it: minijinja's own escapes `<` and `>` for HTML, which a model has not been trained on.
fn to_json(value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    for ignored in ["ensure_ascii", "sort_keys", "separators"] {
        let _: Option<Value> = options.get(ignored)?;
    }
    options.assert_all_used()?;
    let broken = |error: serde_json::Error| {
        minijinja::Error::new(ErrorKind::BadSerialization, "cannot be written as JSON").with_source(error)
    };
    let Some(indent) = indent else {
        return serde_json::to_string(value).map(spaced).map(Value::from_safe_string).map_err(broken);
    };
    let spaces = " ".repeat(indent.min(16));
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    serde::Serialize::serialize(value, &mut serde_json::Serializer::with_formatter(&mut out, formatter))
        .map_err(broken)?;
    Ok(Value::from_safe_string(String::from_utf8_lossy(&out).into_owned()))
}

/// Python's separators, `", "` and `": "`, outside strings.
fn spaced(compact: String) -> String {
    let mut out = String::with_capacity(compact.len() + compact.len() / 8);
    let (mut quoted, mut escaped) = (false, false);
    for letter in compact.chars() {
        out.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | ':' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

//! What would be made of a card. Where its statements contradict each other, the server itself is asked which of them is true.

use domain::ModelError;
use serde::Serialize;

use super::{Card, Note};
use crate::providers::{azure, ollama, openai};
use crate::{Key, ModelConfig, Models, normalise_base_url};

/// A provider that a card describes, ready to be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The first half of its models' ids, in ASCII.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Which adapter reaches it.
    pub kind: String,
    /// Where it is.
    pub base_url: String,
    /// Its models; `None`: all that it lists.
    pub models: Option<Vec<ModelConfig>>,
    /// Who was asked, and who answered.
    pub asked: Vec<Asked>,
    /// What is remarkable about it.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Its models as a stored provider keeps them; an empty list means all that it lists.
    pub fn stored_models(&self) -> serde_json::Value {
        serde_json::to_value(self.models.as_deref().unwrap_or_default()).unwrap_or_default()
    }
}

/// One question to the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// In which dialect.
    pub kind: String,
    /// What was asked for: `http://localhost:11434/api/tags`
    pub url: String,
    /// Whether it answered in that dialect.
    pub answered: bool,
    /// The names it lists, or what went wrong.
    pub told: String,
}

/// What a path or a type of a card means.
struct Meaning {
    kind: &'static str,
    /// What stands before the path that is the dialect's own: `/api/v3` of `/api/v3/chat/completions`.
    under: String,
}

impl Models {
    /// What would be made of this card. Only the card's own server is asked, and only what it lists.
    pub async fn plan(&self, card: &Card, key: Option<&Key>) -> Result<Plan, String> {
        let by_path = card.chat.as_deref().map(meaning_of_path).transpose()?;
        let by_type = card.dialect.as_deref().map(kind_of_word).transpose()?;
        let mut notes = card.notes.clone();
        let under = by_path.as_ref().map(|meaning| meaning.under.clone()).unwrap_or_default();
        let base = format!("{}{under}", card.url.trim().trim_end_matches('/'));
        let said: Vec<&'static str> = match (by_path.as_ref().map(|meaning| meaning.kind), by_type) {
            (Some(path), Some(word)) if path != word => {
                notes.push(contradiction(card, path, word));
                vec![path, word]
            }
            (Some(kind), _) | (None, Some(kind)) => vec![kind],
            // An Ollama answers both ways; asked in its own, it tells more.
            (None, None) => vec![ollama::KIND, openai::KIND],
        };
        let (mut asked, mut listed) = (Vec::new(), Vec::new());
        for kind in &said {
            let base = normalise_base_url(kind, &base)?;
            let answer = self.probe(kind, &base, key).await;
            let (one, names) = note_answer(kind, &base, answer.map(|probed| (probed.base_url, probed.models)));
            listed.push((*kind, one.answered, names));
            asked.push(one);
        }
        // An Ollama has an OpenAI door, too, so that both may answer: then its own interface is the one that tells more.
        let answered: Vec<&'static str> = listed.iter().filter(|one| one.1).map(|one| one.0).collect();
        let own = answered.iter().find(|kind| **kind == ollama::KIND);
        let kind = own.or(answered.first()).copied().unwrap_or(said[0]);
        if said.len() > 1 || answered.is_empty() {
            notes.push(decision(kind, &answered, &asked, said.len() > 1));
        }
        let models = card.models.as_ref().map(|models| models.iter().map(config).collect::<Vec<_>>());
        if let Some((_, true, names)) = listed.iter().find(|one| one.0 == kind) {
            tell_missing(models.as_deref().unwrap_or_default(), names, kind, &mut notes);
        }
        tell_flags(models.as_deref().unwrap_or_default(), &mut notes);
        Ok(Plan {
            slug: slug(&card.id),
            name: card.name.clone(),
            kind: kind.to_owned(),
            base_url: normalise_base_url(kind, &base)?,
            models,
            asked,
            notes,
        })
    }
}

fn config(model: &super::CardModel) -> ModelConfig {
    ModelConfig {
        display_name: model.name.clone(),
        enabled: model.enabled,
        streaming: model.streaming,
        ..ModelConfig::named(&model.id)
    }
}

fn meaning_of_path(path: &str) -> Result<Meaning, String> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path.contains("/openai/deployments/") {
        return Ok(Meaning { kind: azure::KIND, under: path.to_owned() });
    }
    if let Some(under) = path.strip_suffix("/chat/completions").or_else(|| path.strip_suffix("/completions")) {
        return Ok(Meaning { kind: openai::KIND, under: under.to_owned() });
    }
    for own in ["/api/generate", "/api/chat"] {
        if let Some(under) = path.strip_suffix(own) {
            return Ok(Meaning { kind: ollama::KIND, under: under.to_owned() });
        }
    }
    Err(format!(
        "`api.chat` is `{path}`, which is no chat interface that is known here; it is /v1/chat/completions of an \
         OpenAI-compatible server, or /api/chat of an Ollama"
    ))
}

fn kind_of_word(word: &str) -> Result<&'static str, String> {
    let plain = word.to_lowercase().replace(['-', '_', ' '], "");
    let plain = plain.strip_suffix("compatible").unwrap_or(&plain);
    let known = match plain {
        "openai" => Some(openai::KIND),
        "azureopenai" => Some(azure::KIND),
        other => crate::KINDS.into_iter().find(|kind| *kind == other),
    };
    known.ok_or_else(|| {
        let known = crate::KINDS.join(", ");
        format!("`api.type` is `{word}`, and there is no such adapter; there are: openai-compatible, {known}")
    })
}

fn contradiction(card: &Card, path: &str, word: &str) -> Note {
    let chat = card.chat.as_deref().unwrap_or_default();
    let dialect = card.dialect.as_deref().unwrap_or_default();
    if path == ollama::KIND && word == openai::KIND {
        return Note::new(
            "contradiction",
            format!(
                "The card says `{chat}` and `{dialect}`, which cannot both be meant: `{chat}` is Ollama's native endpoint \
                 and not OpenAI-compatible (it takes one prompt and answers in lines of JSON of its own), while an \
                 OpenAI-compatible server is asked at /v1/chat/completions. The server was asked both ways."
            ),
            format!(
                "卡片同时写了 `{chat}` 和 `{dialect}`，两者不能同时成立：`{chat}` 是 Ollama 的原生接口，并不兼容 OpenAI\
                 （它接收单个 prompt，并以自己的 JSON 行作答）；兼容 OpenAI 的服务应在 /v1/chat/completions 提问。\
                 已用两种方式询问该服务。"
            ),
        );
    }
    Note::new(
        "contradiction",
        format!(
            "The card says `{chat}`, which is {path}'s, and `{dialect}`, which is {word}. The server was asked both ways."
        ),
        format!("卡片写了属于 {path} 的 `{chat}`，又写了表示 {word} 的 `{dialect}`。已用两种方式询问该服务。"),
    )
}

fn note_answer(
    kind: &str,
    base: &str,
    answer: Result<(String, Vec<domain::Offered>), ModelError>,
) -> (Asked, Vec<String>) {
    let path = if kind == ollama::KIND { "/api/tags" } else { "/models" };
    match answer {
        Ok((settled, models)) => {
            let names: Vec<String> = models.into_iter().map(|model| model.name).collect();
            let told = if names.is_empty() { "no models".to_owned() } else { names.join(", ") };
            (Asked { kind: kind.to_owned(), url: format!("{settled}{path}"), answered: true, told }, names)
        }
        Err(error) => {
            let url = format!("{base}{path}");
            (Asked { kind: kind.to_owned(), url, answered: false, told: error.to_string() }, Vec::new())
        }
    }
}

fn decision(kind: &str, answered: &[&str], asked: &[Asked], contradicted: bool) -> Note {
    let words = |kind: &str| match kind {
        ollama::KIND => ("Ollama's own interface".to_owned(), "Ollama 原生接口".to_owned()),
        openai::KIND => ("the OpenAI-compatible interface".to_owned(), "OpenAI 兼容接口".to_owned()),
        other => (format!("the {other} interface"), format!("{other} 接口")),
    };
    let (used, used_zh) = words(kind);
    if answered.is_empty() {
        let why = asked.first().map(|one| one.told.clone()).unwrap_or_default();
        return Note::new(
            "nobody_answered",
            format!("Nobody answered ({why}). {used} is taken; start the server and test again."),
            format!("没有得到应答（{why}）。暂按{used_zh}处理；请启动服务后再测试。"),
        );
    }
    let both = contradicted && answered.len() > 1;
    let (also, also_zh) = match both && kind == ollama::KIND {
        true => (
            " Both answered, as an Ollama does; models are listed and loaded through its own interface, and questions go \
             through its OpenAI door.",
            "两者都有应答，这正是 Ollama 的表现：通过原生接口列出和加载模型，通过其 OpenAI 接口提问。",
        ),
        false => ("", ""),
    };
    Note::new("asked", format!("{used} answered and is used.{also}"), format!("{used_zh}有应答，将使用它。{also_zh}"))
}

/// Models of the card that the server does not list.
fn tell_missing(models: &[ModelConfig], names: &[String], kind: &str, notes: &mut Vec<Note>) {
    let listed = |name: &str| names.iter().any(|known| known == name || known.strip_suffix(":latest") == Some(name));
    for model in models.iter().filter(|model| kind != azure::KIND && !listed(&model.name)) {
        let name = &model.name;
        let (way, way_zh) = match kind == ollama::KIND {
            true => (
                format!("; fetch it with `ollama pull {name}`, or here"),
                format!("；可用 `ollama pull {name}` 或在此处拉取"),
            ),
            false => (String::new(), String::new()),
        };
        notes.push(Note::new(
            "not_installed",
            format!("The server does not list `{name}` now{way}."),
            format!("该服务目前没有列出 `{name}`{way_zh}。"),
        ));
    }
}

fn tell_flags(models: &[ModelConfig], notes: &mut Vec<Note>) {
    for model in models {
        let name = &model.name;
        if !model.enabled {
            notes.push(Note::new(
                "hidden",
                format!("`{name}` is not enabled: it is kept, and offered to nobody."),
                format!("`{name}` 未启用：会保留，但不提供给任何人。"),
            ));
        }
        if !model.streaming {
            notes.push(Note::new(
                "no_stream",
                format!("`{name}` does not stream: its answers are asked for in one piece and shown as one."),
                format!("`{name}` 不支持流式：答案会一次取回并整段显示。"),
            ));
        }
    }
}

/// As the settings page makes one of a name.
fn slug(id: &str) -> String {
    let plain: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let slug: String = parts.join("-").chars().take(40).collect();
    if slug.is_empty() { "provider".to_owned() } else { slug }
}

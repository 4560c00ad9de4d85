//! What the portal shows: rows of the store in the words of the wire. No decisions here.

use domain::{Author, Caller, ConversationId, Failure, FileRef, Finish, ModelState, Provenance, TurnId, Usage};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::portal::ratings::RatingView;
use crate::{Problem, Server};

/// A conversation without its messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    title: String,
    titled_by: &'static str,
    model: Option<String>,
    system_prompt: Option<String>,
    #[schema(value_type = Sampling)]
    sampling: domain::Sampling,
    pinned: bool,
    archived: bool,
    /// Milliseconds since 1970.
    created_at: i64,
    /// Milliseconds since 1970.
    updated_at: i64,
    /// The leaf that was last looked at.
    head: Option<String>,
    /// The assistant it is had with.
    assistant: Option<String>,
    /// The version of it that the last question was asked with.
    assistant_version: Option<i64>,
    /// Turns that are being answered.
    running: Vec<String>,
}

impl Conversation {
    pub(crate) fn new(row: store::Conversation, running: &[TurnId]) -> Self {
        Conversation {
            id: row.id.to_string(),
            title: row.title,
            titled_by: row.titled_by.as_str(),
            model: row.model,
            system_prompt: row.system_prompt,
            sampling: row.sampling,
            pinned: row.pinned,
            archived: row.archived,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            head: row.head.map(|id| id.to_string()),
            assistant: row.assistant.map(|id| id.to_string()),
            assistant_version: row.assistant_version,
            running: running.iter().map(TurnId::to_string).collect(),
        }
    }
}

/// The caller's conversation, or "not found".
pub(crate) async fn conversation(
    server: &Server,
    caller: &Caller,
    id: ConversationId,
) -> Result<Conversation, Problem> {
    let row = server.store.conversation(caller, id).await?.ok_or_else(|| Problem::not_found("conversation"))?;
    let running = server.store.running(caller, id).await?;
    Ok(Conversation::new(row, &running))
}

/// How tokens are chosen, as a schema for the description of the API; the values are [`domain::Sampling`].
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Sampling {
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    seed: Option<u64>,
    max_tokens: Option<u32>,
    stop: Option<Vec<String>>,
}

/// One message. An answer that is being written has no `finish`, and the text it had when it was read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    #[schema(value_type = String)]
    pub(crate) author: Author,
    pub(crate) text: String,
    pub(crate) thought: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) model: Option<String>,
    pub(crate) turn: Option<String>,
    #[schema(value_type = Option<String>)]
    pub(crate) finish: Option<Finish>,
    #[schema(value_type = Option<FailureView>)]
    pub(crate) failure: Option<Failure>,
    #[schema(value_type = Option<UsageView>)]
    pub(crate) usage: Option<Usage>,
    pub(crate) ttft_ms: Option<u32>,
    pub(crate) tpot_ms: Option<f64>,
    pub(crate) trimmed: Option<Trimmed>,
    /// Absent where nobody was asked, and in answers of before it was kept.
    #[schema(value_type = Option<ProvenanceView>)]
    pub(crate) provenance: Option<Provenance>,
    /// What its person thinks of it.
    pub(crate) rating: Option<RatingView>,
    /// What is attached to a question.
    #[schema(value_type = Vec<FileRefView>)]
    pub(crate) files: Vec<FileRef>,
}

/// [`domain::FileRef`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct FileRefView {
    id: String,
    name: String,
    media_type: String,
    bytes: u64,
}

/// [`domain::LeftOut`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct LeftOutView {
    /// The file's name.
    name: String,
    /// About how many tokens.
    tokens: u32,
    /// The page from which on it was left out.
    page: Option<u32>,
}

/// [`domain::Provenance`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ProvenanceView {
    /// The slug of the provider that answered; empty where nobody did.
    provider: String,
    /// The deployment that answered, `provider/name`; empty where nobody did.
    model: String,
    /// Who was asked before it and gave no answer, in order.
    tried: Vec<TriedView>,
    /// How long the question waited for a place, in milliseconds.
    queued_ms: u32,
    /// Parameters that the deployment's dialect has no word for and that were left out.
    dropped: Vec<String>,
    /// What tools did for it, in order; absent where none did anything.
    steps: Option<Vec<StepView>>,
    /// What of the attached files did not fit the context; absent where all did.
    left_out: Option<Vec<LeftOutView>>,
    /// The least time of the way to the deployment and back, in milliseconds; absent where nobody has measured it.
    network_ms: Option<u32>,
    /// Where the time went; absent of answers from before that was measured.
    spent: Option<SpentView>,
}

/// [`domain::Spent`] in the description of the API: milliseconds.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SpentView {
    /// Waiting for a place.
    queue: u32,
    /// On the way to the model's machine and back.
    network: u32,
    /// Until the first token, with everything else taken off.
    prefill: u32,
    /// From the first token to the last.
    decode: u32,
    /// Plugins and the reading of files.
    tools: u32,
}

/// [`domain::ToolStep`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct StepView {
    plugin: String,
    tool: String,
    /// Why it failed; absent where it did not.
    error: Option<String>,
    ms: u32,
    /// What it answered beside its text; absent where that is nothing.
    parts: Option<Vec<PartView>>,
}

/// [`domain::ToolPart`] in the description of the API.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum PartView {
    Text {
        text: String,
    },
    Table {
        columns: Vec<String>,
        /// Each cell a text, a number, a boolean or null.
        #[schema(value_type = Vec<Vec<Object>>)]
        rows: Vec<Vec<serde_json::Value>>,
        /// Whether there are more rows than these.
        cut: bool,
    },
    Image {
        name: String,
        media_type: String,
        /// In base64.
        data: String,
    },
    File {
        name: String,
        media_type: String,
        /// In base64.
        data: String,
    },
}

/// [`domain::Tried`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct TriedView {
    /// A deployment, `provider/name`; of a model of which none could be asked, that model.
    model: String,
    /// Why: a word of the error table.
    code: String,
}

/// History that did not fit the model's context.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trimmed {
    messages: u32,
    tokens: u32,
}

impl From<store::Message> for Message {
    fn from(row: store::Message) -> Self {
        Message {
            id: row.id.to_string(),
            parent: row.parent.map(|id| id.to_string()),
            author: row.author,
            text: row.text,
            thought: Some(row.thought).filter(|thought| !thought.is_empty()),
            at: row.at.0,
            model: row.model,
            turn: row.turn.map(|id| id.to_string()),
            finish: row.finish,
            failure: row.failure,
            usage: row.usage,
            ttft_ms: row.ttft_ms,
            tpot_ms: row.tpot_us.map(|us| f64::from(us) / 1e3),
            trimmed: row.trimmed.map(|store::Trimmed { messages, tokens }| Trimmed { messages, tokens }),
            provenance: row.provenance,
            rating: row.rating.map(RatingView::from),
            files: row.files,
        }
    }
}

/// [`domain::Failure`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct FailureView {
    code: String,
    message: String,
}

/// [`domain::Usage`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct UsageView {
    prompt: u32,
    completion: u32,
    cached: u32,
    reasoning: u32,
    /// Absent where the model does not tell.
    confidence: Option<ConfidenceView>,
    reported: bool,
}

/// [`domain::Confidence`] in the description of the API: thousandths.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ConfidenceView {
    /// The geometric mean of the probabilities of the answer's tokens.
    mean: u16,
    /// The same of the few tokens in a row of which the model was least sure.
    worst: u16,
    /// The first of these.
    worst_from: u32,
}

/// A model that may be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    id: String,
    name: String,
    provider: String,
    provider_name: String,
    local: bool,
    /// Whether it is the small model that comes with Portico.
    starter: bool,
    context: Option<u32>,
    /// What it takes: `text`, `image`, `audio`, `video`; empty where nobody tells.
    modalities: Vec<String>,
    chat_template: Option<bool>,
    /// Whether it answers questions; embedders, rerankers, voices and painters do not.
    answers: bool,
    enabled: bool,
    /// `{state: cold | loading | warming | ready | failed, ...}`
    #[schema(value_type = Object)]
    state: ModelState,
    /// Whether it is a name for others.
    alias: bool,
    /// The deployments an alias is configured to stand for, `provider/name`.
    targets: Vec<String>,
}

impl From<models::ModelView> for Model {
    fn from(card: models::ModelView) -> Self {
        Model {
            starter: card.local && card.id == models::STARTER_ID,
            id: card.id,
            name: card.name,
            provider: card.provider,
            provider_name: card.provider_name,
            local: card.local,
            context: card.context,
            modalities: card.modalities,
            chat_template: card.chat_template,
            answers: card.answers,
            enabled: card.enabled,
            state: card.state,
            alias: card.alias,
            targets: card.targets,
        }
    }
}

/// The enabled models, as the pages list them.
pub(crate) fn models(server: &Server) -> Vec<Model> {
    server.models.list().into_iter().filter(|card| card.enabled).map(Model::from).collect()
}

/// The signed-in person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: String,
    /// The name to sign in with.
    name: String,
    display_name: String,
    role: &'static str,
    language: Option<String>,
    #[schema(value_type = Object)]
    settings: Value,
}

impl From<store::Person> for Me {
    fn from(person: store::Person) -> Self {
        Me {
            id: person.id.to_string(),
            name: person.name,
            display_name: person.display_name,
            role: person.role.as_str(),
            language: person.language,
            settings: person.settings,
        }
    }
}

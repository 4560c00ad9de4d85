//! Assistants in the words of the wire. No decisions here.

use ::assistants::{Difference, Flaw, Unit, Unreadable};
use axum::http::StatusCode;
use chat::TriedOut;
use domain::{Caller, Failure};
use serde::Serialize;
use store::{Assistant, AssistantVersion, Person};
use utoipa::ToSchema;

use crate::Problem;
use crate::portal::view;

/// What an assistant says, as a schema for the description of the API; the values are [`Unit`].
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct UnitView {
    /// 1 to 60 characters.
    name: String,
    avatar: Option<AvatarView>,
    summary: Option<String>,
    /// The system prompt; `{{date}}`, `{{name}}`, `{{language}}` and the variables below are filled when it is used.
    prompt: Option<String>,
    variables: Option<Vec<VariableView>>,
    questions: Option<Vec<String>>,
    /// A model or an alias; absent: the one that the person has chosen.
    model: Option<String>,
    #[schema(value_type = Option<view::Sampling>)]
    sampling: (),
    /// Ids of plugins, carried along and not used yet.
    plugins: Option<Vec<String>>,
}

/// A picture in a colour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AvatarView {
    icon: String,
    /// 0 to 359.
    hue: u16,
}

/// A variable of the assistant's own.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct VariableView {
    name: String,
    value: String,
}

/// An assistant as those see it who may ask it: what the published version says, or the draft where there is none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantView {
    id: String,
    name: String,
    avatar: AvatarView,
    summary: String,
    questions: Vec<String>,
    model: Option<String>,
    /// `nobody`, `administrators` or `everyone`, beside the one who made it.
    shared: &'static str,
    mine: bool,
    may_edit: bool,
    /// The version that answers; `null` as long as nothing is published.
    published: Option<i64>,
    /// Whether the draft says something else; always `false` for who may not edit.
    changed: bool,
    /// Milliseconds since 1970.
    updated_at: i64,
}

impl AssistantView {
    pub(super) fn new(of: &Assistant, caller: &Caller) -> Result<Self, Problem> {
        let (published, said) = match &of.published {
            Some((version, said)) => (Some(*version), said),
            None => (None, &of.draft),
        };
        let may_edit = of.edited_by(caller);
        let unit = unit(said)?;
        Ok(AssistantView {
            id: of.id.to_string(),
            name: unit.name,
            avatar: AvatarView { icon: unit.avatar.icon, hue: unit.avatar.hue },
            summary: unit.summary,
            questions: unit.questions,
            model: unit.model,
            shared: of.shared.as_str(),
            mine: of.person == caller.person,
            may_edit,
            published,
            changed: may_edit && published.is_some() && *said != of.draft,
            updated_at: of.updated_at.0,
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantList {
    /// The latest changed first.
    pub(super) items: Vec<AssistantView>,
}

/// An assistant as those see it who may change it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantDetail {
    assistant: AssistantView,
    #[schema(value_type = UnitView)]
    draft: Unit,
    /// Of the draft.
    revision: i64,
    /// Variables of the draft that nothing fills.
    unfilled: Vec<String>,
    /// Newest first.
    versions: Vec<AssistantVersionView>,
}

/// A published version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssistantVersionView {
    version: i64,
    /// Whether it is the one that answers.
    current: bool,
    note: String,
    /// Milliseconds since 1970.
    at: i64,
    by_name: Option<String>,
}

impl AssistantDetail {
    pub(super) fn new(
        of: &Assistant,
        caller: &Caller,
        versions: Vec<AssistantVersion>,
        people: &[Person],
    ) -> Result<Self, Problem> {
        let draft = unit(&of.draft)?;
        let current = of.published.as_ref().map(|(version, _)| *version);
        let version = |one: AssistantVersion| AssistantVersionView {
            version: one.version,
            current: Some(one.version) == current,
            note: one.note,
            at: one.at.0,
            by_name: people.iter().find(|person| person.id == one.person).map(|person| person.display_name.clone()),
        };
        Ok(AssistantDetail {
            assistant: AssistantView::new(of, caller)?,
            unfilled: draft.unfilled().into_iter().map(str::to_owned).collect(),
            draft,
            revision: of.revision,
            versions: versions.into_iter().map(version).collect(),
        })
    }
}

/// A field on which two versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    field: &'static str,
    before: String,
    after: String,
}

impl From<Difference> for DifferenceView {
    fn from(Difference { field, before, after }: Difference) -> Self {
        DifferenceView { field, before, after }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceList {
    pub(super) items: Vec<DifferenceView>,
}

/// An assistant of the library.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonaView {
    pub(super) slug: String,
    /// `law`, `office`, `finance`, `service`, `learning` or `code`.
    pub(super) category: String,
    #[schema(value_type = UnitView)]
    pub(super) unit: Unit,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonaList {
    pub(super) items: Vec<PersonaView>,
}

/// An answer that was tried.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TriedOutView {
    text: String,
    model: String,
    #[schema(value_type = String)]
    finish: domain::Finish,
    #[schema(value_type = Option<view::FailureView>)]
    failure: Option<Failure>,
    completion: u32,
    ttft_ms: Option<u32>,
}

impl From<TriedOut> for TriedOutView {
    fn from(TriedOut { text, model, ending }: TriedOut) -> Self {
        TriedOutView {
            text,
            model,
            finish: ending.finish,
            failure: ending.failure,
            completion: ending.usage.completion.0,
            ttft_ms: ending.ttft_ms,
        }
    }
}

/// A stored unit.
pub(crate) fn unit(text: &str) -> Result<Unit, Problem> {
    serde_json::from_str(text)
        .map_err(|error| store::Error::Corrupt { what: format!("a stored assistant cannot be read: {error}") }.into())
}

pub(super) fn flawed(flaw: Flaw) -> Problem {
    Problem::invalid(flaw.field, flaw.sentence)
}

pub(super) fn unreadable(why: Unreadable) -> Problem {
    let message = match why {
        Unreadable::Flawed(flaw) => return flawed(flaw),
        Unreadable::Json(why) => format!("this file is no assistant: {why}"),
        Unreadable::Format(format) => {
            format!("this file says it is {format:?}; {:?} can be imported", ::assistants::FORMAT)
        }
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_an_assistant", message)
}

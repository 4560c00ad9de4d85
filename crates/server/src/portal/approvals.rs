//! Calls of tools that wait for somebody's word: the list of whoever may give it, and the word itself. Which calls have to wait is
//! chosen with their plugin; what happens after the word is `chat`'s.

use axum::Json as Reply;
use axum::extract::State;
use chat::{Word, approver_of};
use domain::{ApprovalId, Caller, TurnId};
use serde::{Deserialize, Serialize};
use store::Approval;
use tools::Approver;
use utoipa::ToSchema;

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path};
use crate::{Problem, Server};

/// The longest reason, in characters.
const REASON: usize = 500;

/// How many decided calls are listed.
const DECIDED: u32 = 50;

/// A call that waits, or waited.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    #[schema(value_type = String)]
    id: ApprovalId,
    #[schema(value_type = String)]
    turn: TurnId,
    /// The conversation; only of the caller's own.
    conversation: Option<String>,
    plugin: String,
    /// The plugin's name for people.
    title: String,
    tool: String,
    /// What it would be called with: JSON, if the model kept to it.
    arguments: String,
    /// Who asked the question, for people.
    asker: String,
    /// Whether that is the caller.
    own: bool,
    /// Whether the caller may decide.
    mine: bool,
    /// Who may, for people: names; empty where it is the one who asked, or `administrators`.
    approvers: Vec<String>,
    /// `asker`, `administrators` or `people`.
    approver: &'static str,
    /// `pending`, `approved`, `refused` or `expired`.
    state: &'static str,
    /// Milliseconds since 1970.
    created_at: i64,
    /// When it counts as refused, in milliseconds since 1970.
    expires_at: i64,
    /// Who decided, for people.
    decided_by: Option<String>,
    /// Milliseconds since 1970.
    decided_at: Option<i64>,
    reason: Option<String>,
}

/// What waits and what is decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalList {
    /// What waits for the caller's word, or is the caller's own and waits for another's, oldest first.
    pending: Vec<ApprovalView>,
    /// What the caller decided, or set off, newest first.
    decided: Vec<ApprovalView>,
}

/// The word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    /// `approve` or `refuse`.
    decision: String,
    /// Why it is refused; the model reads it. At most 500 characters.
    reason: Option<String>,
}

async fn view(server: &Server, caller: &Caller, call: Approval) -> Result<ApprovalView, Problem> {
    let name = async |person| -> Result<String, Problem> {
        Ok(server.store.person(caller.tenant, person).await?.map(|person| person.display_name).unwrap_or_default())
    };
    let approver = approver_of(&call);
    let (own, mine) = (call.person == caller.person, approver.is(caller, call.person));
    let (kind, mut approvers) = match &approver {
        Approver::Asker => ("asker", Vec::new()),
        Approver::Administrators => ("administrators", Vec::new()),
        Approver::People { .. } => ("people", Vec::new()),
    };
    if let Approver::People { people } = &approver {
        for person in people {
            approvers.push(name(*person).await?);
        }
    }
    let decided_by = match call.decided_by {
        Some(person) => Some(name(person).await?),
        None => None,
    };
    Ok(ApprovalView {
        id: call.id,
        turn: call.turn,
        // A conversation is nobody's but its person's.
        conversation: own.then(|| call.conversation.to_string()),
        asker: name(call.person).await?,
        plugin: call.plugin,
        title: call.title,
        tool: call.tool,
        arguments: call.arguments,
        own,
        mine,
        approvers,
        approver: kind,
        state: call.state.as_str(),
        created_at: call.created_at.0,
        expires_at: call.expires_at.0,
        decided_by,
        decided_at: call.decided_at.map(|at| at.0),
        reason: call.reason,
    })
}

async fn views(server: &Server, caller: &Caller, calls: Vec<Approval>) -> Result<Vec<ApprovalView>, Problem> {
    let mut all = Vec::with_capacity(calls.len());
    for call in calls {
        all.push(view(server, caller, call).await?);
    }
    Ok(all)
}

#[utoipa::path(get, path = "/api/approvals", tag = "approvals", responses((status = 200, body = ApprovalList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<ApprovalList>, Problem> {
    let pending = server.chat.approvals(&caller).await?;
    let decided = server.store.decided_approvals(&caller, DECIDED).await?;
    let (pending, decided) = (views(&server, &caller, pending).await?, views(&server, &caller, decided).await?);
    Ok(Reply(ApprovalList { pending, decided }))
}

#[utoipa::path(get, path = "/api/turns/{turn}/approvals", tag = "approvals", params(("turn" = String, Path)), responses((status = 200, body = Vec<ApprovalView>, description = "the calls of one's own turn that had to wait, in their order")))]
pub(crate) async fn of_turn(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(turn): Path<TurnId>,
) -> Result<Reply<Vec<ApprovalView>>, Problem> {
    let calls = server.store.approvals_of(&caller, turn).await?;
    Ok(Reply(views(&server, &caller, calls).await?))
}

#[utoipa::path(post, path = "/api/approvals/{id}", tag = "approvals", params(("id" = String, Path)), request_body = DecisionBody, responses((status = 200, body = ApprovalView), (status = 403, description = "may_not_decide"), (status = 404), (status = 409, description = "already_decided")))]
pub(crate) async fn decide(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ApprovalId>,
    Json(body): Json<DecisionBody>,
) -> Result<Reply<ApprovalView>, Problem> {
    let reason = body.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON) {
        return Err(Problem::invalid("reason", format!("a reason has at most {REASON} characters")));
    }
    let word = match body.decision.as_str() {
        "approve" => Word::Approve,
        "refuse" => Word::Refuse(reason),
        _ => return Err(Problem::invalid("decision", "decision is approve or refuse")),
    };
    let call = server.chat.decide(&caller, id, word).await?;
    Ok(Reply(view(&server, &caller, call).await?))
}

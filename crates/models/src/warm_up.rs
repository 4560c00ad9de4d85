//! One real request for as little as there is, so that no person waits for what only happens once: weights touched for the first time,
//! kernels compiled, a connection made.

use std::future::poll_fn;

use domain::{Author, ClientBody, Message, ModelError, ModelProvider, Prompt, Sampling, Task};
use serde_json::{Value, json};

/// Asks for what the model does, as far as its back end tells (`can`, in its own words), and reads to the end.
pub(crate) async fn warm_up(
    backend: &dyn ModelProvider,
    model: &str,
    can: Option<&[String]>,
) -> Result<(), ModelError> {
    let does = |word: &str| can.is_some_and(|can| can.iter().any(|it| it == word));
    let prompt = match (does("completion"), does("embedding"), does("rerank")) {
        (false, true, _) => of_task(Task::Embeddings, json!({"model": model, "input": "Hi"})),
        (false, _, true) => of_task(Task::Rerank, json!({"model": model, "query": "Hi", "documents": ["Hi"]})),
        _ => one_token(),
    };
    let prompt = Prompt { model: model.to_owned(), ..prompt };
    let reply = match backend.open(prompt.clone()).await {
        // A model whose chat template does not serve can still go on from a text.
        Err(ModelError::Rejected { .. }) if prompt.task == Task::Chat => {
            backend.open(Prompt { task: Task::Completion, ..prompt }).await
        }
        reply => reply,
    };
    let mut batches = reply?.batches;
    while let Some(batch) = poll_fn(|cx| batches.as_mut().poll_next(cx)).await {
        batch?;
    }
    Ok(())
}

fn one_token() -> Prompt {
    let sampling = Sampling { max_tokens: Some(1), temperature: Some(0.0), ..Sampling::default() };
    Prompt::chat(vec![Message::new(Author::User, "Hi")], sampling)
}

fn of_task(task: Task, body: Value) -> Prompt {
    let body = ClientBody::json(body.to_string().into_bytes().into(), false);
    Prompt { task, body: Some(body), ..Prompt::chat(Vec::new(), Sampling::default()) }
}

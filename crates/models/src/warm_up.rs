//! One real request for one token, so that no person waits for what only happens once: weights touched for the first time,
//! kernels compiled, a connection made.

use std::future::poll_fn;

use domain::{Author, Message, ModelError, ModelProvider, Prompt, Sampling, Task};

/// Asks, and reads to the end.
pub(crate) async fn warm_up(backend: &dyn ModelProvider, model: &str) -> Result<(), ModelError> {
    let sampling = Sampling { max_tokens: Some(1), temperature: Some(0.0), ..Sampling::default() };
    let mut prompt = Prompt::chat(vec![Message::new(Author::User, "Hi")], sampling);
    model.clone_into(&mut prompt.model);
    let reply = match backend.open(prompt.clone()).await {
        // A model whose chat template does not serve can still go on from a text.
        Err(ModelError::Rejected { .. }) => {
            prompt.task = Task::Completion;
            backend.open(prompt).await
        }
        reply => reply,
    };
    let mut batches = reply?.batches;
    while let Some(batch) = poll_fn(|cx| batches.as_mut().poll_next(cx)).await {
        batch?;
    }
    Ok(())
}

//! `/v1/rerank`: documents in the order in which they answer a query, in the words that Cohere and Jina share. A score is a probability.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Shared,
    embeddings::{Usage, compute, count, job, off_the_runtime},
    problem::Problem,
    requests, whole,
};
use crate::embedding::Makes;

#[derive(Debug, Deserialize)]
struct Asked {
    query: String,
    documents: Vec<Document>,
    #[serde(alias = "top_k")]
    top_n: Option<usize>,
    return_documents: Option<bool>,
    user: Option<String>,
    service_tier: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Document {
    Text(String),
    Object { text: String },
}

impl Document {
    fn text(self) -> String {
        match self {
            Document::Text(text) | Document::Object { text } => text,
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    results: Vec<Rank>,
    usage: Usage,
}

#[derive(Serialize)]
struct Rank {
    index: usize,
    relevance_score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Shown>,
}

#[derive(Serialize)]
struct Shown {
    text: String,
}

pub(super) async fn rerank(
    State(door): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = whole(body)?;
    let shaped = off_the_runtime(Arc::clone(&door), move |vectors| {
        let asked: Asked = requests::read(&body)?;
        let Makes::Scores(pairing) = &vectors.facts.makes else {
            return Err(Problem::OtherModel {
                needs: "this model makes vectors (/v1/embeddings), whose dot product tells how near two texts are; a rerank needs a model that reads both \
                        together (pooling_type rank), such as bge-reranker-v2-m3 or Qwen3-Reranker",
            });
        };
        if asked.documents.is_empty() {
            return Err(Problem::invalid("documents", "must not be empty"));
        }
        count("documents", asked.documents.len())?;
        if asked.top_n == Some(0) {
            return Err(Problem::invalid("top_n", "must be at least 1"));
        }
        let documents: Vec<String> = asked.documents.into_iter().map(Document::text).collect();
        let pair = |document: &String| pairing.tokens(&*vectors.vocabulary, &asked.query, document);
        let texts = documents.iter().map(pair).collect();
        let job = job(texts, asked.user, asked.service_tier.as_deref(), &headers);
        let shown = asked.return_documents.unwrap_or(false).then_some(documents);
        Ok((job, asked.top_n, shown))
    });
    let (job, top_n, mut documents) = shaped.await?;
    let usage = Usage::of(&job.texts);
    let rows = compute(&door, job, |at| format!("the query with documents[{at}]")).await?;
    let mut results: Vec<Rank> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| Rank { index, relevance_score: row.first().copied().unwrap_or(0.0), document: None })
        .collect();
    // Equal ones stay in the order they came in.
    results.sort_by(|left, right| right.relevance_score.total_cmp(&left.relevance_score));
    results.truncate(top_n.unwrap_or(usize::MAX));
    for rank in &mut results {
        let text = documents.as_mut().and_then(|all| all.get_mut(rank.index)).map(std::mem::take);
        rank.document = text.map(|text| Shown { text });
    }
    Ok(Json(Answer { model: &door.model.name, results, usage }).into_response())
}

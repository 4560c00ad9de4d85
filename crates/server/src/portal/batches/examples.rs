//! Batches to begin with, from `catalog/batches`: a question, instructions and a small sample, each in both languages.

use axum::Json as Reply;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Problem;
use crate::caller::SignedIn;

const FILES: [&str; 2] = [
    include_str!("../../../../../catalog/batches/ticket-analysis.json"),
    include_str!("../../../../../catalog/batches/report-summaries.json"),
];

/// A batch to begin with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchExample {
    slug: String,
    /// `table` or `files`: what the sample is.
    source: String,
    max_tokens: u32,
    en: BatchExampleWords,
    zh: BatchExampleWords,
}

/// What it says in one language.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchExampleWords {
    name: String,
    summary: String,
    instructions: String,
    template: String,
    samples: Vec<BatchSample>,
}

/// A file to try it with, as text.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchSample {
    name: String,
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchExamples {
    items: Vec<BatchExample>,
}

fn all() -> Vec<BatchExample> {
    FILES.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

#[utoipa::path(get, path = "/api/batches/examples", tag = "batches", responses((status = 200, body = BatchExamples)))]
pub(crate) async fn examples(SignedIn { .. }: SignedIn) -> Result<Reply<BatchExamples>, Problem> {
    Ok(Reply(BatchExamples { items: all() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_read_and_asks_what_its_sample_answers() {
        let found = all();
        assert_eq!(found.len(), FILES.len());
        for example in found {
            for words in [&example.en, &example.zh] {
                assert!(!words.samples.is_empty() && !words.name.is_empty() && !words.summary.is_empty());
                let columns = match example.source.as_str() {
                    "table" => words.samples[0].text.lines().next().unwrap().to_owned(),
                    _ => "file".to_owned(),
                };
                for column in words.template.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
                    assert!(columns.split(',').any(|one| one == column), "{}: {column}", example.slug);
                }
            }
        }
    }
}

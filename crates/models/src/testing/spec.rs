//! What a request to the scripted back end should meet.

/// Written as `mock;key=value;...`. Unknown keys are passed over.
#[derive(Debug, Clone)]
pub struct Spec {
    /// `ttft`: milliseconds before the head of the answer.
    pub ttft_ms: u64,
    /// `itl`: milliseconds between chunks (or words of an answer in one piece).
    pub itl_ms: u64,
    /// `n`: pieces of content.
    pub n: u32,
    /// `pad`: bytes added to each piece.
    pub pad: usize,
    /// `status`: the HTTP status of the answer, and of the list of models.
    pub status: u16,
    /// `retry_after`: the header's text, sent with a failure.
    pub retry_after: Option<String>,
    /// `code`: the word in the body of a failure; `mock_STATUS` unless told.
    pub code: Option<String>,
    /// `flaky`: every so many requests fail with 500.
    pub flaky: u64,
    /// `failing`: the first so many requests fail with 500.
    pub failing: u64,
    /// `loading`: the first so many requests meet a model that is still loading.
    pub loading: u64,
    /// `load`: milliseconds after its start in which everything says that the model is still loading.
    pub load_ms: u32,
    /// `usage`: `empty`, `null`, `missing` (the `choices` beside it), `beside` (in every chunk) or `none`.
    pub usage: String,
    /// `models`: the names it lists, with commas.
    pub models: String,
    /// `can`: what it says its models can do, a word; without `completion` it refuses to talk.
    pub can: Option<String>,
    /// `under`: where the interface lies; `/v1` unless told.
    pub only_under: Option<String>,
    /// `prefixes`: the file that what is pinned is kept in; nothing can be pinned unless told.
    pub prefixes: Option<String>,
    /// `adapters`: the file to which is added what happens to its LoRA adapters; it has none unless told.
    pub adapters: Option<String>,
    /// `people`: the file to which the person of each request is added, one a line.
    pub people: Option<String>,
    /// `queued`: places from so many down to 1 are told in comments before a stream begins.
    pub queued: u32,
    /// `fault=NAME@AT`: `splitutf8 splitevent crlf nospace multiline comment eventname emptydata tools reused nodone nostream
    /// nousage reasoning norole hang drop` everywhere; `abort stall eof error` before piece AT; `error` before 0 comes before any content.
    pub fault: Option<(String, u32)>,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            ttft_ms: 0,
            itl_ms: 0,
            n: 4,
            pad: 0,
            status: 200,
            retry_after: None,
            code: None,
            flaky: 0,
            failing: 0,
            loading: 0,
            load_ms: 0,
            usage: "empty".to_owned(),
            models: "mock".to_owned(),
            can: None,
            only_under: None,
            prefixes: None,
            adapters: None,
            people: None,
            queued: 0,
            fault: None,
        }
    }
}

impl Spec {
    pub(super) fn apply(&mut self, text: &str) {
        for part in text.split(';').skip(1) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim() {
                "ttft" => self.ttft_ms = value.parse().unwrap_or(self.ttft_ms),
                "itl" => self.itl_ms = value.parse().unwrap_or(self.itl_ms),
                "n" => self.n = value.parse().unwrap_or(self.n),
                "pad" => self.pad = value.parse().unwrap_or(self.pad),
                "status" => self.status = value.parse().unwrap_or(self.status),
                "retry_after" => self.retry_after = Some(value.to_owned()),
                "code" => self.code = Some(value.to_owned()),
                "flaky" => self.flaky = value.parse().unwrap_or(0),
                "failing" => self.failing = value.parse().unwrap_or(0),
                "loading" => self.loading = value.parse().unwrap_or(0),
                "load" => self.load_ms = value.parse().unwrap_or(0),
                "usage" => value.clone_into(&mut self.usage),
                "models" => value.clone_into(&mut self.models),
                "prefixes" => self.prefixes = Some(value.to_owned()),
                "adapters" => self.adapters = Some(value.to_owned()),
                "people" => self.people = Some(value.to_owned()),
                "queued" => self.queued = value.parse().unwrap_or(0),
                "can" => self.can = Some(value.to_owned()),
                "under" => self.only_under = Some(value.to_owned()),
                "fault" => {
                    let (name, at) = value.split_once('@').unwrap_or((value, "0"));
                    self.fault = Some((name.to_owned(), at.parse().unwrap_or(0)));
                }
                _ => {}
            }
        }
    }

    pub(super) fn is_fault(&self, name: &str) -> bool {
        self.fault.as_ref().is_some_and(|(fault, _)| fault == name)
    }

    pub(super) fn fault_at(&self, name: &str, piece: u32) -> bool {
        self.fault.as_ref().is_some_and(|(fault, at)| fault == name && *at == piece)
    }
}

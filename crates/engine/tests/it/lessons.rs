//! What a model is taught on: the text that the worker would ask it, then the answer, cut where the answer begins.

use std::sync::Arc;

use domain::Timestamp;
use engine::{
    Lesson, Tokenizer,
    backend::{
        Backend, Vocabulary,
        scripted::{Script, Scripted},
    },
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_709_211_909_000);
const CHATML: &str = "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}\
    {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

fn vocabulary() -> Arc<dyn Vocabulary> {
    Scripted::new(Script::answering(&["a"])).vocabulary()
}

fn lesson(template: Option<&str>, messages: Value) -> Result<Lesson, String> {
    let tokenizer = Tokenizer::new(vocabulary(), template).map_err(|refused| refused.to_string())?;
    tokenizer.lesson(messages.as_array().expect("a list"), NOW).map_err(|refused| refused.to_string())
}

/// What is given and what is the answer's.
fn parts(template: Option<&str>, messages: Value) -> (String, String) {
    let lesson = lesson(template, messages).expect("a lesson");
    let words = vocabulary();
    let text = |tokens: &[i32]| {
        let mut bytes = Vec::new();
        tokens.iter().for_each(|token| words.decode(*token, false, &mut bytes));
        String::from_utf8(bytes).expect("UTF-8")
    };
    let (given, learned) = lesson.tokens.split_at(lesson.given);
    let parts = (text(given), text(learned));
    assert_eq!(format!("{}{}", parts.0, parts.1), lesson.text);
    parts
}

fn talk(answer: &str) -> Value {
    json!([
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "几点开门？"},
        {"role": "assistant", "content": "九点。"}, {"role": "user", "content": "When?"}, {"role": "assistant", "content": answer},
    ])
}

#[test]
fn the_answer_follows_what_the_worker_asks() {
    let asked = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n几点开门？<|im_end|>\n<|im_start|>assistant\n九点。<|im_end|>\n\
        <|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(parts(Some(CHATML), talk("At nine.")), (asked.into(), "At nine.<|im_end|>\n".into()));
    // What begins the text is not written twice, as when the worker asks.
    let begun = format!("{{{{- bos_token }}}}{CHATML}");
    let tokens = lesson(Some(&begun), talk("At nine.")).expect("a lesson").tokens;
    assert_eq!(tokens.len(), "<s>".len() + asked.len() + "At nine.<|im_end|>\n".len());
}

#[test]
fn an_answer_follows_also_where_the_template_writes_a_conversation_that_is_over_in_another_way() {
    let thinks = CHATML.replace("'<|im_start|>assistant\\n'", "'<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n'");
    let (given, learned) = parts(Some(&thinks), talk(" At nine. "));
    assert!(given.ends_with("<|im_start|>assistant\n<think>\n\n</think>\n\n"), "{given}");
    assert_eq!(learned, "At nine. <|im_end|>\n");
}

#[test]
fn a_model_without_a_template_reads_plain_text() {
    assert_eq!(parts(None, talk("At nine.")), ("Be brief.\nWhen?".into(), " At nine.".into()));
    let pair = |question: &str, answer: &str| {
        parts(None, json!([{"role": "user", "content": question}, {"role": "assistant", "content": answer}])).1
    };
    assert_eq!(pair("几点开门？", "九点。"), "九点。");
    assert_eq!(pair("Once upon a ", "time"), "time");
    assert_eq!(pair("Once", "\nupon"), "\nupon");
}

#[test]
fn what_teaches_nothing_is_refused() {
    let refusal = |template: Option<&str>, messages: Value| lesson(template, messages).expect_err("refused");
    let question = json!([{"role": "user", "content": "When?"}]);
    assert_eq!(refusal(None, question), "the last message is not the assistant's");
    let answer = json!([{"role": "assistant", "content": "At nine."}]);
    assert_eq!(refusal(None, answer.clone()), "no message is the user's");
    let strict = "{{ raise_exception('who asks?') }}";
    assert_eq!(refusal(Some(strict), talk("At nine.")), "the model's chat template refused: who asks?");
    assert!(refusal(Some("{% for %}"), answer).starts_with("the model's chat template failed: "));
}

#[cfg(feature = "llama")]
#[test]
fn a_real_vocabulary_cuts_as_the_worker_does_and_ends_the_answer() {
    let Some(models) = crate::llama::models() else { return };
    let path = models.join("stories260K.gguf");
    let tokenizer = engine::tokenizer(&path).expect("a vocabulary");
    assert!(!tokenizer.templated());
    let talk =
        json!([{"role": "user", "content": "Once upon a time"}, {"role": "assistant", "content": "there was a girl."}]);
    let lesson = tokenizer.lesson(talk.as_array().expect("a list"), NOW).expect("a lesson");
    assert_eq!(lesson.text, "Once upon a time there was a girl.");
    let pair = |question: &str, answer: &str| {
        let talk = json!([{"role": "user", "content": question}, {"role": "assistant", "content": answer}]);
        tokenizer.lesson(talk.as_array().expect("a list"), NOW).expect("a lesson")
    };
    let (cut, all) = (pair("Once upon a ti ", "me there"), pair("Once upon a ti ", "x"));
    assert_eq!(cut.tokens[..cut.given], all.tokens[..all.given], "what is asked does not depend on the answer");
    let worker = crate::worker::Worker::start(&[path.to_str().expect("a path")]).ready();
    let count = |text: &str| {
        let answer = worker.post("/v1/completions", &json!({"prompt": text, "max_tokens": 1})).json();
        usize::try_from(answer["usage"]["prompt_tokens"].as_u64().expect("a count")).expect("small")
    };
    let ask = json!({"messages": [{"role": "user", "content": "Once upon a time"}], "max_tokens": 1});
    let asked = worker.post("/v1/chat/completions", &ask).json()["usage"]["prompt_tokens"].clone();
    assert_eq!(asked, lesson.given);
    assert_eq!(lesson.tokens.len(), count(&lesson.text) + 1, "its end is one token more");
    assert_eq!((lesson.tokens[0], lesson.tokens.last()), (1, Some(&2)), "<s> … </s>");
}

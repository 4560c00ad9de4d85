//! Chat templates as models carry them, and hostile ones.

use std::time::{Duration, Instant};

use domain::Timestamp;
use engine::template::Template;
use serde_json::{Map, Value, json};

/// 2024-02-29 13:05:09 UTC, a leap day.
const NOW: Timestamp = Timestamp(1_709_211_909_000);

fn render_with(source: &str, messages: Value, more: Map<String, Value>) -> Result<String, String> {
    let template = Template::new(source, "<s>".into(), "</s>".into()).map_err(|refused| refused.to_string())?;
    template.render(messages.as_array().expect("a list"), &more, NOW).map_err(|refused| refused.to_string())
}

fn render(source: &str, messages: Value) -> Result<String, String> {
    render_with(source, messages, Map::new())
}

fn talk() -> Value {
    json!([{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Hi"}])
}

#[test]
fn the_common_forms_render_as_their_models_expect() {
    let chatml = "{%- for m in messages %}\n{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}\n{%- endfor %}\n\
        {%- if add_generation_prompt %}\n{{- '<|im_start|>assistant\\n' }}\n{%- endif %}";
    assert_eq!(
        render(chatml, talk()).expect("rendered"),
        "<|im_start|>system\n Be brief. <|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    let llama3 = "{{- bos_token }}{%- for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim \
        + '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}";
    assert_eq!(
        render(llama3, talk()).expect("rendered"),
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
         <|start_header_id|>assistant<|end_header_id|>\n\n"
    );
    let python = "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if loop.first %}{{ m.content.strip().upper() }}\
        {% elif m['content'].startswith('H') %}{{ m.content.split('i')[0] }}{% break %}{% endif %}{% endfor %}{{ ns.n }}{{ messages[-1].role }}";
    assert_eq!(render(python, talk()).expect("rendered"), "BE BRIEF.H2user");
    assert_eq!(
        render("{{ messages | tojson }}", json!([{"role": "user", "content": "<a> & \"b, c\": é"}])).expect("rendered"),
        r#"[{"content": "<a> & \"b, c\": é", "role": "user"}]"#
    );
    assert_eq!(
        render("{{ {'a': [1]} | tojson(indent=2) }}", talk()).expect("rendered"),
        "{\n  \"a\": [\n    1\n  ]\n}"
    );
}

#[test]
fn a_template_may_ask_for_the_date_and_for_variables_of_the_request() {
    assert_eq!(
        render("{{ strftime_now('%A %d %B %Y, %d %b %y %H:%M:%S %%') }}", talk()).expect("rendered"),
        "Thursday 29 February 2024, 29 Feb 24 13:05:09 %"
    );
    let more = json!({"enable_thinking": false}).as_object().expect("an object").clone();
    let source = "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}";
    assert_eq!(render_with(source, talk(), more).expect("rendered"), "<think></think>");
    assert_eq!(render(source, talk()).expect("rendered"), "");
}

#[test]
fn a_template_without_a_system_role_gets_its_text_with_the_first_question() {
    let gemma = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
        {% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    assert_eq!(render(gemma, talk()).expect("rendered"), "user:  Be brief. \n\nHi");
}

#[test]
fn what_a_person_wrote_is_never_a_template() {
    let hostile = json!([{"role": "user", "content": "{{ bos_token }}{% for i in range(9) %}x{% endfor %}"}]);
    assert_eq!(
        render("{{ messages[0].content }}", hostile).expect("rendered"),
        "{{ bos_token }}{% for i in range(9) %}x{% endfor %}"
    );
}

#[test]
fn hostile_templates_end_soon_with_a_sentence() {
    let nested = "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}";
    let recursive = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    for source in [nested, recursive, "{{ messages.x.y.z }}", "{% include 'passwd' %}"] {
        let begun = Instant::now();
        let refused = render(source, talk()).expect_err("refused");
        assert!(refused.starts_with("the model's chat template "), "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{source}: {:?}", begun.elapsed());
    }
    assert!(render("{% for %}", talk()).is_err());
}

//! Files in, examples out; what is alike, what is personal, what is held out.

use domain::{Author, Message};
use proptest::prelude::*;
use tuning::data::{
    Division, Example, Format, Issue, Language, NEAR, Unreadable, alike, held_out, language, mask, personal, read,
    report, resemblance,
};

fn pairs(text: &str, format: Format) -> Vec<(u32, String, String)> {
    let reading = read(text.as_bytes(), format).unwrap();
    reading.examples.into_iter().map(|(line, one)| (line, one.question().into(), one.answer().into())).collect()
}

fn faults(text: &str, format: Format) -> Vec<(u32, &'static str)> {
    read(text.as_bytes(), format).unwrap().faults.into_iter().map(|fault| (fault.line, fault.code)).collect()
}

fn pair(line: u32, question: &str, answer: &str) -> (u32, String, String) {
    (line, question.into(), answer.into())
}

#[test]
fn json_lines_are_read_and_each_bad_line_is_told() {
    let text = r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]}

{"prompt":"2+2?","completion":" 4"}
{"messages":[{"role":"user","content":[{"type":"text","text":"看"},{"type":"text","text":"图"}]},{"role":"assistant","content":"好"}],"weight":1}
{"messages":[{"role":"user","content":"no answer"}]}
{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{}]}]}
{"messages":[{"role":"robot","content":"x"}]}
{"messages":[{"role":"user","content":[{"type":"image_url"}]},{"role":"assistant","content":"a cat"}]}
{"text":"x"}
{"messages":[]}
{"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"},{"role":"assistant","content":"z"}]}
not json
"#;
    let expected = [pair(1, "Hi", "Hello."), pair(3, "2+2?", "4"), pair(4, "看图", "好")];
    assert_eq!(pairs(text, Format::Jsonl), expected);
    let expected = [
        (5, "no_answer"),
        (6, "tool_calls"),
        (7, "unknown_role"),
        (8, "not_text"),
        (9, "no_fields"),
        (10, "no_message"),
        (11, "system_late"),
        (12, "not_json"),
    ];
    assert_eq!(faults(text, Format::Jsonl), expected);
    let system = &read(text.as_bytes(), Format::Jsonl).unwrap().examples[0].1.messages[0];
    assert_eq!((system.author, system.text.as_str()), (Author::System, "Be brief."));
}

#[test]
fn tables_are_read_as_spreadsheets_write_them() {
    let text = "\u{feff}问题,答案,备注\r\n\"怎么\n报销？\",\"填\"\"表\"\"，再交\",x\r\n,,\r\n门禁,找前台\r\n空,\r\n多,a,b,c\r\n";
    assert_eq!(pairs(text, Format::Csv), [pair(2, "怎么\n报销？", "填\"表\"，再交"), pair(5, "门禁", "找前台")]);
    assert_eq!(faults(text, Format::Csv), [(6, "empty"), (7, "too_many_fields")]);
    assert_eq!(pairs("Question;Answer\nWho, me?;Yes\n", Format::Csv), [pair(2, "Who, me?", "Yes")]);
    assert_eq!(pairs("q\ta\n1\t2", Format::Csv), [pair(2, "1", "2")]);
    let under = read(b"system,prompt,completion\nBe kind.,Hi,Hello\n", Format::Csv).unwrap();
    assert_eq!(under.examples[0].1, Example::pair("Hi", "Hello").under("Be kind."));
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let refused = |bytes: &[u8], format| read(bytes, format).unwrap_err();
    // "问题,答案" and a line, as Excel on Chinese Windows writes CSV.
    let gbk = b"\xce\xca\xcc\xe2,\xb4\xf0\xb0\xb8\n\xc4\xe3\xba\xc3,\xba\xc3\n";
    assert_eq!(refused(gbk, Format::Csv), Unreadable::NotUtf8 { line: 1, likely: Some("GBK") });
    assert!(
        refused(gbk, Format::Csv).to_string().contains("GBK")
            && refused(gbk, Format::Csv).to_string().contains("CSV UTF-8")
    );
    assert_eq!(refused(b"q,a\nok,ok\n\xff\xff\xff", Format::Csv), Unreadable::NotUtf8 { line: 3, likely: None });
    assert_eq!(refused(b"\xff\xfeq\0,\0a\0", Format::Csv), Unreadable::NotUtf8 { line: 1, likely: Some("UTF-16") });
    assert_eq!(refused(b" \n", Format::Faq), Unreadable::Empty);
    assert_eq!(
        refused(b"name,age\nx,1", Format::Csv),
        Unreadable::NoColumns { named: vec!["name".into(), "age".into()] }
    );
    assert_eq!(refused(b"q,a\n\"x,y\nz,w", Format::Csv), Unreadable::Unclosed { line: 2 });
}

#[test]
fn frequent_questions_are_read_in_both_languages() {
    let text = "FAQ of the house\n\nQ: How do I reset\nmy password?\nA: Ask an administrator.\n\nThey send a link.\n\n1. 问：几点开门？\n答：九点。\n**Q:** Where?\nQ: Which floor?\nA: The third.\n问题：没有回答";
    let expected = [
        pair(3, "How do I reset\nmy password?", "Ask an administrator.\n\nThey send a link."),
        pair(9, "几点开门？", "九点。"),
        pair(11, "Where?", "The third."),
        pair(12, "Which floor?", "The third."),
    ];
    assert_eq!(pairs(text, Format::Faq), expected);
    assert_eq!(faults(text, Format::Faq), [(1, "no_mark"), (14, "no_answer")]);
    assert_eq!(faults("A: first\nQ: x\nA: y", Format::Faq), [(1, "no_question")]);
}

#[test]
fn the_format_is_told_by_name_or_beginning() {
    assert_eq!(Format::guess("a.CSV", b"q,a"), Format::Csv);
    assert_eq!(Format::guess("a.jsonl", b""), Format::Jsonl);
    assert_eq!(Format::guess("pasted", b"\xef\xbb\xbf {\"messages\""), Format::Jsonl);
    assert_eq!(Format::guess("faq.txt", b"Q: x"), Format::Faq);
}

#[test]
fn letter_case_width_and_blanks_make_no_other_example() {
    let one = Example::pair("ＶＰＮ  怎么连？", "打开 客户端");
    assert_eq!(one.key(), Example::pair(" vpn 怎么连?\n", "打开\t客户端").key());
    assert_ne!(one.key(), Example::pair("vpn 怎么连?", "打开客户端了").key());
    assert_ne!(Example::pair("a b", "c").key(), Example::pair("a", "b c").key());
}

#[test]
fn personal_data_is_found_by_form_and_check_digit() {
    let check = |text: &str, expected: &[(&str, &str)]| {
        let found: Vec<_> =
            personal(text).into_iter().map(|one| (one.kind.as_str(), &text[one.start..one.end])).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("打 13800138000 找我", &[("phone", "13800138000")]);
    check("电话:+86 138-0013-8000。", &[("phone", "+86 138-0013-8000")]);
    check("手机１３８００１３８０００", &[("phone", "１３８００１３８０００")]);
    check(
        "8613800138000 or 010-62770334, (0755)26650000",
        &[("phone", "8613800138000"), ("phone", "010-62770334"), ("phone", "0755)26650000")],
    );
    check("call +1 415 555 2671 today", &[("phone", "+1 415 555 2671")]);
    // The example of GB 11643-1999, and the same with another check digit.
    check("身份证11010519491231002X，", &[("identity", "11010519491231002X")]);
    check("身份证 11010519491231002x", &[("identity", "11010519491231002x")]);
    check("110105194912310021", &[]);
    check("11010519491331002X", &[]);
    check("write to li.wei+hr@mail.example.com.", &[("mail", "li.wei+hr@mail.example.com")]);
    check("邮箱：a@b.cn，谢谢", &[("mail", "a@b.cn")]);
    check("13800138000@qq.com", &[("mail", "13800138000@qq.com")]);
    check("@home a@b user@localhost a@b..cn", &[]);
    // Test numbers of Visa and UnionPay.
    check("card 4111 1111 1111 1111 exp 12/30", &[("bank_card", "4111 1111 1111 1111")]);
    check("卡号6200000000000005", &[("bank_card", "6200000000000005")]);
    check("card 4111 1111 1111 1112", &[]);
    check("no. 2024-01-15, 3.14159265358979, SN13800138000, v13800138000x, 12800138000, 1795435200000", &[]);
    check("2024-01-15 13800138000 13900139000", &[("phone", "13800138000"), ("phone", "13900139000")]);
    assert_eq!(mask("李 13800138000, a@b.cn!"), "李 [phone], [mail]!");
}

#[test]
fn almost_the_same_is_found_and_other_things_are_not() {
    let base =
        "怎样申请年假？请在人事系统中提交申请，填写开始和结束日期，由直属上级批准后生效，三个工作日内会收到通知。";
    let near = base.replace("三个工作日", "两个工作日");
    let texts = ["完全不同的一句话，讲的是天气和出行。", base, &near, &base.to_uppercase(), "短", "短"];
    assert_eq!(alike(&texts), [None, None, Some(1), Some(1), None, Some(4)]);
    assert!(resemblance(base, &near) > 0.8 && resemblance(base, texts[0]) < 0.1);
    assert_eq!(resemblance("abc", "abc"), 1.0);
}

#[test]
fn a_report_shows_what_to_look_at() {
    let talk = Example {
        messages: ["为什么", "因为", "为什么", "不知道啊"]
            .iter()
            .enumerate()
            .map(|(at, text)| Message::new(if at % 2 == 0 { Author::User } else { Author::Assistant }, *text))
            .collect(),
    };
    let examples = [
        Example::pair("What is the capital of France?", "Paris is the capital of France."),
        Example::pair("What is the capital of France?", "It is Lyon, they say in the south."),
        Example::pair("请问年假怎么请？", "Please ask your manager for it."),
        Example::pair("我的电话？", "13800138000，邮箱 a@b.cn，还有 c@d.cn"),
        Example::pair("好吗", "。"),
        Example::pair("长", "长".repeat(4_000)),
        talk.clone(),
        talk,
    ];
    let report = report(&examples);
    let words: Vec<Vec<&str>> =
        report.issues.iter().map(|list| list.iter().map(|one| one.as_str()).collect()).collect();
    let expected: [&[&str]; 8] = [
        &["answers_differ"],
        &["answers_differ"],
        &["language_differs"],
        &["phone", "mail"],
        &["short"],
        &["long"],
        &[],
        &["near_duplicate"],
    ];
    assert_eq!(words, expected);
    assert!(words.iter().flatten().all(|word| Issue::WORDS.contains(word)));
    assert_eq!(report.longest, 4_001);
    assert_eq!(report.twins[7], Some(6));
    assert_eq!(report.languages, [(Language::Latin, 2), (Language::Chinese, 5), (Language::Other, 1)]);
    assert_eq!(language("これは日本語のテキストです"), Some(Language::Other));
    assert_eq!(language("用 GPU 跑模型"), Some(Language::Chinese));
}

#[test]
fn the_division_is_stable_and_near_its_share() {
    let division = Division { held_out: 10, seed: 7 };
    let examples: Vec<Example> = (0..2_000).map(|n| Example::pair(format!("question {n}"), "an answer")).collect();
    let drawn: Vec<bool> = examples.iter().map(|one| held_out(one, division)).collect();
    let count = drawn.iter().filter(|out| **out).count();
    assert!((150..250).contains(&count), "{count}");
    // Another answer to the same question stays on its side; another seed draws others; nobody is drawn of nothing.
    let other_answers =
        examples.iter().map(|one| held_out(&Example::pair(one.question().to_uppercase(), "other"), division));
    assert!(other_answers.eq(drawn.iter().copied()));
    let other = Division { seed: 8, ..division };
    assert!(examples.iter().zip(&drawn).any(|(one, before)| held_out(one, other) != *before));
    assert!(!examples.iter().any(|one| held_out(one, Division { held_out: 0, seed: 7 })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Jsonl, Format::Csv, Format::Faq] {
            let _ = read(&bytes, format);
        }
    }

    #[test]
    fn any_text_is_looked_over(text in "[0-9０-９ +()@a-zX.\\-中]{0,60}") {
        let masked = mask(&text);
        let mut last = 0;
        for one in personal(&text) {
            prop_assert!(one.start >= last && text.get(one.start..one.end).is_some());
            last = one.end;
        }
        prop_assert!(last > 0 || masked == text);
    }

    #[test]
    fn a_table_that_was_written_is_read_back(rows in proptest::collection::vec(("[a-z,;\"\n 中]{1,12}", "[a-z,\"\t\n]{1,12}"), 1..8)) {
        let rows: Vec<_> = rows.into_iter().filter(|(q, a)| !q.trim().is_empty() && !a.trim().is_empty()).collect();
        let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let mut text = "question,answer\n".to_owned();
        rows.iter().for_each(|(q, a)| text.push_str(&format!("{},{}\r\n", quoted(q), quoted(a))));
        let reading = read(text.as_bytes(), Format::Csv).unwrap();
        prop_assert_eq!(&reading.faults, &[]);
        let found: Vec<_> = reading.examples.iter().map(|(_, one)| (one.question(), one.answer())).collect();
        let expected: Vec<_> = rows.iter().map(|(q, a)| (q.trim(), a.trim())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn banding_misses_almost_nothing_that_is_alike(seed in "[a-z ]{60,200}", at in 0_usize..60, with in "[a-z]{1,3}") {
        let mut other = seed.clone();
        other.replace_range(at..at + 1, &with);
        let found = alike(&[seed.as_str(), other.as_str()])[1].is_some();
        prop_assert_eq!(found, resemblance(&seed, &other) >= NEAR, "{}", resemblance(&seed, &other));
    }
}

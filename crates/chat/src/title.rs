//! A conversation's title from its first question. No model is asked: it costs nothing, comes with the question and is the
//! same every time.

/// The longest title: about this many Latin letters, or half as many Chinese ones.
const WIDTH: usize = 48;

/// The first line that says something, without Markdown marks, cut at a word or a sentence's end.
pub fn title_of(question: &str) -> String {
    let line = question
        .lines()
        .map(|line| line.trim().trim_start_matches(['#', '>', '-', '*', '`', ' ', '\t']).trim())
        .find(|line| !line.is_empty())
        .unwrap_or("");
    let end = line
        .find(['。', '？', '！', '?', '!'])
        .map_or(line.len(), |at| at + line[at..].chars().next().map_or(0, char::len_utf8));
    let sentence = line[..end].trim_end_matches(['。', '.', '，', ',']);
    cut(sentence)
}

fn cut(text: &str) -> String {
    let mut width = 0;
    let mut space = None;
    for (at, c) in text.char_indices() {
        width += if c.is_ascii() { 1 } else { 2 };
        if width > WIDTH {
            let end = space.filter(|&space| space > at / 2).unwrap_or(at);
            return format!("{}…", text[..end].trim_end());
        }
        if c == ' ' {
            space = Some(at);
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::title_of;

    #[test]
    fn titles_of_questions() {
        let check = |question: &str, title: &str| assert_eq!(title_of(question), title, "{question:?}");
        check("你好", "你好");
        check("# 合同审查\n\n请看附件", "合同审查");
        check("请审查这份供应商合同。标出高风险条款。", "请审查这份供应商合同");
        check("What is RRF? Explain it to me.", "What is RRF?");
        check("  \n\n- first point", "first point");
        check("", "");
        check(
            "Explain how a continuous batching scheduler keeps latency low",
            "Explain how a continuous batching scheduler…",
        );
        check(
            "请解释连续批处理调度器如何在许多人同时提问的时候仍然保持很低的延迟",
            "请解释连续批处理调度器如何在许多人同时提问的时候…",
        );
    }
}

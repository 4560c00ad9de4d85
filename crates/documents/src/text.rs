//! Bytes to text, and lines to paragraphs.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// The text of a file without a declared encoding: a byte order mark counts, then UTF-8, then what Chinese Windows writes.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let (encoding, skip) = Encoding::for_bom(bytes).unwrap_or_else(|| (guess(bytes), 0));
    let (text, _) = encoding.decode_without_bom_handling(&bytes[skip..]);
    text.into_owned()
}

/// Text that calls its encoding by name; unknown names are guessed.
pub(crate) fn decode_as(bytes: &[u8], name: Option<&str>) -> String {
    match name.and_then(|name| Encoding::for_label(name.trim().as_bytes())) {
        Some(encoding) if Encoding::for_bom(bytes).is_none() => encoding.decode(bytes).0.into_owned(),
        _ => decode(bytes),
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        // Cut inside a character, as a truncated file is.
        Err(error) if error.error_len().is_none() => UTF_8,
        Err(_) => wide(bytes).unwrap_or(GB18030),
    }
}

/// UTF-16 without a mark: every other byte of plain text is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count() * 4 > head.len();
    match (zeros(0), zeros(1)) {
        (true, false) if !head.iter().skip(1).step_by(2).any(|byte| *byte == 0) => Some(UTF_16BE),
        (false, true) if !head.iter().step_by(2).any(|byte| *byte == 0) => Some(UTF_16LE),
        _ => None,
    }
}

/// Whether it is text at all: no control characters but those of lines and pages.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(64 << 10)];
    // Archives and old Office files may look like anything further on.
    if head.starts_with(b"PK\x03\x04") || head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return false;
    }
    if Encoding::for_bom(head).is_some() || wide(head).is_some() {
        return true;
    }
    !head.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
}

/// A character of a script that is written without spaces, or its punctuation.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{303f}' | '\u{3040}'..='\u{30ff}' | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}' | '“' | '”' | '‘' | '’' | '…' | '—' | '·')
}

/// Appends the next line of the same paragraph: Chinese without a space, a divided word without its hyphen.
pub(crate) fn join(text: &mut String, line: &str) {
    let line = line.trim();
    let (Some(last), Some(first)) = (text.trim_end().chars().next_back(), line.chars().next()) else {
        text.push_str(line);
        return;
    };
    text.truncate(text.trim_end().len());
    let before = text.chars().rev().nth(1);
    match last {
        '-' if first.is_lowercase() && before.is_some_and(char::is_alphabetic) => {
            text.pop();
        }
        '\u{ad}' => {
            text.pop();
        }
        _ if is_cjk(last) || is_cjk(first) => {}
        _ => text.push(' '),
    }
    text.push_str(line);
}

/// One space where there was any whitespace; none between two Chinese characters where it was a line's end.
pub(crate) fn squeeze(text: &str) -> Cow<'_, str> {
    if !text.contains(['\n', '\r', '\t']) && !text.contains("  ") {
        return Cow::Borrowed(text.trim());
    }
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let line: Vec<&str> = line.split_whitespace().collect();
        if out.is_empty() || line.is_empty() {
            out.push_str(&line.join(" "));
        } else {
            join(&mut out, &line.join(" "));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_as_their_script_is_written() {
        for (a, b, whole) in [
            ("甲方应当", "支付价款", "甲方应当支付价款"),
            ("the inter-", "national court", "the international court"),
            ("paid in", "full", "paid in full"),
            ("合同（Contract）", "No. 5", "合同（Contract）No. 5"),
            ("2020-", "2021", "2020- 2021"),
            ("", "甲", "甲"),
        ] {
            let mut text = a.to_owned();
            join(&mut text, b);
            assert_eq!(text, whole);
        }
    }

    #[test]
    fn encodings_are_seen() {
        let text = "第一条 合同自双方签字之日起生效。";
        let (gbk, ..) = encoding_rs::GBK.encode(text);
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for bytes in [text.as_bytes().to_vec(), gbk.into_owned(), utf16, [b"\xef\xbb\xbf", text.as_bytes()].concat()] {
            assert_eq!(decode(&bytes), text);
        }
    }
}

//! Sums in Chinese capitals (大写), as cheques and invoices write them, read and written. In fen.

use super::figure::Fen;

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];
/// The most that is written so: below a hundred million times a hundred million yuan.
const MOST: Fen = 10_i128.pow(18);

/// Characters that a sum in capitals is made of; signs of its beginning not among them.
pub(in crate::builtin) fn is_part(c: char) -> bool {
    digit(c).is_some()
        || matches!(
            c,
            '拾' | '十'
                | '佰'
                | '百'
                | '仟'
                | '千'
                | '万'
                | '萬'
                | '亿'
                | '億'
                | '圆'
                | '圓'
                | '元'
                | '角'
                | '分'
                | '整'
                | '正'
        )
}

/// What a sum says; `None` where it is none, or says a thing that no sum says.
pub(in crate::builtin) fn read(text: &str) -> Option<Fen> {
    let mut negative = false;
    let mut plain: Vec<char> = Vec::new();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        match c {
            '负' | '負' | '-' => negative = true,
            // Stamped before the sum, so that nobody writes more in front.
            '⊗' | 'ⓧ' | '○' | '¥' | '￥' | '(' | ')' | '（' | '）' | '数' | '×' | 'X' => {}
            '人' | '民' | '币' => {}
            c if is_part(c) => plain.push(c),
            _ => return None,
        }
    }
    let fen = sum(&plain)?;
    Some(if negative { -fen } else { fen })
}

fn sum(text: &[char]) -> Option<Fen> {
    // Of everything: in ten-thousands of the section that is being read; of the section; the digit that waits for its unit.
    let (mut yuan, mut total, mut section, mut waiting) = (None::<Fen>, 0_i128, 0_i128, None::<Fen>);
    let mut parts = 0_i128;
    let mut seen = false;
    for &c in text {
        match c {
            '拾' | '十' | '佰' | '百' | '仟' | '千' => {
                let unit = match c {
                    '拾' | '十' => 10,
                    '佰' | '百' => 100,
                    _ => 1000,
                };
                // 拾元 without a digit before it is ten.
                section += waiting.take().filter(|&digit| digit > 0).unwrap_or(1) * unit;
            }
            '万' | '萬' => {
                total += (section + waiting.take().unwrap_or(0)) * 10_000;
                section = 0;
            }
            '亿' | '億' => {
                total = (total + section + waiting.take().unwrap_or(0)) * 100_000_000;
                section = 0;
            }
            '圆' | '圓' | '元' => {
                if yuan.is_some() {
                    return None;
                }
                yuan = Some(total + section + waiting.take().unwrap_or(0));
            }
            '角' => parts += waiting.take()? * 10,
            '分' => parts += waiting.take()?,
            '整' | '正' => {}
            c => {
                let digit = digit(c)?;
                if waiting.is_some_and(|waiting| waiting > 0) {
                    return None;
                }
                waiting = Some(digit);
                seen = true;
                continue;
            }
        }
        seen = true;
        if total > MOST || section > MOST {
            return None;
        }
    }
    // A last digit without a unit is a sum cut short.
    if waiting.is_some_and(|waiting| waiting > 0) || !seen {
        return None;
    }
    if yuan.is_none() && parts == 0 {
        return None;
    }
    Some(yuan.unwrap_or(0) * 100 + parts)
}

fn digit(c: char) -> Option<Fen> {
    let at = DIGITS.iter().position(|digit| *digit == c);
    let other = match c {
        '〇' => Some(0),
        '一' => Some(1),
        '二' | '贰' | '貳' | '两' => Some(2),
        '三' | '叄' | '参' => Some(3),
        '四' => Some(4),
        '五' => Some(5),
        '六' | '陸' => Some(6),
        '七' => Some(7),
        '八' => Some(8),
        '九' => Some(9),
        _ => None,
    };
    at.or(other).and_then(|at| Fen::try_from(at).ok())
}

/// A sum as it ought to be written.
pub(super) fn written(fen: Fen) -> String {
    let (negative, all) = (fen < 0, fen.unsigned_abs());
    let (yuan, jiao, last) = (all / 100, (all / 10 % 10) as usize, (all % 10) as usize);
    let mut text = String::new();
    if negative {
        text.push('负');
    }
    if yuan > 0 {
        text.push_str(&whole(yuan));
        text.push('圆');
    }
    match (jiao, last) {
        (0, 0) if yuan == 0 => text.push_str("零圆整"),
        (0, 0) => text.push('整'),
        (0, last) => {
            if yuan > 0 {
                text.push('零');
            }
            text.extend([DIGITS[last], '分']);
        }
        (jiao, 0) => text.extend([DIGITS[jiao], '角', '整']),
        (jiao, last) => text.extend([DIGITS[jiao], '角', DIGITS[last], '分']),
    }
    text
}

fn whole(number: u128) -> String {
    if number >= 100_000_000 {
        let (high, low) = (number / 100_000_000, number % 100_000_000);
        return joined(&whole(high), '亿', low, 10_000_000);
    }
    if number >= 10_000 {
        let (high, low) = (number / 10_000, number % 10_000);
        return joined(&whole(high), '万', low, 1_000);
    }
    for (unit, name) in [(1000, '仟'), (100, '佰'), (10, '拾')] {
        if number >= unit {
            let (high, low) = ((number / unit) as usize, number % unit);
            return joined(&DIGITS[high % 10].to_string(), name, low, unit / 10);
        }
    }
    DIGITS[number as usize % 10].to_string()
}

/// With a zero between where places are left out.
fn joined(high: &str, name: char, low: u128, next: u128) -> String {
    match low {
        0 => format!("{high}{name}"),
        low if low < next => format!("{high}{name}零{}", whole(low)),
        low => format!("{high}{name}{}", whole(low)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_in_capitals_are_what_they_say() {
        for (text, fen) in [
            ("壹佰元整", 10_000),
            ("⊗ 壹仟贰佰叁拾肆圆伍角陆分", 123_456),
            ("壹万零伍拾圆零叁分", 1_005_003),
            ("（负数）叁佰元整", -30_000),
            ("负壹拾贰圆伍角整", -1_250),
            ("拾元正", 1_000),
            ("壹亿零叁佰万元整", 10_300_000_000),
            ("壹拾贰万亿圆整", 1_200_000_000_000_000),
            ("零圆整", 0),
            ("柒角捌分", 78),
            ("人民币贰仟圆整", 200_000),
            ("伍佰圆零玖分", 50_009),
        ] {
            assert_eq!(read(text), Some(fen), "{text}");
        }
        for text in ["", "整", "壹贰元", "壹佰", "壹佰元伍", "hello", "一百美元", "元元"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn sums_are_written_as_the_rules_of_cheques_say() {
        for (fen, text) in [
            (10_000, "壹佰圆整"),
            (1_005_003, "壹万零伍拾圆零叁分"),
            (10_300_000_000, "壹亿零叁佰万圆整"),
            (-1_250, "负壹拾贰圆伍角整"),
            (100_100_000, "壹佰万壹仟圆整"),
            (5, "伍分"),
            (0, "零圆整"),
        ] {
            assert_eq!(written(fen), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(fen in -999_999_999_999_999_i128..999_999_999_999_999) {
            prop_assert_eq!(read(&written(fen)), Some(fen), "{}", written(fen));
        }

        #[test]
        fn nothing_that_is_read_breaks_it(text in "[零壹贰叁拾佰仟万亿元角分整负一〇 a]{0,40}") {
            let _ = read(&text);
        }
    }
}

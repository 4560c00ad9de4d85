//! Personal data in a text: telephone numbers, Chinese identity numbers, mail addresses, bank cards. Only what can be told by
//! its form and its check digit; names and addresses of people cannot. Nothing is kept, sent or judged here.

use std::fmt::Write as _;

/// What kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Personal {
    /// A Chinese mobile or area number, or any number in the international form.
    Phone,
    /// A resident identity number (GB 11643-1999), its date and check digit right.
    Identity,
    /// A mail address.
    Mail,
    /// A payment card, its check digit right (ISO/IEC 7812-1 annex B).
    BankCard,
}

impl Personal {
    /// One word for the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Personal::Phone => "phone",
            Personal::Identity => "identity",
            Personal::Mail => "mail",
            Personal::BankCard => "bank_card",
        }
    }
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    pub kind: Personal,
    /// From which byte.
    pub start: usize,
    /// Up to which, without it.
    pub end: usize,
}

/// Every place, in the order of the text; no two overlap.
pub fn personal(text: &str) -> Vec<Finding> {
    let mut found = mails(text);
    let numbers = numbers(text);
    found.extend(
        numbers
            .into_iter()
            .filter(|one| !found.iter().any(|mail| one.start < mail.end && mail.start < one.end))
            .collect::<Vec<_>>(),
    );
    found.sort_unstable_by_key(|one| one.start);
    found
}

/// The text with a word for each place: `[phone]`.
pub fn mask(text: &str) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for one in personal(text) {
        let _ = write!(out, "{}[{}]", &text[from..one.start], one.kind.as_str());
        from = one.end;
    }
    out.push_str(&text[from..]);
    out
}

fn mails(text: &str) -> Vec<Finding> {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let bytes = text.as_bytes();
    let mut found: Vec<Finding> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let start = at - bytes[..at].iter().rev().take_while(|byte| local(**byte)).count();
        let host =
            bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte)).count();
        let host = text[at + 1..at + 1 + host].trim_end_matches(['.', '-']);
        let top = host.rsplit_once('.').map_or("", |(_, top)| top);
        let name = text[start..at].trim_start_matches('.');
        if !name.is_empty()
            && top.len() >= 2
            && top.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !host.contains("..")
        {
            found.push(Finding { kind: Personal::Mail, start: at - name.len(), end: at + 1 + host.len() });
        }
    }
    found
}

/// A run of digits (full-width ones, too), and where it stands.
struct Group {
    digits: String,
    start: usize,
    end: usize,
    /// What stands between it and the group before, where that is one blank, hyphen or bracket.
    joined: Option<char>,
    plus: bool,
}

fn numbers(text: &str) -> Vec<Finding> {
    let groups = groups(text);
    let (mut found, mut from) = (Vec::new(), 0);
    while from < groups.len() {
        let joined = groups[from + 1..].iter().take_while(|group| group.joined.is_some()).count();
        // The longest number that begins here; a person's blanks and hyphens are part of it.
        let hit = (from..=from + joined).rev().find_map(|to| {
            let number = &groups[from..=to];
            let (first, last) = (number.first()?, number.last()?);
            let whole = is_whole(text, first.start, last.end);
            Some((to, Finding { kind: whole.then(|| kind(number)).flatten()?, start: first.start, end: last.end }))
        });
        from = match hit {
            Some((to, finding)) => {
                found.push(finding);
                to + 1
            }
            None => from + 1,
        };
    }
    found
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut before: Option<char> = None;
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        if let Some(digit) = digit(letter) {
            match groups.last_mut().filter(|group| group.end == at) {
                Some(group) => {
                    group.digits.push(digit);
                    group.end = end;
                }
                None => {
                    let plus = before == Some('+');
                    let start = if plus { at - 1 } else { at };
                    let one_between =
                        groups.last().is_some_and(|group| at - group.end == before.map_or(0, char::len_utf8));
                    let joined = before.filter(|letter| one_between && matches!(letter, ' ' | '-' | '(' | ')'));
                    groups.push(Group { digits: digit.into(), start, end, joined, plus });
                }
            }
        } else if matches!(letter, 'x' | 'X')
            && let Some(group) = groups.last_mut().filter(|group| group.end == at && group.digits.len() == 17)
        {
            group.digits.push('X');
            group.end = end;
        }
        before = Some(letter);
    }
    groups
}

fn digit(letter: char) -> Option<char> {
    match letter {
        '0'..='9' => Some(letter),
        '０'..='９' => char::from_digit(u32::from(letter) - u32::from('０'), 10),
        _ => None,
    }
}

/// Whether no letter, digit or decimal point holds on to it: part numbers and measurements are nobody's data.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let mut before = text[..start].chars().rev();
    let mut after = text[end..].chars();
    let holds = |letter: Option<char>, next: Option<char>| match letter {
        Some('.' | '_') => next.is_some_and(|letter| letter.is_ascii_alphanumeric()),
        Some(letter) => letter.is_ascii_alphanumeric() || digit(letter).is_some(),
        None => false,
    };
    !holds(before.next(), before.next()) && !holds(after.next(), after.next())
}

fn kind(number: &[Group]) -> Option<Personal> {
    let digits: String = number.iter().map(|group| group.digits.as_str()).collect();
    let plus = number.first().is_some_and(|group| group.plus);
    if number.len() == 1 && is_identity(&digits) {
        return Some(Personal::Identity);
    }
    if is_phone(number, &digits, plus) {
        return Some(Personal::Phone);
    }
    // A number that a person types in groups of one and two digits is a list, no card.
    let grouped = number.len() == 1 || number.iter().rev().skip(1).all(|group| group.digits.len() >= 4);
    (!plus && grouped && is_card(&digits)).then_some(Personal::BankCard)
}

fn is_phone(number: &[Group], digits: &str, plus: bool) -> bool {
    if digits.ends_with('X') {
        return false;
    }
    if plus {
        // E.164: at most 15 digits, none leading is 0.
        return (8..=15).contains(&digits.len()) && !digits.starts_with('0');
    }
    let bare = ["0086", "86"].iter().find_map(|code| digits.strip_prefix(code)).filter(|rest| rest.len() == 11);
    let mobile = bare.unwrap_or(digits).as_bytes();
    if mobile.len() == 11 && mobile[0] == b'1' && (b'3'..=b'9').contains(&mobile[1]) {
        return true;
    }
    let lengths: Vec<usize> = number.iter().map(|group| group.digits.len()).collect();
    let area = digits.starts_with('0') && !digits.starts_with("00");
    area && matches!(lengths[..], [3..=4, 7..=8])
}

/// The check digit of GB 11643: weights 2^(18-i) modulo 11.
fn is_identity(digits: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let number = |from: usize, to: usize| digits.get(from..to).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    if digits.len() != 18 || digits.starts_with('0') {
        return false;
    }
    let (year, month, day) = (number(6, 10), number(10, 12), number(12, 14));
    if !(1850..2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return false;
    }
    let sum: u32 = digits.chars().zip(WEIGHTS).map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight).sum();
    let check = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize];
    digits.ends_with(check)
}

/// Luhn's check, on numbers that begin as those of banks do (3 to 6).
fn is_card(digits: &str) -> bool {
    if !(13..=19).contains(&digits.len()) || !digits.starts_with(['3', '4', '5', '6']) {
        return false;
    }
    let mut sum = 0;
    for (at, digit) in digits.chars().rev().enumerate() {
        let Some(digit) = digit.to_digit(10) else { return false };
        sum += match at % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        };
    }
    sum % 10 == 0
}

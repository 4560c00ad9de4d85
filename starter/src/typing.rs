//! How people type: small letters, a slip of the finger, a word left out. It changes words alone, never figures.

use crate::dice::Dice;

/// Small words that a hurried typist leaves out.
const SMALL: [&str; 10] = ["the", "a", "an", "do", "is", "to", "of", "I", "it", "does"];
const SMALL_ZH: [char; 6] = ['的', '了', '吗', '呢', '请', '是'];
/// Words that are shorter are spared.
const LEAST: usize = 4;

/// Now and then something is wrong with it.
pub fn roughen(said: &str, chinese: bool, dice: &mut Dice) -> String {
    let mut said = said.to_owned();
    if chinese {
        if dice.percent(6) {
            let letter = *dice.of(&SMALL_ZH);
            said = said.replacen(letter, "", 1);
        }
        if dice.percent(8) {
            let instead = *dice.of(&[" ", "", ","]);
            said = said.replace('，', instead);
        }
        return said;
    }
    if dice.percent(7) {
        said = without_small(&said, dice);
    }
    if dice.percent(10) {
        said = with_slip(&said, dice);
    }
    if dice.percent(5) {
        said = said.replace(", ", " ");
    }
    if dice.percent(12) {
        said = said.to_lowercase();
    }
    said
}

/// Its first letter large.
pub fn capital(said: &str) -> String {
    let mut letters = said.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

fn without_small(said: &str, dice: &mut Dice) -> String {
    let mut words: Vec<&str> = said.split(' ').collect();
    let small: Vec<usize> = (0..words.len()).filter(|&at| SMALL.contains(&words[at])).collect();
    if !small.is_empty() && words.len() > 3 {
        words.remove(*dice.of(&small));
    }
    words.join(" ")
}

/// Two letters of one word change places, or one is doubled or missing. The first letter stays, and so does a word with a capital or a figure.
fn with_slip(said: &str, dice: &mut Dice) -> String {
    let mut words: Vec<String> = said.split(' ').map(str::to_owned).collect();
    let plain = |word: &String| word.len() >= LEAST && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let long: Vec<usize> = (0..words.len()).filter(|&at| plain(&words[at])).collect();
    if long.is_empty() {
        return said.to_owned();
    }
    let which = *dice.of(&long);
    let mut letters: Vec<char> = words[which].chars().collect();
    let at = 1 + dice.below(letters.len() - 2);
    match dice.below(3) {
        0 => letters.swap(at, at + 1),
        1 => letters.insert(at, letters[at]),
        _ => {
            letters.remove(at);
        }
    }
    words[which] = letters.into_iter().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::roughen;
    use crate::dice::Dice;

    #[test]
    fn figures_and_names_stay_as_they_are() {
        for number in 0..2000 {
            let said = roughen(
                "please tell Portico what 1,250.75 of the 30 apples in Tokyo come to",
                false,
                &mut Dice::new(3, number),
            );
            let said = said.replace(' ', "").to_lowercase();
            assert!(
                said.contains("portico") && said.contains("tokyo") && said.contains("30") && said.contains("250.75"),
                "{said}"
            );
        }
    }
}

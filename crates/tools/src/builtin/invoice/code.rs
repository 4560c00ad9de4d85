//! Numbers of taxpayers, by their check digits: the unified social credit code (GB 32100-2015), the number of fifteen digits before
//! it (six of the region, then the organisation's code of GB 11714-1997), and a resident's number (GB 11643-1999), which sole traders
//! are registered by.

/// The letters of GB 32100-2015: without I, O, S, V and Z.
const LETTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A unified social credit code.
    Credit,
    /// The number of a time before it.
    Old,
    /// A resident's number.
    Resident,
}

/// What a number is whose check digit is right; else what the check digit of a unified social credit code would be, where there is
/// one at all.
pub(super) fn check(number: &str) -> Result<Known, Option<char>> {
    let number = number.trim().to_ascii_uppercase();
    if !number.is_ascii() {
        return Err(None);
    }
    match number.len() {
        18 => match credit(&number) {
            Some(digit) if number.ends_with(digit) => Ok(Known::Credit),
            _ if is_resident(&number) => Ok(Known::Resident),
            wanted => Err(wanted),
        },
        15 if is_organisation(&number[6..]) && number[..6].bytes().all(|b| b.is_ascii_digit()) => Ok(Known::Old),
        _ => Err(None),
    }
}

/// The eighteenth character that belongs to the seventeen before it.
fn credit(number: &str) -> Option<char> {
    let mut sum = 0;
    let mut weight = 1;
    for byte in number.bytes().take(17) {
        let value = LETTERS.iter().position(|letter| *letter == byte)?;
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    let at = (31 - sum % 31) % 31;
    LETTERS.get(at).map(|letter| char::from(*letter))
}

/// Eight characters and their check digit, modulo 11.
fn is_organisation(code: &str) -> bool {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |c: char| c.to_digit(36);
    let Some(values) = code.chars().take(8).map(value).collect::<Option<Vec<u32>>>() else { return false };
    let sum: u32 = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    let wanted = match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    };
    code.len() == 9 && code.ends_with(wanted)
}

/// ISO 7064, modulo 11-2.
fn is_resident(number: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits: Option<Vec<u32>> = number.chars().take(17).map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits else { return false };
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let wanted = b"10X98765432"[(sum % 11) as usize];
    number.as_bytes().get(17) == Some(&wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_computed() {
        // Published by their holders: a university and two makers of telephones.
        for number in ["12100000400000624D", "91110108551385082Q", "914403001922038216"] {
            assert_eq!(check(number), Ok(Known::Credit), "{number}");
        }
        assert_eq!(check("91110108551385082R"), Err(Some('Q')));
        assert_eq!(check("9111010855138508OQ"), Err(None), "O is no letter of it");
        assert_eq!(check("11010519491231002X"), Ok(Known::Resident), "the example of GB 11643-1999");
        assert_eq!(check("440300192203821"), Ok(Known::Old));
        assert_eq!(check("440300192203822"), Err(None));
        assert_eq!(check(""), Err(None));
        assert_eq!(check("十八个字的号码不是号码"), Err(None));
    }
}

//! Text from bytes: however an answer is cut into tokens, what is shown is the same, whole and free of stop strings.

use engine::text::Text;
use proptest::prelude::*;

fn shown(pieces: &[&[u8]], stops: &[&str]) -> (String, bool) {
    let mut text = Text::new(stops.iter().map(|&stop| stop.to_owned()).collect());
    let mut all = String::new();
    for piece in pieces {
        let shown = text.push(piece);
        all.push_str(&shown.text);
        if shown.stopped {
            return (all, true);
        }
    }
    all.push_str(&text.finish());
    (all, false)
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    assert_eq!(shown(&[b"a\xffb"], &[]), ("a\u{fffd}b".into(), false));
    assert_eq!(shown(&[b"a\xe4\xbd"], &[]), ("a\u{fffd}".into(), false));
    assert_eq!(shown(&[b"\xe4", b"\xbd", b"\xa0"], &[]), ("\u{4f60}".into(), false));
    assert_eq!(shown(&[b"\xe4", b"x"], &[]), ("\u{fffd}x".into(), false));
}

#[test]
fn the_earliest_stop_wins() {
    assert_eq!(shown(&[b"one two three"], &["three", "two"]), ("one ".into(), true));
    assert_eq!(shown(&[b"aaab"], &["aab"]), ("a".into(), true));
    assert_eq!(shown(&["\u{4f60}\u{597d}\u{5417}".as_bytes()], &["\u{5417}"]), ("\u{4f60}\u{597d}".into(), true));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(text in "[abc\u{e9}\u{4f60}]{0,40}", cuts in proptest::collection::vec(0_usize..60, 0..12), stop in "[abc\u{e9}\u{4f60}]{1,4}") {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let expected = match text.find(&stop) {
            Some(at) => (text[..at].to_owned(), true),
            None => (text.clone(), false),
        };
        prop_assert_eq!(shown(&pieces, &[stop.as_str()]), expected);
    }

    #[test]
    fn hostile_bytes_come_out_as_the_standard_library_would_replace_them(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5), 0..12)) {
        let whole: Vec<u8> = pieces.concat();
        let cut: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(shown(&cut, &[]), (String::from_utf8_lossy(&whole).into_owned(), false));
    }
}

//! What sums are written and read.

use super::in_words;

#[test]
fn numbers_are_written_as_they_are_read() {
    let check = |figure: &str, english: Option<&str>, chinese: Option<&str>| {
        assert_eq!(in_words(figure, false).as_deref(), english, "{figure}");
        assert_eq!(in_words(figure, true).as_deref(), chinese, "{figure}");
    };
    check("3", Some("three"), Some("三"));
    check("12", Some("twelve"), Some("十二"));
    check("20", Some("twenty"), Some("二十"));
    check("47", Some("forty-seven"), Some("四十七"));
    check("105", None, Some("一百零五"));
    check("3020", None, Some("三千零二十"));
    check("2005", None, Some("二千零五"));
    check("2.5", None, None);
}

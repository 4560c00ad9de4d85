//! The question of a batch: `{{column}}` is replaced by the row's cell, once, from left to right. As with an assistant's variables, but
//! a column may be called anything; what a cell says is never read again.

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Column(&'t str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        let Some((name, after)) = inside.split_once("}}") else { break };
        // Of `{{{a}}` the last two open.
        let skipped = name.len() - name.trim_start_matches('{').len();
        let opened = before.len() + skipped;
        pieces.push(Piece::Text(&rest[..opened]));
        pieces.push(Piece::Column(name[skipped..].trim()));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The columns that a template names, as often as it does.
pub(super) fn named(template: &str) -> Vec<&str> {
    let column = |piece| match piece {
        Piece::Column(name) => Some(name),
        Piece::Text(_) => None,
    };
    pieces(template).into_iter().filter_map(column).collect()
}

/// The template with the cells of a row in it.
pub(super) fn fill(template: &str, columns: &[String], cells: &[String]) -> String {
    let mut filled = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Column(name) => {
                let at = columns.iter().position(|column| column == name);
                filled.push_str(at.and_then(|at| cells.get(at)).map(String::as_str).unwrap_or_default());
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_replaced_once_whatever_they_are_called() {
        let columns = ["编号".to_owned(), "Ticket text".to_owned()];
        let cells = ["7".to_owned(), "{{编号}} 坏了".to_owned()];
        for (template, wanted) in [
            ("工单 {{编号}}：{{ Ticket text }}", "工单 7：{{编号}} 坏了"),
            ("{{{编号}}}", "{7}"),
            ("{{编号", "{{编号"),
            ("no column", "no column"),
            ("{\"id\": \"{{编号}}\"}", "{\"id\": \"7\"}"),
        ] {
            assert_eq!(fill(template, &columns, &cells), wanted);
        }
        assert_eq!(named("{{a}} {{ b c }}{{a}}"), ["a", "b c", "a"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_template(text in "[{}ab ]{0,30}") {
            let _ = fill(&text, &["a".to_owned()], &["x".to_owned()]);
            if named(&text).is_empty() {
                prop_assert_eq!(fill(&text, &[], &[]), text);
            }
        }
    }
}

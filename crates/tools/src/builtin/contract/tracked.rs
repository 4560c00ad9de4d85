//! The comparison as a document: WordprocessingML (ECMA-376, part 1, §17.13.5) with insertions and deletions as tracked changes. Whoever
//! accepts all of them has the text of the new version, whoever rejects all of them that of the old one. It carries texts, headings
//! and lines of tables as paragraphs; no layout of either file.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use super::words::{Fate, Run};

/// A paragraph of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// Of a whole paragraph that came or went, one run.
    pub(super) runs: Vec<Run>,
    pub(super) is_heading: bool,
    /// What became of the paragraph itself.
    pub(super) fate: Fate,
}

/// Who changed it, and when, as RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'m> {
    pub(super) author: &'m str,
    pub(super) date: &'m str,
}

const TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/></Types>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;
const OF_DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;
const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="SimSun"/><w:sz w:val="21"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style><w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:sz w:val="26"/></w:rPr></w:style></w:styles>"#;

/// The document's bytes.
pub(super) fn document(paragraphs: &[Paragraph], mark: Mark<'_>) -> Result<Vec<u8>, ZipError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let body = body(paragraphs, mark);
    for (name, text) in [
        ("[Content_Types].xml", TYPES),
        ("_rels/.rels", RELATIONS),
        ("word/document.xml", &body),
        ("word/_rels/document.xml.rels", OF_DOCUMENT),
        ("word/styles.xml", STYLES),
    ] {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn body(paragraphs: &[Paragraph], mark: Mark<'_>) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document \
         xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>",
    );
    let mut id = 0;
    let mut attributes = || {
        id += 1;
        format!("w:id=\"{id}\" w:author=\"{}\" w:date=\"{}\"", escaped(mark.author), escaped(mark.date))
    };
    for Paragraph { runs, is_heading, fate } in paragraphs {
        xml.push_str("<w:p><w:pPr>");
        if *is_heading {
            xml.push_str("<w:pStyle w:val=\"Heading2\"/>");
        }
        // The mark at the paragraph's end is a change of its own: without it, an empty paragraph would stay.
        match fate {
            Fate::Kept => {}
            Fate::Inserted => _ = write!(xml, "<w:rPr><w:ins {}/></w:rPr>", attributes()),
            Fate::Deleted => _ = write!(xml, "<w:rPr><w:del {}/></w:rPr>", attributes()),
        }
        xml.push_str("</w:pPr>");
        for Run { fate, text } in runs {
            let text = escaped(text);
            let _ = match fate {
                Fate::Kept => write!(xml, "<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>"),
                Fate::Inserted => {
                    write!(xml, "<w:ins {}><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:ins>", attributes())
                }
                Fate::Deleted => write!(
                    xml,
                    "<w:del {}><w:r><w:delText xml:space=\"preserve\">{text}</w:delText></w:r></w:del>",
                    attributes()
                ),
            };
        }
        xml.push_str("</w:p>");
    }
    // A body ends with its section, and a last paragraph that is deleted could not go without one behind it.
    if paragraphs.last().is_none_or(|last| last.fate != Fate::Kept) {
        xml.push_str("<w:p/>");
    }
    xml.push_str("<w:sectPr><w:pgSz w:w=\"11906\" w:h=\"16838\"/><w:pgMar w:top=\"1440\" w:right=\"1440\" w:bottom=\"1440\" w:left=\"1440\" w:header=\"720\" w:footer=\"720\" w:gutter=\"0\"/></w:sectPr></w:body></w:document>");
    xml
}

/// As XML 1.0 takes it: characters that it has no way to write are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

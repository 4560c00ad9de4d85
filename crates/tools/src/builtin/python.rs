//! Python, run in a sandbox: a program as text, a person's files in, what it printed, its pictures and its files out. How it is
//! walled in is `sandbox`'.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Attachment, ToolAnswer, ToolError, ToolInput, ToolPart, ToolSpec};
use serde_json::json;

use crate::mask::cut;
use crate::sandbox::{Ended, File, GIVEN, Job, MEMORY, Report, SAID, Sandbox};

/// The longest program, in bytes.
const LONGEST: usize = 100_000;
/// How much of each output a model reads, in characters.
const READ: usize = 6_000;

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "python".to_owned(),
        description: "Runs a Python 3 program in a sandbox without network and returns what it printed; the value of a last \
                      expression is printed, too. Attached files lie in the current folder; files written there are given to \
                      the person, and figures of matplotlib (where it is installed) are shown as pictures. Nothing is \
                      remembered between calls."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "code": { "type": "string", "description": "The program", "minLength": 1, "maxLength": LONGEST } },
            "required": ["code"],
            "additionalProperties": false
        }),
    }
}

/// Runs it. `keeps` says whether files may be left that are no pictures.
pub(super) async fn call(
    sandbox: Option<&Sandbox>,
    wall: std::time::Duration,
    keeps: bool,
    input: &ToolInput,
) -> Result<ToolAnswer, ToolError> {
    let sandbox = sandbox.ok_or_else(|| ToolError::Failed { reason: "this portal has no sandbox".to_owned() })?;
    if !sandbox.python.exists() {
        let place = sandbox.python.display();
        return Err(ToolError::Failed { reason: format!("there is no Python at {place}: plugins.python names one") });
    }
    let files = given(&input.files)?;
    let texts = [
        ("driver.py", include_str!("python/driver.py")),
        ("portico_figures.py", include_str!("python/figures.py")),
        ("main.py", input.arguments["code"].as_str().unwrap_or_default()),
    ];
    let environment = [
        ("HOME", "/work"),
        ("TMPDIR", "/tmp"),
        ("MPLCONFIGDIR", "/tmp"),
        ("MPLBACKEND", "module://portico_figures"),
        ("LANG", "C.UTF-8"),
        // One processor: more threads would only wait for each other.
        ("OMP_NUM_THREADS", "1"),
        ("OPENBLAS_NUM_THREADS", "1"),
        ("MKL_NUM_THREADS", "1"),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let job = Job {
        interpreter: sandbox.python.clone(),
        // Isolated: nothing of the environment or the current folder changes what is imported; no bytecode is left behind.
        arguments: ["-I", "-B", "-X", "utf8", "/run/driver.py"].map(str::to_owned).to_vec(),
        texts: texts.map(owned).to_vec(),
        environment: environment.map(owned).to_vec(),
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
    };
    let report = sandbox.run(job, &files).await?;
    Ok(told(report, wall, keeps))
}

/// The person's files, under names that are no paths and no two of which are alike.
fn given(files: &[Attachment]) -> Result<Vec<File>, ToolError> {
    if files.iter().map(|file| file.bytes.len()).sum::<usize>() > GIVEN {
        return Err(ToolError::TooLarge { what: "the request", limit: GIVEN });
    }
    let mut all: Vec<File> = Vec::with_capacity(files.len());
    for file in files {
        let plain: String = file.name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        let plain = plain.trim_start_matches('.');
        // As long as a file's name may be is 255 bytes.
        let plain: String = plain.chars().take(60).collect();
        let plain = if plain.is_empty() { "file".to_owned() } else { plain };
        let taken = |name: &str| all.iter().any(|file| file.name == name);
        let name = match taken(&plain) {
            false => plain,
            true => (2_u32..).map(|n| format!("{n}-{plain}")).find(|name| !taken(name)).unwrap_or(plain),
        };
        all.push(File { name, bytes: file.bytes.to_vec() });
    }
    Ok(all)
}

/// The report in a model's words and a person's parts.
fn told(report: Report, wall: std::time::Duration, keeps: bool) -> ToolAnswer {
    let mut text = Vec::new();
    let how = match report.ended {
        Ended::Exit(0) => None,
        Ended::Exit(code) => Some(format!("it ended with exit code {code}")),
        Ended::Signal(signal) => Some(format!("it was ended by signal {signal}")),
        Ended::Time => Some(format!("it was ended: it ran longer than {} seconds", wall.as_secs())),
        Ended::Memory => Some(format!("it was ended: it took more than {} MiB of memory", MEMORY >> 20)),
        Ended::Output => Some(format!("it was ended: it printed more than {} KiB", SAID >> 10)),
    };
    text.extend(how.map(|how| format!("({how})")));
    for (name, said) in [("output", &report.stdout), ("errors", &report.stderr)] {
        if !said.trim().is_empty() {
            text.push(format!("{name}:\n{}", cut(said.trim_end(), READ)));
        }
    }
    let mut parts = Vec::new();
    for file in report.files {
        let media_type = sniffed(&file);
        let (name, data) = (file.name, STANDARD.encode(&file.bytes));
        match media_type {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => {
                text.push(format!("(the picture {name:?} is shown to the person)"));
                parts.push(ToolPart::Image { name, media_type: media_type.to_owned(), data });
            }
            _ if keeps => {
                text.push(format!("(the file {name:?}, {} bytes, is given to the person)", file.bytes.len()));
                parts.push(ToolPart::File { name, media_type: media_type.to_owned(), data });
            }
            _ => text.push(format!("(the file {name:?} is not given to the person: write:files was not granted)")),
        }
    }
    text.extend(report.left.into_iter().map(|left| format!("(not brought back: {left})")));
    if text.is_empty() {
        text.push("(it printed nothing)".to_owned());
    }
    ToolAnswer { text: text.join("\n"), parts }
}

/// What a file is by its first bytes; a picture is never believed by its name.
fn sniffed(file: &File) -> &'static str {
    let bytes = &file.bytes;
    let ending = file.name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        [b'P', b'K', 3, 4, ..] => match ending.as_str() {
            "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            _ => "application/zip",
        },
        _ if std::str::from_utf8(bytes).is_err() => "application/octet-stream",
        _ => match ending.as_str() {
            "csv" => "text/csv",
            "json" => "application/json",
            "md" => "text/markdown",
            _ => "text/plain",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_files_get_names_that_lead_nowhere() {
        let file = |name: &str| Attachment { name: name.into(), media_type: String::new(), bytes: "x".into() };
        let files = ["a.csv", "a.csv", "../../etc/passwd", "", "..", "表\n格.xlsx"].map(file);
        let names: Vec<String> = given(&files).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["a.csv", "2-a.csv", "_.._etc_passwd", "file", "2-file", "表_格.xlsx"]);
    }

    #[test]
    fn a_picture_is_known_by_its_bytes() {
        let kind = |name: &str, bytes: &[u8]| sniffed(&File { name: name.into(), bytes: bytes.into() });
        assert_eq!(kind("x", b"\x89PNG\r\n"), "image/png");
        assert_eq!(kind("x.png", b"<svg onload=alert(1)>"), "text/plain");
        assert_eq!(kind("x.svg", b"<svg/>"), "text/plain");
        assert_eq!(kind("t.csv", b"a,b"), "text/csv");
        assert_eq!(kind("t.bin", b"\xff\xfe"), "application/octet-stream");
    }
}

//! What the book says of the configuration is what the binary reads: its examples pass, its table names settings that exist,
//! and both languages name the same ones. Prose is not its business.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use portico::config::{Config, Mistakes, Overrides};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn read(text: &str) -> Result<Config, Mistakes> {
    // Whatever key an example takes from the environment is there.
    let env = |name: &str| (!name.starts_with("PORTICO_")).then(|| "secret".to_owned());
    Config::read(text, Some(Path::new("portico.toml")), &env, &Overrides::default())
}

/// The sentences about a text, but for those about files that only the reader has.
fn complaints(text: &str) -> Vec<String> {
    let list = read(text).err().map(|mistakes| mistakes.list).unwrap_or_default();
    list.into_iter().map(|one| one.sentence).filter(|sentence| !sentence.contains("there is no file")).collect()
}

#[test]
fn every_example_is_read() {
    for name in [
        "README.md",
        "README.zh-CN.md",
        "docs/en/configure.md",
        "docs/zh/configure.md",
        "docs/en/operate.md",
        "docs/zh/operate.md",
    ] {
        for example in page(name).split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            assert_eq!(complaints(example), [""; 0], "{name}:\n{example}");
        }
    }
}

#[test]
fn the_table_names_settings_that_exist_in_both_languages() {
    let named = |page_name: &str| -> BTreeSet<String> {
        let text = page(page_name);
        let cells = text.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let english = named("docs/en/configure.md");
    assert_eq!(english, named("docs/zh/configure.md"));
    assert!(english.len() > 15, "{english:?}");
    for setting in english {
        // A list fits no setting named there, or is what it takes; either way the name itself is not complained about.
        let unknown = complaints(&format!("{setting} = []\n"));
        assert!(!unknown.iter().any(|sentence| sentence.contains("unknown key")), "{setting}: {unknown:?}");
    }
}

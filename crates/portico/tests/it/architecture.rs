//! The walls of the house: what each crate imports, against the table in ARCHITECTURE.md. It reads dependencies as cargo
//! sees them, without development ones; which module calls which is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

struct Room {
    floor: u32,
    may_import: BTreeSet<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table under "The walls".
fn walls() -> BTreeMap<String, Room> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let section = text.split("\n## ").find(|section| section.starts_with("The walls")).expect("a section The walls");
    let mut rooms = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let imports = if cells[2] == "nothing of ours" { "" } else { cells[2] };
        let may_import =
            imports.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        rooms.insert(
            cells[0].trim_matches('`').to_owned(),
            Room { floor: cells[1].parse().expect("a floor is a number"), may_import },
        );
    }
    rooms
}

/// What each crate of the workspace imports of the others.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let metadata: Value = serde_json::from_slice(&told.stdout).expect("cargo metadata writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |one: &Value| one["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let of_package = |package: &Value| {
        let wanted = package["dependencies"].as_array().expect("dependencies").iter();
        wanted
            .filter(|one| one["kind"].as_str() != Some("dev"))
            .filter_map(|one| ours.get(&name(one)).cloned())
            .collect()
    };
    packages.iter().map(|package| (name(package), of_package(package))).collect()
}

#[test]
fn every_arrow_is_in_the_table() {
    let walls = walls();
    let mut forbidden = Vec::new();
    for (name, imported) in imports() {
        let Some(room) = walls.get(&name) else {
            forbidden.push(format!("{name} has no row in ARCHITECTURE.md"));
            continue;
        };
        forbidden.extend(imported.difference(&room.may_import).map(|other| format!("{name} -> {other}")));
    }
    assert!(forbidden.is_empty(), "forbidden: {}", forbidden.join(", "));
}

#[test]
fn the_tables_own_arrows_point_down() {
    let walls = walls();
    for (name, room) in &walls {
        for other in &room.may_import {
            let below = walls.get(other).unwrap_or_else(|| panic!("{name} may import {other}, which has no row"));
            assert!(below.floor < room.floor, "{name} (floor {}) -> {other} (floor {})", room.floor, below.floor);
        }
    }
}

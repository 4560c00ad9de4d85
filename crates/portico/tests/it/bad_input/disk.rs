//! A disk that fills while answers are being written: a new question is refused whole, a running answer goes on and is saved once
//! there is space. The disk is a tmpfs of 32 MiB, which only root may mount.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use models::testing::Scripted;
use serde_json::json;

use crate::portal::{House, Place, events_of, told};

/// A file system of its own, gone with this value.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|done| done.status.success()).then_some(Disk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the space there is.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut filler = std::fs::File::create(&path).expect("a file");
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![b'x'; size];
            while filler.write_all(&block).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_disk_that_fills_refuses_questions_and_saves_answers_later() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a tmpfs cannot be mounted here (this needs root)");
        return;
    };
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "").with_data(&disk.path().join("data"));
    let house = House::at(scripted, &place).await;
    let asked = house.owner.ask("mock;n=60;itl=100;pad=2000").await;
    let mut wire = house.owner.follow(&asked.turn, 0).await;
    let mut wired = String::new();
    let filler = disk.fill();
    while !wired.contains("\"unsaved\":true") {
        wired.push_str(&String::from_utf8(wire.piece().await.expect("it goes on")).expect("UTF-8"));
    }

    let before = house.owner.get("/api/conversations").await;
    let refused = house.owner.try_ask(json!({ "text": "is there room?" })).await.expect(507);
    assert_eq!(refused["code"], "storage_full");
    let sentence = refused["message"].as_str().expect("a sentence");
    assert!(
        sentence.starts_with("the disk is full, so your message could not be stored and was not sent"),
        "{sentence}"
    );
    assert_eq!(house.owner.get("/api/conversations").await["items"], before["items"], "nothing half stored");
    assert_eq!(house.owner.get("/api/search?q=room").await, json!({ "items": [] }));
    assert_eq!(house.scripted.stats().requests, 1, "the model was not asked");

    std::fs::remove_file(filler).expect("removed");
    while !wired.contains("\"unsaved\":false") {
        wired.push_str(&String::from_utf8(wire.piece().await.expect("it goes on")).expect("UTF-8"));
    }
    while let Some(piece) = wire.piece().await {
        wired.push_str(&String::from_utf8(piece).expect("UTF-8"));
    }
    let events = events_of(&wired);
    let end = events.last().expect("an end").json();
    assert_eq!((&end["type"], &end["finish"], &end["unsaved"]), (&json!("finished"), &json!("stop"), &json!(false)));
    let expected: String = (0..60).map(|n| format!("t{n} {}", "x".repeat(2_000))).collect();
    assert_eq!(told(&events), expected);
    assert_eq!(end["message"]["text"], expected, "saved whole");
    place.usage(1).await;
    house.owner.ask_and_wait("mock;n=1").await;
}

#[tokio::test]
async fn an_answer_that_ends_while_the_disk_is_full_is_saved_when_there_is_space() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a tmpfs cannot be mounted here (this needs root)");
        return;
    };
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "").with_data(&disk.path().join("data"));
    let house = House::at(scripted, &place).await;
    let asked = house.owner.ask("mock;n=10;itl=60;pad=20000").await;
    let filler = disk.fill();
    let events = house.owner.events(&asked.turn).await;
    let end = events.last().expect("an end").json();
    assert_eq!((&end["type"], &end["finish"], &end["unsaved"]), (&json!("finished"), &json!("stop"), &json!(true)));
    std::fs::remove_file(filler).expect("removed");
    let expected: String = (0..10).map(|n| format!("t{n} {}", "x".repeat(20_000))).collect();
    assert_eq!(told(&events), expected);
    place.usage(1).await;
    tokio::time::timeout(Duration::from_secs(5), async {
        while house.owner.message(&asked.conversation, &asked.answer).await["text"] != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("saved whole");
}

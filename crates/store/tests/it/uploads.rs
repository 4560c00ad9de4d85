//! Files that people upload: in pieces, resumed, once on the disk however often they were sent, their person's alone, deleted with
//! a way back.

use std::io::Read as _;

use domain::{Caller, Passage, Role, Timestamp};
use store::{Error, UploadRow, Uploads};

use crate::harness::{House, on_both};

const QUOTA: u64 = 1_000_000;
const MONTH: i64 = 30 * 86_400_000;

fn open(house: &House) -> Uploads {
    Uploads::open(house.store.clone(), house.folder.path().join("uploads")).unwrap()
}

async fn send(uploads: &Uploads, caller: &Caller, name: &str, content: &[u8]) -> UploadRow {
    let row = uploads.begin(caller, name, content.len() as u64, QUOTA).await.unwrap().unwrap();
    let mut piece = uploads.go_on(&row).await.unwrap();
    piece.write(content).await.unwrap();
    assert_eq!(piece.end().await.unwrap(), content.len() as u64);
    let checked = uploads.check(&row).await.unwrap();
    uploads.keep(caller, row, checked).await.unwrap()
}

async fn read(uploads: &Uploads, row: &UploadRow) -> Vec<u8> {
    let mut bytes = Vec::new();
    uploads.content(row).await.unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// How many files lie in the folder, those of `parts` and of what was read among them.
fn lying(house: &House) -> usize {
    let folders = std::fs::read_dir(house.folder.path().join("uploads")).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn an_upload_goes_on_where_it_broke_off() {
    on_both(|house| async move {
        let uploads = open(&house);
        let anna = house.person("anna", Role::Member).await;
        let row = uploads.begin(&anna, "合同.pdf", 12, QUOTA).await.unwrap().unwrap();
        assert_eq!(uploads.received(&row).await.unwrap(), 0);
        let mut piece = uploads.go_on(&row).await.unwrap();
        piece.write(b"%PDF-").await.unwrap();
        let busy = uploads.go_on(&row).await;
        assert!(matches!(busy, Err(Error::Conflict { .. })), "one writer at a time: {busy:?}");
        piece.end().await.unwrap();

        // Another process, after a restart.
        let uploads = open(&house);
        assert_eq!(uploads.received(&row).await.unwrap(), 5);
        assert!(uploads.list(&anna).await.unwrap().is_empty(), "nobody sees half a file");
        let mut piece = uploads.go_on(&row).await.unwrap();
        assert_eq!(piece.have(), 5);
        let more = piece.write(b"more than the seven that are left").await;
        assert!(matches!(more, Err(Error::Conflict { .. })), "{more:?}");
        piece.write(b"1.7 abc").await.unwrap();
        piece.end().await.unwrap();
        let checked = uploads.check(&row).await.unwrap();
        assert_eq!((checked.bytes, checked.media_type.as_str()), (12, "application/pdf"));
        let kept = uploads.keep(&anna, row, checked).await.unwrap();
        assert_eq!(uploads.find(&anna, kept.id).await.unwrap().as_ref(), Some(&kept));
        assert_eq!(uploads.list(&anna).await.unwrap(), std::slice::from_ref(&kept));
        assert_eq!(read(&uploads, &kept).await, b"%PDF-1.7 abc");
        assert_eq!(kept.attachable().map(|file| file.name), Some("合同.pdf".to_owned()));
    });
}

#[test]
fn files_are_their_persons_and_hold_no_more_than_the_quota() {
    on_both(|house| async move {
        let uploads = open(&house);
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Owner).await;
        let row = send(&uploads, &anna, "a.txt", b"only anna's").await;
        assert!(uploads.find(&ben, row.id).await.unwrap().is_none());
        assert!(uploads.list(&ben).await.unwrap().is_empty());
        assert_eq!(uploads.bytes(&ben).await.unwrap(), 0);
        for refused in [uploads.delete(&ben, row.id).await, uploads.restore(&ben, row.id).await.map(drop)] {
            assert!(matches!(refused, Err(Error::NotFound { what: "file" })), "{refused:?}");
        }
        assert_eq!(uploads.bytes(&anna).await.unwrap(), 11);
        assert!(uploads.begin(&anna, "b", QUOTA - 10, QUOTA).await.unwrap().is_none(), "one byte too many");
        let fits = uploads.begin(&anna, "b", QUOTA - 11, QUOTA).await.unwrap().expect("room");
        assert!(uploads.begin(&anna, "c", 1, QUOTA).await.unwrap().is_none(), "what is on its way counts whole");
        uploads.delete(&anna, fits.id).await.unwrap();
        assert!(uploads.begin(&anna, "c", 1, QUOTA).await.unwrap().is_some());
    });
}

#[test]
fn the_same_bytes_lie_once_until_the_last_row_of_them_is_purged() {
    on_both(|house| async move {
        let uploads = open(&house);
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Member).await;
        let hers = send(&uploads, &anna, "a.txt", b"the same").await;
        let his = send(&uploads, &ben, "b.txt", b"the same").await;
        assert_eq!(hers.digest, his.digest);
        let pages = vec![Passage { page: None, text: "the same".into() }];
        assert_eq!(uploads.reading(&hers).await.unwrap(), None);
        uploads.keep_reading(&hers, pages.clone()).await.unwrap();
        assert_eq!(uploads.reading(&his).await.unwrap(), Some(pages));
        assert_eq!(lying(&house), 2, "one file, and what was read in it");

        uploads.delete(&anna, hers.id).await.unwrap();
        assert!(uploads.find(&anna, hers.id).await.unwrap().is_none());
        let again = uploads.delete(&anna, hers.id).await;
        assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
        assert_eq!(uploads.restore(&anna, hers.id).await.unwrap(), hers);
        uploads.delete(&anna, hers.id).await.unwrap();
        assert_eq!(uploads.purge(Timestamp(house.now().0)).await.unwrap(), 0, "not yet");
        assert_eq!(uploads.purge(Timestamp(house.now().0 + 1)).await.unwrap(), 1);
        assert!(uploads.restore(&anna, hers.id).await.is_err());
        assert_eq!(read(&uploads, &his).await, b"the same");

        uploads.delete(&ben, his.id).await.unwrap();
        assert_eq!(uploads.purge(Timestamp(house.now().0 + 1)).await.unwrap(), 1);
        assert_eq!(lying(&house), 0);
    });
}

#[test]
fn an_upload_that_was_given_up_is_gone_after_a_day() {
    on_both(|house| async move {
        let uploads = open(&house);
        let anna = house.person("anna", Role::Member).await;
        let row = uploads.begin(&anna, "a", 9, QUOTA).await.unwrap().unwrap();
        let mut piece = uploads.go_on(&row).await.unwrap();
        piece.write(b"half").await.unwrap();
        piece.end().await.unwrap();
        assert_eq!(uploads.purge(Timestamp(house.now().0 - MONTH)).await.unwrap(), 0);
        house.clock.advance(std::time::Duration::from_millis(86_400_001));
        assert_eq!(uploads.purge(Timestamp(house.now().0 - MONTH)).await.unwrap(), 1);
        assert_eq!((uploads.find(&anna, row.id).await.unwrap(), lying(&house)), (None, 0));
    });
}

#[test]
fn a_question_keeps_its_files_and_another_who_imports_it_cannot_open_them() {
    on_both(|house| async move {
        let uploads = open(&house);
        let anna = house.person("anna", Role::Member).await;
        let file = send(&uploads, &anna, "合同.txt", "甲方".as_bytes()).await.attachable().unwrap();
        let mut asked = house.ask(&anna, "what?");
        let question = asked.question.as_mut().unwrap();
        question.files = vec![file.clone()];
        let question = question.id;
        house.turn(&asked, "a contract").await;
        let kept = house.store.message(&anna, question).await.unwrap().unwrap();
        assert_eq!(kept.files, [file]);
        assert!(house.store.message(&anna, asked.answer.id).await.unwrap().unwrap().files.is_empty());
        let exported = house.store.export(&anna, asked.conversation).await.unwrap().unwrap();
        let ben = house.person("ben", Role::Member).await;
        let taken = house.store.import(&ben, exported).await.unwrap();
        let messages = house.store.messages(&ben, taken.id).await.unwrap();
        assert_eq!(messages[0].files, kept.files, "named, and not his to open");
        assert!(uploads.find(&ben, kept.files[0].id).await.unwrap().is_none());
    });
}

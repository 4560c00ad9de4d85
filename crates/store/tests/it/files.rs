//! Files that programs upload: in pieces, their person's alone, until they expire or are deleted.

use domain::{Caller, FileId, Role, Timestamp};
use store::{Error, FileRow, Listing, NewFile};

use crate::harness::{House, on_both};

const HOUR: i64 = 3_600_000;

async fn upload(house: &House, caller: &Caller, name: &str, expires_at: Option<i64>, content: &[u8]) -> FileRow {
    let new = NewFile { name: name.into(), purpose: "batch".into(), expires_at: expires_at.map(Timestamp) };
    house.store.create_file(caller, new, content).await.unwrap()
}

fn all() -> Listing {
    Listing { purpose: None, after: None, limit: 10, newest_first: true }
}

async fn read(house: &House, caller: &Caller, id: FileId) -> Vec<u8> {
    let mut content = Vec::new();
    for seq in 0.. {
        let Some(piece) = house.store.file_piece(caller, id, seq).await.unwrap() else { break };
        content.extend(piece);
    }
    content
}

#[test]
fn a_file_is_its_persons_and_goes_whole() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Owner).await;
        let content: Vec<u8> = (0..700_000).map(|n: u32| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
        let made = upload(&house, &anna, "a\0b", None, &content).await;
        assert_eq!((made.name.as_str(), made.bytes, made.created_at), ("a\u{fffd}b", 700_000, house.now()));
        assert_eq!(store.file(&anna, made.id).await.unwrap(), Some(made.clone()));
        assert!(read(&house, &anna, made.id).await == content);
        assert_eq!(store.bytes_of_files(&anna).await.unwrap(), 700_000);

        assert_eq!(store.file(&ben, made.id).await.unwrap(), None);
        assert_eq!(store.files(&ben, all()).await.unwrap(), (vec![], false));
        assert_eq!(store.file_piece(&ben, made.id, 0).await.unwrap(), None);
        assert_eq!(store.bytes_of_files(&ben).await.unwrap(), 0);
        let theirs = store.delete_file(&ben, made.id).await;
        assert!(matches!(theirs, Err(Error::NotFound { what: "file" })), "{theirs:?}");

        store.delete_file(&anna, made.id).await.unwrap();
        assert_eq!(store.file(&anna, made.id).await.unwrap(), None);
        assert!(house.sql("SELECT file FROM file_pieces").await.is_empty());
    });
}

#[test]
fn a_page_goes_on_where_the_last_one_ended() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        for name in ["a", "b", "c"] {
            upload(&house, &anna, name, None, b"x").await;
        }
        let page = async |listing: Listing| {
            let (rows, more) = house.store.files(&anna, listing).await.unwrap();
            (rows.iter().map(|row| row.name.as_str()).collect::<String>(), rows.last().map(|row| row.id), more)
        };
        let (names, last, more) = page(Listing { limit: 2, ..all() }).await;
        assert_eq!((names.as_str(), more), ("cb", true));
        assert_eq!(page(Listing { limit: 2, after: last, ..all() }).await.0, "a");
        assert_eq!(page(Listing { newest_first: false, ..all() }).await.0, "abc");
        assert_eq!(page(Listing { newest_first: false, after: last, ..all() }).await.0, "c");
        assert_eq!(page(Listing { purpose: Some("vision".into()), ..all() }).await.0, "");
    });
}

#[test]
fn what_expired_or_was_never_complete_is_not_there_and_is_cleared_away() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let now = house.now().0;
        let brief = upload(&house, &anna, "brief", Some(now + HOUR), b"x").await;
        let torn = upload(&house, &anna, "torn", None, b"y").await;
        house.sql(&format!("UPDATE files SET complete = 0 WHERE id = '{}'", torn.id)).await;
        assert_eq!(house.store.file(&anna, torn.id).await.unwrap(), None);
        assert!(house.store.file(&anna, brief.id).await.unwrap().is_some());
        house.clock.jump(HOUR);
        assert_eq!(house.store.file(&anna, brief.id).await.unwrap(), None);
        assert_eq!(house.store.files(&anna, all()).await.unwrap(), (vec![], false));
        house.clock.jump(24 * HOUR);
        let kept = upload(&house, &anna, "kept", None, b"z").await;
        let rows = house.sql("SELECT f.name FROM files f JOIN file_pieces p ON p.file = f.id").await;
        let pieces = house.sql("SELECT file FROM file_pieces").await;
        assert_eq!((rows.len(), pieces.len()), (1, 1));
        assert_eq!(read(&house, &anna, kept.id).await, b"z");
    });
}

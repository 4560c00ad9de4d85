//! The data folder and the port: what happens when somebody else has them.

use std::os::unix::fs::PermissionsExt;

use portico::data::{self, DataFolder};
use portico::port;

#[test]
fn the_folder_is_made_for_this_user_alone_and_for_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("new/data");
    let folder = DataFolder::open(&path).expect("opens");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
    assert_eq!(data::holder(&path), Some(std::process::id().to_string()));

    let refused = DataFolder::open(&path).expect_err("taken").to_string();
    let expected = format!(
        "the data folder {} is already open by process {}; stop that one first, or choose another folder with --data",
        path.display(),
        std::process::id()
    );
    assert_eq!(refused, expected);

    drop(folder);
    assert_eq!(data::holder(&path), None);
    DataFolder::open(&path).expect("free again");
}

#[test]
fn the_secret_key_is_made_once_and_read_by_its_owner_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = DataFolder::open(dir.path()).expect("opens");
    let first = folder.secret_key(None).expect("made");
    let file = dir.path().join("secret.key");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.secret_key(None).expect("read").0, first.0);
    assert_eq!(format!("{first:?}"), "SecretKey(••••)");

    let given = folder.secret_key(Some(&"0f".repeat(32))).expect("from the environment");
    assert_eq!(given.0, [0x0f; 32]);
    let wrong = folder.secret_key(Some("short")).expect_err("too short").to_string();
    assert_eq!(
        wrong,
        "the environment variable PORTICO_SECRET_KEY does not hold a key: 64 hexadecimal digits are expected"
    );
    std::fs::write(&file, "x").expect("writes");
    assert!(folder.secret_key(None).expect_err("broken").to_string().contains("secret.key does not hold a key"));
}

#[test]
fn a_port_in_use_is_a_sentence_that_names_who_has_it() {
    let first = port::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let at = first.local_addr().expect("an address");
    let refused = port::listen(at).expect_err("taken").to_string();
    let (port, pid) = (at.port(), std::process::id());
    assert!(refused.starts_with(&format!("port {port} on 127.0.0.1 is in use by ")), "{refused}");
    assert!(refused.contains(&format!("(process {pid})")), "{refused}");
    assert!(refused.ends_with("or choose another port with --listen or `listen` in portico.toml"), "{refused}");

    let elsewhere = port::listen(([192, 0, 2, 1], 0).into()).expect_err("not ours").to_string();
    assert!(elsewhere.starts_with("192.0.2.1 is not an address of this machine"), "{elsewhere}");
}

#[test]
fn a_running_portal_leaves_its_address_for_the_command_line() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(data::announced(dir.path()), None);
    let mut folder = DataFolder::open(dir.path()).expect("opens");
    assert_eq!(data::announced(dir.path()), None);
    folder.announce("http://127.0.0.1:41234").expect("written");
    assert_eq!(data::announced(dir.path()).as_deref(), Some("http://127.0.0.1:41234"));
    assert_eq!(data::holder(dir.path()), Some(std::process::id().to_string()));
    drop(folder);
    assert_eq!(data::announced(dir.path()), None);
}

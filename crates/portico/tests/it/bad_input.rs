//! What people and machines get wrong, and the sentence each of them gets. Nothing is lost or half stored by any of it.

mod clock;
mod disk;
mod requests;

use models::testing::Scripted;

use crate::portal::Place;

#[tokio::test]
async fn a_wrong_file_is_named_with_its_line_and_nothing_is_opened() {
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "[limits]\nbody_bites = 5");
    let done = place.command(&["serve", "--listen", "127.0.0.1:0"]).output().await.expect("it runs");
    let told = String::from_utf8(done.stderr).expect("UTF-8");
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(1), &b""[..]), "{told}");
    assert!(told.contains("portico.toml:2:1: unknown key `limits.body_bites`"), "{told}");
    assert!(told.contains("did you mean `body_bytes`?"), "{told}");
    assert!(!place.data().exists(), "it looked at nothing else");

    place.write("listen = \"127.0.0.1:0\n");
    let done = place.command(&["serve"]).output().await.expect("it runs");
    let told = String::from_utf8(done.stderr).expect("UTF-8");
    assert!(
        done.status.code() == Some(1) && told.contains("portico.toml:1:") && told.contains("this is not TOML"),
        "{told}"
    );
}

#[tokio::test]
async fn a_data_folder_that_is_open_already_is_a_sentence() {
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "");
    let _portal = place.start().await;
    let done = place.command(&["serve", "--listen", "127.0.0.1:0"]).output().await.expect("it runs");
    let told = String::from_utf8(done.stderr).expect("UTF-8");
    assert_eq!(done.status.code(), Some(1));
    assert!(told.contains("is already open by process"), "{told}");
}

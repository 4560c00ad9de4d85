//! Which database this binary opens, and which it leaves alone.

use domain::Role;
use store::Error;

use crate::harness::{on_both, open};

#[test]
fn a_newer_schema_is_refused_with_both_numbers() {
    on_both(|house| async move {
        house.person("anna", Role::Owner).await;
        house.store.close().await;
        house.sql("INSERT INTO schema_version (version, at) VALUES (99, 0)").await;
        let refused = open(&house.place, &house.clock, &house.ids).await.err().unwrap();
        let sentence = refused.to_string();
        let Error::NewerSchema { found: 99, known } = refused else { panic!("{sentence}") };
        assert!(sentence.contains("schema 99") && sentence.contains(&format!("up to {known}")), "{sentence}");
    });
}

#[test]
fn opening_twice_changes_nothing() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Owner).await;
        house.store.close().await;
        house.reopen().await;
        house.store.ping().await.unwrap();
        assert_eq!(house.store.tenants().await.unwrap().len(), 1);
        assert_eq!(house.store.person(anna.tenant, anna.person).await.unwrap().unwrap().name, "anna");
    });
}

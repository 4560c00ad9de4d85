//! The chain of the audit log finds a line that was changed, dropped or slipped in.

use domain::{Act, Role};
use serde_json::Value;
use store::Record;

use crate::harness::on_both;

#[test]
fn a_changed_or_missing_line_is_named() {
    on_both(|mut house| async move {
        let anna = house.person("anna", Role::Admin).await;
        let act = |verb, subject: &str| {
            let detail = Value::Null;
            Record::Act(Act { at: house.now(), caller: Some(anna), verb, subject: subject.into(), detail })
        };
        for number in 1..=5 {
            house.stored(act("provider.added", &format!("provider {number}"))).await;
        }
        house.store.close().await;
        house.clock.jump(1);
        house.reopen().await;
        let act = |verb, subject: &str| {
            let detail = Value::Null;
            Record::Act(Act { at: house.now(), caller: None, verb, subject: subject.into(), detail })
        };
        for number in 6..=8 {
            house.stored(act("provider.removed", &format!("provider {number}"))).await;
        }
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Ok(8));
        let heads = house.store.audit_chains().await.unwrap();
        assert_eq!((heads.len(), heads[0].seq), (1, 8));

        house.sql("UPDATE audit SET subject = 'provider 9' WHERE seq = 3").await;
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Err(3));
        house.sql("UPDATE audit SET subject = 'provider 3' WHERE seq = 3").await;
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Ok(8));
        house.sql("UPDATE audit SET person = NULL WHERE seq = 4").await;
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Err(4));
        house.sql("DELETE FROM audit WHERE seq = 2").await;
        assert_eq!(house.store.verify_audit("node-1").await.unwrap(), Err(2));
    });
}

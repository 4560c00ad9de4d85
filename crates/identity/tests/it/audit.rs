//! What the audit log says about the door, and what it must never say.

use crate::harness::{PASSWORD, caller, home, on_both};
use domain::{KeyScope, Role};
use identity::PersonChange;
use store::KeyChange;

#[test]
fn every_act_at_the_door_is_written_and_no_secret_is() {
    on_both(async |house| {
        let owner = house.owner().await;
        let link = house.door.invite(&owner, Role::Member, "", 7).await.expect("invited");
        let token = link.token.as_str().to_owned();
        let came = house.door.join(&token, crate::harness::account("member"), &home()).await.expect("joined");
        let member = caller(&came);
        let key = house.door.new_key(&member, "laptop", KeyScope::default(), None).await.expect("made");
        let renamed = KeyChange { name: Some("desk".into()), ..KeyChange::default() };
        house.door.change_key(&member, key.key.id, renamed).await.expect("changed");
        house.door.revoke_key(&member, key.key.id).await.expect("revoked");
        let _ = house.door.sign_in("member", "my-wrong-password", &home()).await;
        let _ = house.door.sign_in("my-password-as-a-name", "x", &home()).await;
        house.door.change_password(&member, PASSWORD, "a quite different sentence", &home()).await.expect("changed");
        let change = PersonChange { role: Some(Role::Admin), ..PersonChange::default() };
        house.door.change_person(&owner, member.person, change).await.expect("changed");
        let reset = house.door.reset_link(&owner, member.person).await.expect("made");
        house.door.reset(reset.token.as_str(), "yet another sentence").await.expect("reset");

        let lines = house.store.audit("node-1", 0, 100).await.expect("read");
        let verbs: Vec<&str> = lines.iter().map(|line| line.verb.as_str()).collect();
        assert_eq!(
            verbs,
            [
                "house.set_up",
                "session.opened",
                "invitation.created",
                "person.joined",
                "session.opened",
                "key.created",
                "key.changed",
                "key.revoked",
                "session.refused",
                "session.refused",
                "password.changed",
                "session.others_ended",
                "person.changed",
                "password.link_created",
                "password.reset",
            ]
        );
        let written = format!("{lines:?}");
        let secrets = [PASSWORD, "sentence", "my-wrong", "as-a-name", &token, key.token.as_str(), came.token.as_str()];
        for secret in secrets {
            assert!(!written.contains(secret), "{secret}");
        }
        assert_eq!(house.store.verify_audit("node-1").await.expect("verified"), Ok(15));
    });
}

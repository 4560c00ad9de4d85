//! Who may change whom.

use crate::harness::{anywhere, code, home, on_both};
use domain::{Caller, KeyScope, Role};
use identity::{PersonChange, ProfileChange};
use serde_json::json;

fn role(role: Role) -> PersonChange {
    PersonChange { role: Some(role), ..PersonChange::default() }
}

fn disabled(disabled: bool) -> PersonChange {
    PersonChange { disabled: Some(disabled), ..PersonChange::default() }
}

#[test]
fn roles_have_their_limits() {
    on_both(async |house| {
        let owner = house.owner().await;
        let admin = house.joined(&owner, "admin", Role::Admin).await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let change = async |by: &Caller, who: &Caller, what| code(house.door.change_person(by, who.person, what).await);

        assert_eq!(change(&member, &member, role(Role::Admin)).await, "forbidden");
        assert_eq!(change(&admin, &owner, disabled(true)).await, "forbidden");
        assert_eq!(change(&admin, &owner, role(Role::Member)).await, "forbidden");
        assert_eq!(change(&admin, &admin, role(Role::Owner)).await, "forbidden");
        assert_eq!(change(&admin, &member, role(Role::Owner)).await, "forbidden");
        assert_eq!(change(&admin, &member, role(Role::Admin)).await, "ok");
        assert_eq!(change(&owner, &member, role(Role::Member)).await, "ok");
        let limited = PersonChange { daily_token_limit: Some(Some(1000)), ..PersonChange::default() };
        assert_eq!(change(&admin, &member, limited).await, "ok");

        assert_eq!(code(house.door.people(&member).await), "forbidden");
        assert_eq!(code(house.door.invite(&member, Role::Member, "", 7).await), "forbidden");
        assert_eq!(code(house.door.invite(&admin, Role::Owner, "", 7).await), "forbidden");
        assert_eq!(code(house.door.invitations(&member).await), "forbidden");
        assert_eq!(code(house.door.reset_link(&admin, owner.person).await), "forbidden");
        assert_eq!(code(house.door.reset_link(&member, member.person).await), "forbidden");
        assert_eq!(code(house.door.add(&admin, "new", Role::Owner).await), "forbidden");
        assert_eq!(code(house.door.everybodys_keys(&member).await), "forbidden");

        let people = house.door.people(&admin).await.expect("listed");
        let shown: Vec<(&str, Role, Option<u64>)> =
            people.iter().map(|person| (person.name.as_str(), person.role, person.daily_token_limit)).collect();
        assert_eq!(
            shown,
            [("owner", Role::Owner, None), ("admin", Role::Admin, None), ("member", Role::Member, Some(1000))]
        );
    });
}

#[test]
fn the_last_owner_stays_one() {
    on_both(async |house| {
        let owner = house.owner().await;
        for change in [role(Role::Admin), disabled(true)] {
            assert_eq!(code(house.door.change_person(&owner, owner.person, change).await), "conflict");
        }
        let second = house.joined(&owner, "second", Role::Owner).await;
        let (one, two) = tokio::join!(
            house.door.change_person(&owner, second.person, role(Role::Member)),
            house.door.change_person(&second, owner.person, role(Role::Member)),
        );
        assert!(one.is_ok() != two.is_ok(), "one of them");
        assert!(!house.door.setup_needed().await.expect("asked"));
    });
}

#[test]
fn who_is_disabled_is_out_at_once() {
    on_both(async |house| {
        let owner = house.owner().await;
        house.joined(&owner, "member", Role::Member).await;
        let came = house.sign_in("member").await;
        let member = crate::harness::caller(&came);
        let key = house.door.new_key(&member, "laptop", KeyScope::default(), None).await.expect("made");
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_some());
        assert!(house.door.caller_by_key(key.token.as_str(), anywhere).is_ok());

        house.door.change_person(&owner, member.person, disabled(true)).await.expect("disabled");
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_none());
        assert!(house.door.caller_by_key(key.token.as_str(), anywhere).is_err());
        let typed = crate::harness::PASSWORD;
        assert_eq!(code(house.door.sign_in("member", typed, &home()).await), "wrong_credentials");

        house.door.change_person(&owner, member.person, disabled(false)).await.expect("back");
        assert!(
            house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_none(),
            "sessions stay ended"
        );
        assert!(house.door.caller_by_key(key.token.as_str(), anywhere).is_ok(), "keys work again");
    });
}

#[test]
fn a_new_role_counts_for_what_is_open() {
    on_both(async |house| {
        let owner = house.owner().await;
        house.joined(&owner, "member", Role::Member).await;
        let came = house.sign_in("member").await;
        let key = house
            .door
            .new_key(&crate::harness::caller(&came), "laptop", KeyScope::default(), None)
            .await
            .expect("made");
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_some());
        house.door.change_person(&owner, came.person.id, role(Role::Admin)).await.expect("promoted");
        let session = house.door.caller_by_session(came.token.as_str()).await.expect("looked").expect("open");
        let by_key = house.door.caller_by_key(key.token.as_str(), anywhere).expect("open").caller;
        assert_eq!((session.role, by_key.role), (Role::Admin, Role::Admin));
    });
}

#[test]
fn one_changes_what_one_says_about_oneself() {
    on_both(async |house| {
        let owner = house.owner().await;
        let settings = |value: serde_json::Value| value.as_object().cloned();
        let change = ProfileChange {
            display_name: Some(" 王小明 ".into()),
            language: Some(Some("zh-CN".into())),
            settings: settings(json!({ "theme": "dark", "typing_animation": false })),
        };
        house.door.change_me(&owner, change).await.expect("changed");
        let change = ProfileChange {
            settings: settings(json!({ "theme": null, "system_prompt": "简短" })),
            ..ProfileChange::default()
        };
        let me = house.door.change_me(&owner, change).await.expect("changed");
        assert_eq!((me.display_name.as_str(), me.language.as_deref()), ("王小明", Some("zh-CN")));
        assert_eq!(me.settings, json!({ "typing_animation": false, "system_prompt": "简短" }));

        for wrong in [
            ProfileChange { language: Some(Some("tlh".into())), ..ProfileChange::default() },
            ProfileChange { display_name: Some("x".repeat(101)), ..ProfileChange::default() },
            ProfileChange { settings: settings(json!({ "x": "y".repeat(70_000) })), ..ProfileChange::default() },
        ] {
            assert_eq!(code(house.door.change_me(&owner, wrong).await), "invalid_request");
        }
    });
}

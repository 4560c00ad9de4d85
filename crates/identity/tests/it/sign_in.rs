//! Names and passwords at the door.

use std::time::Duration;

use crate::harness::{PASSWORD, account, caller, code, home, on_both, visitor};
use domain::{Role, Via};
use identity::{Error, PersonChange};

#[test]
fn the_right_password_opens_a_session() {
    on_both(async |house| {
        house.owner().await;
        // However the name is typed.
        let came = house.door.sign_in(" Ｏwner ", PASSWORD, &home()).await.expect("signed in");
        assert_eq!(came.person.name, "owner");
        let found = house.door.caller_by_session(came.token.as_str()).await.expect("found").expect("somebody");
        assert_eq!(found, caller(&came));
        assert_eq!((found.role, found.via), (Role::Owner, Via::Session(came.session)));
        assert_eq!(house.door.caller_by_session("nobody's token").await.expect("looked"), None);
    });
}

#[test]
fn every_refusal_sounds_the_same() {
    on_both(async |house| {
        let owner = house.owner().await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let change = PersonChange { disabled: Some(true), ..PersonChange::default() };
        house.door.change_person(&owner, member.person, change).await.expect("disabled");
        house.door.add(&owner, "invited", Role::Member).await.expect("added");
        for (name, typed) in [
            ("owner", "wrong password"),
            ("nobody", PASSWORD),
            ("not a name at all", PASSWORD),
            ("member", PASSWORD),
            ("invited", ""),
        ] {
            let error = house.door.sign_in(name, typed, &home()).await.err().expect(name);
            assert_eq!(error.to_string(), "the name or the password is wrong", "{name}");
        }
    });
}

#[test]
fn guessing_gets_slow_and_the_owner_still_gets_in() {
    on_both(async |house| {
        house.owner().await;
        house.sign_in("owner").await;
        let mut waits = 0;
        for n in 0..40 {
            let stranger = visitor(&format!("198.51.100.{n}"));
            match house.door.sign_in("owner", "a guess, and another", &stranger).await.err().expect("refused") {
                Error::WrongCredentials => {}
                Error::Throttled { retry_after } => {
                    assert!(retry_after <= Duration::from_secs(60));
                    waits += 1;
                }
                other => panic!("{other}"),
            }
        }
        assert_eq!(waits, 30, "ten guesses from anywhere, then the name waits");
        house.sign_in("owner").await;

        // From a new address the owner waits a minute at most.
        house.clock.advance(Duration::from_secs(61));
        house.door.sign_in("owner", PASSWORD, &visitor("203.0.113.9")).await.expect("signed in");
    });
}

#[test]
fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
    on_both(async |house| {
        house.owner().await;
        let (here, there) = (house.sign_in("owner").await, house.sign_in("owner").await);
        let me = caller(&here);
        let new = "a quite different sentence";
        assert_eq!(code(house.door.change_password(&me, "wrong", new, &home()).await), "wrong_credentials");
        assert_eq!(code(house.door.change_password(&me, PASSWORD, "short", &home()).await), "invalid_request");
        house.door.change_password(&me, PASSWORD, new, &home()).await.expect("changed");

        assert!(house.door.caller_by_session(here.token.as_str()).await.expect("looked").is_some());
        assert!(house.door.caller_by_session(there.token.as_str()).await.expect("looked").is_none());
        assert_eq!(code(house.door.sign_in("owner", PASSWORD, &home()).await), "wrong_credentials");
        house.door.sign_in("owner", new, &home()).await.expect("signed in");
    });
}

#[test]
fn a_storm_of_sign_ins_is_served_in_turn() {
    on_both(async |house| {
        house.owner().await;
        let storm = (0..200).map(|n| {
            let door = house.door.clone();
            async move {
                let from = visitor(&format!("198.51.{}.{}", n / 100, n % 100));
                code(door.sign_in(&format!("name{n}"), "a guess, and another", &from).await)
            }
        });
        let mut tasks = tokio::task::JoinSet::new();
        storm.for_each(|one| {
            tasks.spawn(one);
        });
        assert!(tasks.join_all().await.iter().all(|code| *code == "wrong_credentials"));
        assert_eq!(code(house.door.setup("x", account("y"), &home()).await), "link_spent");
    });
}

//! Links that work once: setup, invitations, new passwords.

use std::time::Duration;

use crate::harness::{PASSWORD, account, caller, code, home, on_both, open};
use domain::Role;
use identity::PersonChange;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn the_latest_setup_link_makes_the_one_owner() {
    on_both(async |house| {
        let earlier = house.door.setup_link().await.expect("made").expect("needed");
        let latest = house.door.setup_link().await.expect("made").expect("needed");
        assert_eq!(format!("{latest:?}").matches("••••").count(), 1);
        assert_eq!(code(house.door.setup(earlier.token.as_str(), account("eve"), &home()).await), "link_spent");

        let mut weak = account("owner");
        weak.password = "1234567890".to_owned();
        assert_eq!(code(house.door.setup(latest.token.as_str(), weak, &home()).await), "invalid_request");
        let came =
            house.door.setup(latest.token.as_str(), account("owner"), &home()).await.expect("the link is still good");
        assert_eq!(came.person.role, Role::Owner);

        assert!(!house.door.setup_needed().await.expect("asked"));
        assert!(house.door.setup_link().await.expect("asked").is_none());
        assert_eq!(code(house.door.setup(latest.token.as_str(), account("eve"), &home()).await), "link_spent");
    });
}

#[test]
fn two_portals_that_start_at_once_still_make_one_owner() {
    on_both(async |house| {
        let (store, elsewhere) = open(&house.place, &house.clock, "node-2").await;
        let link = house.door.setup_link().await.expect("made").expect("needed");
        let at_home = home();
        let (one, two) = tokio::join!(
            house.door.setup(link.token.as_str(), account("one"), &at_home),
            elsewhere.setup(link.token.as_str(), account("two"), &at_home),
        );
        assert!(one.is_ok() != two.is_ok(), "one of them");
        let owner = caller(&one.or(two).expect("one of them"));
        assert_eq!(house.door.people(&owner).await.expect("listed").len(), 1);
        store.close().await;
    });
}

#[test]
fn an_invitation_makes_one_person() {
    on_both(async |house| {
        let owner = house.owner().await;
        let link = house.door.invite(&owner, Role::Admin, "for the desk", 7).await.expect("invited");
        let invited = house.door.invited(link.token.as_str()).await.expect("good");
        assert_eq!((invited.role, invited.invited_by.as_str()), (Role::Admin, "owner"));

        // A taken name does not cost the link.
        assert_eq!(code(house.door.join(link.token.as_str(), account("Owner"), &home()).await), "name_taken");
        let mut all = tokio::task::JoinSet::new();
        for n in 0..10 {
            let (door, token) = (house.door.clone(), link.token.clone());
            all.spawn(async move { code(door.join(token.as_str(), account(&format!("guest{n}")), &home()).await) });
        }
        let mut codes = all.join_all().await;
        codes.sort_unstable();
        assert_eq!(codes, [vec!["link_spent"; 9], vec!["ok"]].concat());
        assert_eq!(code(house.door.invited(link.token.as_str()).await), "link_spent");

        let listed = house.door.invitations(&owner).await.expect("listed");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].created_by_name.as_deref(), Some("owner"));
        assert!(listed[0].used_by_name.as_deref().is_some_and(|name| name.starts_with("guest")));
    });
}

#[test]
fn an_invitation_ends_by_time_or_by_hand() {
    on_both(async |house| {
        let owner = house.owner().await;
        let (late, withdrawn) = (
            house.door.invite(&owner, Role::Member, "", 1).await.expect("invited"),
            house.door.invite(&owner, Role::Member, "", 30).await.expect("invited"),
        );
        house.door.withdraw(&owner, withdrawn.id).await.expect("withdrawn");
        house.clock.advance(DAY);
        for link in [late, withdrawn] {
            assert_eq!(code(house.door.join(link.token.as_str(), account("late"), &home()).await), "link_spent");
        }
        for days in [0, 31] {
            assert_eq!(code(house.door.invite(&owner, Role::Member, "", days).await), "invalid_request");
        }
    });
}

#[test]
fn a_reset_link_sets_a_password_once_and_ends_every_session() {
    on_both(async |house| {
        let owner = house.owner().await;
        house.joined(&owner, "member", Role::Member).await;
        let open = house.sign_in("member").await;
        let link = house.door.reset_link(&owner, open.person.id).await.expect("made");
        assert_eq!(code(house.door.reset(link.token.as_str(), "member").await), "invalid_request");
        house.door.reset(link.token.as_str(), "a quite different sentence").await.expect("reset");
        assert!(house.door.caller_by_session(open.token.as_str()).await.expect("looked").is_none());
        assert_eq!(code(house.door.sign_in("member", PASSWORD, &home()).await), "wrong_credentials");
        house.door.sign_in("member", "a quite different sentence", &home()).await.expect("signed in");
        assert_eq!(code(house.door.reset(link.token.as_str(), "and another sentence").await), "link_spent");

        let late = house.door.reset_link(&owner, open.person.id).await.expect("made");
        house.clock.advance(DAY);
        assert_eq!(code(house.door.reset(late.token.as_str(), "and another sentence").await), "link_spent");
    });
}

#[test]
fn an_admin_who_kept_a_reset_link_does_not_become_owner_by_it() {
    on_both(async |house| {
        let owner = house.owner().await;
        let admin = house.joined(&owner, "admin", Role::Admin).await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let kept = house.door.reset_link(&admin, member.person).await.expect("made");
        let promoted = PersonChange { role: Some(Role::Owner), ..PersonChange::default() };
        house.door.change_person(&owner, member.person, promoted).await.expect("promoted");
        assert_eq!(code(house.door.reset(kept.token.as_str(), "and another sentence").await), "link_spent");
    });
}

#[test]
fn a_person_added_at_the_machine_chooses_a_password_by_a_link() {
    on_both(async |house| {
        let here = identity::Identity::house();
        let added = house.door.add(&here, "王小明", Role::Owner).await.expect("added");
        let link = house.door.reset_link(&here, added.id).await.expect("made");
        house.door.reset(link.token.as_str(), PASSWORD).await.expect("reset");
        assert_eq!(house.sign_in("王小明").await.person.role, Role::Owner);
        assert!(!house.door.setup_needed().await.expect("asked"));
    });
}

//! API keys: shown once, known by their digest, gone at once.

use std::time::Duration;

use crate::harness::{anywhere, code, home, on_both, open};
use domain::{Clock, KeyBudget, KeyScope, Role, Via};
use store::KeyChange;
use tokio_util::sync::CancellationToken;

#[test]
fn a_key_lets_its_person_in_until_it_is_revoked() {
    on_both(async |house| {
        let owner = house.owner().await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let new = house.door.new_key(&member, " laptop ", KeyScope::default(), None).await.expect("made");
        assert!(identity::well_formed(new.token.as_str()));
        assert_eq!(new.key.name, "laptop");
        assert!(new.token.as_str().starts_with(&new.key.prefix) && new.key.prefix.len() == 9);

        let found = house.door.caller_by_key(new.token.as_str(), anywhere).expect("somebody").caller;
        assert_eq!((found.person, found.role, found.via), (member.person, Role::Member, Via::Key(new.key.id)));
        for wrong in ["", "pk-", "sk-something", &new.token.as_str()[1..], &format!("{}x", new.token.as_str())] {
            assert_eq!(code(house.door.caller_by_key(wrong, anywhere)), "invalid_api_key", "{wrong:?}");
        }

        let other = house.joined(&owner, "other", Role::Member).await;
        assert_eq!(code(house.door.revoke_key(&other, new.key.id).await), "not_found", "another person's");
        assert_eq!(code(house.door.key(&other, new.key.id).await), "not_found", "another person's");
        house.door.revoke_key(&member, new.key.id).await.expect("revoked");
        assert_eq!(code(house.door.caller_by_key(new.token.as_str(), anywhere)), "invalid_api_key");
        assert_eq!(house.door.keys(&member).await.expect("listed"), []);
    });
}

#[test]
fn a_key_expires() {
    on_both(async |house| {
        let owner = house.owner().await;
        let end = house.clock.now().plus(Duration::from_secs(60));
        let new = house.door.new_key(&owner, "short", KeyScope::default(), Some(end)).await.expect("made");
        assert!(house.door.caller_by_key(new.token.as_str(), anywhere).is_ok());
        house.clock.advance(Duration::from_secs(60));
        assert_eq!(code(house.door.caller_by_key(new.token.as_str(), anywhere)), "key_expired");
        house.door.refresh().await.expect("refreshed");
        assert_eq!(code(house.door.caller_by_key(new.token.as_str(), anywhere)), "key_expired");
        let longer = KeyChange { expires_at: Some(None), ..KeyChange::default() };
        house.door.change_key(&owner, new.key.id, longer).await.expect("changed");
        assert!(house.door.caller_by_key(new.token.as_str(), anywhere).is_ok());
        assert_eq!(code(house.door.new_key(&owner, "past", KeyScope::default(), Some(end)).await), "invalid_request");
        assert_eq!(code(house.door.new_key(&owner, "  ", KeyScope::default(), None).await), "invalid_request");
    });
}

#[test]
fn use_is_noted_at_most_once_a_minute() {
    on_both(async |house| {
        let owner = house.owner().await;
        let new = house.door.new_key(&owner, "laptop", KeyScope::default(), None).await.expect("made");
        let used_at = async || {
            house.door.refresh().await.expect("refreshed");
            // The touch that was queued is on disk once a later record is.
            let _ = house.door.sign_in("nobody", "x", &home()).await;
            house.door.keys(&owner).await.expect("listed")[0].last_used_at
        };
        assert_eq!(used_at().await, None);
        let first = house.clock.now();
        house.door.caller_by_key(new.token.as_str(), anywhere).expect("somebody");
        assert_eq!(used_at().await, Some(first));
        house.clock.advance(Duration::from_secs(30));
        house.door.caller_by_key(new.token.as_str(), anywhere).expect("somebody");
        assert_eq!(used_at().await, Some(first), "half a minute later");
        house.clock.advance(Duration::from_secs(30));
        house.door.caller_by_key(new.token.as_str(), anywhere).expect("somebody");
        assert_eq!(used_at().await, Some(house.clock.now()));
    });
}

#[test]
fn what_the_command_line_does_is_noticed_within_five_seconds() {
    on_both(async |house| {
        let owner = house.owner().await;
        let stop = CancellationToken::new();
        let follower = {
            let (door, stop) = (house.door.clone(), stop.clone());
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn(async move { door.follow(stop).await });
            tasks
        };
        let old = house.door.new_key(&owner, "old", KeyScope::default(), None).await.expect("made");
        let (store, cli) = open(&house.place, &house.clock, "cli").await;
        let new = cli.new_key(&owner, "made elsewhere", KeyScope::default(), None).await.expect("made");
        cli.revoke_key(&identity::Identity::house(), old.key.id).await.expect("revoked");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(house.door.caller_by_key(new.token.as_str(), anywhere).is_ok());
        assert!(house.door.caller_by_key(old.token.as_str(), anywhere).is_err());
        stop.cancel();
        follower.join_all().await;
        store.close().await;
    });
}

#[test]
fn a_key_is_bound_to_addresses_and_a_change_counts_at_once() {
    on_both(async |house| {
        let owner = house.owner().await;
        let scope = KeyScope { addresses: vec!["10.0.0.0/8".parse().expect("a range")], ..KeyScope::default() };
        let new = house.door.new_key(&owner, "inside", scope.clone(), None).await.expect("made");
        let from = |address: &str| {
            let address = address.parse().expect("an address");
            code(house.door.caller_by_key(new.token.as_str(), || address))
        };
        assert_eq!((from("10.1.2.3"), from("192.0.2.1")), ("ok", "address_not_allowed"));
        let change = KeyChange { scope: Some(KeyScope::default()), ..KeyChange::default() };
        house.door.change_key(&owner, new.key.id, change).await.expect("changed");
        assert_eq!(from("192.0.2.1"), "ok");
        assert_eq!(house.door.key(&owner, new.key.id).await.expect("read").scope, KeyScope::default());
    });
}

#[test]
fn administrators_see_and_change_everybodys_keys_and_members_their_own() {
    on_both(async |house| {
        let owner = house.owner().await;
        let admin = house.joined(&owner, "admin", Role::Admin).await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let other = house.joined(&owner, "other", Role::Member).await;
        let scope = KeyScope {
            models: vec!["main".into(), "ollama/*".into()],
            budget: KeyBudget { tokens_per_day: Some(1000), ..KeyBudget::default() },
            ..KeyScope::default()
        };
        let new = house.door.new_key(&member, "laptop", scope.clone(), None).await.expect("made");
        let held = house.door.caller_by_key(new.token.as_str(), anywhere).expect("somebody");
        assert_eq!(*held.scope, scope);
        assert_eq!(house.door.everybodys_keys(&admin).await.expect("listed"), vec![new.key.clone()]);
        assert_eq!(code(house.door.everybodys_keys(&member).await), "forbidden");

        let renamed = || KeyChange { name: Some(" desk ".into()), ..KeyChange::default() };
        assert_eq!(code(house.door.change_key(&other, new.key.id, renamed()).await), "not_found");
        assert_eq!(house.door.change_key(&member, new.key.id, renamed()).await.expect("changed").name, "desk");
        let nothing = KeyScope { budget: KeyBudget { tokens_total: Some(0), ..KeyBudget::default() }, ..scope };
        let change = KeyChange { scope: Some(nothing), ..KeyChange::default() };
        assert_eq!(code(house.door.change_key(&admin, new.key.id, change).await), "invalid_request");
        house.door.revoke_key(&admin, new.key.id).await.expect("revoked");
        assert!(house.door.caller_by_key(new.token.as_str(), anywhere).is_err());
        assert_eq!(code(house.door.change_key(&member, new.key.id, renamed()).await), "not_found");
    });
}

//! API keys: shown once, known by their digest, gone at once.

use std::time::Duration;

use crate::harness::{code, home, on_both, open};
use domain::{Clock, Role, Via};
use tokio_util::sync::CancellationToken;

#[test]
fn a_key_lets_its_person_in_until_it_is_revoked() {
    on_both(async |house| {
        let owner = house.owner().await;
        let member = house.joined(&owner, "member", Role::Member).await;
        let new = house.door.new_key(&member, " laptop ", None).await.expect("made");
        assert!(identity::well_formed(new.token.as_str()));
        assert_eq!(new.key.name, "laptop");
        assert!(new.token.as_str().starts_with(&new.key.prefix) && new.key.prefix.len() == 9);

        let found = house.door.caller_by_key(new.token.as_str()).expect("somebody");
        assert_eq!((found.person, found.role, found.via), (member.person, Role::Member, Via::Key(new.key.id)));
        for wrong in ["", "pk-", "sk-something", &new.token.as_str()[1..], &format!("{}x", new.token.as_str())] {
            assert_eq!(house.door.caller_by_key(wrong), None, "{wrong:?}");
        }

        assert_eq!(code(house.door.revoke_key(&owner, new.key.id).await), "not_found", "another person's");
        house.door.revoke_key(&member, new.key.id).await.expect("revoked");
        assert_eq!(house.door.caller_by_key(new.token.as_str()), None);
        assert_eq!(house.door.keys(&member).await.expect("listed"), []);
    });
}

#[test]
fn a_key_expires() {
    on_both(async |house| {
        let owner = house.owner().await;
        let end = house.clock.now().plus(Duration::from_secs(60));
        let new = house.door.new_key(&owner, "short", Some(end)).await.expect("made");
        assert!(house.door.caller_by_key(new.token.as_str()).is_some());
        house.clock.advance(Duration::from_secs(60));
        assert!(house.door.caller_by_key(new.token.as_str()).is_none());
        assert_eq!(code(house.door.new_key(&owner, "past", Some(end)).await), "invalid_request");
        assert_eq!(code(house.door.new_key(&owner, "  ", None).await), "invalid_request");
    });
}

#[test]
fn use_is_noted_at_most_once_a_minute() {
    on_both(async |house| {
        let owner = house.owner().await;
        let new = house.door.new_key(&owner, "laptop", None).await.expect("made");
        let used_at = async || {
            house.door.refresh().await.expect("refreshed");
            // The touch that was queued is on disk once a later record is.
            let _ = house.door.sign_in("nobody", "x", &home()).await;
            house.door.keys(&owner).await.expect("listed")[0].last_used_at
        };
        assert_eq!(used_at().await, None);
        let first = house.clock.now();
        house.door.caller_by_key(new.token.as_str()).expect("somebody");
        assert_eq!(used_at().await, Some(first));
        house.clock.advance(Duration::from_secs(30));
        house.door.caller_by_key(new.token.as_str()).expect("somebody");
        assert_eq!(used_at().await, Some(first), "half a minute later");
        house.clock.advance(Duration::from_secs(30));
        house.door.caller_by_key(new.token.as_str()).expect("somebody");
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
        let old = house.door.new_key(&owner, "old", None).await.expect("made");
        let (store, cli) = open(&house.place, &house.clock, "cli").await;
        let new = cli.new_key(&owner, "made elsewhere", None).await.expect("made");
        cli.revoke_anybodys_key(&identity::Identity::house(), old.key.id).await.expect("revoked");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(house.door.caller_by_key(new.token.as_str()).is_some());
        assert!(house.door.caller_by_key(old.token.as_str()).is_none());
        stop.cancel();
        follower.join_all().await;
        store.close().await;
    });
}

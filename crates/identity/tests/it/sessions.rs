//! Sessions: listed, ended, outlived.

use std::time::Duration;

use crate::harness::{caller, code, on_both, open};
use domain::Clock;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn one_sees_and_ends_ones_sessions() {
    on_both(async |house| {
        let owner = house.owner().await;
        let (first, second) = (house.sign_in("owner").await, house.sign_in("owner").await);
        let me = caller(&first);
        assert_eq!(house.door.sessions(&me).await.expect("listed").len(), 3);

        // Held in memory before, gone at once after.
        assert!(house.door.caller_by_session(second.token.as_str()).await.expect("looked").is_some());
        house.door.end_session(&me, second.session).await.expect("ended");
        assert!(house.door.caller_by_session(second.token.as_str()).await.expect("looked").is_none());
        assert_eq!(code(house.door.end_session(&me, second.session).await), "not_found");

        let other = house.joined(&owner, "other", domain::Role::Member).await;
        assert_eq!(code(house.door.end_session(&other, first.session).await), "not_found");

        house.door.end_other_sessions(&me).await.expect("ended");
        let left = house.door.sessions(&me).await.expect("listed");
        assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [first.session]);
        house.door.sign_out(&me).await.expect("signed out");
        assert!(house.door.caller_by_session(first.token.as_str()).await.expect("looked").is_none());
        assert_eq!(house.door.sessions(&other).await.expect("listed").len(), 1);
    });
}

#[test]
fn a_session_lasts_while_it_is_used_but_not_for_ever() {
    on_both(async |house| {
        house.owner().await;
        let (used, idle) = (house.sign_in("owner").await, house.sign_in("owner").await);
        let open = async |token: &str| {
            let found = house.door.caller_by_session(token).await.expect("looked").is_some();
            // The touch that was queued is on disk once a later record is.
            let _ = house.door.sign_in("nobody", "x", &crate::harness::home()).await;
            found
        };
        for day in 0..3 {
            house.clock.advance(DAY * 29);
            assert!(open(used.token.as_str()).await, "in use on day {}", (day + 1) * 29);
        }
        assert!(!open(idle.token.as_str()).await, "idle for 87 days");
        house.clock.advance(DAY * 4);
        assert!(!open(used.token.as_str()).await, "91 days old");
    });
}

#[test]
fn a_session_holds_while_the_clock_jumps_back_an_hour() {
    on_both(async |house| {
        house.owner().await;
        let came = house.sign_in("owner").await;
        house.clock.jump(-3_600_000);
        house.clock.advance(identity::REFRESH);
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_some());
        let listed = house.door.sessions(&caller(&came)).await.expect("listed");
        assert!(identity::ends_at(&listed[0]) > house.clock.now());
    });
}

#[test]
fn what_another_process_ends_is_noticed_soon() {
    on_both(async |house| {
        house.owner().await;
        let came = house.sign_in("owner").await;
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_some());
        let (store, elsewhere) = open(&house.place, &house.clock, "node-2").await;
        elsewhere.end_session(&caller(&came), came.session).await.expect("ended");
        house.clock.advance(identity::REFRESH);
        assert!(house.door.caller_by_session(came.token.as_str()).await.expect("looked").is_none());
        store.close().await;
    });
}

//! People, links that work once, keys, sessions, providers, settings.

use std::time::Duration;

use domain::{KeyBudget, KeyScope, Role, TenantId, Timestamp, Via};
use serde_json::json;
use store::{
    Error, KeyChange, LinkKind, NewKey, NewLink, NewPerson, NewProvider, NewSession, PersonChange, ProviderChange,
    Whose,
};

use crate::harness::{House, on_both};

fn person(name: &str) -> NewPerson {
    NewPerson {
        name: name.into(),
        display_name: name.to_uppercase(),
        role: Role::Member,
        password_hash: Some("$argon2id$…".into()),
        language: Some("zh-CN".into()),
    }
}

fn link(house: &House, kind: LinkKind, hash: &str) -> NewLink {
    NewLink {
        tenant: TenantId::FIRST,
        kind,
        token_hash: hash.into(),
        role: Some(Role::Admin),
        note: "for the new one".into(),
        person: None,
        created_by: None,
        expires_at: house.now().plus(Duration::from_secs(3600)),
    }
}

#[test]
fn a_link_makes_one_person_however_many_use_it_at_once() {
    on_both(|house| async move {
        let store = &house.store;
        assert!(!store.has_owner(TenantId::FIRST).await.unwrap());
        store.create_link(link(&house, LinkKind::Setup, "old")).await.unwrap();
        store.create_link(link(&house, LinkKind::Setup, "setup")).await.unwrap();
        assert!(store.link(LinkKind::Setup, "old").await.unwrap().is_none());
        let owner = store.join(LinkKind::Setup, "setup", person("anna")).await.unwrap().unwrap();
        assert_eq!((owner.role, owner.name.as_str()), (Role::Owner, "anna"));
        assert!(store.join(LinkKind::Setup, "setup", person("eve")).await.unwrap().is_none());
        assert!(store.has_owner(TenantId::FIRST).await.unwrap());

        store.create_link(link(&house, LinkKind::Invitation, "invitation")).await.unwrap();
        let taken = store.join(LinkKind::Invitation, "invitation", person("anna")).await;
        assert!(matches!(taken, Err(Error::Duplicate { what: "name" })), "{taken:?}");
        let mut joining = tokio::task::JoinSet::new();
        for number in 0..8 {
            let store = store.clone();
            joining.spawn(async move {
                store.join(LinkKind::Invitation, "invitation", person(&format!("p{number}"))).await
            });
        }
        let joined: Vec<_> = joining.join_all().await.into_iter().filter_map(|joined| joined.unwrap()).collect();
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].role, Role::Admin);
        assert_eq!(store.people(TenantId::FIRST).await.unwrap().len(), 2);
        let used = store.links(TenantId::FIRST, LinkKind::Invitation).await.unwrap().remove(0);
        assert_eq!(used.used_by, Some(joined[0].id));

        store.create_link(link(&house, LinkKind::Invitation, "late")).await.unwrap();
        house.clock.advance(Duration::from_secs(3601));
        assert!(store.join(LinkKind::Invitation, "late", person("late")).await.unwrap().is_none());
    });
}

#[test]
fn a_new_password_ends_the_sessions_and_the_last_owner_stays() {
    on_both(|house| async move {
        let store = &house.store;
        let anna =
            store.create_person(TenantId::FIRST, NewPerson { role: Role::Owner, ..person("anna") }).await.unwrap();
        let session = |hash: &str| NewSession {
            tenant: anna.tenant,
            person: anna.id,
            token_hash: hash.into(),
            expires_at: house.now().plus(Duration::from_secs(60)),
            user_agent: "Chromium".into(),
            address: "::1".into(),
        };
        let one = store.create_session(session("one")).await.unwrap();
        store.create_session(session("two")).await.unwrap();
        let (found, who) = store.session_by_token("one").await.unwrap().unwrap();
        assert_eq!((found, who.name.as_str()), (one.clone(), "anna"));
        let mut caller = house.caller(anna.id, anna.role);
        caller.via = Via::Session(one.id);
        assert_eq!(store.revoke_other_sessions(&caller).await.unwrap(), 1);
        assert!(store.session_by_token("two").await.unwrap().is_none());

        let reset = NewLink { person: Some(anna.id), role: None, ..link(&house, LinkKind::Reset, "reset") };
        store.create_link(reset).await.unwrap();
        let after = store.reset("reset", "new hash".into()).await.unwrap().unwrap();
        assert_eq!(after.password_hash.as_deref(), Some("new hash"));
        assert!(store.session_by_token("one").await.unwrap().is_none());
        assert!(store.reset("reset", "again".into()).await.unwrap().is_none());

        let change = PersonChange { role: Some(Role::Member), ..PersonChange::default() };
        let refused = store.change_person(anna.tenant, anna.id, change).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        let change = PersonChange {
            language: Some(None),
            settings: Some(json!({ "theme": "dark" })),
            daily_token_limit: Some(Some(1000)),
            ..PersonChange::default()
        };
        let changed = store.change_person(anna.tenant, anna.id, change).await.unwrap();
        assert_eq!(changed, store.person(anna.tenant, anna.id).await.unwrap().unwrap());
        assert_eq!((changed.language, changed.daily_token_limit), (None, Some(1000)));

        store.create_session(session("three")).await.unwrap();
        house.clock.advance(Duration::from_secs(61));
        assert!(store.session_by_token("three").await.unwrap().is_none());
        assert_eq!(store.sweep_sessions().await.unwrap(), 1);
    });
}

#[test]
fn keys_open_doors_until_they_are_revoked_expire_or_their_person_is_disabled() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Admin).await;
        let ben = house.person("ben", Role::Member).await;
        let new = |caller: &domain::Caller, hash: &str, expires_at| NewKey {
            person: caller.person,
            name: hash.into(),
            prefix: "pk-1".into(),
            hash: hash.into(),
            scope: Default::default(),
            expires_at,
        };
        let soon = Timestamp(house.now().0 + 1000);
        let kept = store.create_key(anna.tenant, new(&anna, "kept", None)).await.unwrap();
        let revoked = store.create_key(anna.tenant, new(&anna, "revoked", None)).await.unwrap();
        store.create_key(anna.tenant, new(&anna, "expiring", Some(soon))).await.unwrap();
        store.create_key(anna.tenant, new(&ben, "bens", None)).await.unwrap();
        let active = || async {
            let keys = store.all_active_keys().await.unwrap();
            keys.into_iter().map(|key| (key.hash, key.expires_at)).collect::<Vec<_>>()
        };
        let named = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), None)).collect::<Vec<_>>();
        let expiring = ("expiring".to_owned(), Some(soon));
        let all = [named(&["kept", "revoked"]), vec![expiring.clone()], named(&["bens"])].concat();
        assert_eq!(active().await, all);
        store.revoke_key(&anna, revoked.id).await.unwrap();
        let disabled = PersonChange { disabled: Some(true), ..PersonChange::default() };
        store.change_person(ben.tenant, ben.person, disabled).await.unwrap();
        house.clock.advance(Duration::from_secs(2));
        assert_eq!(active().await, [named(&["kept"]), vec![expiring.clone()]].concat(), "an expired one says when");
        assert_eq!(store.keys_of_tenant(anna.tenant).await.unwrap().len(), 3);
        store.revoke_key_of_tenant(anna.tenant, kept.id).await.unwrap();
        assert_eq!(active().await, [expiring]);
    });
}

#[test]
fn a_key_is_changed_by_its_person_or_for_everybody() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let ben = house.person("ben", Role::Admin).await;
        let new = NewKey {
            person: anna.person,
            name: "laptop".into(),
            prefix: "pk-1".into(),
            hash: "one".into(),
            scope: KeyScope { models: vec!["main".into()], ..KeyScope::default() },
            expires_at: None,
        };
        let made = store.create_key(anna.tenant, new).await.unwrap();
        assert_eq!(store.key(&anna, Whose::Own, made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(store.key(&ben, Whose::Own, made.id).await.unwrap(), None);
        assert_eq!(store.key(&ben, Whose::Anybodys, made.id).await.unwrap(), Some(made.clone()));

        let narrower = KeyScope {
            budget: KeyBudget { tokens_per_day: Some(1000), ..KeyBudget::default() },
            addresses: vec!["10.0.0.0/8".parse().unwrap()],
            ..made.scope.clone()
        };
        let change = KeyChange { scope: Some(narrower.clone()), ..KeyChange::default() };
        let others = store.change_key(&ben, Whose::Own, made.id, change.clone()).await;
        assert!(matches!(others, Err(Error::NotFound { .. })), "{others:?}");
        let mut stranger = ben;
        stranger.tenant = TenantId(house.ids.next());
        let elsewhere = store.change_key(&stranger, Whose::Anybodys, made.id, change.clone()).await;
        assert!(matches!(elsewhere, Err(Error::NotFound { .. })), "{elsewhere:?}");
        let changed = store.change_key(&anna, Whose::Own, made.id, change).await.unwrap();
        assert_eq!((&changed.scope, &changed.name), (&narrower, &made.name));
        assert_eq!(store.keys(&anna).await.unwrap(), vec![changed.clone()]);
        assert_eq!(store.all_active_keys().await.unwrap()[0].scope, narrower);
        let renamed = KeyChange { name: Some("server".into()), expires_at: Some(Some(Timestamp(9))), scope: None };
        let renamed = store.change_key(&ben, Whose::Anybodys, made.id, renamed).await.unwrap();
        assert_eq!(
            (renamed.name.as_str(), renamed.expires_at, renamed.scope),
            ("server", Some(Timestamp(9)), narrower)
        );
    });
}

#[test]
fn providers_and_settings_are_kept() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Admin).await;
        let new = NewProvider {
            name: "ollama".into(),
            title: "Ollama".into(),
            kind: "ollama".into(),
            base_url: "http://127.0.0.1:11434".into(),
            sealed_key: Some(vec![0, 255, 7]),
            models: json!([{ "name": "qwen3" }]),
            enabled: true,
        };
        let made = store.create_provider(&anna, new.clone()).await.unwrap();
        assert_eq!(store.providers(anna.tenant).await.unwrap(), vec![made.clone()]);
        let twice = store.create_provider(&anna, new).await;
        assert!(matches!(twice, Err(Error::Duplicate { what: "name" })), "{twice:?}");
        let change = ProviderChange { sealed_key: Some(None), enabled: Some(false), ..ProviderChange::default() };
        let changed = store.change_provider(&anna, made.id, change).await.unwrap();
        assert_eq!((changed.sealed_key, changed.enabled), (None, false));
        let mut stranger = anna;
        stranger.tenant = TenantId(house.ids.next());
        assert!(matches!(store.delete_provider(&stranger, made.id).await, Err(Error::NotFound { .. })));
        store.delete_provider(&anna, made.id).await.unwrap();

        store.put_setting(anna.tenant, "brand", &json!({ "name": "门廊" })).await.unwrap();
        store.put_setting(anna.tenant, "brand", &json!({ "name": "Portico" })).await.unwrap();
        assert_eq!(store.setting(anna.tenant, "brand").await.unwrap(), Some(json!({ "name": "Portico" })));
        assert_eq!(store.setting(stranger.tenant, "brand").await.unwrap(), None);

        assert_eq!(store.capabilities(anna.tenant, "ollama/llama3").await.unwrap(), None);
        store.put_capabilities(&anna, "ollama/llama3", &json!([1])).await.unwrap();
        house.clock.advance(Duration::from_secs(1));
        let at = store.put_capabilities(&anna, "ollama/llama3", &json!([2])).await.unwrap();
        assert_eq!(store.capabilities(anna.tenant, "ollama/llama3").await.unwrap(), Some((at, json!([2]))));
        assert_eq!(store.capabilities(stranger.tenant, "ollama/llama3").await.unwrap(), None);
    });
}

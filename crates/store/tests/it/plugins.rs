//! Plugins and their calls: rows, owners, ends.

use domain::{Role, TenantId};
use serde_json::json;
use store::{Error, NewPlugin, PluginCall, PluginChange};

use crate::harness::on_both;

#[test]
fn a_plugin_is_its_tenants_and_its_calls_are_kept_for_ninety_days() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Admin).await;
        let mut stranger = anna;
        stranger.tenant = TenantId(house.ids.next());
        let new = NewPlugin {
            name: "file-analyzer".into(),
            kind: "service".into(),
            manifest: json!({ "id": "file-analyzer", "name": "文件分析助手" }),
            settings: json!({}),
            grants: vec!["read:files".into()],
            sealed: Some(vec![1, 2, 255]),
            enabled: true,
        };
        let made = store.create_plugin(&anna, new.clone()).await.unwrap();
        assert_eq!(store.plugins(anna.tenant).await.unwrap(), std::slice::from_ref(&made));
        let again = store.create_plugin(&anna, new.clone()).await;
        assert!(matches!(again, Err(Error::Duplicate { what: "name" })), "{again:?}");
        assert!(store.plugins(stranger.tenant).await.unwrap().is_empty());
        let theirs = store.change_plugin(&stranger, "file-analyzer", PluginChange::default()).await;
        assert!(matches!(theirs, Err(Error::NotFound { what: "plugin" })), "{theirs:?}");
        assert!(store.delete_plugin(&stranger, "file-analyzer").await.is_err());

        house.clock.advance(std::time::Duration::from_secs(5));
        let change = PluginChange { grants: Some(Vec::new()), sealed: Some(None), ..PluginChange::default() };
        let changed = store.change_plugin(&anna, "file-analyzer", change).await.unwrap();
        let expected = store::PluginRow { grants: Vec::new(), sealed: None, updated_at: house.now(), ..made.clone() };
        assert_eq!(changed, expected);
        assert_eq!(store.plugins(anna.tenant).await.unwrap(), [expected]);

        let call = |tool: &str| PluginCall {
            person: anna.person,
            plugin: "file-analyzer".into(),
            tool: tool.into(),
            turn: None,
            at: house.now(),
            ms: 7,
            outcome: "done".into(),
            sent: "{\"key\":\"***\"}".into(),
            received: "甲方\0".into(),
        };
        store.note_plugin_call(&anna, call("one")).await.unwrap();
        house.clock.advance(std::time::Duration::from_secs(60));
        store.note_plugin_call(&anna, call("two")).await.unwrap();
        let kept = store.plugin_calls(anna.tenant, "file-analyzer", 10).await.unwrap();
        let told: Vec<_> = kept.iter().map(|call| (call.tool.as_str(), call.received.as_str())).collect();
        assert_eq!(told, [("two", "甲方\u{fffd}"), ("one", "甲方\u{fffd}")]);
        assert_eq!(store.plugin_calls(anna.tenant, "file-analyzer", 1).await.unwrap().len(), 1);
        assert!(store.plugin_calls(stranger.tenant, "file-analyzer", 10).await.unwrap().is_empty());

        let turn = domain::TurnId(house.ids.next());
        let mut bob = house.person("bob", Role::Member).await;
        store.note_plugin_call(&anna, PluginCall { turn: Some(turn), ..call("three") }).await.unwrap();
        store.note_plugin_call(&anna, PluginCall { turn: Some(turn), ..call("four") }).await.unwrap();
        let own = store.turn_calls(&anna, turn).await.unwrap();
        assert_eq!(own.iter().map(|call| call.tool.as_str()).collect::<Vec<_>>(), ["three", "four"]);
        assert!(store.turn_calls(&bob, turn).await.unwrap().is_empty(), "another person's turn is not shown");
        bob.tenant = stranger.tenant;
        assert!(store.turn_calls(&bob, turn).await.unwrap().is_empty());
        house.clock.advance(std::time::Duration::from_secs(90 * 86_400 + 1));
        store.note_plugin_call(&anna, call("three")).await.unwrap();
        assert_eq!(store.plugin_calls(anna.tenant, "file-analyzer", 10).await.unwrap().len(), 1);

        store.delete_plugin(&anna, "file-analyzer").await.unwrap();
        assert!(store.plugins(anna.tenant).await.unwrap().is_empty());
        assert_eq!(store.plugin_calls(anna.tenant, "file-analyzer", 10).await.unwrap().len(), 1, "what was done stays");
    });
}

//! Full text in Chinese and English, on titles and messages.

use domain::{Author, Role};
use store::{Change, Hit, TitledBy};

use crate::harness::{House, on_both};

async fn found(house: &House, caller: &domain::Caller, query: &str) -> Vec<String> {
    let hits = house.store.search(caller, query, 20).await.unwrap();
    hits.iter().map(shown).collect()
}

/// The snippet with what was looked for in brackets.
fn shown(hit: &Hit) -> String {
    hit.snippet.iter().map(|(text, marked)| if *marked { format!("[{text}]") } else { text.clone() }).collect()
}

#[test]
fn chinese_is_found_from_one_character_on() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        house.turn(&house.ask(&anna, "劳动合同纠纷怎么处理？"), "先协商，再仲裁；GPT模型只供参考。").await;
        house.turn(&house.ask(&anna, "今天天气不错"), "是的，适合散步。").await;

        assert_eq!(found(&house, &anna, "合同").await, vec!["劳动[合同]纠纷怎么处理？"]);
        assert_eq!(found(&house, &anna, "合同纠纷").await, vec!["劳动[合同纠纷]怎么处理？"]);
        assert_eq!(found(&house, &anna, "裁").await, vec!["先协商，再仲[裁]；GPT模型只供参考。"]);
        assert_eq!(found(&house, &anna, "劳").await, vec!["[劳]动合同纠纷怎么处理？"]);
        assert_eq!(found(&house, &anna, "步").await, vec!["是的，适合散[步]。"]);
        assert_eq!(found(&house, &anna, "同合").await, Vec::<String>::new());
        assert_eq!(found(&house, &anna, "合同 处理").await, vec!["劳动[合同]纠纷怎么[处理]？"]);
        assert_eq!(found(&house, &anna, "gpt模型").await, vec!["先协商，再仲裁；[GPT模型]只供参考。"]);
        assert_eq!(found(&house, &anna, "ＧＰＴ").await, vec!["先协商，再仲裁；[GPT]模型只供参考。"]);
        assert_eq!(found(&house, &anna, "天").await, vec!["今[天天]气不错"]);
        assert_eq!(found(&house, &anna, "，。").await, Vec::<String>::new());
    });
}

#[test]
fn words_are_found_by_their_beginnings_in_any_case() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "How do I cancel the CONTRACT's clause?");
        house.turn(&asked, "Read it's \"terms\" & conditions: a'b OR (c) NOT d* <-> e.").await;
        assert_eq!(found(&house, &anna, "contr").await, vec!["How do I cancel the [CONTR]ACT's clause?"]);
        assert_eq!(found(&house, &anna, "tract").await, Vec::<String>::new());
        assert_eq!(found(&house, &anna, "cancel contract").await.len(), 1);
        assert_eq!(found(&house, &anna, "cancel conditions").await, Vec::<String>::new());
        for hostile in ["\"", "'", "a'b", "NOT d*", "(c) OR", "owner : x", "e:*", "' | '", "\\", "🙂", ""] {
            house.store.search(&anna, hostile, 5).await.unwrap();
        }
        let hit = house.store.search(&anna, "terms", 5).await.unwrap().remove(0);
        assert_eq!((hit.author, hit.message), (Some(Author::Assistant), Some(asked.answer.id)));
    });
}

#[test]
fn titles_follow_their_changes_and_what_is_deleted_is_not_found() {
    on_both(|house| async move {
        let store = &house.store;
        let anna = house.person("anna", Role::Member).await;
        let asked = house.ask(&anna, "question");
        house.turn(&asked, "answer").await;
        let title = |text: &str, by| Change { title: Some((text.into(), by)), ..Change::default() };
        store.change(&anna, asked.conversation, title("周报模板", TitledBy::Auto)).await.unwrap();
        assert_eq!(found(&house, &anna, "周报").await, vec!["[周报]模板"]);
        store.change(&anna, asked.conversation, title("Weekly report", TitledBy::Person)).await.unwrap();
        assert_eq!(found(&house, &anna, "周报").await, Vec::<String>::new());
        assert_eq!(found(&house, &anna, "week").await, vec!["[Week]ly report"]);
        let kept = store.change(&anna, asked.conversation, title("Auto", TitledBy::Auto)).await.unwrap();
        assert_eq!(kept.title, "Weekly report");

        store.delete_message(&anna, asked.answer.id).await.unwrap();
        assert_eq!(found(&house, &anna, "answer").await, Vec::<String>::new());
        store.delete_conversation(&anna, asked.conversation).await.unwrap();
        assert_eq!(found(&house, &anna, "week").await, Vec::<String>::new());
        store.restore_conversation(&anna, asked.conversation).await.unwrap();
        assert_eq!(found(&house, &anna, "week").await.len(), 1);
    });
}

#[test]
fn a_very_long_message_is_found_at_its_end() {
    on_both(|house| async move {
        let anna = house.person("anna", Role::Member).await;
        let long = format!("{}终点", "很长的文字".repeat(8_000));
        house.turn(&house.ask(&anna, "long"), &long).await;
        let hits = house.store.search(&anna, "终点", 5).await.unwrap();
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].snippet.last().unwrap(), &("终点".to_owned(), true));
        assert_eq!(house.store.search(&anna, "长的", 5).await.unwrap().len(), 1);
    });
}

//! An MCP server that is killed in mid-call: the step says so, the model is told, the turn goes on, and nothing is left of the server.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Upstream, install, of_type};
use crate::portal::told;

/// A server in the shell with one tool, which kills the server.
const SCRIPT: &str = r#"
echo $$ >"$MARK"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
  case $line in
  *'"initialize"'*) say '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"shell","version":"1"}}' ;;
  *'"tools/list"'*) say '{"tools":[{"name":"die","inputSchema":{"type":"object"}}]}' ;;
  *'"name":"die"'*) sleep 300 & kill -9 $$ ;;
  esac
done
"#;

#[tokio::test]
async fn a_server_that_is_killed_in_mid_call_costs_a_step_and_not_the_turn() {
    let upstream = Upstream::start().await;
    let house = upstream.house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("pid");
    let server = json!({ "command": "/bin/sh", "args": ["-c", SCRIPT], "env": { "MARK": mark.display().to_string() } });
    let made = install(&house, json!({ "mcpServers": { "shell": server } })).await;
    assert_eq!(
        (&made[0]["kind"], &made[0]["grants"], &made[0]["tools"][0]["name"], &made[0]["mcp"]["server"]["name"]),
        (&json!("mcp"), &json!(["exec:code"]), &json!("shell__die"), &json!("shell"))
    );
    assert!(made[0]["choices"].get("listed").is_none());

    let asked = house.owner.ask_with(json!({ "text": "die", "model": "up/m" })).await;
    let heard = house.owner.events(&asked.turn).await;
    let said = told(&heard);
    assert!(said.starts_with("They said: ") && said.contains("it was killed (signal 9)"), "{said}");
    let events: Vec<Value> = heard.iter().map(|event| event.json()).collect();
    assert_eq!(of_type(&events, "tool_answered")[0]["step"]["error"], "tool_failed");
    let message = house.owner.message(&asked.conversation, &asked.answer).await;
    assert_eq!(
        (&message["finish"], &message["provenance"]["steps"][0]["tool"]),
        (&json!("stop"), &json!("shell__die"))
    );

    // The server was waited for, and what it had started is gone with it.
    let server: u32 = std::fs::read_to_string(&mark).expect("a pid").trim().parse().expect("a number");
    let left = || {
        let stats = std::fs::read_dir("/proc").expect("/proc").flatten();
        let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let of_it = |stat: &String| {
            let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
            // Who waits for the grandchild is the machine's first process.
            fields.len() > 2
                && fields[2] == server.to_string()
                && (fields[0] != "Z" || stat.starts_with(&format!("{server} ")))
        };
        stats.filter(of_it).count()
    };
    for _ in 0..200 {
        if left() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(left(), 0);

    // A probe starts it again and asks what it has.
    let probed = house.owner.post("/api/plugins/shell/probe", &json!({})).await;
    assert_eq!((&probed["unreachable"], &probed["tools"][0]["name"]), (&Value::Null, &json!("shell__die")));
    let member = house.owner.invite("lin").await;
    let refused = member
        .call("POST", "/api/plugins", Some(&json!({ "manifest": { "id": "x", "mcp": { "command": "id" } } })))
        .await;
    assert_eq!(refused.expect(403)["code"], "forbidden", "only administrators install what runs here");
}

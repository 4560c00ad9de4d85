//! MCP servers, scripted: what is understood of a manifest, what is asked and answered in both transports, and what happens when a
//! server is killed, forgets, floods or never answers. The reference servers of the world are `scripts/mcp`'s.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use domain::testing::tool_suite;
use domain::{ToolCall, ToolInput};
use serde_json::{Value, json};
use tools::{Change, Choices, Manifest, Order, Permission};

use crate::service::Service;
use crate::{House, flaws, order};

/// A server in the shell, so that it is there wherever the tests are: it speaks, dies and floods as it is asked.
const SCRIPT: &str = r#"
echo "a banner that is no message"
echo "$TOKEN says hello" >&2
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
  case $line in
  *'"initialize"'*) say '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"shell","version":"1"}}' ;;
  *'"tools/list"'*)
    more=; [ -e "$MARK.more" ] && more=',{"name":"late","inputSchema":{"type":"object"}}'
    say '{"tools":[{"name":"env","description":"The environment","inputSchema":{"type":"object","additionalProperties":false},"annotations":{"readOnlyHint":true}},{"name":"die"},{"name":"hang"},{"name":"flood"},{"name":"grow"},{"name":"silent"}'"$more"']}' ;;
  *'"name":"env"'*) say "{\"content\":[{\"type\":\"text\",\"text\":\"$(env | cut -d= -f1 | sort | tr '\n' ' ')$TOKEN $$\"}]}" ;;
  *'"name":"die"'*) sleep 300 & kill -9 $$ ;;
  *'"name":"hang"'*) ;;
  *'"name":"silent"'*) exec >&-; sleep 300 ;;
  *'"name":"flood"'*) head -c 9000000 /dev/zero | tr '\0' 'x' ;;
  *'"name":"grow"'*) touch "$MARK.more"; echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'; say '{"content":[]}' ;;
  *'"notifications/cancelled"'*) echo "$line" >>"$MARK.cancelled" ;;
  esac
done
echo over >"$MARK.over"
"#;

fn shell(mark: &Path) -> Order {
    let env = json!({ "TOKEN": "${TOKEN}", "MARK": mark.display().to_string() });
    let server = json!({ "command": "/bin/sh", "args": ["-c", SCRIPT, "portico-mcp-test"], "env": env });
    let mut order = order(json!({ "id": "shell", "mcp": server }));
    order.secrets.insert("TOKEN".into(), "sk-secret-1".into());
    order.choices.timeout_s = Some(5);
    order
}

fn mark() -> tempfile::TempDir {
    // What a server started becomes ours when the server ends, as it does where the portal is the first process of a container:
    // so nobody else tidies up what was left.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).expect("adopted");
    tempfile::tempdir().expect("a folder")
}

/// Waits for what happens elsewhere.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it never came: {what}");
}

/// The processes of a group that still are, zombies among them.
fn group(leader: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        if fields[2] == leader.to_string() {
            found.push(stat.clone());
        }
    }
    found
}

async fn pid(house: &House) -> u32 {
    let text = house.call("shell__env", &json!({})).await;
    text.rsplit(' ').next().and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("no pid: {text}"))
}

#[test]
fn a_manifest_is_what_other_programs_write() {
    let told = |document: Value| match Manifest::read(&document, &Choices::default()) {
        Ok(manifest) => {
            let words: Vec<String> = manifest.permissions.iter().map(Permission::to_string).collect();
            let secrets: Vec<&str> = manifest.secrets.keys().map(String::as_str).collect();
            format!("{} {:?} [{}] [{}]", manifest.name, manifest.kind, words.join(" "), secrets.join(" "))
        }
        Err(found) => flaws(&found.into()),
    };
    let file = json!({ "mcpServers": {
        "Time Server": { "command": "uvx", "args": ["mcp-server-time"], "env": { "API_KEY": "${API_KEY}", "ZONE": "Asia/Shanghai" } },
        "remote": { "type": "http", "url": "https://mcp.example/mcp", "headers": { "Authorization": "Bearer ${input:token}" } }
    } });
    let entries = Manifest::entries(&file);
    let all: Vec<String> = entries.into_iter().map(told).collect();
    assert_eq!(all, ["time-server Mcp [exec:code] [API_KEY]", "remote Mcp [net:mcp.example] [token]"]);
    for (server, expected) in [
        (json!({}), "mcp: there is neither a command to start nor a url to ask"),
        (
            json!({ "command": "a", "url": "http://b.example" }),
            "mcp: there is a command and a url; it is one or the other",
        ),
        (json!({ "command": ["a"] }), "mcp.command: [\"a\"] is no text; its arguments stand in args"),
        (json!({ "command": " " }), "mcp.command: it is empty"),
        (json!({ "command": "a", "args": "b" }), "mcp.args: it must be a list of texts"),
        (json!({ "command": "a", "args": [1] }), "mcp.args.0: 1 is no text"),
        (
            json!({ "command": "a", "args": ["--key=${KEY}"] }),
            "mcp.args: a secret cannot stand among the arguments; give it in env",
        ),
        (
            json!({ "command": "a", "env": { "GITHUB_TOKEN": "ghp_1" } }),
            "mcp.env.GITHUB_TOKEN: write ${GITHUB_TOKEN} here, and give the value as the secret GITHUB_TOKEN: it is sealed then",
        ),
        (json!({ "command": "a", "env": { "A=B": "x" } }), "mcp.env: \"A=B\" is no name of a variable"),
        (json!({ "command": "a", "cwd": "here" }), "mcp.cwd: it must be a whole path, from /"),
        (
            json!({ "type": "sse", "url": "http://b.example" }),
            "mcp.type: HTTP with SSE was the transport before streamable HTTP, and is not spoken here",
        ),
        (json!({ "url": "file:///etc/passwd" }), "mcp.url: \"file:///etc/passwd\" is no address to ask: "),
        (
            json!({ "url": "http://b.example", "headers": { "Host": "x" } }),
            "mcp.headers.Host: this header is not to be set",
        ),
        (json!({ "url": "http://b.example", "headers": { "a b": "x" } }), "mcp.headers.a b: it is no name of a header"),
    ] {
        let found = told(json!({ "id": "a", "mcp": server }));
        assert!(found.starts_with(expected), "{server}: {found}");
    }
}

#[tokio::test]
async fn a_program_is_started_asked_and_inherits_nothing() {
    let (house, mark) = (House::open().await, mark());
    let missing = house.refused(Order { secrets: Default::default(), ..shell(&mark.path().join("m")) }).await;
    assert_eq!(missing, "secrets.TOKEN: it is missing");
    let made = house.install(shell(&mark.path().join("m"))).await;
    assert_eq!(made.unreachable, None);
    let tools: Vec<&str> = made.manifest.tools().into_iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["shell__env", "shell__die", "shell__hang", "shell__flood", "shell__grow", "shell__silent"]);
    assert_eq!(made.manifest.hints("shell__env"), Some(&json!({ "readOnlyHint": true })));
    let text = house.call("shell__env", &json!({})).await;
    let (names, token) = text.split_once(" sk-secret-1 ").unwrap_or_else(|| panic!("{text}"));
    // Shells add some of their own.
    let known = ["LANG", "MARK", "OLDPWD", "PATH", "PWD", "SHLVL", "TOKEN", "_"];
    assert!(names.split(' ').all(|name| known.contains(&name)) && !token.is_empty(), "{text}");
    let log = format!("{:?}", house.log("shell").await);
    assert!(!log.contains("sk-secret-1") && log.contains("***"), "{log}");
    let tool = house.gateway.tool(&house.admin, "shell__env").expect("a tool");
    let good = ToolInput { arguments: json!({}), files: Vec::new() };
    tool_suite(&*tool, &house.admin, good, json!({ "x": 1 })).await.unwrap_or_else(|broken| panic!("{broken}"));

    // One process, however often it is asked, and whatever else is installed.
    let first = pid(&house).await;
    let calculator = tools::presets().into_iter().find(|preset| preset["builtin"] == "calculator").expect("a preset");
    house.install(order(calculator)).await;
    assert_eq!(pid(&house).await, first);
    // Without its permission it neither runs nor is started again.
    let taken = Change { grants: Some(BTreeSet::new()), ..Change::default() };
    house.gateway.change(&house.admin, "shell", taken).await.expect("changed");
    assert!(house.call("shell__env", &json!({})).await.contains("exec:code, which was not granted"));
    until("its group ends", || group(first).is_empty()).await;
    let given = Change { grants: Some([Permission::ExecCode].into()), ..Change::default() };
    house.gateway.change(&house.admin, "shell", given).await.expect("changed");
    let second = pid(&house).await;
    house.gateway.remove(&house.admin, "shell").await.expect("removed");
    until("its group ends", || group(second).is_empty()).await;
    assert!(mark.path().join("m.over").exists(), "its input was closed, so that it could end by itself");
}

#[tokio::test]
async fn a_program_that_dies_floods_or_falls_silent_costs_one_call() {
    let (house, mark) = (House::open().await, mark());
    house.install(shell(&mark.path().join("m"))).await;
    for (tool, expected) in [
        (
            "die",
            "the server ended before it answered: it was killed (signal 9); it said: *** says hello; it is started again",
        ),
        ("flood", "the server ended before it answered: it sent a message larger than 8388608 bytes"),
        ("silent", "the server ended before it answered: it closed its output"),
    ] {
        let before = pid(&house).await;
        let text = house.call(&format!("shell__{tool}"), &json!({})).await;
        assert!(text.contains("tool_failed") && text.contains(expected), "{tool}: {text}");
        assert!(!text.contains("sk-secret-1"), "{text}");
        until("its group ends, and no zombie is left", || group(before).is_empty()).await;
        let after = pid(&house).await;
        assert_ne!(after, before, "{tool}: the next call starts it again");
    }
    // Side by side with one that dies: every one is told.
    let call = |tool: &str| ToolCall { id: "1".into(), name: format!("shell__{tool}"), arguments: "{}".into() };
    let turn = "00000000-0000-0000-0000-000000000009".parse().expect("an id");
    let all = house.gateway.call_all(&house.admin, turn, &[call("hang"), call("hang"), call("die")], &[]).await;
    assert!(all.iter().all(|one| one.step.error.as_deref() == Some("tool_failed")), "{all:?}");
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_called_back() {
    let (house, mark) = (House::open().await, mark());
    let mut order = shell(&mark.path().join("m"));
    order.choices.timeout_s = Some(1);
    house.install(order).await;
    let text = house.call("shell__hang", &json!({})).await;
    assert!(text.contains("no answer within 1s"), "{text}");
    let cancelled = mark.path().join("m.cancelled");
    until("it hears of it", || cancelled.exists()).await;
    assert!(house.call("shell__env", &json!({})).await.contains("TOKEN"), "and it goes on");
    let stopped = tokio::time::timeout(Duration::from_millis(200), house.call("shell__hang", &json!({}))).await;
    assert!(stopped.is_err());
    let lines = || std::fs::read_to_string(&cancelled).unwrap_or_default().lines().count();
    until("stop is heard of, too", || lines() == 2).await;
}

#[tokio::test]
async fn a_server_that_has_other_tools_now_is_asked_again() {
    let (house, mark) = (House::open().await, mark());
    house.install(shell(&mark.path().join("m"))).await;
    let offered = || house.gateway.offered(&house.admin).into_iter().any(|tool| tool.name == "shell__late");
    assert!(!offered());
    house.call("shell__grow", &json!({})).await;
    assert!(offered());
    let acts = house.store.audit("test", 0, 100).await;
    assert!(format!("{acts:?}").contains("plugin.tools_changed"), "{acts:?}");
}

#[tokio::test]
async fn what_cannot_be_started_is_told_and_can_be_tried_again() {
    let house = House::open().await;
    let made = house.install(order(json!({ "id": "none", "mcp": { "command": "/no/such/program" } }))).await;
    let flaw = made.unreachable.expect("told");
    assert!(flaw.message.starts_with("/no/such/program cannot be reached: No such file"), "{}", flaw.message);
    let quick = json!({ "command": "/bin/sh", "args": ["-c", "echo 'cannot: no key' >&2; exit 3"] });
    let flaw = house.install(order(json!({ "id": "quick", "mcp": quick }))).await.unreachable.expect("told");
    assert!(flaw.message.contains("it ended with code 3; it said: cannot: no key"), "{}", flaw.message);
    let again = house.gateway.probe(&house.admin, "quick").await.expect("tried");
    assert!(again.unreachable.is_some() && again.manifest.tools().is_empty());
    let mut ungranted = order(json!({ "id": "ungranted", "mcp": { "command": "/bin/sh" } }));
    ungranted.grants = Some(BTreeSet::new());
    let flaw = house.install(ungranted).await.unreachable.expect("told");
    assert!(flaw.message.contains("exec:code, which was not granted"), "{}", flaw.message);
}

fn remote(service: &Service, path: &str) -> Order {
    let server = json!({ "url": format!("{}{path}", service.url), "headers": { "X-Key": "${key}" } });
    let mut order = order(json!({ "id": "remote", "mcp": server }));
    order.secrets.insert("key".into(), "sk-secret-2".into());
    order.choices.timeout_s = Some(2);
    order
}

#[tokio::test]
async fn an_address_is_asked_with_its_session_and_version() {
    for path in ["/mcp/json", "/mcp/events", "/mcp/resumed", "/mcp/stateless"] {
        let (house, service) = (House::open().await, Service::start().await);
        let made = house.install(remote(&service, path)).await;
        assert_eq!(made.unreachable, None, "{path}");
        let tools: Vec<&str> = made.manifest.tools().into_iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(
            tools,
            ["remote__add", "remote__wait", "remote__wrong", "remote__second_page", "remote__read_resource"],
            "{path}"
        );
        assert_eq!(house.call("remote__add", &json!({ "a": 2, "b": 3 })).await, "5\n{\"sum\":5}", "{path}");
        assert_eq!(house.call("remote__read_resource", &json!({ "uri": "a://b" })).await, "the words of a://b");
        let wrong = house.call("remote__wrong", &json!({})).await;
        assert!(wrong.contains("not what it promised: sum: it must be of type"), "{path}: {wrong}");
        let prompt =
            house.gateway.prompt(&house.admin, "remote", "greet", &[("who".into(), "Lin".into())].into()).await;
        assert_eq!(prompt.expect("a prompt"), "Greet Lin");
        let seen = service.seen();
        for one in &seen {
            assert_eq!(one.header("x-key"), "sk-secret-2", "{path}: {}", one.line);
        }
        let posts =
            seen.iter().filter(|one| one.line.starts_with("POST") && !one.body.windows(10).any(|w| w == b"initialize"));
        for one in posts {
            let session = if path == "/mcp/stateless" { "" } else { "s-1" };
            assert_eq!(
                (one.header("mcp-session-id"), one.header("mcp-protocol-version")),
                (session, "2025-06-18"),
                "{path}"
            );
        }
        let said: Vec<String> = seen.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
        if path == "/mcp/events" {
            assert!(
                said.iter().any(|body| body.contains("\"id\":\"p1\"") && body.contains("\"result\":{}")),
                "its ping is answered"
            );
            assert!(said.iter().any(|body| body.contains("\"id\":\"e1\"") && body.contains("decline")), "{said:?}");
        }
        if path == "/mcp/resumed" {
            let again: Vec<&str> =
                seen.iter().filter(|one| one.line.starts_with("GET")).map(|one| one.header("last-event-id")).collect();
            assert!(!again.is_empty() && again.iter().all(|id| *id == "e-1"), "{again:?}");
        }
        house.gateway.remove(&house.admin, "remote").await.expect("removed");
        let left = service.lines();
        assert_eq!(left.iter().any(|line| line.starts_with("DELETE")), path != "/mcp/stateless", "{path}: {left:?}");
        let log = format!("{:?}", house.log("remote").await);
        assert!(!log.contains("sk-secret-2"), "{log}");
    }
}

#[tokio::test]
async fn a_session_that_was_forgotten_is_begun_again_and_a_long_call_is_called_back() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(remote(&service, "/mcp/json")).await;
    house.call("remote__add", &json!({ "a": 1, "b": 1 })).await;
    service.forget();
    assert_eq!(house.call("remote__add", &json!({ "a": 2, "b": 2 })).await, "4\n{\"sum\":4}");
    service.seen();
    let text = house.call("remote__wait", &json!({})).await;
    assert!(text.contains("no answer within 2s"), "{text}");
    let mut said = String::new();
    for _ in 0..100 {
        said.extend(service.seen().iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()));
        if said.contains("notifications/cancelled") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said.contains("notifications/cancelled"), "{said}");
}

#[tokio::test]
async fn what_an_address_does_wrong_is_told_by_its_reason() {
    let service = Service::start().await;
    for (path, expected) in [
        ("/mcp/closed", "status 401: it asks for a proof, or another one: who are you?"),
        ("/mcp/old", "status 405: no streamable HTTP is spoken there"),
        ("/mcp/page", "it answered with \"text/html\""),
        ("/mcp/future", "it speaks version \"2999-01-01\" of the protocol"),
        ("/mcp/large", "the answer is larger than 8388608 bytes"),
        ("/mcp/endless", "the answer is larger than 8388608 bytes"),
        ("/mcp/other", "it answered another question"),
    ] {
        let house = House::open().await;
        let made = house.install(remote(&service, path)).await;
        let flaw = made.unreachable.unwrap_or_else(|| panic!("{path}: nothing is told"));
        assert!(flaw.field == "mcp" && flaw.message.contains(expected), "{path}: {}", flaw.message);
    }
    // It may lead elsewhere as little as any plugin.
    let house = House::open().await;
    let made = house.install(remote(&service, "/mcp/away")).await;
    assert!(made.unreachable.is_some_and(|flaw| flaw.message.contains("may not be contacted")));
    let private = order(json!({ "id": "p", "mcp": { "url": "http://2130706433:9/mcp" } }));
    assert!(house.refused(private).await.contains("private ones were not allowed"));
    let contacts: Vec<String> = house.egress.contacts().into_iter().map(|contact| contact.origin).collect();
    assert!(!contacts.iter().any(|origin| origin.contains("169.254")), "{contacts:?}");
}

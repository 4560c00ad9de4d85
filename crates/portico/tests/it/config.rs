//! What a configuration may say: the whole printed message for each way to get it wrong, and what wins over what.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use models::{AliasConfig, Balance, Target};
use portico::config::{Config, Database, LogFormat, Metrics, Mistakes, Overrides};

fn read(text: &str, env: &[(&str, &str)], over: &Overrides) -> Result<Config, Mistakes> {
    let env: HashMap<&str, &str> = env.iter().copied().collect();
    Config::read(text, Some(Path::new("portico.toml")), &|name| env.get(name).map(|value| (*value).to_owned()), over)
}

fn ok(text: &str, env: &[(&str, &str)]) -> Config {
    read(text, env, &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// One wrong file and the whole message it gets.
fn wrong(name: &str, text: &str, env: &[(&str, &str)]) {
    let printed = read(text, env, &Overrides::default()).expect_err(name).to_string();
    let env: String = env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    insta::with_settings!({ description => format!("{env}{text}"), omit_expression => true }, {
        insta::assert_snapshot!(name, printed);
    });
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let cases = [
        ("misspelt_key", "lisen = \"127.0.0.1:8420\"\n"),
        ("misspelt_section", "[databse]\nurl = \"sqlite\"\n"),
        ("misspelt_key_in_section", "[timeouts]\nconnect_ms = 100\nfirst_tokn_ms = 5\n"),
        ("dash_for_underscore", "public-url = \"https://ai.example.org\"\n"),
        ("unknown_without_a_guess", "[log]\ncolour = \"red\"\n"),
        ("top_key_below_a_section", "[database]\nurl = \"sqlite\"\n\nlisten = \"0.0.0.0:80\"\n"),
        ("port_alone", "port = 8420\n"),
        ("section_key_at_the_top", "level = \"debug\"\n"),
        ("text_without_quotes", "listen = 127.0.0.1:8420\n"),
        ("broken_string", "data = \"./data\n[log]\nlevel = \"info\"\n"),
        ("same_key_twice", "data = \"a\"\ndata = \"b\"\n"),
        ("windows_path", "data = \"C:\\Users\\me\"\n"),
        ("number_for_text", "listen = 8420\n"),
        ("text_for_number", "[limits]\nbody_bytes = \"32 MB\"\n"),
        ("number_out_of_range", "[retries]\nbefore_first_token = 99\n"),
        ("scanner", "[files]\nclamd = \"clamd\"\n"),
        ("negative_number", "[limits]\ndaily_tokens_per_person = -1\n"),
        ("port_without_address", "listen = \":8420\"\n"),
        ("address_without_port", "listen = \"0.0.0.0\"\n"),
        ("port_too_large", "listen = \"127.0.0.1:84200\"\n"),
        ("url_for_address", "listen = \"http://0.0.0.0:8420\"\n"),
        ("public_url_with_path", "public_url = \"https://example.org/ai\"\n"),
        ("public_url_without_scheme", "public_url = \"ai.example.org\"\n"),
        ("proxy_by_name", "trusted_proxies = [\"127.0.0.1\", \"nginx\"]\n"),
        ("other_database", "[database]\nurl = \"mysql://root:hunter2@db/portico\"\n"),
        ("sqlite_with_a_path", "[database]\nurl = \"sqlite:///var/lib/portico.db\"\n"),
        ("database_as_text", "database = \"sqlite\"\n"),
        ("cert_without_key", "[tls]\ncert = \"cert.pem\"\n"),
        ("missing_pem_file", "[tls]\ncert = \"no/cert.pem\"\nkey = \"no/key.pem\"\n"),
        ("metrics_on_the_same_port", "[metrics]\nlisten = \"127.0.0.1:8420\"\n"),
        (
            "test_keys",
            "[[key]]\nvalue = \"sk-live-1234567890abcdef\"\nperson = \"ci\"\n[[key]]\nvalue = \"pk-test-of-our-ci-0001\"\nrole = \"owner\"\nperson = \"a b\"\n[[key]]\nperson = \"x\"\n",
        ),
        ("log_level", "[log]\nlevel = \"inof\"\nformat = \"xml\"\n"),
        ("library_from", "[library]\nfrom = \"hf-mirror.com\"\n"),
        ("egress_url", "[egress]\nallow = [\"https://api.example.org/v1\", 7]\n"),
        ("model_with_one_bracket", "[model]\npath = \"a.gguf\"\n"),
        ("model_without_path", "[[model]]\nname = \"tiny\"\n"),
        ("keep_alive_without_unit", "[[model]]\npath = \"Cargo.toml\"\nkeep_alive = \"10\"\n"),
        ("cache", "[[model]]\npath = \"Cargo.toml\"\ncache = \"q8_0\"\n"),
        (
            "adapters",
            "[[model]]\npath = \"Cargo.toml\"\ndraft = \"no/draft.gguf\"\nadapters = [\"no/such.gguf\", { name = \"a b\", path = \"Cargo.toml\" }, { path = \"Cargo.toml\", scale = 1000 }, \"Cargo.toml\", { name = \"x\", scale = 0.5 }]\n",
        ),
        ("missing_model_file", "[[model]]\npath = \"no/such.gguf\"\ncontext = 2048\n"),
        ("provider_without_url", "[[provider]]\nslug = \"ollama\"\n"),
        ("provider_slug", "[[provider]]\nslug = \"Our Ollama\"\nbase_url = \"http://127.0.0.1:11434\"\n"),
        (
            "provider_key_in_the_file",
            "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\napi_key = \"sk-very-secret\"\n",
        ),
        ("provider_key_not_set", "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\napi_key_env = \"OLLAMA_KEY\"\n"),
        (
            "provider_with_two_keys",
            "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\napi_key_env = \"A\"\napi_key_file = \"b\"\n",
        ),
        ("password_in_a_url", "[[provider]]\nslug = \"a\"\nbase_url = \"http://me:hunter2@host\"\n"),
        (
            "same_slug_twice",
            "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\n[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\n",
        ),
        (
            "key_of_a_provider_model",
            "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\n[[provider.model]]\nnam = \"x\"\n",
        ),
        ("alias_without_name", "[[alias]]\ntargets = [\"ollama/llama3\"]\n"),
        ("alias_target", "[[alias]]\nname = \"main\"\ntargets = [\"llama3\", { model = \"vllm/x\", weigth = 3 }, 7]\n"),
        ("alias_targets_as_text", "[[alias]]\nname = \"main\"\ntargets = \"ollama/llama3\"\n"),
        (
            "alias_target_twice",
            "[[alias]]\nname = \"main\"\ntargets = [\"a/x\", { model = \"a/x\" }, { weight = 2 }]\n",
        ),
        ("alias_balance", "[[alias]]\nname = \"main\"\ntargets = [\"a/x\"]\nbalance = \"least-buzy\"\n"),
        (
            "alias_falls_back_to_itself",
            "[[alias]]\nname = \"main\"\ntargets = [\"a/x\"]\nfallbacks = [\"b/y\", \"main\"]\n",
        ),
        ("alias_twice", "[[alias]]\nname = \"main\"\n[[alias]]\nname = \"main\"\n"),
        ("alias_environment_unknown", "[[alias]]\nname = \"main\"\nenvironment = \"production\"\n"),
        ("two_catch_all", "[[alias]]\nname = \"a\"\ncatch_all = true\n[[alias]]\nname = \"b\"\ncatch_all = true\n"),
        ("queue_out_of_range", "[queue]\nmax_wait_ms = 0\nmax_wating = 4\n"),
        ("chinese_line", "[[provider]]\nslug = \"a\"\nname = \"本地模型\"\nbase_url = \"http://h\"\n模型 = \"甲\"\n"),
        ("several_at_once", "lisen = \"x\"\n[log]\nlevel = 3\n[limits]\nbody_bytes = 1\n[tls]\nkey = \"k.pem\"\n"),
        ("syntax_and_more", "data = ./data\n[log]\nlevle = \"info\"\n"),
    ];
    for (name, text) in cases {
        wrong(name, text, &[]);
    }
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    wrong(
        "environment",
        "listen = \"127.0.0.1:1\"\n",
        &[("PORTICO_LISTEN", "8420"), ("PORTICO_LIMITS__BODY_BYTES", "lots")],
    );
    wrong("environment_secret", "", &[("PORTICO_DATABASE__URL", "mysql://root:hunter2@db/x")]);
}

#[test]
fn no_secret_is_ever_printed() {
    let texts = [
        "[database]\nurl = \"mysql://root:hunter2@db/portico\"\n",
        "[database]\nurl = postgres://root:hunter2@db/portico\n",
        "[[provider]]\nslug = \"a\"\nbase_url = \"http://h\"\napi_key = \"hunter2\"\n",
        "[[provider]]\nslug = \"a\"\nbase_url = \"http://me:hunter2@h\"\n",
        "token = hunter2\n",
    ];
    for text in texts {
        let printed = read(text, &[], &Overrides::default()).expect_err(text).to_string();
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    let config = ok("[database]\nurl = \"postgres://root:hunter2@db/portico\"\n", &[]);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn an_empty_file_runs() {
    insta::assert_debug_snapshot!(ok("", &[]));
}

#[test]
fn a_full_file_is_read() {
    let text = r#"
listen = "localhost:0"
public_url = "https://ai.example.org/"
trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]
data = "state"
database.url = "postgres://portico@db/portico"
[metrics]
listen = "127.0.0.1:8421"
[limits]
daily_tokens_per_person = 200_000
body_bytes = 1048576
[files]
folder = "shelf"
largest_bytes = 4096
per_person_bytes = 8192
clamd = "unix:/run/clamav/clamd.ctl"
[log]
format = "json"
level = "debug"
[egress]
allow = ["Api.Example.org", "10.0.0.0/8"]
offline = true
[plugins]
python = "Cargo.toml"
databases = ["shops", "/srv/data"]
[timeouts]
connect_ms = 1
first_token_ms = 2
idle_ms = 3
total_ms = 4
[retries]
before_first_token = 0
[[model]]
path = "Cargo.toml"
context = 4096
threads = 2
keep_alive = "10m"
system_prompts = ["You are brief.", """
You are a teacher,
and patient."""]
draft = "tiny-draft"
cache = "f32"
adapters = ["Cargo.toml", { name = "clerk", path = "Cargo.toml", scale = 0.5 }]
[[provider]]
slug = "ollama"
name = "本地 Ollama"
base_url = "http://127.0.0.1:11434/v1/"
api_key_env = "OLLAMA_KEY"
[[provider.model]]
name = "llama3"
display_name = "Llama 3"
[[provider.model]]
name = "qwen"
enabled = false
"#;
    insta::assert_debug_snapshot!(ok(text, &[("OLLAMA_KEY", "hunter2\n")]));
}

#[test]
fn a_flag_beats_the_environment_and_the_environment_beats_the_file() {
    let text = "listen = \"127.0.0.1:1\"\ndata = \"one\"\n[log]\nformat = \"text\"\n";
    let env = [
        ("PORTICO_LISTEN", "127.0.0.1:2"),
        ("PORTICO_DATA", "two"),
        ("PORTICO_LOG__FORMAT", "json"),
        ("PORTICO_PUBLIC_URL", ""),
        ("PORTICO_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16"),
        ("PORTICO_METRICS__LISTEN", "127.0.0.1:9"),
        ("PORTICO_TIMEOUTS__IDLE_MS", "1500"),
        ("PORTICO_DATABASE__URL", "postgresql://db/x"),
    ];
    let over = Overrides { listen: Some("127.0.0.1:3".into()), ..Overrides::default() };
    let config = read(text, &env, &over).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 3)));
    assert_eq!(config.data, PathBuf::from("two"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.public_url, None);
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.metrics, Metrics::At(SocketAddr::from(([127, 0, 0, 1], 9))));
    assert_eq!(config.timeouts.idle, Duration::from_millis(1500));
    assert!(matches!(config.database, Database::Postgres(url) if url.reveal() == "postgresql://db/x"));
}

#[test]
fn paths_in_the_file_start_at_the_file() {
    let config =
        Config::read("data = \"d\"\n", Some(Path::new("/etc/portico/portico.toml")), &|_| None, &Overrides::default());
    assert_eq!(config.expect("right").data, PathBuf::from("/etc/portico/d"));
}

#[test]
fn a_missing_file_is_a_sentence() {
    let over = Overrides { config: Some(PathBuf::from("/no/such.toml")), ..Overrides::default() };
    let wrong = Config::load(&over).expect_err("missing");
    assert_eq!(wrong.to_string(), "/no/such.toml: there is no such configuration file\n");
}

#[test]
fn aliases_are_those_of_the_environment() {
    let text = r#"
environment = "development"

[[alias]]
name = "main"
environment = "production"
targets = ["ollama/llama3", { model = "vllm/Qwen/Qwen3-8B", weight = 3 }]

[[alias]]
name = "main"
environment = "development"
title = "The usual one"
targets = ["openai/gpt-4"]
balance = "sticky"

[[alias]]
name = "main"
targets = ["local/tiny"]

[[alias]]
name = "spare"
targets = ["local/tiny"]
fallbacks = ["main"]
max_concurrent = 4
catch_all = true
"#;
    let target = |model: &str, weight| Target { model: model.into(), weight };
    let spare = AliasConfig {
        name: "spare".into(),
        targets: vec![target("local/tiny", 1)],
        fallbacks: vec!["main".into()],
        max_concurrent: Some(4),
        catch_all: true,
        ..AliasConfig::default()
    };
    let main = |title: Option<&str>, targets, balance| AliasConfig {
        name: "main".into(),
        title: title.map(str::to_owned),
        targets,
        balance,
        ..AliasConfig::default()
    };
    let development = main(Some("The usual one"), vec![target("openai/gpt-4", 1)], Balance::Sticky);
    assert_eq!(ok(text, &[]).aliases, [development, spare.clone()]);
    let both = vec![target("ollama/llama3", 1), target("vllm/Qwen/Qwen3-8B", 3)];
    let production = main(None, both, Balance::LeastBusy);
    assert_eq!(ok(text, &[("PORTICO_ENVIRONMENT", "production")]).aliases, [production, spare.clone()]);
    let elsewhere = main(None, vec![target("local/tiny", 1)], Balance::LeastBusy);
    assert_eq!(ok(text, &[("PORTICO_ENVIRONMENT", "test")]).aliases, [elsewhere, spare]);
}

//! The command line as a person types it: what is printed where, and the exit code.

use std::path::Path;
use std::process::Command;

/// Runs the binary in `folder` with nothing of Portico in the environment: exit code, standard output, standard error.
fn portico(folder: &Path, args: &[&str]) -> (i32, String, String) {
    portico_with(folder, args, &[])
}

fn portico_with(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("PORTICO_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    ours.for_each(|name| {
        command.env_remove(name);
    });
    let done = command.envs(env.iter().copied()).args(args).current_dir(folder).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (done.status.code().expect("an exit code"), text(done.stdout), text(done.stderr))
}

fn ok(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = portico(folder, args);
    assert_eq!(code, 0, "{args:?}: {err}");
    out
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = portico(folder, args);
    assert_eq!((code, out.as_str()), (1, ""), "{args:?}");
    err
}

#[test]
fn size_and_cost_say_what_the_hand_calculates() {
    let dir = tempfile::tempdir().expect("a folder");
    let told = ok(dir.path(), &["size", "llama3"]);
    assert!(told.contains("f16: 14.96 GiB of weights + 1.00 GiB of KV cache (128 KiB a token) = 15.96 GiB"), "{told}");
    assert!(told.contains("int4: 4.58 GiB of weights"), "{told}");
    let told = ok(dir.path(), &["size", "llama3:70b", "--quantisation", "fp16"]);
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain(&told).contains("A100 80 GB (80 GB) 2 8827 1"), "{told}");
    assert!(refused(dir.path(), &["size", "nobody-knows-it"]).contains("nothing is published here"));

    let told = ok(dir.path(), &["cost", "--claim", "200"]);
    assert!(told.contains("a year of the machine: 1969.41 USD, of it power 302.75"), "{told}");
    assert!(plain(&told).contains("0.5000 1.50 2000.00"), "{told}");
    assert!(told.contains("10.5 % of the machine's working time"), "{told}");
    assert!(told.contains("and a year of the machine to cost at most 1892.15"), "{told}");
    assert!(refused(dir.path(), &["cost", "--capital", "much"]).contains("no sum of money"));
}

#[test]
fn check_says_ok_or_every_mistake() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(ok(dir.path(), &["check"]), "ok\n");
    std::fs::write(dir.path().join("portico.toml"), "lisen = \"x\"\n").expect("written");
    let told = refused(dir.path(), &["check"]);
    assert_eq!(
        told,
        "portico.toml:1:1: unknown key `lisen`\n  |\n1 | lisen = \"x\"\n  | ^^^^^\n  = did you mean `listen`?\n"
    );
    assert_eq!(refused(dir.path(), &["user", "list"]), told, "every verb says so");
}

#[test]
fn check_reads_the_personas_of_the_data_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let personas = dir.path().join("data/personas");
    std::fs::create_dir_all(&personas).expect("a folder");
    std::fs::write(personas.join("ours.json"), "{\n  \"slug\": 7\n}").expect("written");
    let told = refused(dir.path(), &["check"]);
    assert!(
        told.contains("personas/ours.json: invalid type: integer `7`, expected a string at line 2 column 11"),
        "{told}"
    );
}

#[test]
fn people_and_keys_are_managed_without_a_running_portal() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let none = refused(here, &["user", "list"]);
    assert_eq!(
        none,
        "portico: there is no database in data yet; start the portal once, or name another folder with --data\n"
    );

    let link = ok(here, &["user", "add", "王小明", "--role", "owner"]);
    assert!(link.starts_with("http://127.0.0.1:8420/reset#token=") && link.len() == 34 + 43 + 1, "{link}");
    assert_eq!(refused(here, &["user", "add", "王小明"]), "portico: the name 王小明 is taken; choose another\n");
    assert_ne!(ok(here, &["user", "reset", "王小明"]), link);
    let people = ok(here, &["user", "list"]);
    assert!(
        people.lines().nth(1).is_some_and(|line| line.starts_with("王小明  owner  no password yet  20")),
        "{people}"
    );

    let key = ok(here, &["key", "new", "--person", "王小明", "--name", "laptop"]);
    assert!(identity::well_formed(key.trim_end()), "the key alone is on standard output");
    assert!(ok(here, &["key", "list"]).contains(&format!("{}…", &key[..9])));
    assert_eq!(
        refused(here, &["key", "new", "--person", "nobody"]),
        "portico: nobody signs in as nobody; `portico user list` shows everybody\n"
    );
    ok(here, &["key", "revoke", &key[..9]]);
    assert_eq!(ok(here, &["key", "list"]).lines().count(), 1, "the headings alone");
    let bound =
        "--model main --model ollama/* --expires 30d --tokens-per-day 5000 --requests-per-minute 9 --from 10.0.0.0/8";
    let new: Vec<&str> = ["key", "new", "--person", "王小明"].into_iter().chain(bound.split(' ')).collect();
    ok(here, &new);
    let listed = ok(here, &["key", "list"]);
    assert!(listed.contains("main, ollama/*, 5000 tokens/day, 9/min, from 10.0.0.0/8"), "{listed}");
    for (flag, value, told) in [("--from", "home", "an address or a range"), ("--expires", "soon", "30d, 12h or 90m")] {
        let (code, _, wrong) = portico(here, &["key", "new", "--person", "王小明", flag, value]);
        assert!(code == 2 && wrong.contains(told), "{code} {wrong}");
    }
    assert!(refused(here, &["key", "revoke", &key[..9]]).starts_with("portico: no key has this id"));
}

#[test]
fn a_backup_is_restored_into_an_empty_folder_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    ok(here, &["user", "add", "alice"]);
    ok(here, &["backup", "house.backup"]);
    assert_eq!(
        refused(here, &["backup", "house.backup"]),
        "portico: house.backup exists already; a backup never overwrites, choose another name\n"
    );
    ok(here, &["restore", "house.backup", "--data", "new"]);
    assert_eq!(ok(here, &["user", "list", "--data", "new"]), ok(here, &["user", "list"]));
    assert!(refused(here, &["restore", "house.backup", "--data", "new"]).contains("not empty"));
    assert!(refused(here, &["restore", "missing", "--data", "other"]).starts_with("portico: missing was not restored"));

    let folder = portico::data::DataFolder::open(&here.join("held")).expect("opens");
    assert!(refused(here, &["restore", "house.backup", "--data", "held"]).contains("already open by process"));
    drop(folder);
}

#[test]
fn doctor_has_a_line_for_everything_it_looks_at() {
    let dir = tempfile::tempdir().expect("a folder");
    let told = ok(dir.path(), &["doctor"]);
    for line in told.lines() {
        assert!(["ok ", "warn "].iter().any(|word| line.starts_with(word)), "{line}");
    }
    assert!(told.contains("warn  models"), "{told}");
    assert!(told.contains("ok    database      SQLite, made on the first start"), "{told}");
    let line = |name: &str| told.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("processor ").contains("; a model computes with "), "{told}");
    let engine =
        if cfg!(feature = "engine") { "llama.cpp, on the processor" } else { "not built in: models are reached" };
    assert!(line("engine ").contains(engine), "{told}");
    assert!(!dir.path().join("data").exists(), "it looks and changes nothing");
    ok(dir.path(), &["user", "add", "alice", "--data", "other"]);
    let told = ok(dir.path(), &["doctor", "--data", "other"]);
    assert!(told.contains("ok    database      SQLite, schema "), "{told}");
    assert!(told.contains("ok    prefixes      none kept yet in "), "{told}");
    let kept = dir.path().join("other/prefixes/qwen");
    std::fs::create_dir_all(&kept).expect("made");
    std::fs::write(kept.join("a.pinned"), vec![0; 5000]).expect("written");
    let told = ok(dir.path(), &["doctor", "--data", "other"]);
    assert!(told.contains("prefixes holds 1 beginnings of texts, 5 kB"), "{told}");
    let nowhere =
        portico_with(dir.path(), &["doctor"], &[("PORTICO_DATABASE__URL", "postgres://me:hunter2@127.0.0.1:1/x")]);
    assert_eq!(nowhere.0, 1);
    assert!(nowhere.1.contains("fail  database      PostgreSQL: ") && !nowhere.1.contains("hunter2"), "{}", nowhere.1);
    std::fs::write(dir.path().join("data"), "a file").expect("written");
    let (code, told, _) = portico(dir.path(), &["doctor"]);
    assert_eq!(code, 1);
    assert!(told.contains("fail  data folder   data is not a folder -> choose another"), "{told}");
}

#[test]
fn a_provider_card_is_imported_at_the_machine() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let card = "export default { id: 'Local', name: 'Local LLM', url: 'http://127.0.0.1:1', models: [{ id: 'm', enabled: false }],
  api: { chat: '/api/generate', type: 'openai-compatible' } };";
    std::fs::write(here.join("card.ts"), card).expect("written");
    let (code, out, told) = portico(here, &["provider", "import", "card.ts", "--dry-run"]);
    assert_eq!((code, out.as_str()), (0, ""), "{told}");
    assert!(told.contains("`/api/generate` is Ollama's native endpoint") && told.contains("Nobody answered"), "{told}");
    assert_eq!(ok(here, &["provider", "import", "card.ts"]), "local\n");
    let list = ok(here, &["provider", "list"]);
    assert!(
        list.lines().nth(1).is_some_and(|line| line.starts_with("local  Local LLM  ollama  http://127.0.0.1:1  1")),
        "{list}"
    );
    let twice = refused(here, &["provider", "import", "card.ts"]);
    assert!(twice.ends_with("portico: there is already a provider local; give the card another id\n"), "{twice}");
    std::fs::write(here.join("card.ts"), "{ id: 'a',\n  url: env.URL }").expect("written");
    let wrong = refused(here, &["provider", "import", "card.ts"]);
    assert_eq!(
        wrong,
        "portico: card.ts: line 2, column 8: `env.URL` is code, and nothing is run; write the value itself, in quotes\n"
    );
}

#[test]
fn a_plugin_begins_as_a_folder_that_is_nobodys_yet() {
    let dir = tempfile::tempdir().expect("a folder");
    let told = ok(dir.path(), &["plugin", "new", "word-count"]);
    assert_eq!(told, "./word-count: python3 service.py starts it, README.md tells the rest\n");
    let mut files: Vec<String> = std::fs::read_dir(dir.path().join("word-count"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["README.md", "plugin.json", "service.py", "test_service.py"]);
    assert!(refused(dir.path(), &["plugin", "new", "word-count"]).contains("word-count: File exists"));
    assert!(refused(dir.path(), &["plugin", "new", "../x"]).contains("is no name of a plugin"));
}

#[test]
fn a_sandbox_that_is_told_nothing_runs_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    let done =
        command.arg("sandbox").stdin(std::process::Stdio::null()).current_dir(dir.path()).output().expect("it runs");
    let told = String::from_utf8(done.stdout).expect("UTF-8");
    assert!(told.starts_with("{\"type\":\"refused\",\"reason\":\"the sandbox was not told what to run"), "{told}");
}

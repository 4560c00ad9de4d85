//! What each key may hold and what it is when nobody says, in the order of the documentation. Where a value comes from is
//! decided in `source.rs`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::de::{DeTable, Error};

use super::alias;
use super::key;
use super::local;
use super::mistake::{Mistake, Place};
use super::reader::{Reader, small};
use super::source::{Found, Section, Source, Wrong};
use super::suggest::nearest;
use super::{
    Config, Database, Egress, Files, Library, Limits, Log, LogFormat, Metrics, Overrides, Plugins, Provider,
    ProviderModel, Queue, Secret, Timeouts, Tls,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How many requests one model may be given at the same time.
const CONCURRENT: std::ops::RangeInclusive<u64> = 1..=65_536;
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The whole file. Mistakes are left with `source`; where there are some, the configuration is not to be used.
pub(super) fn config<'a>(
    source: &Source<'a>,
    table: &DeTable<'a>,
    syntax: &[Error],
    file: Option<&Path>,
    over: &Overrides,
) -> Config {
    let reader = Reader { source, folder: file.and_then(Path::parent).unwrap_or(Path::new("")) };
    reader.syntax(syntax);
    let root = source.root(table);
    let listen = reader.listen(&root);
    let environment = root.text("environment").map(|environment| environment.value);
    Config {
        file: file.map(Path::to_owned),
        listen,
        public_url: root.text("public_url").and_then(|url| url.parse(source, |url| origin(&url))),
        trusted_proxies: reader.each(root.texts("trusted_proxies"), |proxy| network(&proxy)),
        data: root.text("data").map_or_else(|| PathBuf::from("data"), |data| reader.path(&data)),
        database: reader.database(&root.section("database")),
        tls: reader.tls(&root.section("tls")),
        metrics: reader.metrics(&root.section("metrics"), listen),
        limits: limits(&root.section("limits")),
        files: reader.files(&root.section("files")),
        log: reader.log(&root.section("log")),
        egress: reader.egress(&root.section("egress"), over.offline),
        discover: root.flag("discover").unwrap_or(true),
        starter: root.flag("starter").unwrap_or(false),
        timeouts: timeouts(&root.section("timeouts")),
        retries_before_first_token: small(root.section("retries").number("before_first_token", 0..=10)).unwrap_or(2),
        models: local::models(&reader, &root, over),
        library: reader.library(&root.section("library")),
        plugins: reader.plugins(&root.section("plugins")),
        providers: reader.providers(&root),
        aliases: alias::aliases(&reader, &root, environment.as_deref()),
        keys: key::keys(&reader, &root),
        environment,
        queue: queue(&root.section("queue")),
    }
}

impl<'a> Reader<'_, 'a> {
    fn syntax(&self, errors: &[Error]) {
        for error in errors {
            let place = self.source.place(&error.span().unwrap_or(0..0));
            let line = match &place {
                Place::File(span) => span.excerpt.clone(),
                _ => String::new(),
            };
            let message = error.message().replace('\n', ", ");
            let hint = syntax_hint(&line, &message);
            self.source.mistake(Mistake::syntax(place, &message, hint));
        }
    }

    fn listen(&self, root: &Section<'_, 'a>) -> SocketAddr {
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 8420));
        root.text("listen").and_then(|listen| listen.parse(self.source, |text| address(&text))).unwrap_or(usual)
    }

    fn database(&self, section: &Section<'_, 'a>) -> Database {
        let url = section.text("url").and_then(|url| url.parse(self.source, |url| database(&url)));
        url.unwrap_or(Database::Sqlite)
    }

    fn tls(&self, section: &Section<'_, 'a>) -> Option<Tls> {
        let (cert, key) = (section.text("cert"), section.text("key"));
        let lone = |found: &Found<String>, has: &str, needs: &str| {
            let sentence = format!("[tls] has `{has}` but no `{needs}`");
            self.source.mistake(Mistake::new(found.place.clone(), sentence).hint("https needs both, as PEM files"));
        };
        match (cert, key) {
            (None, None) => None,
            (Some(cert), None) => {
                lone(&cert, "cert", "key");
                None
            }
            (None, Some(key)) => {
                lone(&key, "key", "cert");
                None
            }
            (Some(cert), Some(key)) => {
                let (cert, key) = (self.existing(&cert), self.existing(&key));
                Some(Tls { cert: cert?, key: key? })
            }
        }
    }

    fn metrics(&self, section: &Section<'_, 'a>, listen: SocketAddr) -> Metrics {
        let Some(found) = section.text("listen") else { return Metrics::Off };
        let parse = |text: String| match text.trim() {
            "off" => Ok(Metrics::Off),
            text => match address(text)? {
                at if at == listen && at.port() != 0 => Err(Wrong::new("`metrics.listen` is where the portal listens")
                    .hint("the metrics have a port of their own, so that a firewall can keep them inside")),
                at => Ok(Metrics::At(at)),
            },
        };
        found.parse(self.source, parse).unwrap_or(Metrics::Off)
    }

    fn log(&self, section: &Section<'_, 'a>) -> Log {
        let one_of = |found: Found<String>, words: &'static [&'static str]| {
            found.parse(self.source, |word| {
                let word = word.trim().to_lowercase();
                let known = words.iter().find(|known| **known == word).copied();
                known.ok_or_else(|| {
                    let wrong = Wrong::new(format!("`{word}` is not one of {}", words.join(", ")));
                    match nearest(&word, words.iter().copied()) {
                        Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
                        None => wrong,
                    }
                })
            })
        };
        let format = section.text("format").and_then(|format| one_of(format, &["text", "json"]));
        let level = section.text("level").and_then(|level| one_of(level, &LEVELS));
        let format = if format == Some("json") { LogFormat::Json } else { LogFormat::Text };
        Log { format, level: level.unwrap_or("info") }
    }

    fn egress(&self, section: &Section<'_, 'a>, offline: bool) -> Egress {
        let offline = section.flag("offline").unwrap_or(false) || offline;
        let allow = self.each(section.texts("allow"), |host| reachable(&host));
        Egress { allow, offline, ca_file: section.text("ca_file").and_then(|file| self.existing(&file)) }
    }

    fn files(&self, section: &Section<'_, 'a>) -> Files {
        // No larger than what is read at all.
        let largest = section.number("largest_bytes", 1024..=documents::limits::FILE).unwrap_or(100 << 20);
        let per_person = section.number("per_person_bytes", 1024..=1 << 50).unwrap_or(2 << 30);
        let scanner = |text: String| {
            text.parse().map_err(|why: String| {
                Wrong::new(why).hint("write \"127.0.0.1:3310\" or \"unix:/run/clamav/clamd.ctl\"")
            })
        };
        Files {
            folder: section.text("folder").map(|folder| self.path(&folder)),
            largest_bytes: largest,
            per_person_bytes: per_person,
            clamd: section.text("clamd").and_then(|clamd| clamd.parse(self.source, scanner)),
        }
    }

    fn library(&self, section: &Section<'_, 'a>) -> Library {
        let source = |text: String| text.parse::<models::library::Source>().map_err(|_| not_a_source(&text));
        let from = section.text("from").and_then(|from| from.parse(self.source, source));
        Library { from: from.unwrap_or_default() }
    }

    fn plugins(&self, section: &Section<'_, 'a>) -> Plugins {
        let python = section.text("python").and_then(|python| self.existing(&python));
        let databases = section.texts("databases").iter().map(|folder| self.path(folder)).collect();
        Plugins { python: python.unwrap_or_else(|| PathBuf::from("/usr/bin/python3")), databases }
    }

    fn providers(&self, root: &Section<'_, 'a>) -> Vec<Provider> {
        let mut slugs = HashSet::new();
        let mut providers = Vec::new();
        for section in root.sections("provider") {
            let slug_found = section.required("slug", "a short name, as in slug = \"ollama\"");
            let name = section.text("name").map(|name| name.value);
            let kind = section.text("kind").and_then(|kind| kind.parse(self.source, |kind| provider_kind(&kind)));
            let kind = kind.unwrap_or("openai").to_owned();
            let base_url = section.required("base_url", "where it answers, as in \"http://127.0.0.1:11434\"");
            let base_url = base_url.and_then(|url| url.parse(self.source, |url| provider_url(&kind, &url)));
            let api_key = self.api_key(&section);
            let max_concurrent = small(section.number("max_concurrent", CONCURRENT));
            let warm_up = section.flag("warm_up").unwrap_or(false);
            let enabled = section.flag("enabled").unwrap_or(true);
            let models = self.provider_models(&section);
            let slug_found = slug_found.and_then(|found| self.slug(&mut slugs, found));
            let (Some(slug), Some(base_url)) = (slug_found, base_url) else { continue };
            let name = name.unwrap_or_else(|| slug.clone());
            providers.push(Provider { name, slug, kind, base_url, api_key, models, enabled, max_concurrent, warm_up });
        }
        providers
    }

    fn provider_models(&self, provider: &Section<'_, 'a>) -> Vec<ProviderModel> {
        let mut names = HashSet::new();
        let mut models = Vec::new();
        for section in provider.sections("model") {
            let name = section.required("name", "what the provider calls the model");
            let display_name = section.text("display_name").map(|name| name.value);
            let enabled = section.flag("enabled").unwrap_or(true);
            let streaming = section.flag("streaming").unwrap_or(true);
            let max_concurrent = small(section.number("max_concurrent", CONCURRENT));
            let Some(name) = name.and_then(|name| self.once(&mut names, name, "model")) else { continue };
            models.push(ProviderModel { name, display_name, enabled, streaming, max_concurrent });
        }
        models
    }

    fn slug(&self, slugs: &mut HashSet<String>, found: Found<String>) -> Option<String> {
        let place = found.place.clone();
        let slug = found.parse(self.source, |slug| match slug.as_str() {
            "local" => {
                Err(Wrong::new("the slug `local` belongs to the models that run here").hint("take another word"))
            }
            slug if (1..=40).contains(&slug.len())
                && slug.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) =>
            {
                Ok(slug.to_owned())
            }
            slug => Err(Wrong::new(format!("`{slug}` cannot be a slug"))
                .hint("1 to 40 of a-z, 0-9 and `-`; what people read goes into `name`")),
        })?;
        self.once(slugs, Found { value: slug, place }, "provider")
    }

    /// The key itself never stands in the file: files end up in repositories and tickets.
    fn api_key(&self, section: &Section<'_, 'a>) -> Option<Secret> {
        let (variable, file) = (section.text("api_key_env"), section.text("api_key_file"));
        if let (Some(_), Some(file)) = (&variable, &file) {
            let sentence = "a provider has one key: `api_key_env` or `api_key_file`, not both";
            self.source.mistake(Mistake::new(file.place.clone(), sentence));
            return None;
        }
        if let Some(variable) = variable {
            return variable.parse(self.source, |name| match self.source.variable(&name) {
                Some(key) => Ok(Secret::new(key.trim())),
                None => Err(Wrong::new(format!("the environment variable {name} is not set"))
                    .hint(format!("set {name} to the key of this provider, or name a file with `api_key_file`"))),
            });
        }
        let file = file?;
        let path = self.existing(&file)?;
        file.parse(self.source, |_| match std::fs::read_to_string(&path) {
            Ok(key) if !key.trim().is_empty() => Ok(Secret::new(key.trim())),
            Ok(_) => Err(Wrong::new(format!("the key file {} is empty", path.display()))),
            Err(why) => Err(Wrong::new(format!("the key file {} cannot be read: {why}", path.display()))),
        })
    }
}

fn limits(section: &Section<'_, '_>) -> Limits {
    let daily = small(section.number("daily_tokens_per_person", 0..=u64::from(u32::MAX)));
    let body = section.number("body_bytes", 1024..=1 << 30);
    Limits { daily_tokens_per_person: daily.filter(|tokens| *tokens > 0), body_bytes: body.unwrap_or(32 << 20) }
}

fn timeouts(section: &Section<'_, '_>) -> Timeouts {
    let clock = |key, usual| Duration::from_millis(section.number(key, 1..=DAY_MS).unwrap_or(usual));
    let total = section.number("total_ms", 0..=DAY_MS).filter(|ms| *ms > 0);
    Timeouts {
        connect: clock("connect_ms", 5_000),
        first_token: clock("first_token_ms", 120_000),
        idle: clock("idle_ms", 60_000),
        total: total.map(Duration::from_millis),
    }
}

fn queue(section: &Section<'_, '_>) -> Queue {
    let usual = models::Waiting::default();
    let clock = |key, usual: Duration| section.number(key, 1..=DAY_MS).map_or(usual, Duration::from_millis);
    Queue {
        most: small(section.number("max_waiting", 0..=65_536)).unwrap_or(usual.most),
        longest: clock("max_wait_ms", usual.longest),
        batch_ages_after: clock("batch_ages_after_ms", usual.batch_ages_after),
    }
}

/// `127.0.0.1:8420`, `[::1]:8420` or `localhost:8420`. Other names are not looked up: what they mean may change.
fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let text = text.trim();
    let spelt = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    if let Ok(address) = spelt.as_deref().unwrap_or(text).parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix(':').or(Some(text)).filter(|port| port.parse::<u16>().is_ok()) {
        return Err(Wrong::new(format!("`{text}` has a port but no address"))
            .hint(format!("write \"127.0.0.1:{port}\" for this machine alone, \"0.0.0.0:{port}\" for the network")));
    }
    if text.parse::<IpAddr>().is_ok() || text == "localhost" {
        let text = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
        return Err(Wrong::new(format!("`{text}` has no port")).hint(format!("write \"{text}:8420\"")));
    }
    if text.contains("://") {
        return Err(Wrong::new("this is a URL, not an address to listen on")
            .hint("write address and port, as in \"127.0.0.1:8420\"; the URL people type goes into `public_url`"));
    }
    Err(Wrong::new(format!("`{text}` is not an address to listen on"))
        .hint("write an IP address and a port from 0 to 65535, as in \"127.0.0.1:8420\""))
}

/// A whole origin: scheme, host, perhaps a port. Not a path: the portal sits at the root of its host.
fn origin(text: &str) -> Result<String, Wrong> {
    let example = "as in \"https://ai.example.org\"";
    let (parts, path) = http_url(text, example)?;
    if path != "/" {
        return Err(Wrong::new("`public_url` has a path, but the portal sits at the root of its host").hint(example));
    }
    Ok(parts)
}

fn provider_kind(text: &str) -> Result<&'static str, Wrong> {
    let known = models::KINDS.into_iter().find(|kind| *kind == text.trim());
    known.ok_or_else(|| {
        let wrong = Wrong::new(format!("there is no adapter `{text}`; there are: {}", models::KINDS.join(", ")));
        wrong.hint(
            "whatever speaks OpenAI's dialect is \"openai\", which is also what is taken where `kind` is left out",
        )
    })
}

fn provider_url(kind: &str, text: &str) -> Result<String, Wrong> {
    if kind == "azure" {
        let example = "as in \"https://NAME.openai.azure.com/openai/v1\", or with ?api-version=… at the end";
        return models::normalise_base_url(kind, text).map_err(|why| Wrong::new(why).hint(example));
    }
    let (origin, path) = http_url(text, "as in \"http://127.0.0.1:11434\"")?;
    Ok(format!("{origin}{}", path.trim_end_matches('/')))
}

/// Origin and path of an http or https URL without a password in it.
fn http_url(text: &str, example: &str) -> Result<(String, String), Wrong> {
    let url: http::Uri = text.trim().parse().map_err(|_| Wrong::new("this is not a URL").hint(example))?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(Wrong::new("a URL starts with http:// or https://").hint(example));
    };
    if scheme != "http" && scheme != "https" {
        return Err(Wrong::new(format!("`{scheme}` is not http or https")).hint(example));
    }
    if authority.as_str().contains('@') {
        return Err(
            Wrong::new("a URL with a password in it ends up in logs").hint("leave out what stands before the @")
        );
    }
    if url.query().is_some() {
        return Err(Wrong::new("the URL has a `?`, which cannot be kept").hint(example));
    }
    Ok((format!("{scheme}://{authority}"), url.path().to_owned()))
}

fn network(text: &str) -> Result<IpNet, Wrong> {
    let alone = text.parse::<IpAddr>().ok().map(IpNet::from);
    alone.or_else(|| text.parse().ok()).ok_or_else(|| {
        Wrong::new(format!("`{text}` is not an address or a range of addresses"))
            .hint("as in \"127.0.0.1\" or \"10.0.0.0/8\"; only proxies you run belong here")
    })
}

fn database(text: &str) -> Result<Database, Wrong> {
    let text = text.trim();
    if text == "sqlite" {
        return Ok(Database::Sqlite);
    }
    if text.starts_with("sqlite:") {
        return Err(Wrong::new("the SQLite file lies in the data folder").hint("write \"sqlite\", and set `data`"));
    }
    if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
        if rest.is_empty() {
            return Err(
                Wrong::new("the URL names no server").hint("as in \"postgres://portico@db.example.org/portico\"")
            );
        }
        return Ok(Database::Postgres(Secret::new(text)));
    }
    // The value is not repeated: it may hold a password.
    Err(Wrong::new("`database.url` is neither \"sqlite\" nor a PostgreSQL URL")
        .hint("write \"sqlite\" or \"postgres://user:password@host/database\""))
}

/// A host name, an address or a range.
fn reachable(text: &str) -> Result<String, Wrong> {
    let host = text.trim().to_lowercase();
    if host.contains("://") || host.contains('@') {
        return Err(
            Wrong::new("`egress.allow` holds hosts, not URLs").hint("as in \"api.example.org\" or \"10.0.0.0/8\"")
        );
    }
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named = !host.is_empty() && host.chars().all(letter) && !host.starts_with('.') && !host.contains("..");
    if named || host.parse::<IpNet>().is_ok() || host.parse::<IpAddr>().is_ok() {
        return Ok(host);
    }
    Err(Wrong::new(format!("`{text}` is not a host name, an address or a range"))
        .hint("as in \"api.example.org\", \"10.1.2.3\" or \"10.0.0.0/8\""))
}

fn not_a_source(text: &str) -> Wrong {
    Wrong::new(format!("`{text}` is nobody to fetch models from"))
        .hint("write \"huggingface\", \"modelscope\", or the https:// address of a mirror with Hugging Face's paths")
}

/// The two slips that TOML's own message does not explain: text without quotes, and a backslash in a Windows path.
fn syntax_hint(line: &str, message: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let value = value.split(" #").next().unwrap_or_default().trim();
    let bare = !value.is_empty() && !value.starts_with(['"', '\'', '[', '{']);
    if bare && value.parse::<f64>().is_err() && !value.contains('•') {
        return Some(format!("texts are written in quotes: {} = \"{value}\"", key.trim()));
    }
    if value.contains('\\') && message.contains("value") {
        return Some("in a Windows path write / or \\\\ for each \\".to_owned());
    }
    None
}

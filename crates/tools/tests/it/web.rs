//! The web: a page read from a real socket, a search by a scripted SearXNG, and the whole table of addresses that are not asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use domain::ToolPart;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{House, order, preset};

struct Site {
    url: String,
    /// How often anything at all was asked.
    asked: Arc<AtomicUsize>,
    _running: JoinSet<()>,
}

async fn site(router: Router) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let router = router.layer(axum::middleware::map_request(move |request: axum::extract::Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { request }
    }));
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    Site { url, asked, _running: running }
}

fn page(body: &'static str) -> axum::routing::MethodRouter {
    get(move || async move { ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body) })
}

/// A house that reads the web, and this one site beside it.
async fn reading(site: &Site) -> House {
    let house = House::open().await;
    let mut wanted = order(preset("web-fetch"));
    wanted.choices.base_url = Some(site.url.clone());
    wanted.choices.timeout_s = Some(5);
    house.install(wanted).await;
    site.asked.store(0, Ordering::SeqCst);
    house
}

#[tokio::test]
async fn a_page_is_read_as_its_text() {
    let long: &'static str = Box::leak(format!("<p>{}</p>", "字".repeat(13_000)).into_boxed_str());
    let site = site(
        Router::new()
            .route("/", page("<title>价格</title><nav>menu</nav><h1>Prices</h1><p>Screws &amp; nuts</p>"))
            .route("/long", page(long))
            .route("/plain", get(|| async { "just text" }))
            .route("/data", get(|| async { axum::Json(json!({ "a": 1 })) }))
            .route("/picture", get(|| async { ([(header::CONTENT_TYPE, "image/png")], "x") }))
            .route(
                "/gbk",
                get(|| async {
                    (
                        [(header::CONTENT_TYPE, "text/html; charset=gbk")],
                        encoding_rs::GBK.encode("<p>你好</p>").0.into_owned(),
                    )
                }),
            )
            .route("/large", get(|| async { "x".repeat(3 << 20) }))
            .route(
                "/moved/here",
                get(|| async { (StatusCode::FOUND, [(header::LOCATION, "../plain")]).into_response() }),
            ),
    )
    .await;
    let house = reading(&site).await;
    let read = async |path: &str| house.call("web-fetch", &json!({ "url": format!("{}{path}", site.url) })).await;
    assert_eq!(read("/").await, format!("{}/\n价格\n\n# Prices\n\nScrews & nuts", site.url));
    assert_eq!(read("/plain").await, format!("{}/plain\n\njust text", site.url));
    assert!(read("/data").await.ends_with("{\"a\":1}"));
    assert!(read("/gbk").await.ends_with("你好"));
    assert!(read("/picture").await.contains("it is \\\"image/png\\\", which is no page of text"));
    assert!(read("/nothing").await.contains("status 404"));
    assert!(read("/large").await.contains("too_large"));
    assert!(read("/moved/here").await.contains("just text"));
    let long = read("/long").await;
    assert!(
        long.ends_with("(it goes on: character 12000 of 13000; ask with \"from\": 12000)"),
        "{}",
        &long[long.len() - 200..]
    );
    let rest = house.call("web-fetch", &json!({ "url": format!("{}/long", site.url), "from": 12_000 })).await;
    assert_eq!(rest.matches('字').count(), 1_000);
}

/// Addresses that lead to this machine, to private networks, to clouds' metadata, to nowhere, or are no pages; under every name.
const SHUT: [&str; 58] = [
    // this machine
    "http://127.0.0.1/",
    "http://127.8.9.1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://api.localhost/",
    "http://[::1]/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://[::]/",
    // private networks
    "http://10.0.0.5/",
    "http://172.16.0.1/",
    "http://172.31.255.254/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://[fd00::1]/",
    "http://[fc00::1]/",
    "http://[fec0::1]/",
    // link-local and metadata
    "http://169.254.169.254/latest/meta-data",
    "http://169.254.170.2/",
    "http://[fe80::1]/",
    "http://100.100.100.200/",
    "http://[fd00:ec2::254]/",
    // IPv4 in IPv6's clothes
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:10.0.0.5]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:0:0]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::]/",
    // as numbers: decimal, octal, hexadecimal, short
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0/",
    // kept for documentation, tests, groups and the future
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://203.0.113.5/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[2001:db8::1]/",
    "http://[ff02::1]/",
    // ports that are none of the web's
    "http://example.com:22/",
    "https://example.com:6379/",
    // what is no page of the web
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:70/",
    "http://user:password@example.com/",
    "https://127.0.0.1@example.com/",
    "http:///etc/passwd",
    "//example.com/",
];

#[tokio::test]
async fn addresses_that_are_not_asked() {
    let inner = site(Router::new().fallback(get(|| async { "inner secret" }))).await;
    let house = House::open().await;
    let mut wanted = order(preset("web-fetch"));
    wanted.choices.timeout_s = Some(5);
    let made = house.install(wanted).await;
    assert_eq!(made.grants.iter().map(ToString::to_string).collect::<Vec<_>>(), ["net:*"]);
    let direct = inner.url.clone();
    let by_name = inner.url.replace("127.0.0.1", "localhost");
    for url in SHUT.iter().copied().chain([direct.as_str(), by_name.as_str()]) {
        let answered = house.answered("web-fetch", &json!({ "url": url }), Vec::new()).await;
        let code = answered.step.error.as_deref().unwrap_or("done");
        assert!(matches!(code, "egress_forbidden" | "arguments_invalid"), "{url}: {code}: {}", answered.text);
    }
    assert_eq!(inner.asked.load(Ordering::SeqCst), 0);
    // A name that the system's resolver reads as this machine is what a name that was rebound is: it is looked at when the
    // connection is made, and the connection goes to what was looked at.
    let answered = house.answered("web-fetch", &json!({ "url": "http://2130706433/" }), Vec::new()).await;
    assert!(answered.text.contains("127.0.0.1 is not a public address"), "{}", answered.text);
}

#[tokio::test]
async fn redirects_lead_nowhere_that_is_not_asked() {
    let inner = site(Router::new().fallback(get(|| async { "inner secret" }))).await;
    // For a browser "//example.com/" is a host of its own, and a public one.
    let shut = SHUT.iter().filter(|url| !url.starts_with("//")).map(|url| (*url).to_owned());
    let targets: Vec<String> = shut.chain([inner.url.clone()]).collect();
    let told = targets.clone();
    let outer = site(Router::new().route(
        "/to/{at}",
        get(move |axum::extract::Path(at): axum::extract::Path<usize>| {
            let to = told[at].clone();
            async move { (StatusCode::FOUND, [(header::LOCATION, to)]) }
        }),
    ))
    .await;
    let house = reading(&outer).await;
    for (at, target) in targets.iter().enumerate() {
        let answered =
            house.answered("web-fetch", &json!({ "url": format!("{}/to/{at}", outer.url) }), Vec::new()).await;
        let code = answered.step.error.as_deref().unwrap_or("done");
        let shut = matches!(code, "egress_forbidden" | "tool_failed");
        assert!(shut && !answered.text.contains("inner secret"), "{target}: {code}: {}", answered.text);
    }
    assert_eq!(inner.asked.load(Ordering::SeqCst), 0);
    assert_eq!(outer.asked.load(Ordering::SeqCst), targets.len());
}

#[tokio::test]
async fn a_grant_of_one_host_is_that_host() {
    let house = House::open().await;
    let mut wanted = order(preset("web-fetch"));
    wanted.grants = Some(["net:docs.example.com".parse().expect("a permission")].into());
    house.install(wanted).await;
    let text = house.call("web-fetch", &json!({ "url": "https://example.com/" })).await;
    assert!(text.contains("net:example.com, which was not granted"), "{text}");
    let mut other = order(preset("calculator"));
    other.grants = Some(["net:example.com".parse().expect("a permission")].into());
    assert!(house.refused(other).await.contains("is not asked for by this plugin"));
}

#[tokio::test]
async fn a_search_is_a_list_of_pages() {
    let searx = site(
        Router::new()
            .route(
                "/search",
                get(|uri: axum::http::Uri| async move {
                    match uri.query().unwrap_or_default() {
                        "format=json&q=%E8%9E%BA%E4%B8%9D%20price&language=zh-CN&pageno=2" => axum::Json(json!({
                            "query": "螺丝 price", "number_of_results": 2, "answers": [], "corrections": [], "infoboxes": [],
                            "results": [
                                { "url": "https://shop.example.com/1", "title": "螺丝", "content": "Screws,\n 3 yuan", "engine": "x", "score": 1.0 },
                                { "url": "javascript:alert(1)", "title": "bad", "content": "" },
                            ],
                            "suggestions": [], "unresponsive_engines": [["y", "timeout"]]
                        }))
                        .into_response(),
                        "format=json&q=nothing" => axum::Json(json!({ "results": [] })).into_response(),
                        "format=json&q=html" => "<html>".into_response(),
                        _ => StatusCode::FORBIDDEN.into_response(),
                    }
                }),
            )
            .route("/", get(|| async { "SearXNG" })),
    )
    .await;
    let house = House::open().await;
    assert_eq!(house.refused(order(preset("web-search"))).await, "base_url: the address of a SearXNG is missing");
    let mut wanted = order(preset("web-search"));
    wanted.choices.base_url = Some(format!("{}/", searx.url));
    let made = house.install(wanted).await;
    assert!(made.unreachable.is_none());
    let arguments = json!({ "query": "螺丝 price", "language": "zh-CN", "page": 2 });
    let answered = house.answered("web-search", &arguments, Vec::new()).await;
    assert_eq!(answered.text, "1. 螺丝\nhttps://shop.example.com/1\nScrews, 3 yuan");
    let columns = ["title", "url", "text"].map(str::to_owned).to_vec();
    let rows = vec![vec![json!("螺丝"), json!("https://shop.example.com/1"), json!("Screws, 3 yuan")]];
    assert_eq!(answered.step.parts, [ToolPart::Table { columns, rows, cut: false }]);
    let asked = async |query: &str| house.call("web-search", &json!({ "query": query })).await;
    assert_eq!(asked("nothing").await, "(nothing was found)");
    assert!(asked("html").await.contains("what it answers is no JSON"));
    assert!(asked("other").await.contains("its settings.yml must list json under search.formats"));
    let text = house.call("web-search", &json!({ "query": "x", "language": "en&q=y" })).await;
    assert!(text.contains("arguments_invalid"), "{text}");
}

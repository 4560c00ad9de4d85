//! The way out, tried on real sockets: what is let out, what is not, and how connections behave.

#![expect(clippy::expect_used, reason = "a failed expectation is how a test says so, in its helpers too")]

mod confined;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::testing::ManualClock;
use domain::{Clock, Timestamp};
use egress::{Egress, Error, Options, Origin};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn uri(text: &str) -> Uri {
    text.parse().expect("a URL")
}

fn origin(text: &str) -> Origin {
    Origin::of(&uri(text)).expect("an origin")
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).expect("a request")
}

fn egress(options: Options) -> Egress {
    Egress::new(options, Arc::new(ManualClock::at(1_000))).expect("a client")
}

fn allowing(rules: &[&str]) -> Egress {
    let allow = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    egress(Options { allow, ..Options::default() })
}

/// Answers every request with `answer` and counts connections.
async fn serve(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                    if socket.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, connections)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn nothing_is_allowed_but_what_was_listed() {
    let (address, connections) = serve(OK).await;
    let url = format!("http://{address}/v1/models?key=secret");
    let egress = egress(Options::default());
    let refused = egress.request(get(&url)).await.expect_err("not listed");
    let expected =
        Error::Forbidden { url: format!("http://{address}"), reason: "it is not on the list of allowed hosts".into() };
    assert_eq!(refused, expected);
    assert_eq!((connections.load(Ordering::SeqCst), egress.contacts().len()), (0, 0));

    egress.allow(origin(&url));
    let answer = egress.request(get(&url)).await.expect("listed");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "ok");
    egress.allow_only(Vec::new());
    assert!(matches!(egress.request(get(&url)).await, Err(Error::Forbidden { .. })));
}

#[test]
fn rules_are_hosts_ports_and_networks() {
    let allowed = |rules: &[&str], url: &str| allowing(rules).check(&uri(url)).is_ok();
    assert!(allowed(&["models.corp"], "https://Models.Corp./v1"));
    assert!(allowed(&["models.corp:8000"], "http://models.corp:8000"));
    assert!(!allowed(&["models.corp:8000"], "http://models.corp"));
    assert!(!allowed(&["models.corp"], "http://evil.models.corp"));
    assert!(allowed(&["10.0.0.0/8"], "http://10.1.2.3:8000/v1"));
    assert!(!allowed(&["10.0.0.0/8"], "http://11.1.2.3:8000/v1"));
    assert!(allowed(&["fd00::/8"], "http://[fd00::1]:8000/v1"));
    assert!(allowed(&["0.0.0.0/0"], "http://8.8.8.8"));
    for rule in ["10.0.0.0/33", "", "a b", "host:port", "http://x"] {
        assert!(rule.parse::<egress::Rule>().is_err(), "{rule}");
    }
}

#[test]
fn metadata_and_link_local_addresses_need_the_configuration() {
    for url in [
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0:80/",
        "http://100.100.100.200/",
    ] {
        let egress = allowing(&["10.0.0.0/8"]);
        egress.allow(origin(url));
        assert!(matches!(egress.check(&uri(url)), Err(Error::Forbidden { .. })), "{url}");
    }
    assert!(allowing(&["169.254.169.254"]).check(&uri("http://169.254.169.254")).is_ok());
    assert!(allowing(&["169.254.0.0/16"]).check(&uri("http://169.254.169.254")).is_ok());
}

#[test]
fn offline_looks_up_no_name_and_leaves_no_private_network() {
    let options = Options { offline: true, allow: vec!["0.0.0.0/0".parse().expect("a rule")], ..Options::default() };
    let egress = egress(options);
    egress.allow(origin("http://models.corp"));
    egress.allow(origin("http://localhost:11434"));
    let outcome = |url: &str| egress.check(&uri(url)).err().map(|error| error.to_string());
    assert_eq!(outcome("http://10.0.0.1"), None);
    assert_eq!(outcome("http://localhost:11434/v1"), None);
    assert_eq!(
        outcome("http://models.corp").as_deref(),
        Some("http://models.corp:80 may not be contacted: the portal runs offline and looks up no name")
    );
    assert_eq!(
        outcome("http://8.8.8.8").as_deref(),
        Some("http://8.8.8.8:80 may not be contacted: the portal runs offline and 8.8.8.8 is a public address")
    );
}

#[test]
fn an_address_that_cannot_be_asked_is_named() {
    let reason = |url: &str| Origin::of(&uri(url)).expect_err(url).to_string();
    assert_eq!(
        reason("ftp://host/x"),
        "\"ftp://host\" is not an address that can be asked: only http and https are spoken"
    );
    assert_eq!(
        reason("localhost:11434"),
        "\"\" is not an address that can be asked: it must begin with http:// or https://"
    );
    assert_eq!(
        reason("http://user:pw@host/"),
        "\"http://host\" is not an address that can be asked: a user name or password does not belong in it"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (address, _) =
        serve("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n").await;
    let egress = allowing(&["127.0.0.1"]);
    let answer = egress.request(get(&format!("http://{address}/"))).await.expect("an answer");
    assert_eq!(answer.status(), 302);
    assert_eq!(egress.contacts().len(), 1);
}

#[tokio::test]
async fn the_record_counts_every_host() {
    let (address, _) = serve(OK).await;
    let clock = Arc::new(ManualClock::at(5_000));
    let options = Options { allow: vec!["127.0.0.0/8".parse().expect("a rule")], ..Options::default() };
    let egress = Egress::new(options, clock.clone()).expect("a client");
    for _ in 0..3 {
        let answer = egress.request(get(&format!("http://{address}/"))).await.expect("an answer");
        answer.into_body().collect().await.expect("a body");
        clock.advance(Duration::from_secs(1));
    }
    let contacts = egress.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!((contacts[0].first, contacts[0].last, contacts[0].count), (Timestamp(5_000), Timestamp(7_000), 3));
    assert_eq!(contacts[0].origin, format!("http://{address}"));
    assert_eq!(clock.now(), Timestamp(8_000));
}

#[tokio::test]
async fn nobody_listens_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let failed = allowing(&["127.0.0.1"]).request(get(&format!("http://{address}/"))).await.expect_err("closed");
    let Error::Unreachable { reason, .. } = failed else { unreachable!("{failed:?}") };
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn case_25_the_connect_clock_covers_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let wait = Duration::from_millis(80);
    let options =
        Options { allow: vec!["127.0.0.1".parse().expect("a rule")], connect_timeout: wait, ..Options::default() };
    let failed = egress(options).request(get(&format!("https://{address}/"))).await.expect_err("silent");
    assert_eq!(failed, Error::ConnectTimeout { url: format!("https://{address}"), after: wait });
}

#[tokio::test]
async fn case_26_pooled_connections_idle_out_after_three_seconds() {
    let (address, connections) = serve(OK).await;
    let egress = allowing(&["127.0.0.1"]);
    let ask = async || {
        let answer = egress.request(get(&format!("http://{address}/"))).await.expect("an answer");
        answer.into_body().collect().await.expect("a body");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ask().await;
    ask().await;
    assert_eq!(connections.load(Ordering::SeqCst), 1, "reused while fresh");
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    ask().await;
    assert_eq!(connections.load(Ordering::SeqCst), 2, "not reused after three seconds");
}

#[test]
fn a_certificate_file_that_does_not_serve_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let options = Options { extra_ca: Some(file.path().to_owned()), ..Options::default() };
    let failed = Egress::new(options, Arc::new(ManualClock::at(0))).expect_err("empty");
    assert_eq!(failed.to_string(), format!("{}: there is no certificate in it", file.path().display()));
}

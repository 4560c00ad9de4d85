//! A confined client: what it may reach is said opening by opening, and a private address is none of it unless that is said too.

use egress::{Error, Opening, Options};
use http_body_util::BodyExt;

use super::{OK, egress, get, origin, serve, uri};

fn opening(url: &str, private: bool) -> Opening {
    Opening { origin: origin(url), private }
}

#[test]
fn private_addresses_in_every_disguise_are_refused_by_default() {
    for url in [
        "http://127.0.0.1/",
        "http://127.8.9.1:8080/",
        "http://localhost/",
        "http://api.localhost/",
        "http://LOCALHOST./",
        "http://10.0.0.5/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://100.100.100.200/",
        "http://198.18.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:10.0.0.5]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:db8::1]/",
    ] {
        let client = egress(Options::default()).confined(vec![opening(url, false)]);
        assert!(matches!(client.check(&uri(url)), Err(Error::Forbidden { .. })), "{url}");
    }
    for url in ["https://8.8.8.8/", "https://[2001:4860:4860::8888]/", "https://api.example.com/"] {
        let client = egress(Options::default()).confined(vec![opening(url, false)]);
        assert!(client.check(&uri(url)).is_ok(), "{url}");
    }
}

#[test]
fn what_is_never_meant_stays_shut_also_where_private_ones_are_allowed() {
    for url in [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ] {
        let client = egress(Options::default()).confined(vec![opening(url, true)]);
        assert!(matches!(client.check(&uri(url)), Err(Error::Forbidden { .. })), "{url}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_when_it_is_resolved() {
    let (address, connections) = serve(OK).await;
    // The system reads these as 127.0.0.1; to us they are names, as a rebound name is.
    for host in ["2130706433", "0x7f000001", "017700000001", "127.1"] {
        let url = format!("http://{host}:{}/", address.port());
        let client = egress(Options::default()).confined(vec![opening(&url, false)]);
        let refused = client.request(get(&url)).await.expect_err(host);
        assert!(matches!(refused, Error::Forbidden { .. } | Error::Unreachable { .. }), "{host}: {refused:?}");
        assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 0, "{host}");
    }
    let url = format!("http://2130706433:{}/", address.port());
    let refused = egress(Options::default()).confined(vec![opening(&url, false)]).request(get(&url)).await;
    let Err(Error::Forbidden { reason, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "127.0.0.1 is not a public address, and private ones were not allowed");
    let answer = egress(Options::default()).confined(vec![opening(&url, true)]).request(get(&url)).await;
    assert_eq!(answer.expect("allowed").into_body().collect().await.expect("a body").to_bytes(), "ok");
}

#[tokio::test]
async fn the_configuration_and_other_errands_open_nothing_for_it() {
    let (address, _) = serve(OK).await;
    let url = format!("http://{address}/");
    let house = super::allowing(&["127.0.0.0/8"]);
    house.allow(origin(&url));
    assert!(house.check(&uri(&url)).is_ok());
    let client = house.confined(Vec::new());
    assert!(matches!(client.request(get(&url)).await, Err(Error::Forbidden { .. })));
    let client = house.confined(vec![opening(&url, true)]);
    assert!(client.request(get(&url)).await.is_ok());
    let other = format!("http://127.0.0.1:{}/", address.port().wrapping_add(1).max(1));
    assert!(matches!(client.check(&uri(&other)), Err(Error::Forbidden { .. })), "another port is another origin");
    assert_eq!(house.contacts().len(), 1, "it stands in the house's record");
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/"] {
        let Ok(address) = url.parse::<http::Uri>() else { continue };
        assert!(client.check(&address).is_err(), "{url}");
    }
}

#[tokio::test]
async fn the_web_is_every_public_host_at_the_webs_own_ports() {
    let (address, connections) = serve(OK).await;
    let site = format!("http://{address}/");
    let client = egress(Options::default()).public(vec![opening(&site, true)]);
    for url in [
        "https://8.8.8.8/",
        "https://api.example.com/",
        "http://api.example.com/a?b",
        "https://[2001:4860:4860::8888]/",
    ] {
        assert!(client.check(&uri(url)).is_ok(), "{url}");
    }
    for url in [
        "https://api.example.com:8443/",
        "http://8.8.8.8:25/",
        "http://10.0.0.5/",
        "http://169.254.169.254/",
        "http://[::ffff:10.0.0.5]/",
        "http://localhost/",
        // The host of an opening, at another port: another origin, and a private one.
        "http://127.0.0.1/",
        "https://127.0.0.1/",
    ] {
        assert!(matches!(client.check(&uri(url)), Err(Error::Forbidden { .. })), "{url}");
    }
    assert!(client.request(get(&site)).await.is_ok());
    let before = connections.load(std::sync::atomic::Ordering::SeqCst);
    let refused = client.request(get("http://2130706433/")).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), before);
    let offline = egress(Options { offline: true, ..Options::default() }).public(Vec::new());
    assert!(matches!(offline.check(&uri("https://api.example.com/")), Err(Error::Forbidden { .. })));
}

#[tokio::test]
async fn an_address_for_another_protocol_is_looked_at_like_one_of_http() {
    let house = egress(Options::default());
    let asked =
        async |url: &str, private: bool| house.confined(vec![opening(url, private)]).address(&origin(url)).await;
    assert_eq!(asked("http://10.0.0.5:5432/", true).await.expect("allowed").to_string(), "10.0.0.5:5432");
    assert_eq!(asked("http://2130706433:5432/", true).await.expect("allowed").to_string(), "127.0.0.1:5432");
    for (url, private) in [
        ("http://10.0.0.5:5432/", false),
        ("http://2130706433:5432/", false),
        ("http://localhost:5432/", false),
        ("http://169.254.169.254:5432/", true),
        ("http://0.0.0.0:5432/", true),
    ] {
        assert!(matches!(asked(url, private).await, Err(Error::Forbidden { .. })), "{url}");
    }
    let other =
        house.confined(vec![opening("http://10.0.0.5:5432/", true)]).address(&origin("http://10.0.0.5:22/")).await;
    assert!(matches!(other, Err(Error::Forbidden { .. })), "another port is another origin");
}

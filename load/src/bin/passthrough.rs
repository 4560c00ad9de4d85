//! The least a Rust proxy can do: forward head and body unchanged, both ways.
//! It marks the floor under which no gateway of the same make can go.

use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use load::Args;

type Body = BoxBody<Bytes, hyper::Error>;

async fn forward(
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    mut req: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    let path = req.uri().path_and_query().map_or("/", |p| p.as_str());
    if let Ok(uri) = format!("{upstream}{path}").parse::<Uri>() {
        *req.uri_mut() = uri;
    }
    req.headers_mut().remove("host");
    match client.request(req).await {
        Ok(r) => Ok(r.map(|b| b.boxed())),
        Err(_) => {
            let mut r = Response::new(Empty::new().map_err(|e| match e {}).boxed());
            *r.status_mut() = hyper::StatusCode::BAD_GATEWAY;
            Ok(r)
        }
    }
}

async fn serve(args: Args) -> std::io::Result<()> {
    let upstream = args.str("upstream", "http://127.0.0.1:9100");
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1024).build(connector);
    let listener = tokio::net::TcpListener::bind(args.str("listen", "127.0.0.1:9101")).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        let _ = socket.set_nodelay(true);
        let (client, upstream) = (client.clone(), upstream.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |req| forward(client.clone(), upstream.clone(), req));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let threads = args.num("threads", 1usize);
    let mut rt = if threads <= 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    if threads > 1 {
        rt.worker_threads(threads);
    }
    rt.enable_all().build()?.block_on(serve(args))
}

//! The portal's pages from the binary: cached for good where the name carries a hash, revalidated otherwise, and `index.html`
//! for every path that is a page of the single-page application.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use web_assets::Asset;

/// No inline script, nothing from elsewhere, no frame around us. Styles may be inline: Mermaid and KaTeX set them on elements.
const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; \
    font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) async fn page(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if let Some(asset) = web_assets::find(path).filter(|_| path != "index.html") {
        return file(asset, &headers);
    }
    // A missing script must be a 404, not a page: a browser with an old index would run HTML.
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match web_assets::find("index.html") {
        Some(index) => file(index, &headers),
        None => axum::response::Html(web_assets::NOT_BUILT).into_response(),
    }
}

fn file(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let known = asked.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let mut response = if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body(asset, asked)
    };
    let headers = response.headers_mut();
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if asset.mime.starts_with("text/html") {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    }
    response
}

fn body(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let mime = [(header::CONTENT_TYPE, asset.mime)];
    let gzip = asked
        .get(header::ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok())
        .is_some_and(|accepted| accepted.contains("gzip"));
    if gzip {
        return (mime, [(header::CONTENT_ENCODING, "gzip")], Body::from(asset.gzip)).into_response();
    }
    match asset.plain() {
        Ok(plain) => (mime, plain).into_response(),
        Err(error) => {
            tracing::error!(path = asset.path, %error, "an embedded file does not unpack");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

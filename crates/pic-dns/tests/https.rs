//! An upstream by HTTPS: used when its certificate and its answers are right, never otherwise.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::{Service, fresh_address, snapshot};
use pic_model::snapshot::dns::Upstream;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server that answers every question with 192.0.2.7, and the file with its certificate.
fn server(dir: &std::path::Path) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["dns.example".to_owned()]).unwrap();
    let file = dir.join("ca.pem");
    File::create(&file).unwrap().write_all(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(listener, Arc::new(config)));
    });
    (address, file.to_str().unwrap().to_owned())
}

async fn serve(listener: std::net::TcpListener, config: Arc<ServerConfig>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let query = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!((&query[..2], query.len() % 128), (&b"\0\0"[..], 0), "id 0 and padded");
    let end = 12 + query[12..].iter().position(|b| *b == 0).unwrap() + 5;
    let mut reply = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], &query[12..end]].concat();
    reply.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x07");
    let builder = match path.as_str() {
        "/dns-query" => Response::builder().header("content-type", "application/dns-message"),
        "/html" => Response::builder().header("content-type", "text/html"),
        "/huge" => {
            reply.resize(1 << 20, 0);
            Response::builder().header("content-type", "application/dns-message")
        }
        _ => Response::builder().status(500),
    };
    Ok(builder.body(Full::new(reply.into())).unwrap())
}

#[test]
fn asks_by_https_and_checks_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (address, authorities) = server(dir.path());
    let env = [("SSL_CERT_FILE", authorities.as_str())];
    let to = |name: &str, path: &str| vec![Upstream::Https { address, name: name.into(), path: path.into() }];
    let right = Service::start(&snapshot(fresh_address(), to("dns.example", "/dns-query")), &env);
    for n in 0..20 {
        assert_eq!(right.dig(&["+short", &format!("name{n}.example")]), "192.0.2.7\n");
    }
    for (name, path) in [
        ("other.example", "/dns-query"),
        ("dns.example", "/html"),
        ("dns.example", "/huge"),
        ("dns.example", "/no"),
    ] {
        let wrong = Service::start(&snapshot(fresh_address(), to(name, path)), &env);
        assert!(wrong.dig(&["name.example"]).contains("SERVFAIL"), "{name} {path}");
    }
}

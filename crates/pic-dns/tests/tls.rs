//! An upstream by TLS: used when its certificate is right, never otherwise.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[expect(dead_code, reason = "shared by several test programs")]
mod kit;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use kit::{Service, fresh_address, snapshot};
use pic_model::snapshot::dns::Upstream;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that answers every question with NOERROR and 192.0.2.7, and the file with its certificate.
fn server(dir: &std::path::Path) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["dns.example".to_owned()]).unwrap();
    let file = dir.join("ca.pem");
    File::create(&file).unwrap().write_all(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || converse(StreamOwned::new(connection, stream)));
        }
    });
    (address, file.to_str().unwrap().to_owned())
}

fn converse(mut stream: impl Read + Write) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        assert_eq!(query.len() % 128, 0, "padded");
        let name_end = 12 + query[12..].iter().position(|b| *b == 0).unwrap() + 5;
        let mut reply = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], &query[12..name_end]].concat();
        reply.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x07");
        let framed = [&u16::try_from(reply.len()).unwrap().to_be_bytes()[..], &reply].concat();
        stream.write_all(&framed).unwrap();
        stream.flush().unwrap();
    }
}

#[test]
fn asks_by_tls_and_checks_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let (address, authorities) = server(dir.path());
    let env = [("SSL_CERT_FILE", authorities.as_str())];
    let to = |name: &str| vec![Upstream::Tls { address, name: name.into() }];

    let right = Service::start(&snapshot(fresh_address(), to("dns.example")), &env);
    for n in 0..20 {
        assert_eq!(right.dig(&["+short", &format!("name{n}.example")]), "192.0.2.7\n");
    }
    let wrong = Service::start(&snapshot(fresh_address(), to("other.example")), &env);
    assert!(wrong.dig(&["name.example"]).contains("SERVFAIL"));
    let unknown = Service::start(&snapshot(fresh_address(), to("dns.example")), &[]);
    assert!(unknown.dig(&["name.example"]).contains("SERVFAIL"));
}

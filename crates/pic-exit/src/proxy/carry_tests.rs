//! Carrying, with a proxy of our own in this process that is asked by real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pic_model::exit::proxy::Protocol;
use pic_model::snapshot::proxy::{ProxySnapshot, VERSION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::carry::{Carrier, Leads};
use super::dial::Dialer;

const SENT: usize = 4 << 20;

/// A SOCKS5 proxy that connects to nobody: it counts what comes until the end, then says how much that was.
async fn counts(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut said = [0; 13];
    stream.read_exact(&mut said[..3]).await.unwrap();
    stream.write_all(&[5, 0]).await.unwrap();
    stream.read_exact(&mut said[..10]).await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let (mut buffer, mut came) = (vec![0; 1 << 16], 0);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            some => came += some,
        }
    }
    stream.write_all(&came.to_be_bytes()).await.unwrap();
}

/// A relay that leads everything through a proxy; where it takes connections in.
async fn relay(proxy: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    let target = SocketAddr::from(([192, 0, 2, 1], 443));
    let config = ProxySnapshot {
        version: VERSION,
        transparent: Vec::new(),
        names: at,
        resolver: target,
        plain: true,
        protocol: Protocol::Socks5,
        proxy,
        login: None,
    };
    (at, tokio::spawn(Carrier::new(Dialer::new(config)).serve(at, Leads::To(target))))
}

async fn connect(at: SocketAddr) -> TcpStream {
    for _ in 0..500 {
        if let Ok(stream) = TcpStream::connect(at).await {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody listens at {at}");
}

#[tokio::test]
async fn one_way_ends_before_the_other() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (at, relay) = relay(proxy.local_addr().unwrap()).await;
    let proxy = tokio::spawn(counts(proxy));
    let mut stream = connect(at).await;
    stream.write_all(&vec![7; SENT]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, SENT.to_be_bytes());
    proxy.await.unwrap();
    relay.abort();
}

#[tokio::test]
async fn what_is_cut_off_does_not_look_like_its_end() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (at, relay) = relay(proxy.local_addr().unwrap()).await;
    // It goes away before it has said anything.
    let proxy = tokio::spawn(async move { drop(proxy.accept().await.unwrap()) });
    let mut stream = connect(at).await;
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    proxy.await.unwrap();
    // And so does a relay that ends while it carries.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    relay.abort();
    let (at, relay) = super::carry_tests::relay(silent.local_addr().unwrap()).await;
    let mut stream = connect(at).await;
    let (_proxy, _) = silent.accept().await.unwrap();
    relay.abort();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

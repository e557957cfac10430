//! Small pieces of traffic: pings, datagrams, HTTP.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Namespace;
use crate::cmd;
use crate::marker::Marker;

/// How a series of pings went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pings {
    /// Sent.
    pub sent: u32,
    /// Answered.
    pub received: u32,
}

impl Pings {
    /// Every one was answered.
    pub fn all_back(self) -> bool {
        self.sent > 0 && self.sent == self.received
    }

    /// Reads the summary line of `ping`.
    pub fn parse(text: &str) -> Result<Self> {
        let line = text.lines().find(|line| line.contains("packets transmitted"));
        let numbers: Vec<u32> = line
            .context("ping printed no summary")?
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [sent, received, ..] = numbers[..] else {
            anyhow::bail!("a summary of ping without numbers: {text}");
        };
        Ok(Self { sent, received })
    }
}

impl Namespace {
    /// Pings `target` `count` times, one second at most for each; with the marker in the payload if given.
    pub fn ping(&self, target: &str, count: u32, marker: Option<&Marker>) -> Result<Pings> {
        let mut command = self.command("ping");
        command.args(["-n", "-i", "0.1", "-W", "1", "-c", &count.to_string()]);
        if let Some(marker) = marker {
            command.args(["-p", &marker.hex()]);
        }
        let output = cmd::run(command.arg(target))?;
        Pings::parse(&output.stdout).with_context(|| output.stderr.clone())
    }

    /// Sends one datagram from a fresh port.
    pub fn send_udp(&self, to: SocketAddr, payload: &[u8]) -> Result<()> {
        self.enter(|| send(to, payload).map(drop))?
    }

    /// Sends one datagram and returns the answer.
    pub fn ask_udp(&self, to: SocketAddr, payload: &[u8], deadline: Duration) -> Result<Vec<u8>> {
        self.enter(|| {
            let socket = send(to, payload)?;
            socket.set_read_timeout(Some(deadline))?;
            let mut buffer = vec![0; 65536];
            let length = socket.recv(&mut buffer).with_context(|| format!("wait for an answer of {to}"))?;
            buffer.truncate(length);
            Ok(buffer)
        })?
    }

    /// Gets `http://<to><path>`; returns headers and body as they came.
    pub fn http_get(&self, to: SocketAddr, path: &str, deadline: Duration) -> Result<String> {
        self.enter(|| {
            let mut stream =
                TcpStream::connect_timeout(&to, deadline).with_context(|| format!("connect to {to}"))?;
            stream.set_read_timeout(Some(deadline))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).with_context(|| format!("read from {to}"))?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        })?
    }
}

fn send(to: SocketAddr, payload: &[u8]) -> Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).context("open a UDP socket")?;
    socket.connect(to).with_context(|| format!("find a way to {to}"))?;
    socket.send(payload).with_context(|| format!("send to {to}"))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_summary_of_ping() {
        let text = "--- x ---\n20 packets transmitted, 3 received, +2 errors, 85% packet loss, time 19ms\n";
        assert_eq!(Pings::parse(text).unwrap(), Pings { sent: 20, received: 3 });
        assert!(Pings::parse("nothing").is_err());
    }
}
